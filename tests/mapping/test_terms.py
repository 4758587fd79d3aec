"""Inputs and outputs that are golden records: keys of systems, golden ids, merges, and what the crosswalk said then."""

from datetime import date
from uuid import UUID

import pytest

from mdm.access import SYSTEM_ACTOR, Actor, Role
from mdm.entities import ENTITY_TYPES
from mdm.errors import Forbidden, Invalid
from mdm.golden import source
from mdm.ids import new_id
from mdm.ingest import deliver_all
from mdm.mapping_reports import conflicts, coverage
from mdm.mapping_sets import Definition, Input, Output
from mdm.standardise import Delivery
from tests.mapping.conftest import ANN, TODAY, golden

GOLDEN_SET = Definition(
    "Posting",
    (Input("department", "department"), Input("payer_class")),
    (Output("cost_center", "cost_center", "erp-north"), Output("owner", "department")),
)


def key(value, system="ehr-north"):
    return {"system": system, "value": value}


def deliver(database, domain, system, local_key, **attributes):
    row = Delivery(system, local_key, attributes, (), "active", None, None)
    return deliver_all(database, ENTITY_TYPES[domain], SYSTEM_ACTOR, [row], "test")[0].golden_id


@pytest.fixture
def world(rules):
    """Two departments of one system, and a cost center."""
    rules.code = "golden"
    rules.define(GOLDEN_SET)
    names = {"4410": "Cardiac Stepdown", "4420": "Blood Bank"}
    rules.departments = {k: deliver(rules.database, "department", "ehr-north", k, name=n, facility="Mercy") for k, n in names.items()}
    deliver(rules.database, "cost_center", "erp-north", "0100-011020", name="Cardiac Stepdown", company="0100", code="011020")
    rules.outputs = {"cost_center": "0100-011020", "owner": str(rules.departments["4420"])}
    return rules


def merge(database, loser: UUID, survivor: UUID):
    """What a merge leaves behind, written by hand: a redirect, and the links and crosswalk of the loser under the survivor."""
    with database.engine.begin() as connection:
        run = connection.exec_driver_sql
        at = run("select clock_timestamp()").scalar_one()
        run("update golden_record set status = 'merged', merged_into = %s where id = %s", (survivor, loser))
        run(
            "with gone as (update link set recorded_to = %s where golden_id = %s and recorded_to is null returning record_id)"
            " insert into link (record_id, golden_id, cause, recorded_from) select record_id, %s, 'decision', %s from gone",
            (at, loser, survivor, at),
        )
        run(
            "with gone as (update xref set recorded_to = %s where golden_id = %s and recorded_to is null"
            " returning domain, system_id, value, status, own, exclusive, pending)"
            " insert into xref (domain, system_id, value, golden_id, status, own, exclusive, pending, recorded_from)"
            " select domain, system_id, value, %s, status, own, false, pending, %s from gone",
            (at, loser, survivor, at),
        )


def test_a_key_and_a_golden_id_mean_the_same(world):
    rule = world.rule({"department": key("4410")}, world.outputs)
    answers = world.ask({"department": key("4410")}, {"department": str(world.departments["4410"])}, {"department": key("4420")})
    assert [answer["outcome"] for answer in answers] == ["found", "found", "no_rule"]
    assert answers[0]["rule"] == {
        "id": str(rule),
        "conditions": {"department": str(world.departments["4410"])},
        "valid_from": None,
        "valid_to": None,
    }


def test_what_the_crosswalk_does_not_know_is_said_and_missed(world):
    found = world.resolve({"department": key("9999")}, {"department": key("4410", "no-such")}, {"department": "Cardiology"})
    codes = [answer["problems"][0]["code"] for answer in found.answers]
    assert codes == ["unknown_value", "unknown_system", "not_understood"]
    assert found.missed == {("department", "ehr-north"): ["9999"]}


def test_a_rule_names_only_what_is_there(world):
    with pytest.raises(Invalid) as refused:
        world.draft({"department": key("9999")}, {"cost_center": "none", "owner": str(new_id())})
    assert {problem.pointer for problem in refused.value.problems} == {
        "/rules/0/conditions/department",
        "/rules/0/splits/0/outputs/cost_center",
        "/rules/0/splits/0/outputs/owner",
    }


