"""A new kind of task is an entry beside the others: its words, its answers and what they do. The shell has it without a change."""

import re

import pytest

from mdm import identity, tasks
from mdm.db import execute, fetch
from mdm.identity import Saying
from mdm.ids import new_id
from stewardship_ui import words
from stewardship_ui.words import Kind, Verdict
from tests.ui.test_task import decide, state

HOME = Kind(
    "Unknown house",
    "Does anybody live there?",
    {
        "kept": Verdict("m", "Somebody does", "Stays as it is.", "Kept", "check"),
        "empty": Verdict("n", "Nobody", "Is noted.", "Noted", "x"),
    },
    "how many houses there are",
)


def _note(session, entity, case):
    identity.taken_together(session, entity, case.task.goldens, None)
    saying = Saying("keep", case.task.records, (), detail={"answer": case.ruling.verdict})
    return identity.say(session, entity, saying, case.act({})).decision_id


@pytest.fixture
def house(monkeypatch, deliver, database):
    """The address of a task of a kind that Concord has not got."""
    monkeypatch.setitem(words.KINDS, "house", HOME)
    monkeypatch.setitem(tasks.VERDICTS, "house", tuple(HOME.verdicts))
    monkeypatch.setitem(tasks._ACTS, "house", _note)
    told, task_id = deliver("supplier", "erp-north", {"name": "Acme Medical"}), new_id()
    insert = (
        "insert into task (id, domain, kind, dedupe_key, goldens, records, detail, impact)"
        " values (%s, 'supplier', 'house', %s, %s, %s, '{}', 3)"
    )
    with database.unit_of_work() as session:
        execute(session, insert, (task_id, str(task_id), [told.golden_id], [told.record_id]))
    return f"/tasks/{task_id}"


def test_the_shell_has_it_whole(steward, house, database):
    listed = steward.get("/tasks?kind=house").text
    assert HOME.name in listed
    assert HOME.impact in listed
    assert "Acme Medical" in listed
    page = steward.get(house).text
    assert HOME.question in page
    assert re.findall(r'name="verdict" value="(\w+)" data-key="(\w)"', page) == [("kept", "m"), ("empty", "n")]
    assert decide(steward, house, "kept").status_code == 303
    assert state(database, house) == "settled"
    with database.unit_of_work() as session:
        assert fetch(session, "select kind, detail ->> 'answer' from decision") == [("keep", "kept")]
    assert HOME.name in steward.get(house).text


def test_what_has_no_words_yet_is_shown_and_decided_elsewhere(steward, house, monkeypatch):
    monkeypatch.delitem(words.KINDS, "house")
    assert "house" in steward.get("/tasks").text
    page = steward.get(house).text
    assert "decided elsewhere" in page
    assert 'name="verdict"' not in page
