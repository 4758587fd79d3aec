"""Pairs of organisations, places, codes and items whose outcome the declared weights must get right on the first day."""

from collections.abc import Mapping

import pytest

from matching.compare import Value
from matching.score import Scorer
from mdm.entities import ENTITY_TYPES
from mdm.entity import EntityType
from mdm.identifier_systems import BY_CODE


def columns(entity: EntityType, system: str, key: str, values: Mapping[str, str]) -> dict[str, Value]:
    """The comparison columns of a delivered record: what a service would compute, for single values."""
    found: dict[str, Value] = {"keys": (f"{system}:{key}",), "system": system}
    systems = {rule.name: rule.system for rule in entity.identifiers}
    for name, raw in values.items():
        kind = BY_CODE[systems[name]].type if name in systems else entity.attribute(name).type
        reading = kind.read(raw)
        assert reading.value is not None, raw
        for feature, value in kind.features(reading.value).items():
            found[f"{name}.{feature}" if feature else name] = value
    return found if entity.derived is None else {**found, **entity.derived(found)}


def outcome(
    domain: str, left: Mapping[str, str], right: Mapping[str, str], *, systems: tuple[str, str] = ("erp-north", "erp-mercy")
) -> str:
    entity = ENTITY_TYPES[domain]
    model = entity.model
    score = Scorer(model).score(columns(entity, systems[0], "1", left), columns(entity, systems[1], "2", right))
    if score.weight >= model.thresholds.link:
        return "review" if score.vetoes else "link"
    return "review" if score.weight >= model.thresholds.review else "apart"


LINKED: list[tuple[str, dict[str, str], dict[str, str]]] = [
    (
        "department",
        {"name": "Emergency Department", "facility": "Northfield General Hospital"},
        {"name": "ED", "facility": "Northfield General Hosp"},
    ),
    ("cost_center", {"name": "Pharmacy", "company": "100", "code": "0007710"}, {"name": "PHARM", "company": "100", "code": "7710"}),
    ("account", {"name": "Salaries Expense", "chart": "N", "code": "600100"}, {"name": "Sal Exp", "chart": "N", "code": "600100"}),
    (
        "payer",
        {"name": "Harbor Point Health Plan", "type": "commercial", "payer_id": "HP123"},
        {"name": "Harbor Point Health Plan, Inc.", "type": "commercial", "payer_id": "HP123"},
    ),
    (
        "supplier",
        {"name": "Larkspur Medical Inc", "address_line": "40 Mill Street", "city": "Dayton", "postal_code": "45402"},
        {"name": "LARKSPUR MEDICAL", "address_line": "40 Mill St", "city": "Dayton", "postal_code": "45402"},
    ),
    (
        "location",
        {"name": "Northfield Outpatient Center", "kind": "site", "address_line": "9 Elm Street", "postal_code": "45402"},
        {"name": "Northfield Outpatient Ctr", "kind": "site", "address_line": "9 Elm St", "postal_code": "45402"},
    ),
    (
        "item",
        {"description": "Catheter Foley 16Fr 5mL", "manufacturer": "Larkspur Medical", "manufacturer_part_number": "LK-1650"},
        {"description": "FOLEY CATHETER 16 FR 5 ML", "manufacturer": "Larkspur Medical Inc", "manufacturer_part_number": "LK1650"},
    ),
]


@pytest.mark.parametrize(("domain", "left", "right"), LINKED, ids=[domain for domain, _, _ in LINKED])
def test_the_same_thing_links(domain: str, left: dict[str, str], right: dict[str, str]) -> None:
    assert outcome(domain, left, right) == "link"


GLOVE = {"description": "Exam glove nitrile medium", "manufacturer": "Larkspur Medical", "manufacturer_part_number": "LK-77"}
VENDOR = {"name": "Larkspur Medical", "address_line": "40 Mill Street", "city": "Dayton", "postal_code": "45402"}
VENDOR_NUMBERS = {
    "duns": "123456789",
    "ein": "84-6295840",
    "phone": "937-555-0134",
    "website": "www.larkspur.example",
    "site_role": "main",
}
SUITE = {
    "kind": "unit",
    "facility": "Northfield General Hospital",
    "address_line": "9 Elm Street",
    "postal_code": "45402",
    "phone": "937-555-0134",
    "ccn": "050012",
}

