"""Queues by the administrators' page: a rule routes what is open, the list has a facet of it, and taken away it is as before."""

import re

import pytest

from mdm.db import fetch


@pytest.fixture
def admin(enter):
    return enter("admin")


def queue_of(database, task):
    with database.unit_of_work() as session:
        return fetch(session, "select queue from task where id = %s", (task.rpartition("/")[2],))[0][0]


def test_a_rule_makes_a_queue_and_takes_it_away(admin, steward, cut, database):
    assert "No rule yet" in admin.get("/admin/queues").text
    assert "facet-queue" not in steward.get("/tasks").text
    assert admin.post("/admin/queues", queue="Payer splits", domain="payer", kind="cut", system="").status_code == 303
    assert queue_of(database, cut) == "Payer splits"
    page = admin.get("/admin/queues").text
    assert "Payer splits" in page
    assert re.search(r'title="1 fit[^"]*">1<', page)
    listed = steward.get("/tasks?queue=Payer+splits")
    assert "Proposed split" in listed.text
    assert 'id="facet-queue"' in listed.text
    assert "No open task matches" in steward.get("/tasks?queue=-&kind=cut").text
    rule = re.search(r'action="(/admin/queues/[^"]+/delete)"', page)[1]
    assert admin.post(rule).status_code == 303
    assert queue_of(database, cut) is None
    assert admin.post(rule).status_code == 404


def test_what_was_typed_stays_beside_what_was_wrong(admin):
    again = admin.post("/admin/queues", queue="x" * 50, domain="", kind="cut", system="")
    assert again.status_code == 422
    assert "1 to 40 characters" in again.text
    assert 'value="' + "x" * 50 in again.text
    assert admin.post("/admin/queues", queue="one", kind="cut").status_code == 303
    assert admin.post("/admin/queues", queue="two", kind="cut").status_code == 409
