"""The demo world is repeatable, its truth is complete, and a person could tell what belongs together."""

from collections import Counter, defaultdict
from datetime import date
from decimal import Decimal
from itertools import pairwise

import pytest
from stdnum import ean

from mdm.entities import ENTITY_TYPES
from seed.delivery import Delivery
from seed.load_mappings import SETS, _references
from seed.numbers import npi_is_valid
from seed.world import SYSTEMS, build_world

DOMAINS = {"patient", "provider", "department", "location", "cost_center", "account", "payer", "item", "supplier"}
REALISTIC_TYPO_SHARE = 0.03


def of(world, domain: str, system: str | None = None) -> list[Delivery]:
    return [one for one in world.deliveries if one.domain == domain and system in (None, one.system)]


def entity(world, one: Delivery) -> str:
    return world.truth[one.domain, one.system, one.key]


def identifiers(world, domain: str, system: str) -> list[tuple[Delivery, str]]:
    return [(one, value) for one in of(world, domain) for code, value in one.identifiers if code == system]


def test_one_seed_gives_one_world(hospital_world):
    assert build_world(patients=0) == hospital_world


def test_another_seed_gives_another_world(hospital_world):
    assert build_world(7, patients=0).deliveries != hospital_world.deliveries


def test_the_patients_do_not_change_the_rest(world, hospital_world):
    assert tuple(one for one in world.deliveries if one.domain != "patient") == hospital_world.deliveries


def test_the_world_has_the_size_of_a_hospital_group(world):
    assert 22_000 <= len(world.deliveries) <= 26_000


@pytest.mark.parametrize(
    ("domain", "entities"),
    [
        ("patient", 5000),
        ("provider", 600),
        ("department", 150),
        ("cost_center", 200),
        ("account", 150),
        ("payer", 80),
        ("item", 3000),
        ("location", 80),
    ],
)
def test_a_domain_has_so_many_real_entities(world, domain, entities):
    assert len({entity(world, one) for one in of(world, domain)}) == entities


def test_there_are_300_suppliers_without_their_sites(world):
    assert len({entity(world, one).removesuffix("-remit-to") for one in of(world, "supplier")}) == 300


def test_the_truth_covers_every_record_and_nothing_else(world):
    assert set(world.truth) == {(one.domain, one.system, one.key) for one in world.deliveries}
    assert len(world.truth) == len(world.deliveries)


def test_every_record_comes_from_a_registered_system(world):
    assert {one.system for one in world.deliveries} == {system.code for system in SYSTEMS}
    assert {one.domain for one in world.deliveries} == DOMAINS


@pytest.mark.parametrize("domain", sorted(DOMAINS))
def test_every_domain_has_entities_that_several_systems_hold(world, domain):
    systems = defaultdict(set)
    for one in of(world, domain):
        systems[entity(world, one)].add(one.system)
    assert sum(len(held) > 1 for held in systems.values()) >= len(systems) * 0.4


def test_a_system_sends_no_blanks(world):
    assert all(value not in ("", [], None) for one in world.deliveries for value in one.attributes.values())
    assert all(value.strip() for one in world.deliveries for _, value in one.identifiers)


def test_local_keys_do_not_betray_the_truth(world):
    north = {entity(world, one): one.key for one in of(world, "patient", "ehr-north")}
    mercy = {entity(world, one): one.key for one in of(world, "patient", "ehr-mercy")}
    order = sorted(north, key=north.__getitem__)
    assert sum(order.index(name) == position for position, name in enumerate(sorted(mercy, key=mercy.__getitem__)[:200])) < 5


def test_medical_record_numbers_keep_their_leading_zeros(world):
    assert all(len(one.key) == 8 and one.key.startswith("0") for one in of(world, "patient", "ehr-north"))
    assert all(len(one.key) == 7 and one.key.startswith("0") for one in of(world, "patient", "ehr-mercy"))


def test_every_patient_is_known_to_both_hospitals(world):
    assert Counter(Counter(entity(world, one) for one in of(world, "patient")).values()) == {2: 5000}


def test_fewer_patients_are_a_smaller_world():
    assert len(of(build_world(patients=20), "patient")) == 40


def test_birth_dates_are_iso_where_they_are_dates(world):
    dates = [str(one.attributes["birth_date"]) for one in of(world, "patient", "ehr-north") if "birth_date" in one.attributes]
    assert sum(len(text) == 10 and date.fromisoformat(text) is not None for text in dates) > 0.99 * len(dates)


def test_npis_have_their_check_digit_but_for_a_few_typos(world):
    npis = [value for _, value in identifiers(world, "provider", "us-npi")]
    wrong = [value for value in npis if not npi_is_valid(value)]
    assert 0 < len(wrong) <= len(npis) * REALISTIC_TYPO_SHARE


def test_a_valid_npi_names_one_provider(world):
    holders = defaultdict(set)
    for one, value in identifiers(world, "provider", "us-npi"):
        if npi_is_valid(value):
            holders[value].add(entity(world, one))
    assert all(len(entities) == 1 for entities in holders.values())


def test_people_who_share_a_name_can_be_told_by_their_npi(world):
    names = defaultdict(set)
    for one in of(world, "provider", "ehr-north"):
        names[one.attributes.get("given_name"), one.attributes.get("family_name")].add(entity(world, one))
    assert sum(len(entities) > 1 for name, entities in names.items() if name[0]) >= 5


def test_generic_providers_are_nobody_twice(world):
    pseudo = [one for one in of(world, "provider") if one.attributes.get("provider_type") == "pseudo"]
    assert len({entity(world, one) for one in pseudo}) == len(pseudo) == 15


