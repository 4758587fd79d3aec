"""Locations: sites, buildings, units, rooms, docks. Many places share one address and one switchboard, so a name must speak too."""

from collections.abc import Mapping

from matching.compare import Value
from matching.levels import alike, either_crossed, part, same, soft_contains, soft_jaccard
from matching.model import BlockingRule, Model, Thresholds, Veto
from mdm.entities._evidence import (
    compared,
    cross_reference,
    house_number,
    level,
    name_numbers,
    opposite_sides,
    organisation_name,
    postal_code,
    same_or_not,
    street,
    switchboard,
)
from mdm.entity import Attribute, EntityType, IdentifierRule, RelationshipRule, Survive, replacement
from mdm.values.address import ADDRESS_LINE, CITY, COUNTRY, POSTAL_CODE, STATE
from mdm.values.code import CODE
from mdm.values.organisation_name import FACILITY_NAME
from mdm.values.phone import PHONE
from mdm.values.text import LABEL, TEXT

_ATTRIBUTES = (
    Attribute("name", FACILITY_NAME, required=True, survive=Survive.LONGEST, searchable=True),
    Attribute("kind", LABEL, choices=("site", "building", "floor", "unit", "room", "bed", "dock")),
    Attribute("code", CODE, searchable=True, help="Means something within one facility only."),
    Attribute("facility", FACILITY_NAME, survive=Survive.MOST_FREQUENT, searchable=True, help="The hospital or clinic it belongs to."),
    Attribute("address_line", ADDRESS_LINE, group="address", survive=Survive.MOST_COMPLETE, searchable=True),
    Attribute("address_line_2", TEXT, group="address", survive=Survive.MOST_COMPLETE),
    Attribute("city", CITY, group="address", survive=Survive.MOST_COMPLETE),
    Attribute("state", STATE, group="address", survive=Survive.MOST_COMPLETE),
    Attribute("postal_code", POSTAL_CODE, group="address", survive=Survive.MOST_COMPLETE),
    Attribute("country", COUNTRY, group="address", survive=Survive.MOST_COMPLETE),
    Attribute("phone", PHONE),
    Attribute("parent_code", CODE),
)

# All places of a site have its address, its licences and often its switchboard: these say little; a name, a code or a number decides.
_COMPARISONS = (
    same_or_not("kind", "kind", "content", m=0.9995, u=0.45),
    name_numbers("name"),
    cross_reference(),
    same_or_not("global location number", "gln", "identifier", m=0.95, u=0.0005),
    compared(
        "code",
        "identifier",
        level("same", 0.6, 0.004, same("code")),
        level("same but for leading zeros", 0.05, 0.001, same("code.bare")),
        needs="code",
    ),
    organisation_name("name", same_u=0.0003),
    compared(
        "facility",
        "location",
        level("same", 0.75, 0.3, same("facility")),
        level("one is part of the other", 0.2, 0.1, soft_jaccard("facility.tokens", 0.85), soft_contains("facility.tokens", 0.95)),
        level("spelt alike", 0.045, 0.04, alike("facility", 0.95), either_crossed("facility", "facility.acronym")),
        needs="facility",
        otherwise="another facility",
    ),
    street(m=0.8, u=0.4),
    house_number(m=0.88, u=0.5),
    postal_code(m=0.82, u=0.45, area_u=0.2),
    switchboard(m=0.62, u=0.03),
    same_or_not("CMS certification number", "ccn", "identifier", m=0.75, u=0.15),
    same_or_not("NPI", "npi", "identifier", m=0.7, u=0.15),
    same_or_not("CLIA number", "clia", "identifier", m=0.7, u=0.05),
)


def _without_address_numbers(columns: Mapping[str, Value]) -> Mapping[str, Value]:
    """A number of the address that stands in the name too ("Infusion Center 5160 S Pulaski") is no number of the place."""
    numbers, own, street = (str(columns.get(name, "")) for name in ("name.numbers", "address_line.number", "address_line.street"))
    address = {own, *street.split()} - {""}
    if address.isdisjoint(numbers.split()):
        return {}
    return {"name.numbers": " ".join(number for number in numbers.split() if number not in address)}


_BLOCKING = (
    BlockingRule("key", (part("keys"),)),
    BlockingRule("global location number", (part("gln"),)),
    BlockingRule("CMS certification number", (part("ccn"),)),
    BlockingRule("NPI", (part("npi"),)),
    BlockingRule("CLIA number", (part("clia"),)),
    BlockingRule("phone", (part("phone.local"),)),
    BlockingRule("name", (part("name"),)),
    BlockingRule("neighbouring words", (part("name.pairs"),)),
    BlockingRule("word, street", (part("name.tokens"), part("address_line.street", 0, 6))),
    BlockingRule("house number, street", (part("address_line.number"), part("address_line.street", 0, 6))),
    # What tells the places of one site apart stands at the end of the name.
    BlockingRule("end of the name, postal code", (part("name", -10), part("postal_code"))),
    BlockingRule("end of the name, facility", (part("name", -10), part("facility", 0, 8))),
    BlockingRule("numbers, postal code", (part("name.numbers"), part("postal_code"))),
    BlockingRule("numbers, facility", (part("name.numbers"), part("facility", 0, 8))),
    BlockingRule("code, facility", (part("code.bare"), part("facility", 0, 4))),
)

_MODEL = Model(
    version="location-4",
    prior=-8.0,
    comparisons=_COMPARISONS,
    blocking=_BLOCKING,
    thresholds=Thresholds(review=-1.0, link=6.0),
    vetoes=(
        Veto("two kinds of place", conflict=("kind",)),
        Veto("two numbers", conflict=("name.numbers",)),
        Veto("two facilities", conflict=("facility.marks",)),
        *opposite_sides("name"),
        *opposite_sides("facility"),
        Veto("two codes of one system", conflict=("code.bare",), agree=("system",)),
    ),
    clip=17.0,
    groups_needed=2,
    u_from="candidates",
)

ENTITY = EntityType(
    name="location",
    plural="locations",
    label="Location",
    help="A place: site, building, floor, unit, room, bed or dock.",
    attributes=_ATTRIBUTES,
    identifiers=(
        IdentifierRule("gln", "gs1-gln", exclusive=True),
        IdentifierRule("ccn", "us-ccn", many=True, max_holders=30),
        IdentifierRule("npi", "us-npi", max_holders=30),
        IdentifierRule("clia", "us-clia", many=True, max_holders=10),
    ),
    model=_MODEL,
    display=("name", "facility", "city", "state"),
    authorities=(
        ("name", ("ehr", "supply_chain", "erp")),
        ("address", ("registry", "ehr", "supply_chain")),
        ("gln", ("registry", "supply_chain")),
        ("ccn", ("registry",)),
        ("code", ("ehr",)),
    ),
    relationships=(RelationshipRule("part_of", "location", "parts", hierarchy=True), replacement("location")),
    guarded=(("phone", 60), ("phone.local", 60)),
    overlay_below=-10.0,
    derived=_without_address_numbers,
)
