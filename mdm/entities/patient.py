"""Patients. The wrong link harms more than the missed one: what a household or twins have in common never links by itself."""

from dataclasses import replace

from matching.levels import (
    alike,
    contains,
    crossed,
    either_crossed,
    is_initial,
    jaccard,
    mistyped,
    month_day_swapped,
    part,
    prefix,
    same,
    shares,
    within_edits,
)
from matching.model import Backing, BlockingRule, Comparison, KeyPart, Model, Test, Thresholds, Veto
from mdm.entities._evidence import compared, cross_reference, house_number, in_its_script, level, phone, same_or_not, street
from mdm.entities._names import RESIDUAL, told_by_names
from mdm.entity import Attribute, EntityType, IdentifierRule, Sensitivity, Survive
from mdm.values.address import ADDRESS_LINE, CITY, COUNTRY, POSTAL_CODE, STATE
from mdm.values.date import DATE
from mdm.values.email import EMAIL
from mdm.values.flag import FLAG
from mdm.values.kind import Features
from mdm.values.number import NUMBER
from mdm.values.person_name import FAMILY_NAME, FULL_NAME, GIVEN_NAME, MIDDLE_NAME, NAME_SUFFIX
from mdm.values.phone import PHONE
from mdm.values.sex import SEX
from mdm.values.text import LABEL, TEXT

PHI = Sensitivity.PHI


def _yes_alone(value: str) -> Features:
    """A column that only a "yes" fills, so that a veto can ask whether both sides say it."""
    return {"": value, "yes": "yes"} if value == "true" else {"": value}


def _by_rarity(comparison: Comparison) -> Comparison:
    """The first level counts the more, the rarer the shared value is."""
    first = replace(comparison.levels[0], frequency=comparison.needs[0])
    return replace(comparison, levels=(first, *comparison.levels[1:]))


_MULTIPLE_BIRTH = replace(FLAG, features=_yes_alone, feature_names=("", "yes"))

_ATTRIBUTES = (
    Attribute("given_name", GIVEN_NAME, group="name", sensitivity=PHI, survive=Survive.MOST_COMPLETE, searchable=True),
    Attribute("middle_name", MIDDLE_NAME, group="name", sensitivity=PHI, survive=Survive.MOST_COMPLETE),
    Attribute("family_name", FAMILY_NAME, group="name", sensitivity=PHI, survive=Survive.MOST_COMPLETE, searchable=True),
    Attribute(
        "suffix", NAME_SUFFIX, group="name", sensitivity=PHI, survive=Survive.MOST_COMPLETE, help="Generation only: JR, SR, II, III."
    ),
    Attribute(
        "full_name", FULL_NAME, sensitivity=PHI, survive=Survive.LONGEST, searchable=True, help="Where the source has one name field."
    ),
    Attribute("previous_family_name", FAMILY_NAME, many=True, sensitivity=PHI, survive=Survive.ALL, searchable=True),
    Attribute("birth_date", DATE, sensitivity=PHI, survive=Survive.MOST_FREQUENT, searchable=True, help="May be a year or a month only."),
    Attribute("sex", SEX, sensitivity=PHI, survive=Survive.MOST_FREQUENT, help="Administrative sex."),
    Attribute("address_line", ADDRESS_LINE, group="address", sensitivity=PHI),
    Attribute("address_line_2", TEXT, group="address", sensitivity=PHI),
    Attribute("city", CITY, group="address", sensitivity=PHI),
    Attribute("state", STATE, group="address", sensitivity=PHI),
    Attribute("postal_code", POSTAL_CODE, group="address", sensitivity=PHI, searchable=True),
    Attribute("country", COUNTRY, group="address", sensitivity=PHI),
    Attribute("phone", PHONE, many=True, sensitivity=PHI, survive=Survive.ALL, searchable=True),
    Attribute("email", EMAIL, sensitivity=PHI, searchable=True),
    Attribute("mothers_maiden_name", FAMILY_NAME, label="Mother's maiden name", sensitivity=PHI, survive=Survive.MOST_FREQUENT),
    Attribute("multiple_birth", _MULTIPLE_BIRTH, sensitivity=PHI, help="A twin, triplet ..."),
    Attribute("birth_order", NUMBER, sensitivity=PHI, help="1 for the first child of a multiple birth."),
    Attribute("deceased", FLAG, sensitivity=PHI),
    Attribute("deceased_date", DATE, sensitivity=PHI),
    Attribute("language", LABEL, sensitivity=PHI),
    Attribute("occupation", TEXT, sensitivity=PHI),
)

