"""The change feed's numbers: gapless, and no event passed over, however slow its transaction was."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from mdm import jobs
from mdm.db import execute, fetch
from mdm.feed import Happening, publish
from mdm.running import HANDLERS, SEQUENCE_EVENTS, Hand
from mdm.sequencer import has_unnumbered, number_events
from mdm.worker import sweep


def tell(session, *names):
    publish(session, "payer", [Happening("crosswalk.resolved", uuid4(), {"system": name}) for name in names])


def feed(work):
    """The names of all events in their places, checked to be gapless from the first."""
    rows = work.run(lambda session: fetch(session, "select seq, data ->> 'system' from event where seq is not null order by seq"))
    assert [row[0] for row in rows] == list(range(1, len(rows) + 1))
    return [row[1] for row in rows]


@pytest.fixture
def fed(work):
    """The database with every event numbered, and how many there are."""
    while work.run(number_events):
        pass
    return work, len(feed(work))


def test_events_are_numbered_in_order(fed):
    work, before = fed
    work.run(lambda session: tell(session, "a", "b", "c"))
    assert work.run(number_events) == 3
    assert feed(work)[before:] == ["a", "b", "c"]
    assert work.run(number_events) == 0


def test_a_slow_transaction_between_two_fast_ones_is_not_skipped(fed):
    work, before = fed
    with work.unit_of_work() as slow:
        tell(slow, "slow")  # its place in the table is taken, its commit is yet to come
        work.run(lambda session: tell(session, "fast"))
        assert work.run(number_events) == 1
    work.run(lambda session: tell(session, "last"))
    assert work.run(number_events) == 2
    assert feed(work)[before:] == ["fast", "slow", "last"]


def test_what_was_rolled_back_leaves_no_gap(fed):
    work, before = fed

    def fails(session):
        tell(session, "never")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work.run(fails)
    work.run(lambda session: tell(session, "after"))
    work.run(number_events)
    assert feed(work)[before:] == ["after"]


def test_one_at_a_time_and_the_other_does_not_wait(fed):
    work, _ = fed
    work.run(lambda session: tell(session, "a"))
    with work.unit_of_work() as holder:
        assert number_events(holder) == 1
        assert work.run(number_events) == 0
    assert not work.run(has_unnumbered)


def test_many_writers_and_many_sequencers_leave_no_gap(fed):
    work, before = fed

    def write_and_number(n):
        work.run(lambda session: tell(session, f"e{n}"))
        work.run(number_events)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write_and_number, range(60)))
    while work.run(number_events):
        pass
    assert sorted(feed(work)[before:]) == sorted(f"e{n}" for n in range(60))


def test_a_number_is_for_ever(fed):
    work, _ = fed
    work.run(lambda session: tell(session, "a"))
    work.run(number_events)
    with pytest.raises(Exception, match=r"append-only|23001"):
        work.run(lambda session: execute(session, "update event set seq = seq + 1000 where data ->> 'system' = 'a'"))


def test_the_sweeper_sees_to_it(fed):
    work, before = fed
    rung = []
    work.run(lambda session: tell(session, "a"))
    sweep(work, lambda job_id, queue: rung.append((job_id, queue)))
    assert [queue for _, queue in rung] == ["feed"]
    Hand(work, "hand", lambda: False).take(rung[0][0])
    assert feed(work)[before:] == ["a"]
    sweep(work, lambda *_: rung.append("nothing is left to ring for"))
    assert len(rung) == 1


def test_the_sequencer_is_a_kind_of_job_that_workers_know(work):
    assert SEQUENCE_EVENTS in HANDLERS
    work.run(lambda session: jobs.enqueue(session, SEQUENCE_EVENTS, {}, dedupe_key=SEQUENCE_EVENTS, queue="feed"))
    assert Hand(work, "hand", lambda: False).drain() == 1