def test_a_merged_golden_id_redirects_in_inputs_conditions_and_outputs(world):
    loser, survivor = world.departments["4410"], golden(world.database)
    world.rule({"department": str(loser)}, {"cost_center": "0100-011020", "owner": str(loser)})
    before = world.now()
    merge(world.database, loser, survivor)
    for given in (str(loser), str(survivor), key("4410")):
        answer = world.one({"department": given})
        assert (answer["outcome"], answer["outputs"]["owner"]) == ("found", str(survivor)), given
    then = world.one({"department": key("4410")}, known_at=before)
    assert (then["outcome"], then["outputs"]["owner"]) == ("found", str(loser))


def test_a_merge_does_not_change_what_was_known(world):
    first, second = (world.departments[k] for k in ("4410", "4420"))
    one, two = (
        world.rule({"department": key("4410")}, world.outputs),
        world.rule({"department": key("4420")}, {**world.outputs, "owner": str(first)}),
    )
    before = world.now()
    merge(world.database, first, second)
    answers = world.ask({"department": key("4410")}, {"department": key("4420")}, known_at=before)
    assert [answer["rule"]["id"] for answer in answers] == [str(one), str(two)]
    assert world.one({"department": key("4410")})["outcome"] == "ambiguous"
    found = world.run(lambda s: conflicts(s, ANN, world.code, TODAY)).items
    assert {"overlap", "input_merged", "target_merged"} == {each.kind for each in found}


def test_targets_that_are_gone_are_conflicts(world):
    world.rule({"department": key("4410")}, world.outputs)
    for change, kind in (("status = 'inactive'", "target_inactive"), ("recorded_to = clock_timestamp()", "target_unknown")):
        with world.database.engine.begin() as connection:
            connection.exec_driver_sql(f"update xref set {change} where value = '0100-011020'")
        (found,) = world.run(lambda s: conflicts(s, ANN, world.code, TODAY)).items
        assert (found.kind, found.name, found.value) == (kind, "cost_center", "0100-011020")


def test_coverage_of_a_domain(world):
    world.rule({"department": key("4410")}, world.outputs)
    world.rule({"department": key("4420"), "payer_class": "medicare"}, world.outputs)
    third = golden(world.database)
    (reached,) = world.run(lambda s: coverage(s, ANN, world.code, TODAY)).inputs
    assert (reached.records, reached.answered, reached.named, reached.open) == (3, 1, 1, (third,))


def test_a_key_of_another_domain_or_system_asks_in_vain(world):
    elsewhere = Actor(new_id(), "flow", Role.INTEGRATION, systems=frozenset({"erp-north"}))
    assert world.one({}, actor=elsewhere)["outcome"] == "no_rule"  # the set itself is open
    with pytest.raises(Forbidden):
        world.one({"department": key("4410")}, actor=elsewhere)
    with pytest.raises(Forbidden):
        world.one({}, actor=Actor(new_id(), "flow", Role.INTEGRATION, domains=frozenset({"payer"})))


def test_a_golden_record_out_of_scope_does_not_exist(world):
    world.rule({"department": key("4410")}, world.outputs)
    flow = Actor(new_id(), "flow", Role.INTEGRATION, systems=frozenset({"erp-north"}))
    answer = world.one({"department": str(world.departments["4410"])}, actor=flow)
    assert answer["problems"][0]["code"] == "unknown_value"


def test_a_source_that_was_delivered_later_was_not_known_before(world):
    before = world.now()
    deliver(world.database, "department", "ehr-north", "4430", name="Pharmacy", facility="Mercy")
    assert world.one({"department": key("4430")}, known_at=before)["problems"][0]["code"] == "unknown_value"
    assert world.one({"department": key("4430")}, as_of=date(2020, 1, 1))["outcome"] == "no_rule"
    assert world.run(lambda s: source(s, ENTITY_TYPES["department"], "ehr-north", "4430")).key == "4430"
