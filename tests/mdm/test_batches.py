"""Bulk acts: what waits for somebody is left alone, and taking an act back touches nothing that a colleague did since."""

import pytest

from mdm import batches, desk
from mdm.access import Actor, Role
from mdm.db import execute, fetch
from mdm.errors import Conflict
from mdm.ids import new_id

ANN, BOB = (Actor(new_id(), name, Role.STEWARD) for name in ("ann", "bob"))


@pytest.fixture
def tasks(clean_database):
    """Three open tasks."""
    ids = sorted(new_id() for _ in range(3))
    add = (
        "insert into task (id, domain, kind, dedupe_key, goldens, records, detail, impact)"
        " select id, 'payer', 'cut', id::text, '{}', '{}', '{}', 1 from unnest(%s::uuid[]) id"
    )
    clean_database.run(lambda session: execute(session, add, (ids,)))
    return ids


def start(database, kind, value, tasks):
    return database.run(lambda session: batches.start(session, ANN, kind, value, tasks)).id


def waits(database):
    return database.run(lambda session: fetch(session, "select waits_for, waits_until > now() + interval '2 days' from task order by id"))


def test_what_waits_for_somebody_is_not_put_off(clean_database, tasks):
    clean_database.run(lambda s: execute(s, "update task set waits_for = 'approval', waits_until = 'infinity' where id = %s", (tasks[0],)))
    batch = start(clean_database, "defer", "1", tasks)
    assert waits(clean_database) == [("approval", True), ("time", False), ("time", False)]
    notes = clean_database.run(lambda session: fetch(session, "select note from task_batch_item order by task_id"))
    assert notes == [("waiting",), (None,), (None,)]
    assert clean_database.run(lambda session: batches.undo(session, ANN, batch)) == 1
    assert [row[0] for row in waits(clean_database)] == ["approval", None, None]


def test_putting_off_lets_go_of_what_was_claimed(clean_database, tasks):
    clean_database.run(lambda session: desk.claim(session, ANN, tasks))
    start(clean_database, "defer", "3", tasks)
    assert clean_database.run(lambda session: fetch(session, "select count(claimed_by) from task")) == [(0,)]


def test_an_undo_leaves_what_a_colleague_put_off_later(clean_database, tasks):
    batch = start(clean_database, "defer", "1", tasks)
    clean_database.run(lambda session: desk.defer(session, BOB, tasks[:1], "3"))
    assert clean_database.run(lambda session: batches.undo(session, ANN, batch)) == 1
    assert waits(clean_database) == [("time", True), (None, None), (None, None)]


def test_an_assignment_taken_back_leaves_what_was_put_off_since(clean_database, tasks):
    batch = start(clean_database, "assign", None, tasks)
    clean_database.run(lambda session: desk.defer(session, BOB, tasks[:1], "3"))
    assert clean_database.run(lambda session: batches.undo(session, ANN, batch)) == 0
    assert waits(clean_database)[0] == ("time", True)


def test_where_nobody_may_decide_all_of_them_nothing_is_shared(clean_database, tasks):
    with pytest.raises(Conflict):
        start(clean_database, "share", None, tasks)
