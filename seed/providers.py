"""Providers: people with several employee and physician records, people who only share a name, and generic providers who are nobody.

Each copy can be told by the NPI, or else by the name with at least one of birth date, work e-mail or telephone.
"""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random

from factory.base import Factory
from factory.declarations import LazyAttribute, LazyFunction, Sequence
from factory.random import randgen

from seed.counting import count_from_one
from seed.delivery import Attributes, Delivery, Identifier, Told, held, present
from seed.errors import abbreviated, address_copied, chance, maybe, mistyped_npi, phone_copied, take, typo
from seed.numbers import Address, address_in, dea, local_keys, npi, phone, scattered
from seed.vocabulary import rows, table, words

PEOPLE, NAMESAKES, SONS = 570, 9, 6
FIRST_BIRTH, YEARS_OF_BIRTH = date(1952, 1, 1), 46 * 365
NORTH_SYSTEMS = (("ehr-north", 0.85), ("workforce-north", 0.78), ("billing-north", 0.74))
MAIL_DOMAIN = "northfieldhealth.example"


@dataclass(frozen=True, slots=True)
class Person:
    """A provider as the world knows him or her."""

    number: int
    sex: str
    given: str
    middle: str
    family: str
    specialty: tuple[str, ...]
    organization: str
    birth_date: date
    address: Address
    phone: str
    mail: str
    hired: date
    former_family: str | None = None
    suffix: str | None = None
    confusable: bool = False
    at_mercy: bool = False

    @property
    def npi(self) -> str:
        return npi(self.number)


class PersonFactory(Factory[Person]):
    """People with everyday names, spread over the group's facilities."""

    class Meta:
        model = Person

    number = Sequence(lambda n: n + 1)
    sex = LazyFunction(lambda: randgen.choice("FM"))
    given = LazyAttribute(lambda made: randgen.choice(words("people", "female" if made.sex == "F" else "male")))
    middle = LazyAttribute(lambda made: randgen.choice(words("people", "female" if made.sex == "F" else "male")))
    family = LazyFunction(lambda: randgen.choice(words("people", "family")))
    specialty = LazyFunction(lambda: randgen.choice(rows("people", "specialties")))
    organization = LazyFunction(lambda: randgen.choice([row[1] for row in rows("places", "facilities")[:4]]))
    birth_date = LazyFunction(lambda: FIRST_BIRTH + timedelta(days=randgen.randrange(YEARS_OF_BIRTH)))
    address = LazyFunction(lambda: address_in(randgen, "local")[0])
    phone = LazyFunction(lambda: phone(randgen, randgen.choice(("413", "978", "508", "774"))))
    mail = LazyAttribute(lambda made: f"{made.given}.{made.family}@{MAIL_DOMAIN}".lower())
    hired = LazyFunction(lambda: date(2001, 1, 8) + timedelta(days=7 * randgen.randrange(1300)))


def providers(rng: Random) -> list[Told]:
    count_from_one(PersonFactory)
    ordinary = [_placed(rng, person) for person in PersonFactory.build_batch(PEOPLE)]
    people = _with_own_mail([*ordinary, *_namesakes(rng, ordinary), *_sons(rng, ordinary)])
    known = [(person, system) for person in people for system in _systems(rng, person)]
    keys = {system: iter(local_keys(rng, len(known), form)) for system, form in KEY_FORMS.items()}
    told = [_told(rng, person, system, {s: next(keys[s]) for s in KEY_FORMS}) for person, system in known]
    return [*_cross_named(rng, told), *_nobodies(rng)]


KEY_FORMS = {"ehr-north": "{:07d}", "workforce-north": "{:08d}", "billing-north": "P{:06d}", "ehr-mercy": "D{:06d}"}


def _placed(rng: Random, person: Person) -> Person:
    """Some women changed their name; some people work at Mercy, most of those at Northfield too."""
    former = rng.choice(words("people", "family")) if person.sex == "F" and chance(rng, 0.1) else None
    return replace(person, former_family=former, at_mercy=chance(rng, 0.11))


def _namesakes(rng: Random, people: list[Person]) -> list[Person]:
    """Different people of the same name in another specialty: always with their own NPI."""
    chosen = rng.sample(range(100, PEOPLE), NAMESAKES)
    for index in chosen:
        people[index] = replace(people[index], confusable=True)
    others = rows("people", "specialties")
    doubles = PersonFactory.build_batch(NAMESAKES)
    return [
        replace(double, sex=people[i].sex, given=people[i].given, family=people[i].family, confusable=True, specialty=rng.choice(others))
        for double, i in zip(doubles, chosen, strict=True)
    ]