def test_every_gtin_has_its_check_digit(world):
    assert all(ean.is_valid(value) for _, value in identifiers(world, "item", "gs1-gtin"))
    assert {len(value) for _, value in identifiers(world, "item", "gs1-gtin")} == {13, 14}


def test_every_gln_has_its_check_digit(world):
    glns = identifiers(world, "location", "gs1-gln") + identifiers(world, "supplier", "gs1-gln")
    assert glns
    assert all(ean.is_valid(value) and len(value) == 13 for _, value in glns)


def test_packaging_levels_of_one_product_are_different_items(world):
    products = defaultdict(set)
    for one in of(world, "item", "erp-north"):
        products[one.attributes.get("manufacturer_part_number")].add(entity(world, one))
    assert sum(len(items) > 1 for part, items in products.items() if part) > 150


def test_nearly_every_item_states_its_pack_or_its_gtin(world):
    def states_pack(one: Delivery) -> bool:
        has_gtin = any(code == "gs1-gtin" for code, _ in one.identifiers)
        return "pack_quantity" in one.attributes or has_gtin or "/" in str(one.attributes["description"])

    items = of(world, "item")
    assert sum(map(states_pack, items)) > 0.95 * len(items)


def test_cross_references_name_the_same_entity(world):
    systems = {system.code for system in SYSTEMS}
    named = [(one, code, value) for one in world.deliveries for code, value in one.identifiers if code in systems]
    assert len(named) > 1000
    assert all(world.truth[one.domain, code, value] == entity(world, one) for one, code, value in named)


def test_half_of_the_department_copies_name_the_physicians_record(world):
    copies = [one for one in of(world, "department") if not one.system.startswith("ehr")]
    naming = [one for one in copies if any(code.startswith("ehr") for code, _ in one.identifiers)]
    assert 0.4 < len(naming) / len(copies) < 0.7


def test_closed_departments_say_until_when(world):
    closed = [one for one in of(world, "department") if one.status == "inactive"]
    assert closed
    assert all(one.valid_to is not None for one in closed)


def test_personnel_loses_the_zeros_of_cost_centers(world):
    assert all(str(one.attributes["code"]).startswith("0") for one in of(world, "cost_center", "erp-north"))
    assert not any(str(one.attributes["code"]).startswith("0") for one in of(world, "cost_center", "workforce-north"))


def test_two_companies_use_one_code_for_different_things(world):
    bare = defaultdict(set)
    for one in of(world, "cost_center", "erp-north"):
        bare[one.attributes["code"]].add(entity(world, one))
    assert sum(len(entities) > 1 for entities in bare.values()) == 4


def test_parents_of_cost_centers_exist(world):
    rows = of(world, "cost_center", "erp-north")
    codes = {(one.attributes["company"], one.attributes["code"]) for one in rows}
    assert all((one.attributes["company"], one.attributes["parent_code"]) in codes for one in rows if "parent_code" in one.attributes)


def test_the_reorganisation_replaces_closed_cost_centers_on_the_next_day(world):
    ledger = {one.key: one for one in of(world, "cost_center", "erp-north")}
    assert world.replacements
    for change in world.replacements:
        assert ledger[change.old_key].valid_to == date(2026, 6, 30)
        assert ledger[change.new_key].valid_from == change.on == date(2026, 7, 1)


def test_mapping_rules_name_codes_that_exist(world):
    known = {(one.domain, one.system, one.key) for one in world.deliveries}
    assert {rule.set for rule in world.mappings} == set(SETS)
    for rule in world.mappings:
        assert _references(SETS[rule.set], rule) <= known


def test_mapping_rules_have_the_flaws_that_such_tables_have(world):
    turned = [rule for rule in world.mappings if rule.valid_to == date(2026, 6, 30)]
    expired = [rule for rule in world.mappings if rule.valid_to == date(2025, 12, 31)]
    split = [rule for rule in world.mappings if len(rule.splits) > 1]
    assert min(len(turned), len(expired)) > 20
    assert split
    assert all(sum(Decimal(share) for share, _ in rule.splits) == 100 for rule in world.mappings)


def test_equal_conditions_of_mapping_rules_never_overlap_in_time(world):
    spans = defaultdict(list)
    for rule in world.mappings:
        spans[rule.set, tuple(sorted(rule.inputs.items()))].append((rule.valid_from or date.min, rule.valid_to or date.max))
    for found in spans.values():
        ordered = sorted(found)
        assert all(start <= end for start, end in ordered)
        assert all(earlier[1] < later[0] for earlier, later in pairwise(ordered))


def test_plan_lines_of_one_parent_are_different_payers(world):
    phones = defaultdict(set)
    for one in of(world, "payer", "ehr-north"):
        for digits in one.attributes.get("phone", []):
            phones["".join(c for c in digits if c.isdigit())[-10:]].add(entity(world, one))
    assert max(map(len, phones.values())) >= 3


def test_remit_to_sites_are_vendors_beside_their_main_site(world):
    sites = [one for one in of(world, "supplier") if one.attributes["site_role"] == "remit_to"]
    assert len(sites) > 60
    assert all(entity(world, one) == world.truth["supplier", one.system, one.key.removesuffix("-R")] + "-remit-to" for one in sites)


def test_what_is_delivered_has_been_declared(world):
    for one in world.deliveries:
        declared = ENTITY_TYPES[one.domain]
        assert set(one.attributes) <= {attribute.name for attribute in declared.attributes}
        known = {rule.system for rule in declared.identifiers} | {system.code for system in SYSTEMS}
        assert {code for code, _ in one.identifiers} <= known
