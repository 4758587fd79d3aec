"""Providers: the persons who give or order care. An NPI decides; a stand-in such as "ER PHYSICIAN" is never linked by the machine."""

import re
from dataclasses import replace

from matching.levels import alike, crossed, either_crossed, is_initial, month_day_swapped, part, same, shares, soft_contains, within_edits
from matching.model import BlockingRule, Model, Test, Thresholds, Veto
from mdm.entities._evidence import city, compared, cross_reference, in_its_script, level, phone, postal_code, same_or_not, street
from mdm.entities._names import generation_in_a_name
from mdm.entity import Attribute, EntityType, IdentifierRule, RelationshipRule, Sensitivity, Survive
from mdm.values.address import ADDRESS_LINE, CITY, POSTAL_CODE, STATE
from mdm.values.date import DATE
from mdm.values.department_name import DEPARTMENT_NAME
from mdm.values.email import EMAIL
from mdm.values.kind import Features
from mdm.values.organisation_name import ORGANISATION_NAME
from mdm.values.person_name import FAMILY_NAME, FULL_NAME, GIVEN_NAME, MIDDLE_NAME, NAME_SUFFIX, is_no_name
from mdm.values.phone import PHONE
from mdm.values.sex import SEX
from mdm.values.text import LABEL, TEXT


def _stand_in_apart(value: str) -> Features:
    """A column that only a stand-in fills, so that a veto can ask whether both sides are one."""
    features = LABEL.features(value)
    return {**features, "stand_in": "yes"} if features.get("") == "pseudo" else features


_CREDENTIALS = frozenset(
    {
        "md", "do", "np", "pa", "pac", "c", "rn", "phd", "dds", "dmd", "dpm", "od", "dc", "mph", "pharmd", "psyd",
        "crna", "cnm", "aprn", "lcsw", "licsw", "lmft", "pt", "dpt", "ot", "otr", "rd", "slp", "mbbs", "facs", "facp", "fnp"
    }
)  # fmt: skip


def _parts_of_full_name(value: str) -> Features:
    """A name in one field, also read as its parts: `Hidalgo, Mara Y MD`, or `Mara Y Hidalgo, MD`."""
    before, _, after = value.partition(",")
    if (after and not _are_credentials(after)) or len(before.split()) == 1:
        given, family = " ".join(after.split()[:1]), before
    else:
        words = _without_credentials(str(FULL_NAME.features(before).get("", "")).split())
        given, family = words[0] if words else "", words[-1] if len(words) > 1 else ""
    parts = {"given": GIVEN_NAME.features(given), "family": FAMILY_NAME.features(family)}
    named = {f"{name}_{feature}" if feature else name: found for name, features in parts.items() for feature, found in features.items()}
    return {**FULL_NAME.features(value), **{name: found for name, found in named.items() if name in _NAME_PARTS}}


def _are_credentials(text: str) -> bool:
    """What follows the whole name: letters of a degree, `Jr`."""
    words = [re.sub(r"[^a-z]", "", word.lower()) for word in text.replace(",", " ").split()]
    return all(word in _CREDENTIALS or is_no_name(word) for word in words)


def _without_credentials(words: list[str]) -> list[str]:
    """Letters after the name are dropped; Anna Do keeps hers."""
    while len(words) > 2 and words[-1] in _CREDENTIALS:
        words = words[:-1]
    return words


_NAME_PARTS = ("given", "given_sound", "given_nicknames", "family", "family_sound", "family_words")
_WHOLE_NAME = replace(FULL_NAME, features=_parts_of_full_name, feature_names=(*FULL_NAME.feature_names, *_NAME_PARTS))

_PROVIDER_TYPE = replace(LABEL, features=_stand_in_apart, feature_names=("", "stand_in"))

_ATTRIBUTES = (
    Attribute("given_name", GIVEN_NAME, group="name", survive=Survive.MOST_COMPLETE, searchable=True),
    Attribute("middle_name", MIDDLE_NAME, group="name", survive=Survive.MOST_COMPLETE),
    Attribute("family_name", FAMILY_NAME, group="name", survive=Survive.MOST_COMPLETE, searchable=True),
    Attribute("suffix", NAME_SUFFIX, group="name", survive=Survive.MOST_COMPLETE),
    Attribute("full_name", _WHOLE_NAME, survive=Survive.LONGEST, searchable=True, help="Where the source has one name field."),
    Attribute("previous_family_name", FAMILY_NAME, many=True, survive=Survive.ALL, searchable=True),
    Attribute("credentials", TEXT, survive=Survive.LONGEST, help="MD, DO, NP, PA-C ..."),
    Attribute("birth_date", DATE, sensitivity=Sensitivity.SECRET, survive=Survive.MOST_FREQUENT),
    Attribute("sex", SEX, survive=Survive.MOST_FREQUENT),
    Attribute(
        "provider_type", _PROVIDER_TYPE, choices=("individual", "pseudo", "organization"), help="Pseudo: a stand-in such as ER PHYSICIAN."
    ),
    Attribute("specialty", TEXT),
    Attribute("department", DEPARTMENT_NAME),
    Attribute("organization", ORGANISATION_NAME),
    Attribute("address_line", ADDRESS_LINE, group="address"),
    Attribute("city", CITY, group="address"),
    Attribute("state", STATE, group="address"),
    Attribute("postal_code", POSTAL_CODE, group="address"),
    Attribute("phone", PHONE, many=True, survive=Survive.ALL),
    Attribute("email", EMAIL, searchable=True),
    Attribute("hire_date", DATE),
    Attribute("status_reason", TEXT, help="Why the provider is active, on leave, gone."),
)