def _sons(rng: Random, people: list[Person]) -> list[Person]:
    """Fathers and sons under one name: the suffix and the NPI part them."""
    fathers = [index for index, person in enumerate(people[:100]) if person.sex == "M" and person.birth_date.year < 1970][:SONS]
    suffixes = [rng.choice((("Sr", "Jr"), ("II", "III"))) for _ in fathers]
    for index, (older, _) in zip(fathers, suffixes, strict=True):
        people[index] = replace(people[index], suffix=older, confusable=True)
    sons = PersonFactory.build_batch(len(fathers), sex="M")
    return [_son(son, people[index], younger) for son, index, (_, younger) in zip(sons, fathers, suffixes, strict=True)]


def _son(son: Person, father: Person, suffix: str) -> Person:
    born = father.birth_date.replace(day=min(father.birth_date.day, 28), year=father.birth_date.year + 27)
    same = replace(son, given=father.given, middle=father.middle, family=father.family, address=father.address)
    return replace(same, birth_date=born, suffix=suffix, confusable=True, hired=date(2022, 7, 4))


def _with_own_mail(people: list[Person]) -> list[Person]:
    """The mail system numbers the second holder of a name."""
    seen: dict[str, int] = {}
    made = []
    for person in people:
        local = f"{person.given}.{person.family}".lower().replace(" ", "")
        seen[local] = seen.get(local, 0) + 1
        number = str(seen[local]) if seen[local] > 1 else ""
        made.append(replace(person, mail=f"{local}{number}@{MAIL_DOMAIN}"))
    return made


def _systems(rng: Random, person: Person) -> list[str]:
    if not person.at_mercy:
        return take(rng, NORTH_SYSTEMS)
    north = take(rng, [("ehr-north", 0.6), ("workforce-north", 0.6)]) if chance(rng, 0.7) else []
    return [*north, "ehr-mercy"]


def _told(rng: Random, person: Person, system: str, keys: dict[str, str]) -> Told:
    left = chance(rng, 0.04)
    return Told(
        f"provider-{person.number:04d}",
        Delivery(
            "provider",
            system,
            keys[system],
            WRITERS[system](rng, person),
            _identifiers(rng, person, system),
            "inactive" if left else "active",
            valid_from=person.hired if system in {"workforce-north", "ehr-north"} else None,
            valid_to=date(2025, 12, 31) if left else None,
        ),
    )


NPI_KNOWN = {"ehr-north": 0.95, "workforce-north": 0.55, "billing-north": 0.98, "ehr-mercy": 0.93}


def _identifiers(rng: Random, person: Person, system: str) -> tuple[Identifier, ...]:
    own = person.npi if person.confusable or chance(rng, NPI_KNOWN[system]) else None
    if own and not person.confusable and chance(rng, 0.015):
        own = mistyped_npi(rng, own)
    prescribes = person.specialty[2] in {"MD", "DO", "NP", "APRN", "PA", "PA-C"}
    clinical = system.startswith("ehr")
    return held(
        ("us-npi", own),
        ("us-dea", maybe(rng, 0.7, dea(person.number, person.family)) if prescribes and clinical else None),
        ("state-licence", maybe(rng, 0.5, f"MA {scattered(person.number, 6)}") if system != "billing-north" else None),
        ("nucc-taxonomy", person.specialty[1] if system == "billing-north" else None),
        ("medicare-ptan", f"MP{scattered(person.number, 7)}" if system == "billing-north" and prescribes else None),
    )


def _ehr_attributes(rng: Random, person: Person) -> Attributes:
    given = _given(rng, person)
    return present(
        **_name(rng, person, given, middle=maybe(rng, 0.6, person.middle[0])),
        credentials=_credentials(rng, person),
        provider_type="individual",
        birth_date=maybe(rng, 0.6, person.birth_date.isoformat()),
        sex=maybe(rng, 0.9, person.sex),
        specialty=person.specialty[0],
        department=person.specialty[3],
        organization=person.organization,
        phone=phone_copied(rng, person.phone, known=0.8),
        email=maybe(rng, 0.8, person.mail),
    )


