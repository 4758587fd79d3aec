"""A proposal for a second person is about the task as it was; nothing decides past it, and nothing of it outlives the task."""

import pytest

from mdm import desk, tasks, verdicts
from mdm.access import Actor, Role
from mdm.db import execute, fetch
from mdm.entities import ENTITY_TYPES
from mdm.ids import new_id
from mdm.reasons import REASON_MAX
from mdm.tasks import Ruling
from mdm.verdicts import Form
from tests.mdm.test_held_updates import ZOE, only_task

PATIENT = ENTITY_TYPES["patient"]
ANN, BOB = (Actor(new_id(), name, Role.STEWARD) for name in ("ann", "bob"))


@pytest.fixture
def proposed(clean_database, deliver):
    """A held-back update of which Ann has proposed that it be accepted. The task."""
    deliver("ehr-north", "1")
    deliver("ehr-north", "1", **ZOE)
    task = only_task(clean_database)
    assert say(clean_database, task, ANN, "accept", propose=True)["outcome"] == "proposed"
    return task


def say(database, task, actor, verdict, *, reason="x" * REASON_MAX, propose=False):
    form = Form(key=str(new_id()), ruling=Ruling(verdict, task.version, reason=reason), propose=propose)
    return database.run(lambda s: verdicts.settle(s, PATIENT, task.id, actor, form, "test")).told


def proposals(database):
    with database.unit_of_work() as session:
        return fetch(session, "select p.status, t.waits_for, t.waits_until is null from proposal p join task t on t.id = p.task_id")


def test_a_proposal_goes_when_what_it_was_about_changes(clean_database, deliver, proposed):
    deliver("ehr-north", "1", **{**ZOE, "given_name": "Yves"})
    assert proposals(clean_database) == [("withdrawn", None, True)]
    task = only_task(clean_database)
    assert (task.id, task.version) == (proposed.id, proposed.version + 1)
    assert say(clean_database, task, BOB, "accept", propose=True)["outcome"] == "proposed"


def test_a_proposal_goes_when_its_task_closes(clean_database, deliver, proposed):
    deliver("ehr-north", "1", city="Boston")
    assert proposals(clean_database) == [("withdrawn", None, True)]


def test_a_proposal_stays_while_the_task_asks_the_same(clean_database, proposed):
    clean_database.run(lambda s: desk.assign(s, BOB, [proposed.id], None))
    clean_database.run(lambda s: execute(s, "update task set impact = 99"))
    assert proposals(clean_database)[0][0] == "open"
    assert say(clean_database, proposed, BOB, "accept")["outcome"] == "agreed"
    assert proposals(clean_database) == [("agreed", None, True)]


def test_who_disagrees_is_heard_however_long_the_reason(clean_database, proposed):
    assert say(clean_database, proposed, BOB, "reject")["outcome"] == "disagreed"
    assert proposals(clean_database) == [("disagreed", None, True)]
    with clean_database.unit_of_work() as session:
        assert [len(said.body) for said in desk.thread(session, proposed.id)] == [REASON_MAX]
        assert tasks.get(session, proposed.id).status == "open"
