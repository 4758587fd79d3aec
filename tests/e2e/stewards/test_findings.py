"""Findings by keys alone in a real browser: whose identifier it is, drift under a pin, an oversize golden record proposed for parting."""

import pytest

from mdm.access import SYSTEM_ACTOR
from mdm.db import fetch
from mdm.entities import ENTITY_TYPES
from mdm.identity import Act, merge
from mdm.pins import NewPin, pin
from tests.e2e.stewards.conftest import until
from tests.e2e.stewards.scenes import MARIA

MINE = "document.querySelector('#claim[data-claimed=mine]') !== null"
OTTO = {"given_name": "Otto", "family_name": "Brandt", "birth_date": "1961-10-30", "sex": "M"}
ACT = Act(actor=SYSTEM_ACTOR, reason="their letterhead", request_id="test")
PLAN = {"name": "Cedar Valley Health Plan"}


@pytest.fixture
def opened(world):
    """opened(page, kind) -> the address of the newest task of this kind, with that page at it and ready."""

    def go(page, kind):
        with world.unit_of_work() as session:
            task = fetch(session, "select max(id::text) from task where kind = %s and status = 'open'", (kind,))[0][0]
        page.goto(f"/tasks/{task}")
        until(page, MINE)
        page.wait_for_timeout(200)
        return f"/tasks/{task}"

    return go


def test_an_identifier_is_given_to_one_of_those_who_carry_it(deliver, person, browse, opened, count, axe):
    deliver("patient", ("ehr-north", "m1", MARIA, [("us-mbi", "1EG4-TE5-MK73")]), ("ehr-mercy", "o1", OTTO, [("us-mbi", "1EG4-TE5-MK73")]))
    page = browse(person()).page
    opened(page, "shared_identifier")
    assert "1EG4" not in page.content()
    assert page.locator("[data-verb][data-key='1'], [data-verb][data-key='2']").count() == 2
    assert axe(page) == []
    page.keyboard.press("2")
    until(page, "location.pathname === '/tasks'")
    assert count("select kind from decision") == "belongs"
    holders = "select count(*) from xref x join identifier_system s on s.id = x.system_id where s.code = 'us-mbi' and x.recorded_to is null"
    assert count(holders) == 1
    page.goto("/tasks")
    opened_again = "select count(*) from task where kind = 'shared_identifier' and status = 'open'"
    assert count(opened_again) == 0


def test_drift_under_a_pin_is_accepted_and_undone(deliver, person, browse, opened, count, world, axe):
    row = deliver("payer", ("billing-north", "c1", {**PLAN, "city": "Bath"}, []))[0]
    world.run(lambda session: pin(session, ENTITY_TYPES["payer"], row.golden_id, NewPin("city", "Salem"), ACT))
    deliver("payer", ("billing-north", "c1", {**PLAN, "city": "Newport"}, []))
    page = browse(person()).page
    task = opened(page, "drift")
    said = page.inner_text("#item table")
    assert said.index("Salem") < said.index("Bath") < said.index("Newport")
    assert axe(page) == []
    page.keyboard.press("m")
    until(page, "location.pathname === '/tasks'")
    now = "select \"values\" ->> 'city' from golden_version where recorded_to is null"
    assert count(now).lower() == "newport"
    page.goto(task)
    page.click("text=Undo this decision")
    page.wait_for_selector("#verdict")
    assert count(now).lower() == "salem"
    assert count("select status from task where kind = 'drift'") == "open"


def test_an_oversize_golden_record_is_proposed_for_a_split_by_keys(deliver, person, browse, opened, count, world):
    rows = deliver("payer", *(("billing-north", f"o{n}", {**PLAN, "city": "Bath"}, [("us-naic", "12345")]) for n in range(41)))
    goldens = sorted({row.golden_id for row in rows})
    world.run(lambda session: merge(session, ENTITY_TYPES["payer"], goldens[0], goldens[1:], ACT))
    page = browse(person()).page
    opened(page, "oversize")
    assert "T3" in page.inner_text(".crumbs")
    page.keyboard.press("x")
    page.keyboard.press("3")
    until(page, "document.querySelectorAll('[data-cluster] select').length === 41")
    page.keyboard.press("Enter")
    until(page, "location.pathname === '/tasks'", seconds=60)
    assert (count("select status from proposal"), count("select ruling ->> 'verdict' from proposal")) == ("open", "split")
    assert count("select count(*) from decision") == 1
