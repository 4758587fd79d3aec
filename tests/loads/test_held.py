"""A load meets updates that wait for a person: it treats them as a delivery does, and its undo lets them wait again."""

from dataclasses import replace

import pytest

from mdm import tasks
from mdm.access import SYSTEM_ACTOR
from mdm.entities import ENTITY_TYPES
from mdm.invariants import violations
from mdm.tasks import Ruling
from tests.bench.people import delivered
from tests.loads.conftest import as_csv, deliver, rows

ONE = replace(delivered(1), system="ehr-mercy", key="1")
SOMEBODY_ELSE, A_THIRD = (replace(delivered(number), system="ehr-mercy", key="1") for number in (700, 901))
OTHERS = [replace(delivered(number), system="ehr-mercy", key=f"k{number}") for number in range(300, 303)]


@pytest.fixture
def held(clean_database, loader):
    """Record 1 of ehr-mercy; a delivery that makes it somebody else waits."""
    loader.load(as_csv([ONE, *OTHERS]))
    assert [each.outcome for each in deliver(clean_database, [SOMEBODY_ELSE])] == ["quarantined"]
    return clean_database


def asked(database):
    """What is asked about updates that wait, and what these say; the number of a version tells nobody anything."""
    assert database.run(lambda session: violations(session, deep=True)) == []
    return rows(
        database,
        "select t.dedupe_key, t.goldens, t.records, t.detail - 'version', v.hash from task t join source_record_version v"
        " on v.record_id = t.records[1] and v.version = (t.detail ->> 'version')::int where t.status = 'open' and t.kind = 'overlay'"
        " and v.state = 'quarantined'",
    )


def test_a_row_that_says_again_what_is_true_takes_the_place_of_what_waits(held, loader):
    waiting = asked(held)
    view = loader.load(as_csv([ONE, *OTHERS]))
    assert (view.counts["updated"], view.counts["unchanged"]) == (1, 3)
    assert {**view.counts, "waiting": 0} == view.applied
    assert asked(held) == []
    assert rows(held, "select version, state from source_record_version where version > 1 order by 1") == [(2, "rejected"), (3, "applied")]
    loader.undo(view)
    assert asked(held) == waiting


def test_a_row_that_is_held_takes_the_place_of_what_waits(held, loader):
    waiting = asked(held)
    view = loader.load(as_csv([A_THIRD, *OTHERS]))
    assert view.applied["review"] == 1
    assert asked(held) != waiting
    loader.undo(view)
    assert asked(held) == waiting


def test_an_undo_leaves_a_question_that_the_load_only_repeated(held, loader):
    loader.load(as_csv([SOMEBODY_ELSE, *OTHERS]))
    waiting = asked(held)
    view = loader.load(as_csv([SOMEBODY_ELSE, *OTHERS[1:]]))
    assert view.applied["review"] == 1
    assert asked(held) == waiting
    loader.undo(view)
    assert asked(held) == waiting


def test_an_undo_keeps_a_held_row_that_was_accepted_or_delivered_again(held, loader):
    view = loader.load(as_csv([A_THIRD, *OTHERS]))
    deliver(held, [SOMEBODY_ELSE])
    waiting = asked(held)
    assert [each["why"] for each in loader.undo(view).plan["report"]["undo"]["kept"]] == ["delivered again"]
    assert asked(held) == waiting
    again = loader.load(as_csv([A_THIRD, *OTHERS]))
    [task] = held.run(lambda session: tasks.list_tasks(session, kind="overlay")).items
    ruling = Ruling("accept", task.version)
    held.run(lambda session: tasks.decide(session, ENTITY_TYPES["patient"], task.id, SYSTEM_ACTOR, ruling, "test"))
    assert [each["why"] for each in loader.undo(again).plan["report"]["undo"]["kept"]] == ["decided"]
    assert asked(held) == []


def test_the_same_bytes_are_no_longer_the_same_once_something_waits(clean_database, loader):
    content = as_csv([ONE, *OTHERS])
    assert loader.load(content).same_as is None
    assert loader.plan(content).same_as is not None
    deliver(clean_database, [SOMEBODY_ELSE])
    view = loader.load(content)
    assert (view.same_as, view.applied["updated"]) == (None, 1)
    assert asked(clean_database) == []
