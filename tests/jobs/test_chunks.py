"""Work in chunks: each done once, together with its row; begun again at the chunk; ended between two of them."""

import threading
import time

import pytest

from mdm import jobs, oversight
from mdm.access import SYSTEM_ACTOR
from mdm.chunks import ROWS_MAX, Tally, do_chunks, plan_anew, plan_once
from mdm.db import execute, fetch
from mdm.running import Run, TooSlow


@pytest.fixture
def count_rows(work):
    """count_rows(fail_at=..., then=...) -> a handler of three chunks of ten rows, each of which leaves a row and then calls `then`."""

    def make(*, fail_at=None, then=lambda _: None):
        def handle(run):
            def do(session, no):
                if no == fail_at:
                    raise ZeroDivisionError
                execute(session, "insert into miss (domain, system, value, count) values (%s, 's', gen_random_uuid()::text, %s)", (KEY, no))
                return Tally(9, 1)

            run.effect(lambda session: plan_once(session, run.mine, [10, 10, 10]))
            do_chunks(run, "counting", lambda session, no: (do(session, no), then(no))[0])

        return handle

    work.run(lambda session: execute(session, "delete from miss where domain = %s", (KEY,)))
    return make


KEY = "chunks"


def rows_left_by(work):
    return [row[0] for row in work.run(lambda s: fetch(s, "select count from miss where domain = %s order by first_seen, count", (KEY,)))]


def claim(work, job_id):
    return work.run(lambda session: jobs.claim(session, job_id, "w"))


def view(work, job_id):
    return work.run(lambda session: oversight.get(session, SYSTEM_ACTOR, job_id))


def cancel(work, job_id):
    return work.run(lambda session: oversight.cancel(session, SYSTEM_ACTOR, job_id, "test"))


def test_every_chunk_is_done_once_and_counted(work, job, hand, count_rows):
    job_id = job()
    hand(noop=count_rows()).take(job_id)
    found = view(work, job_id)
    assert (found.state, rows_left_by(work)) == ("done", [0, 1, 2])
    assert found.chunks == oversight.ChunkCount(total=3, done=3, rows_ok=27, rows_rejected=3)
    assert {name: found.progress[name] for name in ("stage", "done", "total")} == {"stage": "counting", "done": 30, "total": 30}
    assert found.progress["rate"] > 0


def test_a_failed_job_goes_on_at_the_chunk(work, job, hand, hasten, count_rows):
    job_id = job()
    hand(noop=count_rows(fail_at=1)).take(job_id)
    assert (view(work, job_id).state, view(work, job_id).progress["done"]) == ("queued", 10)
    hasten(job_id)
    hand(noop=count_rows()).take(job_id)
    assert (view(work, job_id).state, rows_left_by(work)) == ("done", [0, 1, 2])


def test_a_plan_stands_even_if_the_next_worker_would_cut_otherwise(work, job):
    job_id = job()
    mine = claim(work, job_id)
    work.run(lambda session: plan_once(session, mine, [10, 10]))
    work.run(lambda session: plan_once(session, mine, [5, 5, 5, 5]))
    assert view(work, job_id).chunks.total == 2


def test_work_that_is_looked_for_anew_keeps_the_numbers_of_what_is_done(work, job):
    job_id = job()
    mine = claim(work, job_id)
    work.run(lambda session: plan_anew(session, mine, [10, 10]))
    run = Run(work, mine, lambda: False)
    with pytest.raises(ZeroDivisionError):
        do_chunks(run, "s", lambda _, no: Tally(10) if no == 0 else 1 / 0)
    assert work.run(lambda session: plan_anew(session, mine, [4])) == 1
    assert (view(work, job_id).chunks.total, view(work, job_id).chunks.done) == (2, 1)


def test_a_chunk_has_a_bounded_number_of_rows(work, job):
    mine = claim(work, job())
    with pytest.raises(ValueError, match="at most"):
        work.run(lambda session: plan_once(session, mine, [ROWS_MAX + 1]))


def test_a_tally_that_loses_rows_is_refused_by_the_database(work, job, hand):
    def handle(run):
        run.effect(lambda session: plan_once(session, run.mine, [10]))
        do_chunks(run, "s", lambda *_: Tally(8, 1))

    job_id = job()
    hand(noop=handle).take(job_id)
    assert "accounted" in view(work, job_id).error


def test_a_running_job_is_cancelled_after_the_chunk_under_way_and_says_what_was_done(work, job, hand, count_rows):
    job_id, answered = job(), []

    def ask(no):
        if no == 1:
            answered.append(cancel(work, job_id))  # while the chunk is under way: it must not wait for it

    hand(noop=count_rows(then=ask)).take(job_id)
    found = view(work, job_id)
    assert (answered[0].state, answered[0].cancel_asked) == ("running", True)
    assert (found.state, found.cancel_asked, rows_left_by(work)) == ("cancelled", False, [0, 1])
    assert (found.chunks.done, found.progress["done"], found.progress["total"]) == (2, 20, 30)
    assert cancel(work, job_id).state == "cancelled"


def test_a_stopping_worker_gives_back_after_the_chunk_without_counting(work, job, hand, count_rows):
    stopping = threading.Event()
    job_id = job()
    hand(stopping=stopping.is_set, noop=count_rows(then=lambda _: stopping.set())).take(job_id)
    found = view(work, job_id)
    assert (found.state, found.attempt, found.chunks.done) == ("queued", 0, 1)


def test_the_last_effect_commits_with_the_end_of_the_job(work, job, hand, row):
    """Killed between the two, the job would have its effect twice."""
    seen = []
    job_id = job()
    hand(noop=lambda run: seen.append(run.conclude(lambda s: fetch(s, "select 1")[0][0]))).take(job_id)
    assert (row(job_id)[0], seen) == ("done", [1])


def test_a_concluding_effect_that_fails_leaves_the_job_to_be_tried_again(work, job, hand, row):
    job_id = job()
    hand(noop=lambda run: run.conclude(lambda _: 1 / 0)).take(job_id)
    assert row(job_id)[0] == "queued"


def test_an_effect_that_takes_longer_than_its_lease_allows_is_undone(work, job, monkeypatch, count_rows):
    monkeypatch.setattr("mdm.running.EFFECT_SECONDS_MAX", 0.05)
    mine = claim(work, job())

    def slowly(session):
        execute(session, "insert into miss (domain, system, value, count) values (%s, 's', 'late', 1)", (KEY,))
        time.sleep(0.1)

    with pytest.raises(TooSlow):
        Run(work, mine, lambda: False).effect(slowly)
    assert rows_left_by(work) == []