_IDENTIFIERS = (
    IdentifierRule("npi", "us-npi", exclusive=True, strong=True),
    IdentifierRule("dea", "us-dea", many=True, max_holders=20),
    IdentifierRule("licence", "state-licence", many=True, max_holders=20),
    IdentifierRule("taxonomy", "nucc-taxonomy", many=True, max_holders=1),
    IdentifierRule("ptan", "medicare-ptan", many=True, max_holders=20),
    IdentifierRule("upin", "upin"),
    IdentifierRule("caqh", "caqh"),
)

_GIVEN_NAME = compared(
    "given name",
    "name",
    level("names exchanged", 0.01, 0.000008, crossed("given_name", "family_name", 0.9)),
    level("same", 0.815, 0.009, same("given_name")),
    level("short form", 0.06, 0.0014, shares("given_name.nicknames")),
    level("near", 0.045, 0.006, alike("given_name", 0.92), within_edits("given_name", 1)),
    level("initial", 0.03, 0.012, is_initial("given_name")),
    level("stands in another name field", 0.02, 0.011, either_crossed("given_name", "middle_name")),
    level("alike", 0.0185, 0.04, alike("given_name", 0.82), same("given_name.sound")),
    needs="given_name",
)

_FAMILY_NAME = compared(
    "family name",
    "name",
    level("same", 0.86, 0.003, same("family_name")),
    level("near", 0.045, 0.002, alike("family_name", 0.92), within_edits("family_name", 1)),
    level("former name", 0.03, 0.0006, either_crossed("family_name", "previous_family_name"), shares("previous_family_name")),
    level("alike", 0.02, 0.02, alike("family_name", 0.82), same("family_name.sound")),
    needs="family_name",
    unless=("given name", "names exchanged"),
)


_GIVEN_IN_ITS_SCRIPT = in_its_script("given name in its own script", "given_name.script", "name", as_much_as=_GIVEN_NAME.levels[1])
_FAMILY_IN_ITS_SCRIPT = in_its_script("family name in its own script", "family_name.script", "name", as_much_as=_FAMILY_NAME.levels[0])


def _crossed(measure: str, field: str, in_full_name: str, at_least: float) -> Test:
    """A name field of one side against the same part of the other side's name in one field."""
    return Test(measure, (field, in_full_name), at_least, both=False)


# One system writes the name in parts, the other in one field. Where both write it in parts, that was compared above.
_FAMILY_IN_ONE_FIELD = compared(
    "family name in one field",
    "name",
    level(
        "same",
        0.265,
        0.0009,
        either_crossed("family_name", "full_name.family"),
        same("full_name.family"),
        either_crossed("previous_family_name", "full_name.family"),
    ),
    level("written in parts on both sides", 0.66, 0.66, alike("family_name", 0.0)),
    level("near", 0.015, 0.0007, _crossed("jaro_winkler", "family_name", "full_name.family", 0.92), alike("full_name.family", 0.92)),
    needs="system",
    unless=("family name", "same"),
    otherwise="another, or none on a side",
)

_GIVEN_IN_ONE_FIELD = compared(
    "given name in one field",
    "name",
    level("same", 0.27, 0.003, either_crossed("given_name", "full_name.given"), same("full_name.given")),
    level("written in parts on both sides", 0.66, 0.66, alike("given_name", 0.0)),
    level(
        "short form or near",
        0.03,
        0.0025,
        _crossed("shared", "given_name.nicknames", "full_name.given_nicknames", 1.0),
        shares("full_name.given_nicknames"),
        _crossed("jaro_winkler", "given_name", "full_name.given", 0.92),
        alike("full_name.given", 0.92),
    ),
    level("initial", 0.012, 0.005, _crossed("initial", "given_name", "full_name.given", 1.0)),
    needs="system",
    unless=("given name", "same"),
    otherwise="another, or none on a side",
)

_BIRTH_DATE = compared(
    "birth date",
    "birth",
    level("same", 0.94, 0.0001, same("birth_date")),
    level("one digit off", 0.035, 0.0012, within_edits("birth_date", 1)),
    level("month and day exchanged", 0.006, 0.0002, month_day_swapped("birth_date")),
    level("same year", 0.015, 0.025, same("birth_date.year")),
    needs="birth_date.year",
)

