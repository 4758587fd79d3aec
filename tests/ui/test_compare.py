"""Two records side by side by hand: the pair of a list, the tiers of a task, and undoing from the history."""

import re

import pytest

from mdm.db import fetch
from tests.ui.test_records import search


@pytest.fixture
def plans(deliver):
    """Two payers that nothing joins but a person."""
    return [
        deliver("payer", "billing-north", {"name": name, "city": "Bath"}, key=name).golden_id for name in ("Harbor Plan", "Tidal Group")
    ]


def form(page):
    return {"if_match": re.search(r'name="if_match" value="(\d+)"', page)[1]}


def status(database, golden_id):
    with database.unit_of_work() as session:
        return fetch(session, "select status from golden_record where id = %s", (golden_id,))[0][0]


def test_two_of_a_list_are_compared(steward, plans):
    page = "".join(steward.get(search(steward, name, "payer").location).text for name in ("Harbor", "Tidal"))
    ticked = re.findall(r'name="golden" id="[^"]+" value="([^"]+)"', page)
    answer = steward.post("/records/compare", golden=ticked)
    assert answer.location == f"/records/payer/{plans[0]}/compare/{plans[1]}"
    page = re.sub(r"<[^>]+>", "", steward.get(answer.location).text)
    assert [name in page for name in ("Harbor Plan", "Tidal Group", "Golden after merge")] == [True] * 3
    assert steward.post("/records/compare", golden=ticked[:1]).status_code == 422


def test_a_merge_by_hand_is_taken_back_from_the_history(steward, plans, database):
    at = f"/records/payer/{plans[1]}/compare/{plans[0]}"
    done = steward.post(at, verdict="same", reason="one company", **form(steward.get(at).text))
    assert done.location == f"/records/payer/{plans[0]}/history"
    assert status(database, plans[1]) == "merged"
    assert steward.get(at).status_code == 302
    undo = re.search(r'action="([^"]+/undo)"', steward.get(done.location).text)[1]
    steward.post(undo)
    assert status(database, plans[1]) == "active"


def test_different_by_hand_stands_against_a_later_merge(steward, plans, database):
    at = f"/records/payer/{plans[0]}/compare/{plans[1]}"
    assert steward.post(at, verdict="different", reason="two companies", **form(steward.get(at).text)).status_code == 303
    page = steward.get(at).text
    assert "decided different by" in page
    answer = steward.post(at, verdict="same", reason="after all", **form(page))
    assert answer.status_code == 409
    assert status(database, plans[1]) == "active"


def test_a_pair_that_a_task_asks_about_is_decided_there(steward, review, database):
    with database.unit_of_work() as session:
        one, other = fetch(session, "select goldens from task where kind = 'review'")[0][0]
    at = f"/records/patient/{one}/compare/{other}"
    page = steward.get(at).text
    assert review in page
    assert 'name="verdict"' not in page
    assert steward.post(at, verdict="same", reason="x", if_match="1").status_code == 409


def test_a_pair_with_much_downstream_is_proposed_to_a_second_person(steward, other, deliver, plans, database):
    for number in range(26):
        deliver("payer", "ehr-north", {"name": "Harbor Plan"}, [("billing-north", "Harbor Plan")], key=f"h{number}")
    at = f"/records/payer/{plans[0]}/compare/{plans[1]}"
    assert "takes a second person" in steward.get(at).text
    asked = steward.post(at, verdict="same", reason="one company", **form(steward.get(at).text))
    assert re.fullmatch(r"/tasks/[0-9a-f-]+", asked.location)
    assert status(database, plans[1]) == "active"
    assert "one company" not in other.get(asked.location).text
    assert other.get(at).status_code == 200
    done = other.post(at, verdict="same", reason="indeed", **form(other.get(at).text))
    assert done.location == f"/records/payer/{plans[0]}/history"
    assert status(database, plans[1]) == "merged"


def test_who_only_reads_decides_nothing(browser, person, plans):
    browser.enter_as(person("admin"))
    at = f"/records/payer/{plans[0]}/compare/{plans[1]}"
    assert 'name="verdict"' not in browser.get(at).text
    assert browser.post(at, verdict="same", if_match="1").status_code == 403


def test_what_is_out_of_scope_is_not_there(browser, person, plans):
    browser.enter_as(person(systems=["ehr-north"]))
    assert browser.get(f"/records/payer/{plans[0]}/compare/{plans[1]}").status_code == 404
