"""Updates that wait for a person: only the newest delivery can still become true, and a rejection is not asked for every night."""

import threading
import time

import pytest

from mdm import golden, ingest, tasks
from mdm.access import SYSTEM_ACTOR
from mdm.db import fetch
from mdm.entities import ENTITY_TYPES
from mdm.errors import Conflict, Stale
from mdm.guard import record_keys
from mdm.identity import Act
from mdm.ingest import Ready, deactivate
from mdm.invariants import violations
from mdm.models import scorer
from mdm.standardise import Delivery, standardise
from mdm.systems import registry
from mdm.tasks import Ruling
from mdm.undo import undo
from mdm.updates import rule
from tests.mdm.conftest import SMITH

PATIENT = ENTITY_TYPES["patient"]
ZOE = {"given_name": "Zoe", "family_name": "Quux", "birth_date": "2001-05-05", "sex": "F", "address_line": "9 Elm Rd", "phone": None}
ACT = Act(actor=SYSTEM_ACTOR, reason="looked", request_id="test")


@pytest.fixture
def held(clean_database, deliver):
    """Record 1 of ehr-north, William Smith; an update that makes it Zoe Quux waits. The task."""
    deliver("ehr-north", "1")
    assert deliver("ehr-north", "1", **ZOE).outcome == "quarantined"
    return only_task(clean_database)


def only_task(database):
    with database.unit_of_work() as session:
        (task,) = tasks.list_tasks(session, kind="overlay").items
    return task


def decide(database, task, verdict):
    return database.run(lambda s: tasks.decide(s, PATIENT, task.id, SYSTEM_ACTOR, Ruling(verdict, task.version), "test"))


def versions(database):
    with database.unit_of_work() as session:
        assert violations(session, deep=True) == []
        return fetch(session, "select version, state from source_record_version order by version")


@pytest.mark.parametrize("city", ["Boston", "Salem"], ids=["says something new", "says again what it said before"])
def test_a_newer_delivery_takes_the_place_of_one_that_waits(clean_database, deliver, held, city):
    assert deliver("ehr-north", "1", city=city).outcome == "updated"
    assert versions(clean_database) == [(1, "applied"), (2, "rejected"), (3, "applied")]
    with pytest.raises(Conflict, match="closed"):
        decide(clean_database, held, "accept")
    with clean_database.unit_of_work() as session:
        assert tasks.get(session, held.id).status == "obsolete"
        assert golden.source(session, PATIENT, "ehr-north", "1").attributes["city"] == city


def test_a_version_that_is_not_the_newest_is_never_accepted(clean_database, deliver, held):
    deliver("ehr-north", "1", city="Boston")
    with pytest.raises(Stale):
        clean_database.run(lambda s: rule(s, PATIENT, held.records[0], 2, "accept", ACT))


def test_a_rejected_update_that_comes_again_is_not_asked_again(clean_database, deliver, held):
    decide(clean_database, held, "reject")
    again = deliver("ehr-north", "1", **ZOE)
    assert (again.outcome, again.task_id) == ("quarantined", held.id)
    assert versions(clean_database) == [(1, "applied"), (2, "rejected")]
    with clean_database.unit_of_work() as session:
        assert tasks.list_tasks(session, kind="overlay").items == ()


def test_it_is_asked_again_once_the_record_says_something_else(clean_database, deliver, held):
    decide(clean_database, held, "reject")
    deliver("ehr-north", "1", city="Boston")
    assert deliver("ehr-north", "1", **ZOE).outcome == "quarantined"
    assert only_task(clean_database).id != held.id


def test_a_rejection_that_is_taken_back_is_asked_again(clean_database, deliver, held):
    decision = decide(clean_database, held, "reject").decision_id
    clean_database.run(lambda s: undo(s, PATIENT, decision, ACT))
    task = only_task(clean_database)
    assert task.id == held.id
    deliver("ehr-north", "1", **ZOE)
    assert only_task(clean_database).id == task.id
    decide(clean_database, only_task(clean_database), "accept")
    assert versions(clean_database)[-1] == (3, "applied")


@pytest.mark.parametrize("verdict", ["accept", "reject"])
def test_a_decision_taken_back_leaves_the_question_open_as_it_was(clean_database, held, verdict):
    decision = decide(clean_database, held, verdict).decision_id
    clean_database.run(lambda s: undo(s, PATIENT, decision, ACT))
    task = only_task(clean_database)
    assert (task.id, task.status, task.decision_id, task.closed_at) == (held.id, "open", None, None)
    assert (task.goldens, task.records, task.detail["evidence"]) == (held.goldens, held.records, held.detail["evidence"])
    decide(clean_database, task, "accept")
    assert versions(clean_database)[-1][1] == "applied"


def test_what_waits_beside_a_rejected_one_is_superseded_by_it(clean_database, deliver, held):
    decide(clean_database, held, "reject")
    assert deliver("ehr-north", "1", **{**ZOE, "given_name": "Yves"}).outcome == "quarantined"
    assert deliver("ehr-north", "1", **ZOE).task_id == held.id
    assert versions(clean_database) == [(1, "applied"), (2, "rejected"), (3, "rejected")]


def test_a_delete_says_last_what_was_delivered_just_before_it(clean_database, deliver):
    deliver("ehr-north", "1")
    answers = []
    deleting = threading.Thread(target=lambda: answers.append(deactivate(clean_database, PATIENT, SYSTEM_ACTOR, "ehr-north", "1", "test")))
    with clean_database.unit_of_work() as session:
        row = standardise(PATIENT, Delivery("ehr-north", "1", {**SMITH, "city": "Boston"}), registry(session))
        ready = Ready(0, row, record_keys(PATIENT, scorer(session, PATIENT).model, row.columns))
        ingest.deliver(session, PATIENT, SYSTEM_ACTOR, [ready], "test")
        deleting.start()
        wait_for_a_lock(clean_database)
    deleting.join()
    assert [a.outcome for a in answers] == ["inactive"]
    with clean_database.unit_of_work() as session:
        assert golden.source(session, PATIENT, "ehr-north", "1").attributes["city"] == "Boston"


def wait_for_a_lock(database):
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        with database.engine.connect() as connection:
            if connection.exec_driver_sql("select 1 from pg_locks where locktype = 'advisory' and not granted").first():
                return
        time.sleep(0.01)
    raise AssertionError("nobody waits")