_IDENTIFIER_EVIDENCE = (
    compared(
        "NPI",
        "identifier",
        level("same", 0.985, 0.000002, same("npi")),
        level("one digit off", 0.005, 0.0001, within_edits("npi", 1)),
        needs="npi",
    ),
    same_or_not("DEA registration", "dea", "identifier", m=0.7, u=0.0002),
    same_or_not("state licence", "licence", "identifier", m=0.75, u=0.0002),
    same_or_not("Medicare PTAN", "ptan", "identifier", m=0.5, u=0.001),
    same_or_not("UPIN", "upin", "identifier", m=0.9, u=0.00005),
    same_or_not("CAQH number", "caqh", "identifier", m=0.95, u=0.00002),
    cross_reference(),
)

_COMPARISONS = (
    # Identifiers first: two records that share none soon cannot reach the threshold any more.
    *_IDENTIFIER_EVIDENCE,
    _GIVEN_NAME,
    _FAMILY_NAME,
    _FAMILY_IN_ONE_FIELD,
    _GIVEN_IN_ONE_FIELD,
    _GIVEN_IN_ITS_SCRIPT,
    _FAMILY_IN_ITS_SCRIPT,
    compared(
        "middle name",
        "name",
        level("same", 0.46, 0.03, same("middle_name")),
        level("same initial", 0.45, 0.08, same("middle_name.initial")),
        needs="middle_name.initial",
    ),
    _BIRTH_DATE,
    same_or_not("sex", "sex", "birth", m=0.99, u=0.5),
    same_or_not("kind of provider", "provider_type", "content", m=0.998, u=0.9),
    compared(
        "specialty",
        "content",
        level("same", 0.55, 0.06, same("specialty")),
        level("alike", 0.2, 0.05, alike("specialty", 0.88)),
        needs="specialty",
    ),
    compared(
        "department",
        "content",
        level("same", 0.5, 0.05, same("department")),
        level("one is part of the other", 0.15, 0.05, soft_contains("department.tokens", 0.95)),
        needs="department",
    ),
    street(m=0.5, u=0.12),
    postal_code(m=0.65, u=0.2, area_u=0.2),
    city(m=0.75, u=0.4),
    phone(m=0.45, u=0.06),
    same_or_not("email", "email", "contact", m=0.75, u=0.0002),
)

_BLOCKING = (
    BlockingRule("key", (part("keys"),)),
    BlockingRule("NPI", (part("npi"),)),
    BlockingRule("DEA registration", (part("dea"),)),
    BlockingRule("state licence", (part("licence"),)),
    BlockingRule("Medicare PTAN", (part("ptan"),)),
    BlockingRule("UPIN", (part("upin"),)),
    BlockingRule("CAQH number", (part("caqh"),)),
    BlockingRule("email", (part("email"),)),
    BlockingRule("sound of both names", (part("given_name.sound"), part("family_name.sound")), crossed=True),
    # Rules of one name share their keys: a name in one field meets the same name in parts.
    BlockingRule("sound of both names", (part("full_name.given_sound"), part("full_name.family_sound")), crossed=True),
    BlockingRule("names in their own script", (part("given_name.script"), part("family_name.script")), crossed=True),
    BlockingRule("family name, given initial", (part("full_name.family"), part("full_name.given", 0, 1))),
    BlockingRule("family name, given initial", (part("family_name"), part("given_name", 0, 1))),
    BlockingRule("former name, given name", (part("previous_family_name"), part("given_name.sound"))),
    BlockingRule("given name, specialty", (part("given_name"), part("specialty", 0, 6))),
    BlockingRule("birth date", (part("birth_date"),)),
    BlockingRule("phone, given initial", (part("phone"), part("given_name", 0, 1))),
    BlockingRule("phone, given initial", (part("phone"), part("full_name.given", 0, 1))),
    BlockingRule("family name, department", (part("family_name.sound"), part("department"))),
)

_MODEL = Model(
    version="provider-1",
    prior=-10.0,
    comparisons=_COMPARISONS,
    blocking=_BLOCKING,
    thresholds=Thresholds(review=0.0, link=7.0),
    vetoes=(
        Veto("two NPIs", conflict=("npi",)),
        Veto("two generations", conflict=("suffix",)),
        Veto("a stand-in, not a person", conflict=(), agree=("provider_type.stand_in",)),
        Veto("two kinds of provider", conflict=("provider_type",)),
    ),
    clip=13.0,
)

ENTITY = EntityType(
    name="provider",
    plural="providers",
    label="Provider",
    help="A person who gives or orders care.",
    attributes=_ATTRIBUTES,
    identifiers=_IDENTIFIERS,
    model=_MODEL,
    display=("family_name", "given_name", "credentials", "specialty"),
    authorities=(
        ("name", ("registry", "workforce", "ehr")),
        ("npi", ("registry", "ehr")),
        ("birth_date", ("workforce",)),
        ("hire_date", ("workforce",)),
        ("status_reason", ("workforce",)),
        ("specialty", ("ehr",)),
        ("licence", ("registry", "ehr")),
        ("email", ("workforce",)),
    ),
    relationships=(
        RelationshipRule("works_in", "department", "staff"),
        RelationshipRule("paid_from", "cost_center", "pays", one=True),
        RelationshipRule("works_at", "location", "providers"),
    ),
    guarded=(("phone", 40), ("email", 4)),
    overlay_below=-6.0,
    derived=generation_in_a_name,
)