def _workforce_attributes(rng: Random, person: Person) -> Attributes:
    home = address_copied(rng, person.address, 0.25)
    return present(
        **_name(rng, person, person.given, middle=maybe(rng, 0.8, person.middle)),
        provider_type="individual",
        birth_date=person.birth_date.strftime("%m/%d/%Y"),
        sex={"F": "Female", "M": "Male"}[person.sex],
        department=abbreviated(rng, person.specialty[3], table("departments", "abbreviations"), 0.5),
        organization=abbreviated(rng, person.organization, table("places", "abbreviations"), 0.3),
        address_line=home.line,
        city=home.city,
        state=home.state,
        postal_code=home.postal_code,
        phone=phone_copied(rng, person.phone, known=0.6),
        email=maybe(rng, 0.93, person.mail),
        hire_date=person.hired.isoformat(),
    )


def _billing_attributes(rng: Random, person: Person) -> Attributes:
    """Billing writes in capitals, and half of its records have the whole name in one field."""
    middle = person.middle[0] if chance(rng, 0.5) else ""
    rest = present(
        provider_type="individual",
        specialty=person.specialty[0].upper(),
        organization=person.organization.upper(),
        phone=phone_copied(rng, person.phone, known=0.5),
        email=maybe(rng, 0.25, person.mail),
    )
    if chance(rng, 0.45) and person.former_family is None:
        family = f"{person.family} {person.suffix}" if person.suffix else person.family
        return rest | present(full_name=f"{family}, {person.given} {middle}".strip().upper() + f" {person.specialty[2].upper()}")
    return rest | _name(rng, person, person.given, middle=middle, upper=True) | present(credentials=_credentials(rng, person))


def _mercy_attributes(rng: Random, person: Person) -> Attributes:
    return _name(rng, person, _given(rng, person), middle=maybe(rng, 0.5, person.middle[0]), upper=True) | present(
        credentials=_credentials(rng, person),
        provider_type="individual",
        birth_date=maybe(rng, 0.7, person.birth_date.isoformat()),
        sex=person.sex,
        specialty=person.specialty[0],
        organization="Mercy Hospital",
        phone=phone_copied(rng, person.phone, known=0.7),
    )


WRITERS = {
    "ehr-north": _ehr_attributes,
    "workforce-north": _workforce_attributes,
    "billing-north": _billing_attributes,
    "ehr-mercy": _mercy_attributes,
}


def _name(rng: Random, person: Person, given: str, *, middle: str | None, upper: bool = False) -> Attributes:
    """The name in its parts: now and then still the maiden name, or with a slip in one of the parts."""
    maiden = person.former_family if chance(rng, 0.4) else None
    family = maiden or person.family
    slip = None if person.confusable else rng.choices(("family", "given", None), (3, 2, 95))[0]
    parts = present(
        given_name=typo(rng, given) if slip == "given" else given,
        middle_name=middle,
        family_name=typo(rng, family) if slip == "family" else family,
        suffix=person.suffix,
    )
    dressed: Attributes = {name: str(value).upper() if upper else value for name, value in parts.items()}
    previous = maybe(rng, 0.6, person.former_family) if maiden is None else None
    return dressed | present(previous_family_name=[previous] if previous else None)


def _given(rng: Random, person: Person) -> str:
    short = table("people", "nicknames").get(person.given)
    return short if short and not person.confusable and chance(rng, 0.12) else person.given


def _credentials(rng: Random, person: Person) -> str:
    title = person.specialty[2]
    return rng.choice([title, title, title.lower(), ".".join(title) + "." if title in {"MD", "DO"} else title, f"{title}, MPH"])


def _cross_named(rng: Random, told: list[Told]) -> list[Told]:
    """A third of the worker records name the physician record of the same person."""
    physicians = {one.entity: one.delivery.key for one in told if one.delivery.system == "ehr-north"}
    return [_naming(one, physicians[one.entity]) if _may_name(one, physicians) and chance(rng, 0.3) else one for one in told]


def _may_name(one: Told, physicians: dict[str, str]) -> bool:
    return one.delivery.system in {"workforce-north", "billing-north"} and one.entity in physicians


def _naming(one: Told, key: str) -> Told:
    return replace(one, delivery=replace(one.delivery, identifiers=(*one.delivery.identifiers, ("ehr-north", key))))


def _nobodies(rng: Random) -> list[Told]:
    """Generic providers. Each record is nobody of its own: they are never the same person."""
    names = words("people", "pseudo")
    systems = (
        [("ehr-north", name) for name in names]
        + [("billing-north", name) for name in names[:5]]
        + [("ehr-mercy", name) for name in names[:2]]
    )
    keys = local_keys(rng, len(systems), "X{:05d}", 10, 9_000)
    return [
        Told(f"provider-nobody-{number:02d}", Delivery("provider", system, key, {"full_name": name, "provider_type": "pseudo"}))
        for number, ((system, name), key) in enumerate(zip(systems, keys, strict=True), start=1)
    ]
