"""Whether a code may be used on a day, why not, and what to use instead."""

from datetime import date

import pytest

from mdm.validity import Reason, Verdict


def test_valid(world, value):
    golden_id = world.golden()
    world.holds(golden_id, "erp", value)
    assert world.verdict("erp", value) == Verdict(valid=True, golden_id=str(golden_id))


@pytest.mark.parametrize(("system", "reason"), [("erp", Reason.UNKNOWN_VALUE), ("nope", Reason.UNKNOWN_SYSTEM)])
def test_unknown(world, value, system, reason):
    assert world.verdict(system, value) == Verdict(valid=False, reason=reason)


def test_ambiguous(world, value):
    for _ in range(2):
        world.holds(world.golden("supplier"), "us-ein", value, own=False)
    assert world.verdict("us-ein", value, domain="supplier") == Verdict(valid=False, reason=Reason.AMBIGUOUS)


def test_merged_names_the_survivor(world):
    survivor = world.golden()
    merged = world.golden(merged_into=survivor)
    assert world.verdict("concord", str(merged)) == Verdict(False, Reason.MERGED, str(survivor), str(survivor))


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"status": "inactive"}, Reason.INACTIVE),
        ({"valid_from": date(2026, 4, 1)}, Reason.NOT_YET_VALID),
        ({"valid_to": date(2026, 3, 30)}, Reason.EXPIRED),
    ],
)
def test_not_good_on_the_day_names_what_stands_for_it(world, value, row, reason):
    golden_id = world.golden()
    world.holds(golden_id, "erp", value, **row)
    world.holds(golden_id, "erp", f"new {value}")
    assert world.verdict("erp", value) == Verdict(False, reason, f"new {value}", str(golden_id))


def test_two_possible_replacements_are_none(world, value):
    golden_id = world.golden()
    world.holds(golden_id, "erp", value, status="inactive")
    for number in range(2):
        world.holds(golden_id, "erp", f"{number} {value}")
    assert world.verdict("erp", value).replaced_by is None


@pytest.mark.parametrize(("domain", "attribute"), [("cost_center", "posting_allowed"), ("account", "postable")])
@pytest.mark.parametrize(("flag", "reason"), [("false", Reason.NOT_POSTABLE), ("true", None)])
def test_posting(world, value, domain, attribute, flag, reason):
    golden_id = world.golden(domain)
    world.holds(golden_id, "erp", value)
    world.says(golden_id, **{attribute: flag})
    assert world.verdict("erp", value, domain=domain).reason == reason


def test_an_expired_cost_center_is_expired_before_it_is_not_postable(world, value):
    golden_id = world.golden("cost_center")
    world.holds(golden_id, "erp", value, valid_to=date(2025, 12, 31))
    world.says(golden_id, posting_allowed="false")
    assert world.verdict("erp", value, domain="cost_center").reason is Reason.EXPIRED


def test_a_closed_record_names_what_took_its_place(world, value):
    old, between, new = world.golden("cost_center"), world.golden("cost_center"), world.golden("cost_center")
    world.holds(old, "erp", value, status="inactive")
    world.holds(between, "erp", f"between {value}", status="inactive")
    world.holds(new, "erp", f"new {value}")
    world.relates(old, "replaced_by", between)
    world.relates(between, "replaced_by", new, valid_from=date(2026, 3, 31))
    assert world.verdict("erp", value, domain="cost_center") == Verdict(False, Reason.INACTIVE, f"new {value}", str(old))
    assert world.verdict("erp", value, domain="cost_center", on=date(2026, 3, 30)).replaced_by is None
