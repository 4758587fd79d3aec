"""What waits for a second person: it stays where they find it, and they say who they are before they answer."""

import re

import pytest

from mdm.db import execute, fetch
from tests.ui.test_task import decide, form


@pytest.fixture
def proposed(steward, review):
    """A review on which the steward has proposed."""
    assert decide(steward, review, "same", propose="yes", reason="looks alike", digit="1").status_code == 303
    return review


def waits(database):
    with database.unit_of_work() as session:
        return fetch(session, "select waits_for from task where kind = 'review'")[0][0]


def test_a_proposal_is_not_buried(steward, other, proposed, database):
    assert waits(database) == "approval"
    assert steward.post(f"{proposed}/defer", until="2").status_code == 409
    assert other.post(f"{proposed}/ask", whom=steward.name, body="sure?").status_code == 409
    answer = other.post("/tasks/selected", act="defer", until="2", task=proposed.rpartition("/")[2])
    assert answer.status_code == 303
    assert waits(database) == "approval"
    with database.unit_of_work() as session:
        assert fetch(session, "select note from task_batch_item") == [("waiting",)]


def test_what_two_people_say_is_told_where_they_go_on(other, proposed):
    answer = decide(other, proposed, "different")
    assert answer.location == f"/tasks?decided={proposed[-6:]}&outcome=disagreed"
    assert f"You and who proposed on task #{proposed[-6:]} disagree" in other.get(answer.location).text
    assert "no such word" not in other.get(f"/tasks?decided={proposed[-6:]}&outcome=no+such+word").text


def test_taking_back_an_assignment_leaves_the_proposal(steward, other, review, database):
    batch = other.post("/tasks/selected", act="mine", task=review.rpartition("/")[2]).location.partition("?")[0]
    assert decide(steward, review, "same", propose="yes", reason="looks alike", digit="1").status_code == 303
    assert other.post(f"{batch}/undo").status_code == 303
    assert waits(database) == "approval"


def test_the_second_person_says_who_they_are(other, proposed, database):
    asked = {**form(other, proposed), "verdict": "same", "reason": "alike", "digit": "1"}
    with database.unit_of_work() as session:
        execute(session, "update user_session set factor_at = now() - interval '6 minutes'")
    answer = other.post(f"{proposed}/decision", **asked)
    assert (answer.status_code, "Show that it is you" in answer.text) == (403, True)
    assert waits(database) == "approval"
    assert other.post(f"{proposed}/decision", **asked, step_up_proof="correct horse battery").status_code == 303


def test_what_was_shown_is_audited_by_record(steward, other, review, database):
    task_id = review.rpartition("/")[2]
    assert steward.post("/tasks/ahead", shown=task_id).status_code == 200
    assert steward.post("/tasks/ahead", shown=task_id).status_code == 200
    assert other.post("/tasks/ahead", shown=task_id).status_code == 200
    with database.unit_of_work() as session:
        goldens = fetch(session, "select goldens from task where id = %s", (task_id,))[0][0]
        shown = fetch(session, "select principal, subjects, domain, detail ->> 'task' from audit where action = 'task:shown'")
    assert shown[0][1:] == (goldens, "patient", task_id)
    assert {row[0] for row in shown} == {steward.name}


def test_a_view_for_all_is_shared_by_who_decides_and_tidied_by_administrators(steward, enter, database):
    admin = enter("admin")
    assert admin.post("/tasks/views", name="mine", shared="yes").status_code == 403
    assert "for all" not in admin.get("/tasks").text
    assert admin.post("/tasks/views", name="mine").status_code == 303
    assert steward.post("/tasks/views", name="ours", shared="yes", kind="review").status_code == 303
    with database.unit_of_work() as session:
        view = fetch(session, "select id from saved_view where name = 'ours'")[0][0]
    assert admin.post(f"/tasks/views/{view}/delete").status_code == 303


def figure(browser, label):
    """The count of a tile of Home, and of the list that it leads to."""
    href, count = re.search(rf'<a class="tile" href="([^"]+)"><b[^>]*>(\d+)</b><span class="soft">{label}', browser.get("/").text).groups()
    return int(count), int(re.search(r"<h1>[^<]+<small>(\d+) open", browser.get(href.replace("&amp;", "&")).text)[1])


def test_tiles_of_home_lead_to_what_they_count(steward, other, enter, proposed, overlay):
    assert steward.post(f"{overlay}/ask", whom=other.name, body="sure?").status_code == 303
    third = enter("steward")
    assert [figure(each, "my proposals") for each in (steward, other, third)] == [(1, 1), (0, 0), (0, 0)]
    assert [figure(each, "approvals waiting") for each in (steward, other, third)] == [(0, 0), (1, 1), (1, 1)]
    assert [figure(each, "questions to me") for each in (steward, other, third)] == [(0, 0), (1, 1), (0, 0)]
