"""Taking back: merge, split and move undone give what was there before, also with deliveries in between and under later decisions."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mdm import clusters
from mdm.access import SYSTEM_ACTOR
from mdm.db import Database, fetch
from mdm.entities import ENTITY_TYPES
from mdm.errors import Conflict, Invalid, NotFound, Stale
from mdm.identity import Act, merge, move, split
from mdm.ingest import deliver_all
from mdm.invariants import violations
from mdm.standardise import Delivery
from mdm.statements import Assertion
from mdm.tasks import Ruling, decide
from mdm.undo import undo
from tests.conftest import empty
from tests.mdm.test_laws import one_per_key, outcome, patients

PATIENT, PROVIDER, CENTER = (ENTITY_TYPES[name] for name in ("patient", "provider", "cost_center"))
ACT = Act(actor=SYSTEM_ACTOR, reason="by phone", request_id="test")
JONES = {"given_name": "Robert", "family_name": "Jones", "birth_date": "1944-12-01", "address_line": "9 Elm Rd", "phone": "617-253-9000"}


def run(database: Database, act: Any, *arguments: Any) -> Any:
    """One act in its transaction, and nothing broken by it."""
    entity, *rest = arguments
    result = database.run(lambda session: act(session, entity, *rest, ACT))
    with database.unit_of_work() as session:
        assert violations(session, deep=True) == []
    return result


def picture(database: Database) -> Any:
    """Everything that identity consists of, ids included; versions and times left out, which only ever grow."""
    queries = (
        "select id, status, merged_into from golden_record order by id",
        'select golden_id, "values", provenance from golden_version where recorded_to is null order by golden_id',
        "select record_id, golden_id from link where recorded_to is null order by record_id",
        (
            "select golden_id, system_id, value, status, own, exclusive, pending, valid_from, valid_to from xref where recorded_to is null"
            " order by 1, 2, 3"
        ),
        "select low, high, weight, verdict from edge order by 1, 2",
        "select id, dedupe_key, kind, goldens, records, detail, impact from task where status = 'open' order by id",
        (
            "select type, tree, subject_id, target_id, valid_from, valid_to, looped from relationship where recorded_to is null"
            " order by type, tree, subject_id, target_id, valid_from"
        ),
    )
    with database.unit_of_work() as session:
        return [fetch(session, query) for query in queries]


@pytest.fixture
def pair(clean_database, deliver):
    """Two patients of two records each, whom no evidence joins: their golden ids and record ids."""
    smith = [deliver("ehr-north", "1"), deliver("ehr-mercy", "1")]
    jones = [deliver("ehr-north", "2", **JONES), deliver("ehr-mercy", "2", **JONES)]
    assert {r.golden_id for r in smith} != {r.golden_id for r in jones}
    return smith[0].golden_id, jones[0].golden_id, [r.record_id for r in smith], [r.record_id for r in jones]


def test_undoing_a_merge_gives_back_everything(clean_database, pair):
    smith, jones, *_ = pair
    before = picture(clean_database)
    done = run(clean_database, merge, PATIENT, smith, [jones])
    assert set(done.golden_of.values()) == {smith}
    undone = run(clean_database, undo, PATIENT, done.decision_id)
    assert undone.kept == ()
    assert picture(clean_database) == before


def test_relationships_follow_a_merge_and_come_back(clean_database):
    def put(key: str, name: str, *parents: str) -> Any:
        said = [Assertion("rolls_up_to", "erp-north", parent) for parent in parents]
        row = Delivery("erp-north", key, {"name": name, "code": key}, (), relationships=said)
        return deliver_all(clean_database, CENTER, SYSTEM_ACTOR, [row], "test")[0]

    cardiology, grounds = put("7100", "Cardiology services"), put("9200", "Grounds keeping")
    put("7110", "Echo laboratory", "7100")
    put("9210", "Snow removal", "9200")
    before = picture(clean_database)
    assert len(before[6]) == 2
    done = run(clean_database, merge, CENTER, grounds.golden_id, [cardiology.golden_id])
    assert {row[3] for row in picture(clean_database)[6]} == {grounds.golden_id}
    run(clean_database, undo, CENTER, done.decision_id)
    assert picture(clean_database) == before


def test_a_younger_golden_record_may_survive_and_comes_back_alike(clean_database, pair):
    smith, jones, *_ = pair
    before = picture(clean_database)
    done = run(clean_database, merge, PATIENT, jones, [smith])
    assert set(done.golden_of.values()) == {jones}
    run(clean_database, undo, PATIENT, done.decision_id)
    assert picture(clean_database) == before


def test_undoing_a_split_gives_back_everything(clean_database, pair):
    smith, _, records, _ = pair
    before = picture(clean_database)
    done = run(clean_database, split, PATIENT, smith, [[records[1]]])
    assert done.golden_of[records[0]] == smith
    assert done.golden_of[records[1]] not in {smith, pair[1]}
    run(clean_database, undo, PATIENT, done.decision_id)
    after = picture(clean_database)
    assert after[1:] == before[1:]
    # The id that the split gave out answers for ever
    assert [row for row in after[0] if row not in before[0]] == [(done.golden_of[records[1]], "merged", smith)]


def test_undoing_a_move_gives_back_everything(clean_database, pair):
    smith, jones, records, _ = pair
    before = picture(clean_database)
    done = run(clean_database, move, PATIENT, smith, [records[1]], jones)
    assert done.golden_of[records[1]] == jones
    run(clean_database, undo, PATIENT, done.decision_id)
    assert picture(clean_database) == before


def test_a_merge_under_a_later_one_is_taken_back_alone(clean_database, pair, deliver):
    smith, jones, _, theirs = pair
    other = deliver("ehr-north", "3", given_name="Chen", family_name="Li", birth_date="1975-11-30", address_line="1 Bay St", phone=None)
    first = run(clean_database, merge, PATIENT, smith, [jones])
    second = run(clean_database, merge, PATIENT, other.golden_id, [smith])
    undone = run(clean_database, undo, PATIENT, first.decision_id)
    # The later one said of all five that they are one: it stands, and is named
    assert {k.record_id for k in undone.kept} == set(theirs)
    assert all(second.decision_id in k.decisions for k in undone.kept)
    run(clean_database, undo, PATIENT, second.decision_id)
    with clean_database.unit_of_work() as session:
        golden = dict(fetch(session, "select record_id, golden_id from link where recorded_to is null"))
        open_tasks = fetch(session, "select kind from task where status = 'open'")
    assert {golden[r] for r in theirs} == {jones}
    assert golden[other.record_id] == other.golden_id
    assert open_tasks == []


def test_undoing_a_split_that_somebody_asked_for_asks_again(clean_database, pair):
    smith, _, records, _ = pair
    task = clean_database.run(lambda session: clusters.ask(session, PATIENT, SYSTEM_ACTOR, smith))
    before = picture(clean_database)
    ruling = Ruling("split", 1, groups=((records[1],),))
    done = clean_database.run(lambda session: decide(session, PATIENT, task, SYSTEM_ACTOR, ruling, "test"))
    run(clean_database, undo, PATIENT, done.decision_id)
    assert picture(clean_database)[1:] == before[1:]


def test_a_split_off_id_comes_back_when_it_is_split_off_again(clean_database, pair):
    smith, _, records, _ = pair
    first = run(clean_database, split, PATIENT, smith, [[records[1]]])
    run(clean_database, undo, PATIENT, first.decision_id)
    again = run(clean_database, split, PATIENT, smith, [[records[1]]])
    assert again.golden_of == first.golden_of


def test_nothing_is_undone_twice_and_no_undo_is_undone(clean_database, pair):
    smith, jones, *_ = pair
    done = run(clean_database, merge, PATIENT, smith, [jones])
    undone = run(clean_database, undo, PATIENT, done.decision_id)
    before = picture(clean_database)
    for decision in (done.decision_id, undone.decision_id):
        with pytest.raises(Conflict):
            run(clean_database, undo, PATIENT, decision)
    with pytest.raises(NotFound):
        run(clean_database, undo, PROVIDER, done.decision_id)
    assert picture(clean_database) == before


def test_what_cannot_be_is_refused_and_changes_nothing(clean_database, pair):
    smith, jones, records, others = pair
    before = picture(clean_database)
    refused = (
        (Invalid, merge, PATIENT, smith, [smith]),
        (Invalid, merge, PATIENT, smith, []),
        (NotFound, merge, PROVIDER, smith, [jones]),
        (NotFound, merge, PATIENT, smith, [records[0]]),
        (Invalid, split, PATIENT, smith, [records]),
        (Invalid, split, PATIENT, smith, [[records[0]], [records[0]]]),
        (Invalid, split, PATIENT, smith, [[others[0]]]),
        (Invalid, split, PATIENT, smith, [[]]),
        (Invalid, move, PATIENT, smith, records, jones),
        (Invalid, move, PATIENT, smith, [records[0]], smith),
    )
    for error, *act in refused:
        with pytest.raises(error):
            run(clean_database, *act)
    stale = Act(actor=SYSTEM_ACTOR, reason="", request_id="", if_match=99)
    with pytest.raises(Stale), clean_database.unit_of_work() as session:
        merge(session, PATIENT, smith, [jones], stale)
    assert picture(clean_database) == before


def test_a_merge_against_a_standing_decision_is_refused_and_names_it(clean_database, pair):
    smith, _jones, records, _ = pair
    apart = run(clean_database, split, PATIENT, smith, [[records[1]]])
    with pytest.raises(Conflict) as refused:
        run(clean_database, merge, PATIENT, smith, [apart.golden_of[records[1]]])
    assert str(apart.decision_id) in refused.value.problems[0].message
    run(clean_database, undo, PATIENT, apart.decision_id)


def test_what_a_retired_record_was_merged_with_is_refused(clean_database, pair, deliver):
    smith, jones, *_ = pair
    deliver("ehr-north", "2", status="inactive", **JONES)
    deliver("ehr-mercy", "2", status="inactive", **JONES)
    with pytest.raises(Conflict, match="retired"):
        run(clean_database, merge, PATIENT, smith, [jones])


SLOW = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def deliver_each(database: Database, deliveries: list[Any]) -> list[str]:
    """The outcome of each, delivered one after the other."""
    return [deliver_all(database, PATIENT, SYSTEM_ACTOR, [delivery], "test")[0].outcome for delivery in deliveries]


@SLOW
@given(
    st.lists(patients(), min_size=2, max_size=6).map(one_per_key),
    st.lists(patients(), max_size=4),
    st.sampled_from(("merge", "split")),
    st.integers(0, 9),
)
def test_undo_after_later_deliveries_is_as_if_it_had_never_been(database, first, later, kind, choice):
    empty(database)
    deliver_each(database, first)
    done = _act(database, kind, choice)
    held = "quarantined" in deliver_each(database, later)
    if done is None:
        return
    run(database, undo, PATIENT, done.decision_id)
    undone = outcome(database)
    empty(database)
    held |= "quarantined" in deliver_each(database, [*first, *later])
    # Whether an update makes somebody else of a record is asked of the golden record that it met; undo does not ask again
    assert held or undone == outcome(database)


def _act(database: Database, kind: str, choice: int) -> Any:
    with database.unit_of_work() as session:
        rows = fetch(
            session,
            "select l.golden_id, array_agg(l.record_id order by r.system, r.key) from link l join source_record r on r.id = l.record_id"
            " where l.recorded_to is null group by l.golden_id order by min(r.system || r.key)",
        )
    if kind == "merge" and len(rows) > 1:
        kept = choice % len(rows)
        return run(database, merge, PATIENT, rows[kept][0], [rows[kept - 1][0]])
    wide = [row for row in rows if len(row[1]) > 1]
    if kind == "split" and wide:
        golden, records = wide[choice % len(wide)]
        return run(database, split, PATIENT, golden, [[records[choice % len(records)]]])
    return None
