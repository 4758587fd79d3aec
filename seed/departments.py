"""Departments as the physicians' system builds them and as finance and personnel write them down.

Departments of Northfield and of Mercy are different departments, also where they share name and unit code. Inside one facility the
expanded name with its unit code is unique, and every copy states the facility.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random

from factory.base import Factory
from factory.declarations import LazyFunction, Sequence
from factory.random import randgen

from seed.counting import count_from_one
from seed.delivery import Attributes, Delivery, Identifier, Status, Told, held, present
from seed.errors import abbreviated, cased, chance, maybe, phone_copied, take, typo, without_leading_zeros
from seed.numbers import local_keys, phone
from seed.vocabulary import rows, table

CLOSED_ON = date(2025, 12, 31)
CLOSED, RENAMED_SHARE = 7, 0.5
UNIT_SERVICE = "Inpatient Care"
# mnemonics that two hospitals use for different units: the reason why a mnemonic alone names no department
SHARED_MNEMONICS = {"4W", "MICU"}


@dataclass(frozen=True, slots=True)
class Department:
    """A department of one facility, with its keys in the systems that may hold it."""

    number: int
    name: str
    kind: str
    service_line: str
    revenue_code: str
    mnemonic: str
    facility: str
    facility_short: str
    facility_code: str
    company: str
    ehr_key: str
    code: str
    phone: str
    opened: date
    unit: str | None = None
    former_name: str | None = None
    closed: date | None = None

    @property
    def is_mercy(self) -> bool:
        return self.company == "0200"

    @property
    def ehr(self) -> str:
        return "ehr-mercy" if self.is_mercy else "ehr-north"

    @property
    def erp(self) -> str:
        return "erp-mercy" if self.is_mercy else "erp-north"


class DepartmentFactory(Factory[Department]):
    """Departments opened some time in the last thirty years."""

    class Meta:
        model = Department

    number = Sequence(lambda n: n + 1)
    phone = LazyFunction(lambda: phone(randgen, "413"))
    opened = LazyFunction(lambda: date(1994, 7, 1) + timedelta(days=7 * randgen.randrange(1500)))


def plan_departments(rng: Random) -> tuple[Department, ...]:
    """All departments of all facilities, with their keys."""
    count_from_one(DepartmentFactory)
    facilities = rows("places", "facilities")
    total = sum(int(row[6]) for row in facilities)
    ehr_keys = local_keys(rng, total, "{:08d}", 10_100_000, 10_990_000)
    codes = local_keys(rng, total, "{:05d}", 200, 9_800)
    made: list[Department] = []
    for facility in facilities:
        made += _facility_departments(facility, ehr_keys[len(made) :], codes[len(made) :])
    return tuple(_with_history(rng, made))


def departments(rng: Random, planned: tuple[Department, ...], cost_centers: Mapping[int, str]) -> list[Told]:
    """What the systems say about them; `cost_centers` maps a department's number to the code of its cost center."""
    return [told for department in planned for told in _told(rng, department, cost_centers.get(department.number))]


def _facility_departments(facility: tuple[str, ...], ehr_keys: list[str], codes: list[str]) -> list[Department]:
    short_code, name, short, company, _, _, count, kind = facility
    wanted = (_hospital_rows() if kind == "hospital" else _clinic_rows())[: int(count)]
    return [
        DepartmentFactory.build(
            name=row[0],
            kind=row[1],
            service_line=row[2],
            revenue_code=row[3],
            mnemonic=row[4],
            unit=row[5] or None,
            facility=name,
            facility_short=short,
            facility_code=short_code,
            company=company,
            ehr_key=ehr_key,
            code=code,
        )
        for row, ehr_key, code in zip(wanted, ehr_keys, codes, strict=False)
    ]


def _hospital_rows() -> list[tuple[str, ...]]:
    """Support departments first for every hospital, then the units, so that small hospitals have a bit of everything."""
    units = [(service, "clinical", UNIT_SERVICE, "0120", unit, unit) for unit, service in rows("departments", "units")]
    plain = [(*row, "") for row in rows("departments", "hospital")]
    return [*plain[:11], *units[:5], *plain[11:17], *plain[30:], *units[5:7], *plain[17:30], *units[7:]]


def _clinic_rows() -> list[tuple[str, ...]]:
    return [(*row, "") for row in rows("departments", "clinic")]


