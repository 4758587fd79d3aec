"""Every outcome and every flag of a crosswalk answer."""

from datetime import date

import pytest


def target(system, value, valid_from=None, valid_to=None):
    return {"system": system, "value": value, "valid_from": valid_from, "valid_to": valid_to}


@pytest.fixture
def golden(world, value):
    """A department of the ERP and of the EHR."""
    golden_id = world.golden()
    world.holds(golden_id, "erp", value)
    world.holds(golden_id, "hr", f"H{value}")
    return golden_id


def test_found(world, golden, value):
    assert world.ask("erp", value) == [
        {"outcome": "found", "golden_id": str(golden), "targets": [target("hr", f"H{value}")], "flags": {}},
    ]


def test_found_by_an_alias_of_either_system(world, golden, value):
    assert world.ask("ERP", value, to=["HR"])[0]["targets"] == [target("hr", f"H{value}")]


def test_found_without_asking_for_a_system(world, golden, value):
    assert world.ask("erp", value, to=()) == [{"outcome": "found", "golden_id": str(golden), "targets": [], "flags": {}}]


def test_several_systems_at_once_in_order_of_their_codes(world, golden, value):
    world.holds(golden, "ehr", f"E{value}")
    assert world.ask("erp", value, to=["hr", "ehr", "HR"])[0]["targets"] == [target("ehr", f"E{value}"), target("hr", f"H{value}")]


def test_no_target(world, golden, value):
    assert world.ask("erp", value, to=["ehr"]) == [{"outcome": "no_target", "golden_id": str(golden), "targets": [], "flags": {}}]


def test_unknown_value(world, value):
    assert world.ask("erp", value) == [{"outcome": "unknown_value", "golden_id": None, "targets": [], "flags": {}}]


def test_a_value_of_another_domain_is_unknown(world, golden, value):
    assert world.ask("erp", value, domain="location")[0]["outcome"] == "unknown_value"


def test_unknown_value_says_why_it_cannot_be_right(world):
    assert world.ask("us-npi", "1234567890", "abc", domain="provider")[1]["flags"] == {"hint": "not_understood"}


def test_what_does_not_clean_is_found_as_it_was_delivered(world, value):
    golden_id = world.golden("provider")
    world.holds(golden_id, "us-npi", f"bad {value}", own=False)
    assert world.ask("us-npi", f" bad {value} ", to=(), domain="provider")[0]["golden_id"] == str(golden_id)


@pytest.mark.parametrize(("source", "to", "unknown"), [("nope", ["hr"], ["nope"]), ("erp", ["hr", "x", "y"], ["x", "y"])])
def test_unknown_system_says_which(world, source, to, unknown):
    assert world.ask(source, "1", to=to) == [
        {"outcome": "unknown_system", "golden_id": None, "targets": [], "flags": {"unknown_systems": unknown}}
    ]


def test_ambiguous_when_two_golden_records_hold_the_value(world, value):
    goldens = [world.golden("supplier"), world.golden("supplier")]
    for golden_id in goldens:
        world.holds(golden_id, "us-ein", value, own=False)
    answer = world.ask("us-ein", value, domain="supplier")[0]
    assert (answer["outcome"], answer["golden_id"], answer["targets"]) == ("ambiguous", None, [])
    assert answer["candidates"] == sorted(map(str, goldens))


def test_the_owner_of_a_key_outranks_those_that_mention_it(world, golden, value):
    world.holds(world.golden(), "erp", value, own=False)
    assert world.ask("erp", value)[0]["golden_id"] == str(golden)


def test_a_key_that_is_only_mentioned_is_no_target_where_another_owns_it(world, golden, value):
    other = world.golden()
    world.holds(other, "ehr", value)
    world.holds(other, "hr", f"H{value}", own=False)
    assert world.ask("ehr", value)[0]["outcome"] == "no_target"


def test_ambiguous_when_a_system_that_promises_one_has_several(world, golden, value):
    world.holds(golden, "hr", f"I{value}")
    answer = world.ask("erp", value)[0]
    assert (answer["outcome"], answer["golden_id"]) == ("ambiguous", str(golden))
    assert answer["targets"] == [target("hr", f"H{value}"), target("hr", f"I{value}")]


def test_found_when_a_system_that_gives_many_has_several(world, value):
    golden_id = world.golden("item")
    world.holds(golden_id, "erp", value)
    for gtin in ("A", "B"):
        world.holds(golden_id, "gs1-gtin", gtin + value, own=False)
    answer = world.ask("erp", value, to=["gs1-gtin"], domain="item")[0]
    assert (answer["outcome"], len(answer["targets"])) == ("found", 2)


def test_pending_review(world, value):
    world.holds(world.golden(), "erp", value, pending=True)
    assert world.ask("erp", value, to=())[0]["flags"] == {"pending_review": True}


def test_inactive(world, value):
    golden_id = world.golden()
    world.holds(golden_id, "erp", value, status="inactive")
    assert world.ask("erp", value, to=())[0] == {
        "outcome": "found",
        "golden_id": str(golden_id),
        "targets": [],
        "flags": {"inactive": True},
    }