KEPT_APART: list[tuple[str, str, dict[str, str], dict[str, str]]] = [
    ("another hospital", "department", {"name": "Emergency", "facility": "Northfield General"}, {"name": "Emergency", "facility": "Mercy"}),
    (
        "another unit",
        "department",
        {"name": "4W Medical Surgical", "facility": "Mercy"},
        {"name": "5W Medical Surgical", "facility": "Mercy"},
    ),
    (
        "another company",
        "cost_center",
        {"name": "Pharmacy", "company": "100", "code": "7710"},
        {"name": "Pharmacy", "company": "200", "code": "7710"},
    ),
    (
        "another code",
        "cost_center",
        {"name": "Pharmacy", "company": "100", "code": "7710"},
        {"name": "Pharmacy", "company": "100", "code": "7720"},
    ),
    (
        "a code used again",
        "account",
        {"name": "Laundry", "chart": "N", "code": "600100"},
        {"name": "Drug rebates", "chart": "N", "code": "600100"},
    ),
    ("another chart", "account", {"name": "Laundry", "chart": "N", "code": "600100"}, {"name": "Laundry", "chart": "M", "code": "600100"}),
    ("another line of business", "payer", {"name": "Harbor Point", "type": "commercial"}, {"name": "Harbor Point", "type": "medicaid"}),
    ("sister company at one address", "supplier", VENDOR, {**VENDOR, "name": "Quarry Logistics"}),
    (
        "another name behind every shared number",
        "supplier",
        {**VENDOR, **VENDOR_NUMBERS},
        {**VENDOR, **VENDOR_NUMBERS, "name": "Quarry Logistics"},
    ),
    (
        "a sister's name behind every shared number",
        "supplier",
        {**VENDOR, **VENDOR_NUMBERS},
        {**VENDOR, **VENDOR_NUMBERS, "name": "Larkspur Leasing"},
    ),
    (
        "one word of a long name",
        "location",
        {**SUITE, "name": "Northfield General Hospital Heart Center Operating Room Suite"},
        {**SUITE, "name": "Northfield General Hospital Cancer Center Operating Room Suite"},
    ),
    (
        "one direction of a long name",
        "location",
        {**SUITE, "kind": "building", "name": "Northfield General Hospital East Pavilion"},
        {**SUITE, "kind": "building", "name": "Northfield General Hospital West Pavilion"},
    ),
    *(
        (
            f"{one} / {other}",
            "supplier",
            {**VENDOR, "phone": "937-555-0134", "name": one},
            {**VENDOR, "phone": "937-555-0134", "name": other},
        )
        for one, other in (
            *(("Northside Imaging", "Southside Imaging"), ("Eastern Dental Supply", "Western Dental Supply")),
            *(("Northwestern Supply", "Northeastern Supply"), ("Outer Banks Surgical", "Inner Banks Surgical")),
        )
    ),
    ("another tax number", "supplier", {**VENDOR, "ein": "84-6295840"}, {**VENDOR, "ein": "84-6295841"}),
    (
        "another side of a facility",
        "department",
        {"name": "Pharmacy", "code": "4410", "facility": "Northshore Hospital"},
        {"name": "Pharmacy", "code": "4410", "facility": "Southshore Hospital"},
    ),
    ("another role of a site", "supplier", {**VENDOR, "site_role": "remit_to"}, {**VENDOR, "site_role": "order_from"}),
    ("another pack", "item", {**GLOVE, "pack_quantity": "100"}, {**GLOVE, "pack_quantity": "200"}),
    ("another pack in the text", "item", {**GLOVE, "description": "Glove, box of 100"}, {**GLOVE, "description": "Glove, box of 50"}),
    ("another size", "item", {**GLOVE, "description": "Needle 22ga"}, {**GLOVE, "description": "Needle 25ga"}),
    *(
        (f"{one} / {other}", "item", {**GLOVE, "description": f"Glove exam {one}"}, {**GLOVE, "description": f"Glove exam {other}"})
        for one, other in (
            *(("box of 10", "each"), ("10x100/cs", "100/bx"), ("4 boxes of 250", "box of 250"), ("half dozen", "dozen"), ("dozen", "each")),
            *(("BX/100", "blue"), ("needle 18G", "needle 20G"), ("sterile", "non-sterile"), ("4x4", "2x2"), ("suture 3-0", "suture 4-0")),
            *(("M", "L"), ("XXXL", "XL"), ("latex", "latex-free"), ("splint L", "splint R"), ("tube 5 g", "tube 10 g")),
        )
    ),
    *(
        (f"unit {one} / {other}", "item", {**GLOVE, **one}, {**GLOVE, **other})
        for one, other in (
            ({"pack_unit": "BX"}, {"pack_unit": "EA"}),
            ({"pack_unit": "CS"}, {"pack_unit": "BX"}),
            ({"pack_unit": "CS", "description": "Glove 100/bx"}, {"pack_unit": "BX", "description": "Glove 100/bx"}),
            ({"pack_unit": "BX", "pack_quantity": "1"}, {"pack_unit": "EA", "pack_quantity": "1"}),
            ({"pack_unit": "BX", "pack_quantity": "10"}, {"description": "Glove each"}),
            ({"pack_unit": "BX"}, {}),
            ({"pack_unit": "BX"}, {"pack_unit": "BX", "pack_quantity": "50"}),
            ({"sterile": "yes"}, {"description": "Glove non-sterile"}),
            ({"latex_free": "yes"}, {"description": "Glove latex"}),
        )
    ),
    ("another part number", "item", GLOVE, {**GLOVE, "manufacturer_part_number": "QX-9001"}),
]