def _with_history(rng: Random, made: list[Department]) -> list[Department]:
    """Some departments were renamed, and finance still writes the old name; a few have closed."""
    renamed = table("departments", "renamed")
    closed = {made[index].number for index in rng.sample(range(len(made)), CLOSED)}
    return [
        replace(
            one,
            former_name=renamed.get(one.name) if chance(rng, RENAMED_SHARE) else None,
            closed=CLOSED_ON if one.number in closed else None,
        )
        for one in made
    ]


def _told(rng: Random, one: Department, cost_center: str | None) -> list[Told]:
    others = take(rng, [(one.erp, 0.8), ("workforce-north", 0.4 if one.is_mercy else 0.7)])
    deliveries = [_ehr_delivery(rng, one, cost_center), *(_office_delivery(rng, one, system, cost_center) for system in others)]
    return [Told(f"department-{one.number:03d}", delivery) for delivery in deliveries]


def _ehr_delivery(rng: Random, one: Department, cost_center: str | None) -> Delivery:
    attributes = present(
        name=spoken_name(one, floor_in_words=chance(rng, 0.6)),
        code=maybe(rng, 0.55, one.code),
        type=one.kind,
        facility=one.facility,
        service_line=one.service_line,
        revenue_code=one.revenue_code,
        cost_center_code=maybe(rng, 0.65, cost_center),
        phone=_phone(rng, one, 0.8),
        open_date=one.opened.isoformat(),
        close_date=one.closed.isoformat() if one.closed else None,
    )
    return _delivery(one, one.ehr, one.ehr_key, attributes, held(("hl7-point-of-care", maybe(rng, 0.85, _mnemonic(one)))))


def _office_delivery(rng: Random, one: Department, system: str, cost_center: str | None) -> Delivery:
    """The view of finance or personnel; half of the records, and all that bear an old name, name the record of the physicians' system."""
    personnel = system == "workforce-north"
    code = without_leading_zeros(one.code) if personnel else one.code
    named = one.former_name is not None or chance(rng, 0.5)
    attributes = present(
        name=_office_name(rng, one),
        code=code,
        type=maybe(rng, 0.7, one.kind),
        facility=_facility(rng, one),
        service_line=maybe(rng, 0.3, one.service_line),
        cost_center_code=maybe(rng, 0.8 if personnel else 0.95, _written_code(cost_center, personnel=personnel)),
        phone=_phone(rng, one, 0.4),
        open_date=maybe(rng, 0.5, one.opened.isoformat()),
    )
    identifiers = held((one.ehr, one.ehr_key if named else None), ("hl7-point-of-care", maybe(rng, 0.2, _mnemonic(one))))
    key = f"{one.company}{code}" if personnel else f"D{one.code}"
    return _delivery(one, system, key, attributes, identifiers)


def _delivery(one: Department, system: str, key: str, attributes: Attributes, identifiers: tuple[Identifier, ...]) -> Delivery:
    status: Status = "inactive" if one.closed else "active"
    return Delivery("department", system, key, attributes, identifiers, status, valid_from=one.opened, valid_to=one.closed)


def spoken_name(one: Department, *, floor_in_words: bool) -> str:
    """A unit's name begins with its code, as "4W" or in words as "4 West"; other departments have just their name."""
    if one.unit is None:
        return one.name
    floor = f"{one.unit[0]} {table('departments', 'floors')[one.unit[1]]}" if floor_in_words else one.unit
    return f"{floor} {one.name}"


def _office_name(rng: Random, one: Department) -> str:
    current = spoken_name(one, floor_in_words=chance(rng, 0.15))
    full = one.former_name or abbreviated(rng, current, table("departments", "abbreviations"), 0.55)
    full = f"{one.facility_code} {full}" if chance(rng, 0.08) else full
    slipped = typo(rng, full) if len(full) > 12 and chance(rng, 0.03) else full
    return cased(rng, slipped, 0.5)


def _facility(rng: Random, one: Department) -> str:
    return cased(rng, rng.choices((one.facility, one.facility_short, one.facility_code), (72, 26, 2))[0], 0.3)


def _mnemonic(one: Department) -> str:
    return one.mnemonic if one.mnemonic in SHARED_MNEMONICS else f"{one.facility_code}{one.mnemonic}"


def _written_code(code: str | None, *, personnel: bool) -> str | None:
    return without_leading_zeros(code) if code and personnel else code


def _phone(rng: Random, one: Department, known: float) -> str | None:
    written = phone_copied(rng, one.phone, known=known)
    return written[0] if written else None
