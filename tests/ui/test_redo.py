"""Shift+z: what was taken back last is said again, under the tiers, until its person decides something else."""

import re

from mdm.db import fetch
from tests.ui.conftest import Browser
from tests.ui.test_task import decide, state


def kinds(database):
    with database.unit_of_work() as session:
        return [row[0] for row in fetch(session, "select kind from decision order by created_at")]


def test_what_was_taken_back_is_said_again_once(steward, review, database):
    assert decide(steward, review, "same", reason="their card").status_code == 303
    assert steward.post("/decisions/undo").status_code == 303
    assert "Redo: same" in steward.get(review).text
    assert steward.post("/decisions/redo").status_code == 303
    assert (state(database, review), kinds(database)) == ("settled", ["same", "undo", "same"])
    with database.unit_of_work() as session:
        assert fetch(session, "select reason from decision where kind = 'same'") == [("their card",)] * 2
    assert "Redo" not in steward.get("/tasks").text
    assert steward.post("/decisions/redo").status_code == 409


def test_home_counts_the_decisions_of_the_day_as_the_quality_page_does(steward, review):
    decide(steward, review, "different")
    steward.post("/decisions/undo")
    assert "Done today <b>1</b>" in steward.get("/").text
    assert f'{steward.name}</bdi></th><td class="number">1</td>' in steward.get("/quality/people").text


def test_taken_back_twice_it_can_be_said_a_third_time(steward, review, database):
    decide(steward, review, "different")
    for _ in range(2):
        steward.post("/decisions/undo")
        steward.post("/decisions/redo")
    assert state(database, review) == "settled"
    assert kinds(database) == ["different", "undo", "different", "undo", "different"]


def test_whoever_decides_something_else_has_nothing_to_say_again(steward, review, overlay, database):
    decide(steward, review, "different")
    steward.post("/decisions/undo")
    decide(steward, overlay, "reject")
    assert steward.post("/decisions/redo").status_code == 409
    assert state(database, review) == "open"


def test_nobody_says_again_what_another_took_back(steward, review, person, app, database):

    decide(steward, review, "different")
    steward.post("/decisions/undo")
    other = Browser(app, database)
    other.enter_as(person())
    assert other.post("/decisions/redo").status_code == 409


def test_several_are_said_again_in_the_order_in_which_they_were_said(steward, review, overlay, database):
    decide(steward, review, "different")
    decide(steward, overlay, "reject")
    steward.post("/decisions/undo")
    steward.post("/decisions/undo")
    steward.post("/decisions/redo")
    assert (state(database, review), kinds(database)[-1]) == ("settled", "different")
    steward.post("/decisions/redo")
    assert kinds(database)[-1] == "reject"
    with database.unit_of_work() as session:
        assert fetch(session, "select count(*) from task where status = 'open'") == [(0,)]


def test_the_button_says_again_what_it_names(steward, review, overlay, database):
    decide(steward, review, "different")
    steward.post("/decisions/undo")
    named = re.search(r'action="(/decisions/[^"]+/redo)"', steward.get(review).text)[1]
    assert steward.post(named).status_code == 303
    assert (state(database, review), kinds(database)[-1]) == ("settled", "different")
    assert steward.post(named).status_code == 409


def test_it_says_that_one_although_another_was_taken_back_since(steward, review, overlay, database):
    decide(steward, review, "different")
    decide(steward, overlay, "reject")
    steward.post("/decisions/undo")
    named = re.search(r'action="(/decisions/[^"]+/redo)"', steward.get(overlay).text)[1]
    steward.post("/decisions/undo")
    assert steward.post(named).status_code == 303
    assert (state(database, overlay), state(database, review)) == ("settled", "open")