@pytest.mark.parametrize(("why", "domain", "left", "right"), KEPT_APART, ids=[why for why, _, _, _ in KEPT_APART])
def test_what_differs_where_it_counts_never_links(why: str, domain: str, left: dict[str, str], right: dict[str, str]) -> None:
    assert outcome(domain, left, right) != "link", why


@pytest.mark.parametrize("pack", ["", ", box of 10", ", 10x100/cs", " M", " 18G", " 4x4"])
def test_what_says_the_same_of_its_pack_and_size_links(pack: str) -> None:
    item = {**GLOVE, "description": f"Glove exam nitrile{pack}"}
    assert outcome("item", item, item) == "link"


def test_a_gtin_in_common_names_the_pack_that_one_side_does_not_tell() -> None:
    gtin = {"gtin": "00614141123452"}
    assert outcome("item", {**GLOVE, "pack_quantity": "10"}, GLOVE) == "review"
    assert outcome("item", {**GLOVE, **gtin, "pack_quantity": "10"}, {**GLOVE, **gtin}) == "link"


def test_a_direction_that_only_one_name_tells_says_nothing() -> None:
    one, other = ({**VENDOR, "name": name} for name in ("Northfield Imaging", "Northfield Imaging West"))
    entity = ENTITY_TYPES["supplier"]
    assert not Scorer(entity.model).score(columns(entity, "erp-north", "1", one), columns(entity, "erp-mercy", "2", other)).vetoes


def test_two_codes_of_one_system_are_two_cost_centers() -> None:
    left, right = {"name": "Pharmacy", "company": "100"}, {"name": "Pharmacy", "company": "100"}
    assert outcome("cost_center", left, right, systems=("erp-north", "erp-north")) != "link"


def test_a_name_alone_is_a_review_for_places() -> None:
    assert outcome("location", {"name": "Northfield Outpatient Center"}, {"name": "Northfield Outpatient Center"}) != "link"