_IDENTIFIERS = (
    IdentifierRule("ssn", "us-ssn", max_holders=4),
    IdentifierRule("mbi", "us-mbi", exclusive=True, max_holders=4),
    IdentifierRule("medicaid_id", "us-medicaid", many=True, max_holders=8),
    IdentifierRule("member_id", "member-id", many=True, max_holders=12),
    IdentifierRule("driver_licence", "driver-licence", many=True, max_holders=6),
    IdentifierRule("passport", "passport", many=True, max_holders=6),
    IdentifierRule("national_id", "national-id", many=True, max_holders=6),
    IdentifierRule("local_id", "local-id", many=True, max_holders=12),
)

# The given name alone tells brothers, sisters and twins apart. Where it is another one, or unknown as with two newborns, all that a
# household shares counts nothing: only the person's own identifiers can carry the link then.
_TOLD_APART = ("given name", "different")
_BORN_APART = tuple(
    ("birth date", label) for label in ("only the year known", "two digits off", "same year", "same day of another year", "different")
)

_GIVEN_NAME_KNOWN = compared(
    "given name known",
    "content",
    level(
        "on both sides",
        0.9995,
        0.9887,
        alike("given_name", 0.0),
        alike("given_name.script", 0.0),
        Test("jaro_winkler", ("given_name", "given_name.script"), 0.0, both=False),
    ),
    needs="system",
    otherwise="not on both sides",
)

_GIVEN_NAME = compared(
    "given name",
    "person",
    level("names exchanged", 0.012, 0.000003, crossed("given_name", "family_name", 0.9)),
    replace(level("same", 0.765, 0.0061, same("given_name")), frequency="given_name"),
    level("short form", 0.052, 0.0012, shares("given_name.nicknames")),
    level("near", 0.095, 0.0033, alike("given_name", 0.92), within_edits("given_name", 1)),
    level("initial", 0.02, 0.0062, is_initial("given_name")),
    level(
        "stands in another name field",
        0.02,
        0.0062,
        either_crossed("given_name", "middle_name"),
        either_crossed("given_name", "family_name"),
        either_crossed("given_name", RESIDUAL),
    ),
    level("alike", 0.0322, 0.02, alike("given_name", 0.82), same("given_name.sound")),
    needs="given_name",
)

_FAMILY_NAME = compared(
    "family name",
    "name",
    replace(level("same", 0.81, 0.003, same("family_name")), frequency="family_name"),
    level("near", 0.08, 0.0014, alike("family_name", 0.92), within_edits("family_name", 1)),
    level("one of two family names", 0.005, 0.0002, contains("family_name.words", 1.0)),
    level("former name", 0.03, 0.0008, either_crossed("family_name", "previous_family_name"), shares("previous_family_name")),
    level(
        "stands in another name field", 0.005, 0.002, either_crossed("family_name", "given_name"), either_crossed("family_name", RESIDUAL)
    ),
    level("alike", 0.03, 0.012, alike("family_name", 0.82), same("family_name.sound")),
    needs="family_name",
    unless=("given name", "names exchanged"),
)

_GIVEN_IN_ITS_SCRIPT = in_its_script("given name in its own script", "given_name.script", "person", as_much_as=_GIVEN_NAME.levels[1])
_FAMILY_IN_ITS_SCRIPT = in_its_script("family name in its own script", "family_name.script", "name", as_much_as=_FAMILY_NAME.levels[0])

# Words of a name in one field that are neither the given nor the family name.
_FURTHER_NAMES = compared(
    "further names",
    "name",
    level("same", 0.5, 0.01, jaccard(RESIDUAL, 1.0)),
    level("some", 0.2, 0.02, shares(RESIDUAL)),
    needs=RESIDUAL,
)

_BIRTH_DATE = compared(
    "birth date",
    "birth",
    replace(level("same", 0.9138, 0.00006, same("birth_date")), frequency="birth_date"),
    level("one digit off", 0.05, 0.0014, within_edits("birth_date", 1)),
    level("month and day exchanged", 0.008, 0.00012, month_day_swapped("birth_date")),
    level("only the year known", 0.0005, 0.0002, either_crossed("birth_date.new_year", "birth_date.year")),
    level("two digits off", 0.015, 0.011, within_edits("birth_date", 2)),
    level("same year", 0.01, 0.014, same("birth_date.year")),
    level("same day of another year", 0.002, 0.0025, same("birth_date.month_day")),
    needs="birth_date.year",
)

# A number one sign off is a slip, or the next number, given to a twin on the same day: it says nothing.
_IDENTIFIER_EVIDENCE = (
    compared(
        "social security number",
        "identifier",
        level("same", 0.935, 0.00005, same("ssn")),
        level("one digit off", 0.06, 0.06, within_edits("ssn", 1)),
        needs="ssn",
    ),
    compared(
        "Medicare number",
        "identifier",
        level("same", 0.85, 0.00002, same("mbi")),
        level("one sign off", 0.03, 0.0005, within_edits("mbi", 1)),
        needs="mbi",
    ),
    same_or_not("Medicaid number", "medicaid_id", "identifier", m=0.8, u=0.00002),
    same_or_not("driver's licence", "driver_licence", "identifier", m=0.8, u=0.00005),
    same_or_not("passport", "passport", "identifier", m=0.7, u=0.00005),
    compared(
        "national identifier",
        "identifier",
        level("same", 0.85, 0.00005, same("national_id")),
        level("one sign off", 0.08, 0.08, within_edits("national_id", 1)),
        needs="national_id",
    ),
    same_or_not("local identifier", "local_id", "identifier", m=0.6, u=0.0005),
    cross_reference(),
)

