"""Findings on their pages: an identifier that several carry, drift, an oversize golden record; masked, decided, undone from the tray."""

import re

import pytest

from mdm.access import SYSTEM_ACTOR
from mdm.db import fetch
from mdm.entities import ENTITY_TYPES
from mdm.identity import Act, merge
from mdm.pins import NewPin, pin
from tests.ui.conftest import LINDA, ROBERT
from tests.ui.test_task import decide, state, verdicts

MBI = "1EG4-TE5-MK73"
ACT = Act(actor=SYSTEM_ACTOR, reason="their letterhead", request_id="test")
PLAN = {"name": "Cedar Valley Health Plan"}


@pytest.fixture
def shared(deliver, open_task):
    """Two patients of one Medicare number, whom nothing else joins: the task's address and their golden ids."""
    who = (("ehr-north", ROBERT, "r1"), ("ehr-mercy", LINDA, "l1"))
    rows = [deliver("patient", system, person, [("us-mbi", MBI)], key=key) for system, person, key in who]
    return open_task("shared_identifier"), [row.golden_id for row in rows]


@pytest.fixture
def drift(deliver, open_task, database):
    """A payer whose city was pinned before its source named another."""
    row = deliver("payer", "billing-north", {**PLAN, "city": "Bath"}, key="c1")
    database.run(lambda session: pin(session, ENTITY_TYPES["payer"], row.golden_id, NewPin("city", "Salem"), ACT))
    deliver("payer", "billing-north", {**PLAN, "city": "Newport"}, key="c1")
    return open_task("drift")


@pytest.fixture
def oversize(deliver, open_task, database):
    """A payer of one record more than the machine would join."""
    rows = [deliver("payer", "billing-north", {**PLAN, "city": "Bath"}, [("us-naic", "12345")], key=f"o{n}") for n in range(41)]
    goldens = sorted({row.golden_id for row in rows})
    database.run(lambda session: merge(session, ENTITY_TYPES["payer"], goldens[0], goldens[1:], ACT))
    return open_task("oversize")


def test_a_shared_identifier_is_shown_masked_with_those_who_carry_it(steward, shared):
    path, goldens = shared
    page = steward.get(path).text
    assert "Whose identifier is it?" in page
    assert "Medicare" in page
    for hidden in (MBI, MBI.replace("-", ""), "1988-01-30", "900 Pine"):
        assert hidden not in page
    assert set(verdicts(page)) == {"same", "different", "shared", "placeholder", *(f"belongs:{golden}" for golden in goldens)}
    assert re.findall(r"<bdi class=\"value\">([^<]+)</bdi>", page) == [
        {goldens[0]: "ehr-north r1", goldens[1]: "ehr-mercy l1"}[golden] for golden in sorted(goldens)
    ]
    assert "Shared identifier" in steward.get("/tasks").text


def test_it_is_given_to_one_of_them_and_the_tray_takes_it_back(steward, shared, database):
    path, goldens = shared
    assert decide(steward, path, f"belongs:{goldens[1]}").status_code == 303
    assert state(database, path) == "settled"
    holders = (
        "select golden_id from xref x join identifier_system s on s.id = x.system_id where s.code = 'us-mbi' and x.recorded_to is null"
    )
    with database.unit_of_work() as session:
        assert fetch(session, holders) == [(goldens[1],)]
    assert steward.post("/decisions/undo").status_code in {200, 302, 303}
    assert state(database, path) == "open"


def test_who_differs_in_birth_year_is_not_merged_for_an_identifier_without_a_reason(steward, shared, database):
    path, _ = shared
    assert "T2" in steward.get(path).text
    refused = decide(steward, path, "same")
    assert (refused.status_code, state(database, path)) == (422, "open")
    assert decide(steward, path, "same", digit="5").status_code == 303


def test_drift_shows_what_was_pinned_said_and_is_said(steward, drift, database):
    page = re.sub(r"<[^>]+>", " ", steward.get(drift).text).partition("How they differ")[2]
    assert page.index("Salem") < page.index("Bath") < page.index("Newport")
    assert "their letterhead" in steward.get(drift).text
    assert decide(steward, drift, "exception", reason="they are moving").status_code == 303
    assert state(database, drift) == "settled"
    assert "Excepted by" in re.sub(r"<[^>]+>", "", steward.get(drift).text)


def test_an_oversize_golden_record_takes_two_people(steward, oversize, database):
    page = steward.get(oversize).text
    assert "cluster of 41" in page
    assert "T3" in page
    assert 'name="group-' in page
    assert decide(steward, oversize, "keep").status_code == 303
    with database.unit_of_work() as session:
        assert fetch(session, "select status from proposal") == [("open",)]
    assert state(database, oversize) == "open"


def test_a_finding_about_patients_is_audited_as_read(steward, shared, database):
    steward.get(shared[0])
    with database.unit_of_work() as session:
        assert fetch(session, "select count(*) from audit where action = 'finding:read' and domain = 'patient'") == [(1,)]
