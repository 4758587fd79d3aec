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


def test_where_nobody_may_decide_all_of_them_nothing_is_shared(app, database, person, five):
    narrow = Browser(app, database)
    narrow.enter_as(person(systems=["ehr-north", "billing-north"]))
    assert narrow.post("/tasks/selected", act="share", all="yes").status_code == 409
    assert owners(database) == [(None, 5)]