_HOUSEHOLD_EVIDENCE = (
    _by_rarity(street(m=0.62, u=0.04)),
    compared(
        "postal code",
        "location",
        replace(level("same", 0.7, 0.05, same("postal_code")), frequency="postal_code"),
        level("one sign off", 0.07, 0.021, within_edits("postal_code", 1)),
        level("two signs off", 0.01, 0.015, within_edits("postal_code", 2)),
        level("same area", 0.07, 0.185, same("postal_code.area")),
        level("same region", 0.04, 0.12, prefix("postal_code", 2)),
        needs="postal_code",
    ),
    compared(
        "city",
        "location",
        replace(level("same", 0.8, 0.28, same("city")), frequency="city"),
        level("near", 0.06, 0.03, alike("city", 0.9), within_edits("city", 1)),
        level("one is part of the other", 0.02, 0.012, contains("city.words", 1.0), within_edits("city", 2)),
        needs="city",
    ),
    phone(m=0.6, u=0.035),
    compared(
        "email",
        "contact",
        level("same", 0.62, 0.004, same("email")),
        level("same mailbox name", 0.06, 0.0015, same("email.local")),
        level("near", 0.04, 0.002, alike("email", 0.92), within_edits("email", 2)),
        level("near mailbox name", 0.02, 0.004, alike("email.local", 0.88)),
        needs="email",
    ),
    same_or_not("member number", "member_id", "contact", m=0.65, u=0.08),
    compared(
        "mother's maiden name",
        "birth",
        level("same", 0.85, 0.2, same("mothers_maiden_name")),
        level("near", 0.06, 0.04, alike("mothers_maiden_name", 0.9)),
        needs="mothers_maiden_name",
    ),
    _by_rarity(same_or_not("occupation", "occupation", "content", m=0.55, u=0.08)),
)


def _of_the_person(comparison: Comparison) -> Comparison:
    """Counts nothing where given name and birth date speak of another person of the household."""
    return replace(comparison, unless=_TOLD_APART, along_with=_BORN_APART)


_COMPARISONS = (
    # Identifiers first: two records that share none soon cannot reach the threshold any more.
    *_IDENTIFIER_EVIDENCE,
    _GIVEN_NAME_KNOWN,
    _GIVEN_NAME,
    _FAMILY_NAME,
    _GIVEN_IN_ITS_SCRIPT,
    _FAMILY_IN_ITS_SCRIPT,
    _FURTHER_NAMES,
    _BIRTH_DATE,
    same_or_not("sex", "sex", "birth", m=0.985, u=0.5),
    _of_the_person(
        compared(
            "middle name",
            "name",
            level("same", 0.46, 0.03, same("middle_name")),
            level("same initial", 0.4, 0.08, same("middle_name.initial")),
            needs="middle_name.initial",
        )
    ),
    *(_of_the_person(comparison) for comparison in _HOUSEHOLD_EVIDENCE),
    house_number(m=0.86, u=0.25),
)


def _broad(name: str, *parts: KeyPart, crossed: bool = False) -> BlockingRule:
    """A day of birth, a surname, a postal code: worth following while few share it, else only where hardly anybody shares another such key.

    Of 4,000 deliveries among a million patients, two such keys that three and more held led to six questions and to no link.
    """
    return BlockingRule(name, parts, crossed=crossed, holders_max=20, together_max=2)


_BLOCKING = (
    BlockingRule("key", (part("keys"),)),
    BlockingRule("social security number", (part("ssn"),)),
    BlockingRule("Medicare number", (part("mbi"),)),
    BlockingRule("Medicaid number", (part("medicaid_id"),)),
    BlockingRule("member number", (part("member_id"),)),
    BlockingRule("driver's licence", (part("driver_licence"),)),
    BlockingRule("passport", (part("passport"),)),
    BlockingRule("national identifier", (part("national_id"),)),
    BlockingRule("local identifier", (part("local_id"),)),
    BlockingRule("end of phone", (part("phone", -6),)),
    _broad("mailbox name", part("email.local", 0, 6)),
    _broad("birth date", part("birth_date")),
    _broad("birth month, initials", part("birth_date.year_month"), part("given_name", 0, 1), part("family_name", 0, 1), crossed=True),
    BlockingRule("sound of both names", (part("given_name.sound"), part("family_name.sound")), crossed=True),
    BlockingRule("names in their own script", (part("given_name.script"), part("family_name.script")), crossed=True),
    _broad("family name, given initial", part("family_name"), part("given_name", 0, 1)),
    _broad("street, family name", part("address_line.street", 0, 6), part("family_name", 0, 2)),
    _broad("street, given name", part("address_line.street", 0, 6), part("given_name", 0, 2)),
    _broad("postal code, street", part("postal_code"), part("address_line.street", 0, 4)),
    _broad("postal code", part("postal_code")),
    _broad("city, birth year", part("city"), part("birth_date.year")),
    _broad("city, family name", part("city"), part("family_name.sound")),
    _broad("city, given name", part("city"), part("given_name.sound")),
    _broad("family name", part("family_name")),
)

