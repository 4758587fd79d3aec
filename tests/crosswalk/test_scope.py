"""Scope is checked before anything is computed; what is out of scope cannot be told from what does not exist."""

from uuid import UUID

import pytest

from mdm.access import Actor, Role
from mdm.errors import Forbidden


def actor(role=Role.INTEGRATION, **scope):
    return Actor(UUID(int=1), "somebody", role, **{name: frozenset(values) for name, values in scope.items()})


@pytest.mark.parametrize(
    "who",
    [actor(Role.LOADER), actor(domains={"payer"}), actor(systems={"ehr", "hr"}), actor(systems={"erp"})],
    ids=["verb", "domain", "source", "target"],
)
def test_forbidden(world, value, who):
    with pytest.raises(Forbidden):
        world.ask("erp", value, to=["hr"], actor=who)


def test_an_unknown_system_is_forbidden_like_one_out_of_scope(world, value):
    with pytest.raises(Forbidden):
        world.ask("nope", value, actor=actor(systems={"erp", "hr"}))


def test_secret_values_need_the_right_to_unmask(world, value):
    world.holds(world.golden("patient"), "ehr", value)
    with pytest.raises(Forbidden):
        world.ask("ehr", value, to=["us-ssn"], domain="patient", actor=actor())
    assert world.ask("ehr", value, to=["us-ssn"], domain="patient", actor=actor(grants={"unmask", "phi"}))


def test_a_golden_record_without_a_record_in_scope_does_not_exist(world, value):
    golden_id = world.golden("supplier")
    world.holds(golden_id, "us-ein", value, own=False)
    answers = world.ask("us-ein", value, to=(), domain="supplier", actor=actor(systems={"erp"}))
    assert answers == world.ask("us-ein", f"not {value}", to=(), domain="supplier", actor=actor(systems={"erp"}))
    assert world.verdict("us-ein", value, domain="supplier", actor=actor(systems={"erp"})).reason == "unknown_value"


def test_candidates_out_of_scope_are_not_named(world, value):
    for _ in range(2):
        world.holds(world.golden("supplier"), "us-ein", value, own=False)
    assert world.ask("us-ein", value, to=(), domain="supplier", actor=actor(systems={"erp"}))[0]["outcome"] == "unknown_value"
