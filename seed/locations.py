"""Places: sites, buildings, floors, units and docks. The ledgers know them as ship-to addresses, the physicians' systems as places of care.

Number, wing and unit code are identity: floor 3 is not floor 4, and the "4W" of one hospital is not that of the other.
"""

from dataclasses import dataclass
from random import Random

from factory.base import Factory
from factory.declarations import Sequence

from seed.counting import count_from_one
from seed.delivery import Attributes, Delivery, Told, held, present
from seed.errors import abbreviated, address_copied, cased, chance, maybe, phone_copied
from seed.numbers import Address, gln, local_keys, phone
from seed.vocabulary import rows, table

TOTAL = 80
GLN_FROM = 300_000
# share of places that the ledger knows, and whose copy names the key of the physicians' system
IN_LEDGER, NAMED = 0.82, 0.45
BUILDINGS = (("Main Building", "MAIN"), ("East Pavilion", "EPAV"), ("West Tower", "WTWR"), ("Medical Office Building", "MOB"))
FLOORS = ("1", "2", "3", "4")
UNITS = ("3N", "4W", "5N", "6E")
DOCKS = ("A", "B")


@dataclass(frozen=True, slots=True)
class Place:
    """One place at a facility; `inside` is the code of the place that contains it."""

    number: int
    kind: str
    name: str
    code: str
    facility: str
    facility_short: str
    address: Address
    phone: str
    is_mercy: bool
    inside: str | None = None

    @property
    def ehr(self) -> str:
        return "ehr-mercy" if self.is_mercy else "ehr-north"


class PlaceFactory(Factory[Place]):
    class Meta:
        model = Place

    number = Sequence(lambda n: n + 1)


def locations(rng: Random) -> list[Told]:
    count_from_one(PlaceFactory)
    planned = [place for row in rows("places", "facilities") for place in _facility_places(rng, row)][:TOTAL]
    care_keys = local_keys(rng, len(planned), "{:06d}", 1_000, 90_000)
    ledger_keys = local_keys(rng, len(planned), "ST{:05d}", 10, 9_000)
    return [told for place, care, ledger in zip(planned, care_keys, ledger_keys, strict=True) for told in _told(rng, place, care, ledger)]


def _facility_places(rng: Random, row: tuple[str, ...]) -> list[Place]:
    short_code, name, short, company, city, line, _, kind = row
    state, postal_code, area = next(place[1:] for place in rows("places", "local") if place[0] == city)
    site = PlaceFactory.build(
        kind="site",
        name=name,
        code=short_code,
        facility=name,
        facility_short=short,
        address=Address(line, city, state, postal_code),
        phone=phone(rng, area),
        is_mercy=company == "0200",
    )
    return [site, *(_within(rng, site, area, *inner) for inner in (_hospital_parts() if kind == "hospital" else _clinic_parts()))]


def _hospital_parts() -> list[tuple[str, str, str]]:
    """Kind, name and code of what a hospital has."""
    buildings = [("building", name, code) for name, code in BUILDINGS]
    floors = [("floor", f"{name} Floor {floor}", f"{code}-{floor}") for name, code in BUILDINGS[:2] for floor in FLOORS]
    units = [("unit", f"Nursing Unit {unit}", unit) for unit in UNITS]
    docks = [("dock", f"Loading Dock {dock}", f"DOCK-{dock}") for dock in DOCKS]
    return [*buildings, *floors, *units, *docks]


def _clinic_parts() -> list[tuple[str, str, str]]:
    floors = [("floor", f"Floor {floor}", f"FL-{floor}") for floor in FLOORS[:3]]
    return [
        *floors,
        ("room", "Procedure Room 1", "PR-1"),
        ("room", "Procedure Room 2", "PR-2"),
        ("room", "Procedure Room 3", "PR-3"),
        ("dock", "Receiving Dock", "DOCK"),
    ]


def _within(rng: Random, site: Place, area: str, kind: str, name: str, code: str) -> Place:
    return PlaceFactory.build(
        kind=kind,
        name=f"{site.name} {name}",
        code=f"{site.code}-{code}",
        facility=site.facility,
        facility_short=site.facility_short,
        address=site.address,
        phone=phone(rng, area),
        is_mercy=site.is_mercy,
        inside=site.code,
    )


def _told(rng: Random, place: Place, care_key: str, ledger_key: str) -> list[Told]:
    entity = f"location-{place.number:03d}"
    told = [Told(entity, _care_delivery(rng, place, care_key))]
    if chance(rng, IN_LEDGER):
        told.append(Told(entity, _ledger_delivery(rng, place, care_key, ledger_key)))
    return told


def _care_delivery(rng: Random, place: Place, key: str) -> Delivery:
    attributes = present(name=place.name, code=place.code, facility=place.facility, phone=_phone(rng, place, 0.6), parent_code=place.inside)
    known = held(("gs1-gln", maybe(rng, 0.55, gln(GLN_FROM + place.number))))
    return Delivery("location", place.ehr, key, _located(place, attributes, place.address), known)


def _ledger_delivery(rng: Random, place: Place, care_key: str, key: str) -> Delivery:
    """Ship-to addresses; every second one names the place as the physicians' system knows it, most state a GLN."""
    facility = place.facility if chance(rng, 0.7) else place.facility_short
    attributes = present(
        name=_ledger_name(rng, place),
        code=maybe(rng, 0.5, place.code),
        facility=cased(rng, facility, 0.4),
        phone=_phone(rng, place, 0.5),
    )
    known = held(("gs1-gln", maybe(rng, 0.8, gln(GLN_FROM + place.number))), (place.ehr, maybe(rng, NAMED, care_key)))
    return Delivery("location", "erp-north", key, _located(place, attributes, address_copied(rng, place.address, 0.35)), known)


def _located(place: Place, attributes: Attributes, address: Address) -> Attributes:
    return attributes | present(
        kind=place.kind,
        address_line=address.line,
        city=address.city,
        state=address.state,
        postal_code=address.postal_code,
        country="US",
    )


def _ledger_name(rng: Random, place: Place) -> str:
    name = place.name if chance(rng, 0.6) else place.name.replace(place.facility, place.facility_short)
    return cased(rng, abbreviated(rng, name, table("places", "abbreviations"), 0.2), 0.5)


def _phone(rng: Random, place: Place, known: float) -> str | None:
    written = phone_copied(rng, place.phone, known=known)
    return written[0] if written else None
