"""Many tasks shared out in turn: to those who may decide all of them, evenly, and taken back as one."""

import re

import pytest

from mdm.db import fetch
from tests.ui.conftest import Browser


@pytest.fixture
def five(deliver):
    """Five reviews of payers."""
    for name in ("Alder", "Birch", "Cedar", "Dogwood", "Elm"):
        deliver("payer", "billing-north", {"name": f"{name} Valley Health Plan", "city": "Bath"})
        deliver("payer", "ehr-north", {"name": f"{name} Valley Health Plan", "city": "Salem"})


def owners(database):
    with database.unit_of_work() as session:
        return fetch(session, "select assigned_to, count(*) from task where status = 'open' group by 1 order by 2, 1")


def test_they_go_in_turn_to_whoever_may_decide_all_of_them(steward, person, five, database):
    other, _, _ = person(), person(domains=["patient"]), person(systems=["ehr-north"])
    answer = steward.post("/tasks/selected", act="share", all="yes")
    assert answer.status_code == 303
    page = steward.get(answer.location).text
    assert "Shared out: 5 tasks" in page
    assert {(name, number) for name, number in owners(database)} in (
        {(steward.name, 3), (other, 2)},
        {(steward.name, 2), (other, 3)},
    )
    undo = re.search(r'action="([^"]+/undo)"', page)[1]
    assert steward.post(undo).status_code == 303
    assert owners(database) == [(None, 5)]


def test_a_colleague_of_the_systems_that_the_tasks_are_about_gets_a_share(app, database, person, five):
    narrow, _ = person(systems=["ehr-north", "billing-north"]), person(systems=["ehr-north"])
    browser = Browser(app, database)
    browser.enter_as(narrow)
    assert browser.post("/tasks/selected", act="share", all="yes").status_code == 303
    assert owners(database) == [(narrow, 5)]


def test_work_is_given_only_to_whoever_may_decide_it(steward, person, five, database):
    able, *others = person(systems=["ehr-north", "billing-north"]), person(domains=["item"]), person(systems=["ehr-north"]), person("admin")
    page = steward.get("/tasks").text
    assert f"<option>{able}</option>" in page
    assert not any(f"<option>{name}</option>" in page for name in others)
    for name in others:
        assert steward.post("/tasks/selected", act="to", to=name, all="yes").status_code == 422
    assert owners(database) == [(None, 5)]
    steward.post("/tasks/selected", act="to", to=able, all="yes")
    assert owners(database) == [(able, 5)]


def test_only_who_may_decide_a_task_can_be_asked_about_it(steward, person, five, open_task):
    able, *others = person(domains=["payer"]), person(domains=["item"]), person(systems=["ehr-north"])
    at = open_task("review")
    page = steward.get(at).text
    assert f"<option>{able}</option>" in page
    assert not any(f"<option>{name}</option>" in page for name in others)
    assert [steward.post(f"{at}/ask", whom=name, body="Are they one?").status_code for name in others] == [422, 422]
    assert steward.post(f"{at}/ask", whom=able, body="Are they one?").status_code == 303
