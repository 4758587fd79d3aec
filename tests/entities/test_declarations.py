"""Every domain's declaration is complete, and a bad one cannot be imported."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from matching.model import Veto, from_json, to_json
from mdm.entities import ENTITY_TYPES, discover, register
from mdm.entity import Attribute, DeclarationError, EntityType, IdentifierRule, RelationshipRule, Sensitivity
from mdm.identifier_systems import BY_CODE, IDENTIFIER_SYSTEMS, IdentifierSystem
from mdm.values.text import TEXT

DOMAINS = ["account", "cost_center", "department", "item", "location", "patient", "payer", "provider", "supplier"]
every_domain = pytest.mark.parametrize("entity", ENTITY_TYPES.values(), ids=list(ENTITY_TYPES))
PAYER = ENTITY_TYPES["payer"]


def test_the_nine_domains_are_found_in_a_stable_order() -> None:
    assert list(ENTITY_TYPES) == DOMAINS


@every_domain
def test_the_model_reads_only_columns_that_exist(entity: EntityType) -> None:
    assert entity.model.columns <= entity.columns


@every_domain
def test_a_model_survives_json(entity: EntityType) -> None:
    assert from_json(json.loads(json.dumps(to_json(entity.model)))) == entity.model


@every_domain
def test_every_comparison_says_something_for_and_against(entity: EntityType) -> None:
    for comparison in entity.model.comparisons:
        assert comparison.levels[0].weight > 0 > comparison.levels[-1].weight


@every_domain
def test_levels_that_switch_a_comparison_off_stand_before_it(entity: EntityType) -> None:
    seen: set[tuple[str, str]] = set()
    for comparison in entity.model.comparisons:
        assert comparison.unless is None or comparison.unless in seen
        seen |= {(comparison.name, level.label) for level in comparison.levels}


@every_domain
def test_the_absence_of_a_common_key_says_nearly_nothing(entity: EntityType) -> None:
    comparison = next(c for c in entity.model.comparisons if c.needs == ("keys",))
    assert comparison.levels[0].weight > 12
    assert -0.1 < comparison.levels[-1].weight < 0


@every_domain
def test_keys_and_identifiers_that_are_evidence_find_candidates(entity: EntityType) -> None:
    blocked = {part.column for rule in entity.model.blocking for part in rule.parts}
    compared = {column for comparison in entity.model.comparisons for column in comparison.needs}
    # An NPI of a department and weak codes confirm a pair; they are too widely shared to find one.
    shared_widely = {rule.name for rule in entity.identifiers if rule.max_holders is not None and rule.max_holders > 50}
    assert {"keys"} | ({rule.name for rule in entity.identifiers} & compared) - shared_widely <= blocked


@every_domain
def test_a_strong_identifier_in_conflict_is_a_veto(entity: EntityType) -> None:
    vetoed = {veto.conflict for veto in entity.model.vetoes}
    assert {(rule.name,) for rule in entity.identifiers if rule.strong} <= vetoed


@every_domain
def test_identifiers_belong_to_known_systems(entity: EntityType) -> None:
    assert {rule.system for rule in entity.identifiers} <= set(BY_CODE)


@every_domain
def test_authorities_are_kinds_of_system(entity: EntityType) -> None:
    kinds = {"ehr", "billing", "erp", "supply_chain", "workforce", "clearinghouse", "registry", "saas"}
    assert {kind for _, trusted in entity.authorities for kind in trusted} <= kinds


def test_everything_of_a_patient_is_at_least_phi() -> None:
    patient = ENTITY_TYPES["patient"]
    protected = {Sensitivity.PHI, Sensitivity.SECRET}
    assert patient.phi
    assert {attribute.sensitivity for attribute in patient.attributes} <= protected
    assert {BY_CODE[rule.system].sensitivity for rule in patient.identifiers} <= protected
    assert BY_CODE["us-ssn"].sensitivity is Sensitivity.SECRET


def test_a_providers_birth_date_is_secret() -> None:
    assert ENTITY_TYPES["provider"].attribute("birth_date").sensitivity is Sensitivity.SECRET


def test_two_domains_of_one_name_are_refused() -> None:
    with pytest.raises(DeclarationError, match="domain declared twice: payer"):
        register([PAYER, PAYER])


def test_two_domains_of_one_path_are_refused() -> None:
    with pytest.raises(DeclarationError, match="path declared twice: payers"):
        register([PAYER, replace(PAYER, name="insurer")])


def test_an_unknown_identifier_system_is_refused() -> None:
    with pytest.raises(DeclarationError, match="identifier system moon-id is unknown"):
        register([replace(PAYER, identifiers=(*PAYER.identifiers, IdentifierRule("moon", "moon-id")))])


def test_a_relationship_to_no_domain_is_refused() -> None:
    with pytest.raises(DeclarationError, match="leads to no domain: moon"):
        register([replace(PAYER, relationships=(RelationshipRule("orbits", "moon", "orbited_by"),))])


def test_a_hierarchy_of_two_domains_is_refused() -> None:
    with pytest.raises(DeclarationError, match="hierarchy below leads to another domain"):
        register(
            [
                ENTITY_TYPES["item"],
                ENTITY_TYPES["supplier"],
                replace(PAYER, relationships=(RelationshipRule("below", "item", "above", hierarchy=True),)),
            ]
        )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"attributes": (*PAYER.attributes, Attribute("name", TEXT))}, "name is declared twice"),
        ({"display": ("nickname",)}, "display names nickname"),
        ({"guarded": (("nickname", 3),)}, "guarded column nickname is unknown"),
        ({"authorities": (("nickname", ("ehr",)),)}, "authority for nickname"),
        ({"model": replace(PAYER.model, vetoes=(Veto("x", ("nickname",)),))}, "no column is called nickname"),
        ({"relationships": (RelationshipRule("a", "payer", "b"), RelationshipRule("a", "payer", "c"))}, "relationship a is declared twice"),
        ({"relationships": tuple(RelationshipRule(n, "payer", "b", hierarchy=True) for n in "ab")}, "two hierarchies"),
        ({"derived_columns": ("name.first_word",)}, "derived columns are named, but nothing derives them"),
    ],
)
def test_a_bad_declaration_is_refused(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(DeclarationError, match=reason):
        replace(PAYER, **change)


def test_a_derived_column_is_one_that_a_model_may_read() -> None:
    veto = Veto("x", ("name.first_word",))
    entity = replace(PAYER, derived=lambda _: {}, derived_columns=("name.first_word",), model=replace(PAYER.model, vetoes=(veto,)))
    assert entity.model.columns <= entity.columns


def test_a_tenth_domain_is_one_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "trial_domains"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "_words.py").write_text("NOTHING = 0")
    declaration = 'replace(PAYER, name="trial", plural="trials", relationships=())'
    (folder / "trial.py").write_text(
        f"from dataclasses import replace\nfrom mdm.entities.payer import ENTITY as PAYER\nENTITY = {declaration}\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert list(discover([str(folder)], "trial_domains")) == ["trial"]


def test_codes_and_aliases_are_claimed_once() -> None:
    aliases = [alias for system in IDENTIFIER_SYSTEMS for alias in system.aliases]
    assert len(BY_CODE) == len(IDENTIFIER_SYSTEMS)
    assert len(set(aliases)) == len(aliases)


def test_an_unknown_kind_of_alias_is_refused() -> None:
    with pytest.raises(DeclarationError, match="smoke"):
        IdentifierSystem("x", "X", TEXT, (("smoke", "signal"),))


@pytest.mark.parametrize(
    ("code", "alias"),
    [
        ("us-npi", ("fhir", "http://hl7.org/fhir/sid/us-npi")),
        ("us-npi", ("oid", "2.16.840.1.113883.4.6")),
        ("us-ssn", ("oid", "2.16.840.1.113883.4.1")),
        ("us-mbi", ("fhir", "http://hl7.org/fhir/sid/us-mbi")),
        ("us-naic", ("oid", "2.16.840.1.113883.6.300")),
    ],
)
def test_standard_names_are_known(code: str, alias: tuple[str, str]) -> None:
    assert alias in BY_CODE[code].aliases