def test_an_inactive_holder_does_not_contest_an_active_one(world, value):
    left, stays = world.golden("supplier"), world.golden("supplier")
    world.holds(left, "us-ein", value, own=False, status="inactive")
    world.holds(stays, "us-ein", value, own=False)
    assert world.ask("us-ein", value, to=(), domain="supplier")[0]["golden_id"] == str(stays)


def test_an_inactive_target_is_not_offered(world, value):
    golden_id = world.golden()
    world.holds(golden_id, "erp", value)
    world.holds(golden_id, "hr", value, status="inactive")
    answer = world.ask("erp", value)[0]
    assert (answer["outcome"], answer["flags"]) == ("no_target", {"target_inactive": True})


@pytest.mark.parametrize(("day", "outcome"), [(date(2025, 12, 31), "no_target"), (date(2026, 1, 1), "found"), (date(2026, 6, 30), "found")])
def test_both_ends_of_a_validity_are_valid(world, value, day, outcome):
    golden_id = world.golden()
    world.holds(golden_id, "erp", value, valid_from=date(2026, 1, 1), valid_to=date(2026, 6, 30))
    world.holds(golden_id, "hr", value)
    answer = world.ask("erp", value, as_of=day)[0]
    assert answer["outcome"] == outcome
    assert ("not_effective" in answer["flags"]) == (outcome == "no_target")
    assert answer["flags"]["valid_from"] == "2026-01-01"
    assert answer["flags"]["valid_to"] == "2026-06-30"


def test_the_day_chooses_among_targets(world, value):
    golden_id = world.golden()
    world.holds(golden_id, "erp", value)
    world.holds(golden_id, "hr", "old" + value, valid_to=date(2026, 3, 31))
    world.holds(golden_id, "hr", "new" + value, valid_from=date(2026, 4, 1))
    assert world.ask("erp", value, as_of=date(2026, 3, 31))[0]["targets"] == [target("hr", "old" + value, None, "2026-03-31")]
    assert world.ask("erp", value, as_of=date(2026, 4, 1))[0]["targets"] == [target("hr", "new" + value, "2026-04-01")]


def test_a_target_out_of_its_dates_is_not_offered(world, value):
    golden_id = world.golden()
    world.holds(golden_id, "erp", value)
    world.holds(golden_id, "hr", value, valid_to=date(2020, 1, 1))
    assert world.ask("erp", value)[0]["flags"] == {"target_not_effective": True}


def test_the_day_chooses_among_holders(world, value):
    before, after = world.golden("supplier"), world.golden("supplier")
    world.holds(before, "us-ein", value, own=False, valid_to=date(2026, 3, 31))
    world.holds(after, "us-ein", value, own=False, valid_from=date(2026, 4, 1))
    asked = [
        world.ask("us-ein", value, to=(), domain="supplier", as_of=day)[0]["golden_id"] for day in (date(2026, 1, 1), date(2026, 5, 1))
    ]
    assert asked == [str(before), str(after)]


def test_a_golden_id_is_an_identifier_too(world, golden, value):
    assert world.ask("concord", str(golden).upper())[0]["targets"] == [target("hr", f"H{value}")]


def test_a_merged_golden_id_answers_with_its_survivor(world, golden, value):
    merged = world.golden(merged_into=golden)
    assert world.ask("concord", str(merged))[0] == {
        "outcome": "found",
        "golden_id": str(golden),
        "targets": [target("hr", f"H{value}")],
        "flags": {"redirected_from": str(merged)},
    }


def test_a_retired_golden_id_is_inactive(world):
    retired = world.golden(status="retired")
    assert world.ask("concord", str(retired), to=())[0]["flags"] == {"inactive": True}


def test_a_golden_id_with_work_waiting_is_pending(world, value):
    golden_id = world.golden()
    world.holds(golden_id, "erp", value, pending=True)
    assert world.ask("concord", str(golden_id), to=())[0]["flags"] == {"pending_review": True}


@pytest.mark.parametrize(("asked", "flags"), [("018f0000-0000-7000-8000-000000000000", {}), ("no id", {"hint": "not_understood"})])
def test_an_unknown_golden_id(world, asked, flags):
    assert world.ask("concord", asked)[0] == {"outcome": "unknown_value", "golden_id": None, "targets": [], "flags": flags}


def test_golden_ids_can_be_asked_for(world, golden, value):
    assert world.ask("erp", value, to=["concord", "hr"])[0]["targets"] == [target("concord", str(golden)), target("hr", f"H{value}")]
    assert world.ask("erp", value, to=["concord"])[0]["targets"] == [target("concord", str(golden))]


def test_many_values_are_answered_in_order_each_time_they_are_asked_for(world, golden, value):
    answers = world.ask("erp", "nobody's", value, "", "\x00", value)
    assert [a["outcome"] for a in answers] == ["unknown_value", "found", "unknown_value", "unknown_value", "found"]
    assert answers[1] == answers[4]


def test_closed_rows_are_history(world, golden, value):
    world.database.run(lambda s: s.connection().exec_driver_sql("update xref set recorded_to = now() where value = %s", (value,)))
    assert world.ask("erp", value)[0]["outcome"] == "unknown_value"