# Not a slip of the pen: neither the generation nor the day agrees.
_TWO_DATES = ("birth_date.generation", "birth_date.month_day")

# Numbers that father and son do not share.
_OWN_NUMBERS = ("ssn", "mbi", "medicaid_id", "driver_licence", "passport", "national_id")

_MODEL = Model(
    version="patient-1",
    prior=-16.0,
    comparisons=_COMPARISONS,
    blocking=_BLOCKING,
    thresholds=Thresholds(review=-4.0, link=5.0),
    vetoes=(
        Veto("two generations", conflict=("suffix",)),
        Veto("two children of a multiple birth", conflict=("birth_order",)),
        Veto("two names in a multiple birth", conflict=("given_name",), agree=("multiple_birth.yes", "birth_date")),
        # Robert and Roberta, Maria Elena and Maria Teresa: twins are named alike, so that no likeness of names speaks for one person here.
        Veto("two sexes and two names of one birth", conflict=("sex", "given_name"), agree=("birth_date",)),
        Veto(
            "two social security numbers and two names of one birth",
            conflict=("given_name", "ssn"),
            agree=("birth_date",),
            lifted_where=(mistyped("ssn"),),
        ),
        # Of these no likeness is known, and a household shares the rest.
        Veto("two given names in their own script", conflict=("given_name.script",)),
        Veto(
            "two given and two middle names",
            conflict=("given_name.nicknames", "given_name.sound", "middle_name.initial"),
            agree=("birth_date",),
        ),
        # A guarantor's number on twins, or a parent's on a child: the number alone never carries another name.
        Veto("one social security number and two names", conflict=("given_name.nicknames", "given_name.sound"), agree=("ssn",)),
        Veto("two birth dates and two social security numbers", conflict=("birth_date", "ssn")),
        # Father and son of one name and home: what they share says nothing about who was born when.
        Veto("two birth dates and one phone", conflict=_TWO_DATES, agree=("given_name.nicknames", "phone"), lifted_by=_OWN_NUMBERS),
        Veto("two birth dates and one email address", conflict=_TWO_DATES, agree=("given_name.nicknames", "email"), lifted_by=_OWN_NUMBERS),
        Veto(
            "two birth dates and one member number",
            conflict=_TWO_DATES,
            agree=("given_name.nicknames", "member_id"),
            lifted_by=_OWN_NUMBERS,
        ),
        Veto(
            "two birth dates and one home",
            conflict=_TWO_DATES,
            agree=("given_name.nicknames", "address_line.street", "postal_code"),
            lifted_by=_OWN_NUMBERS,
        ),
        Veto("two names and two social security numbers", conflict=("given_name.nicknames", "given_name.sound", "ssn")),
    ),
    clip=12.0,
    groups_required=("person", "identifier"),
    # Two Maria Garcia born ten days apart are two persons as likely as one, and nobody has counted yet how common they are.
    backing=Backing(met=("birth date", "same"), groups=("location", "contact", "identifier")),
)

ENTITY = EntityType(
    name="patient",
    plural="patients",
    label="Patient",
    help="A person who receives care.",
    attributes=_ATTRIBUTES,
    identifiers=_IDENTIFIERS,
    model=_MODEL,
    display=("family_name", "given_name", "birth_date", "sex"),
    phi=True,
    authorities=(
        ("name", ("ehr", "registry")),
        ("birth_date", ("ehr", "registry")),
        ("sex", ("ehr",)),
        ("address", ("ehr",)),
        ("phone", ("ehr",)),
        ("deceased", ("registry", "ehr")),
        ("deceased_date", ("registry", "ehr")),
        ("medicaid_id", ("registry", "clearinghouse")),
        ("member_id", ("clearinghouse", "billing")),
    ),
    guarded=(("phone", 12), ("email", 8)),
    overlay_below=-8.0,
    grave=("birth_date.year", "deceased", "deceased_date"),
    derived=told_by_names,
    derived_columns=(RESIDUAL,),
)
