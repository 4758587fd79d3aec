"""Claim, lease, fence: one owner at a time, no effect of a zombie, nothing lost, nothing looped."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from mdm import jobs
from mdm.db import DatabaseError, execute, fetch
from mdm.jobs import Claim, LeaseLost
from mdm.running import Run


def claim(work, job_id, worker="w1"):
    return work.run(lambda session: jobs.claim(session, job_id, worker))


def count_effects(work):
    return work.run(lambda session: fetch(session, "select count(*) from miss where domain = 'effect'"))[0][0]


def effect(session):
    execute(session, "insert into miss (domain, system, value, count) values ('effect', 's', gen_random_uuid()::text, 1)")


def test_a_job_is_claimed_once(work, job):
    job_id = job(golden="g1")
    with ThreadPoolExecutor(8) as pool:
        claims = [found for found in pool.map(lambda n: claim(work, job_id, f"w{n}"), range(8)) if found]
    assert [(found.kind, found.payload, found.fence, found.attempt) for found in claims] == [("noop", {"golden": "g1"}, 1, 1)]


def test_a_second_request_for_live_work_finds_the_first(work, job):
    first = job(key="k")
    assert job(key="k") == first
    claim(work, first)
    assert job(key="k") == first
    work.run(lambda session: jobs.finish(session, Claim(first, "noop", {}, 1, 1)))
    assert job(key="k") != first


def test_of_many_requests_at_once_one_makes_the_job(work, job):
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: job(key="k"), range(40)))) == 1


def test_nothing_is_queued_when_the_business_fails(work):
    def fails(session):
        jobs.enqueue(session, "noop", {}, dedupe_key="k")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work.run(fails)
    assert work.run(lambda session: fetch(session, "select count(*) from job"))[0][0] == 0


def test_a_queue_that_nobody_serves_is_refused(work, job):
    with pytest.raises(ValueError, match="no such queue"):
        job(queue="misspelt")


def test_a_zombie_has_no_effect(work, job, lapse):
    job_id = job()
    zombie = claim(work, job_id)
    lapse(job_id)
    heir = claim(work, job_id, "w2")
    before = count_effects(work)
    with pytest.raises(LeaseLost):
        Run(work, zombie, lambda: False).effect(effect)
    for settle in (lambda s: jobs.finish(s, zombie), lambda s: jobs.fail(s, zombie, "x"), lambda s: jobs.release(s, zombie)):
        with pytest.raises(LeaseLost):
            work.run(settle)
    assert work.run(lambda session: jobs.beat(session, zombie)) is False
    Run(work, heir, lambda: False).effect(effect)
    assert count_effects(work) == before + 1


def test_a_claim_waits_for_nobody_and_cannot_pass_an_effect_under_way(work, job, lapse):
    job_id = job()
    mine = claim(work, job_id)
    lapse(job_id)
    entered, leave = threading.Event(), threading.Event()

    def slowly(session):
        entered.set()
        leave.wait(5)
        effect(session)

    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(Run(work, mine, lambda: False).effect, slowly)
        entered.wait(5)
        assert claim(work, job_id, "w2") is None
        leave.set()
        under_way.result()
    assert claim(work, job_id, "w2").fence == mine.fence + 1


def test_the_heartbeat_keeps_the_job(work, job):
    mine = claim(work, job())
    work.run(lambda session: execute(session, "update job set lease_until = now() + interval '1 s'"))
    assert work.run(lambda session: jobs.beat(session, mine)) is True
    left = work.run(lambda session: fetch(session, "select lease_until - now() from job"))[0][0]
    assert left.total_seconds() > 55


def test_the_heartbeat_and_progress_wait_for_no_effect(work, job):
    mine = claim(work, job())

    def at_once(session, what):
        execute(session, "set local lock_timeout = '100ms'")
        return what(session)

    def while_others_write(_):
        assert work.run(lambda session: at_once(session, lambda s: jobs.beat(s, mine))) is True
        work.run(lambda session: at_once(session, lambda s: jobs.tell(s, mine, jobs.Progress("counting", 1))))

    Run(work, mine, lambda: False).effect(while_others_write)


def test_a_job_that_is_done_stays_done(work, job, hand, row):
    job_id = job()
    for _ in range(3):  # the broker says it three times
        hand(noop=lambda run: run.effect(effect)).take(job_id)
    assert row(job_id) == ("done", 1, 1, None)


def test_a_failure_is_tried_later_and_says_no_value(work, job, hand, row):
    def fails(_):
        raise ValueError("SSN 123-45-6789")

    job_id = job()
    hand(noop=fails).take(job_id)
    assert row(job_id) == ("queued", 1, 1, "ValueError")
    wait = work.run(lambda session: fetch(session, "select run_at - now() from job"))[0][0]
    assert 4 < wait.total_seconds() < 7


def test_a_job_that_always_fails_is_given_up_after_five_attempts(work, job, hand, row, hasten):
    def fails(_):
        raise ZeroDivisionError

    job_id = job()
    for _ in range(8):
        hasten(job_id)
        hand(noop=fails).take(job_id)
    assert row(job_id) == ("quarantined", 5, 5, "ZeroDivisionError")


def test_a_job_that_kills_its_worker_is_given_up_after_five_attempts(work, job, row, lapse):
    job_id = job()
    for _ in range(8):
        claim(work, job_id)
        lapse(job_id)
        work.run(jobs.sweep)
    assert row(job_id) == ("quarantined", 5, 5, "the worker died with it")


def test_the_sweeper_returns_what_a_dead_worker_held(work, job, row, lapse):
    job_id = job()
    claim(work, job_id)
    lapse(job_id)
    assert work.run(jobs.sweep).returned == 1
    assert row(job_id)[:2] == ("queued", 1)


def test_one_sweeper_at_a_time(work):
    with work.unit_of_work() as session:
        assert jobs.sweep(session) is not None
        assert work.run(jobs.sweep) is None


def test_the_sweeper_rings_again_for_an_unheard_bell(work, job, hasten):
    job_id = job(queue="bulk")
    assert list(work.run(jobs.sweep).due) == []
    hasten(job_id)
    assert list(work.run(jobs.sweep).due) == [(job_id, "bulk")]


def test_an_unknown_kind_waits_for_a_newer_worker(work, job, hand, row):
    job_id = job(kind="invented_tomorrow")
    hand().take(job_id)
    assert row(job_id)[:2] == ("queued", 0)


def test_an_unknown_version_waits_for_a_newer_worker_and_a_known_one_does_not(work, hand, row):
    job_id = work.run(lambda session: jobs.enqueue(session, "noop", {}, dedupe_key="k", version=2))
    hand(noop=lambda _: None).take(job_id)
    assert row(job_id)[:2] == ("queued", 0)
    work.run(lambda session: execute(session, "update job set run_at = now()"))
    hand(**{"noop:2": lambda _: None}).take(job_id)
    assert row(job_id)[:2] == ("done", 1)


def test_of_one_queue_the_lowest_priority_goes_first_then_the_longest_due(work, hand):
    for key, priority in (("usual", 0), ("later", 5), ("sooner", -5), ("usual too", 0)):
        work.run(lambda session, k=key, p=priority: jobs.enqueue(session, "noop", {"key": k}, dedupe_key=k, priority=p))
    done = []
    hand(noop=lambda run: done.append(run.mine.payload["key"])).drain()
    assert done == ["sooner", "usual", "usual too", "later"]


def test_what_is_done_is_forgotten_soonest_where_there_is_most_of_it(work, job):
    made = {
        (kind, queue): job(kind, f"{kind} {queue}", queue) for kind, queue in (("noop", "feed"), ("canary", "sweep"), ("noop", "sweep"))
    }

    def left_after(age):
        work.run(lambda s: execute(s, "update job set state = 'done', finished_at = now() - %s::interval", (age,)))
        work.run(jobs.sweep)
        left = {row[0] for row in work.run(lambda s: fetch(s, "select id from job"))}
        return [place for place, job_id in made.items() if job_id in left]

    assert left_after("9 minutes") == list(made)
    assert left_after("11 minutes") == [("canary", "sweep"), ("noop", "sweep")]
    assert left_after("61 minutes") == [("noop", "sweep")]
    assert left_after("31 days") == []


def test_a_delayed_job_waits(work, hand):
    work.run(lambda session: jobs.enqueue(session, "noop", {}, dedupe_key="k", delay_seconds=60))
    assert hand(noop=lambda _: None).drain() == 0


def test_whoever_heard_a_bell_also_does_what_nobody_was_called_for(work, job, hand, hasten, row):
    unheard, fresh, elsewhere = job(key="a"), job(key="b"), job(key="c", queue="feed")
    for job_id in (unheard, elsewhere):
        hasten(job_id)
    hand(noop=lambda _: None).help_out("interactive")
    assert [row(job_id)[0] for job_id in (unheard, fresh, elsewhere)] == ["done", "queued", "queued"]


def test_a_poison_job_is_given_up_while_others_go_on(work, job, hand, row, hasten):
    def fails(_):
        raise ZeroDivisionError

    poison, others = job(kind="poison"), [job(key=f"k{n}") for n in range(5)]
    for _ in range(6):
        hasten(poison)
        hand(noop=lambda _: None, poison=fails).drain()
    assert [row(job_id)[0] for job_id in (poison, *others)] == ["quarantined", *["done"] * 5]


def test_the_database_refuses_an_attempt_too_many(work, job):
    job()
    with pytest.raises(DatabaseError, match="ck_job_attempt"):
        work.run(lambda session: execute(session, "update job set attempt = max_attempts + 1"))


def test_the_heart_beats_on_a_connection_of_its_own(work, job, hand, monkeypatch):
    """A job that holds every connection of its process keeps its lease."""
    monkeypatch.setattr(jobs, "HEARTBEAT_SECONDS", 0.05)
    lease = "select max(heartbeat_at) from job"

    def greedy(run):
        before = run.database.run(lambda session: fetch(session, lease))
        with ExitStack() as held:
            sessions = [held.enter_context(run.database.unit_of_work()) for _ in range(8)]
            for session in sessions:
                fetch(session, "select 1")
            time.sleep(0.5)
            fetch(sessions[0], "select 1")
        assert run.database.run(lambda session: fetch(session, lease)) > before

    job_id = job()
    hand(noop=greedy).take(job_id)
    assert work.run(lambda session: fetch(session, "select state, error from job where id = %s", (job_id,))) == [("done", None)]


def test_a_stopping_worker_gives_back_between_two_effects(work, job, hand, row):
    stopping = threading.Event()

    def two_effects(run):
        run.effect(effect)
        stopping.set()
        run.effect(effect)

    job_id, before = job(), count_effects(work)
    hand(stopping=stopping.is_set, noop=two_effects).take(job_id)
    assert row(job_id)[:2] == ("queued", 0)
    assert count_effects(work) == before + 1


def test_an_effect_may_not_outlast_its_lease(work, job):
    mine = claim(work, job())
    found = Run(work, mine, lambda: False).effect(lambda session: fetch(session, "select current_setting('statement_timeout')"))
    assert found == [("15s",)]


def test_four_hands_do_two_hundred_jobs_once_each(work, job, hand):
    for n in range(200):
        job(key=f"k{n}")
    before = count_effects(work)
    with ThreadPoolExecutor(4) as pool:
        done = sum(pool.map(lambda _: hand(noop=lambda run: run.effect(effect)).drain(), range(4)))
    assert (done, count_effects(work) - before) == (200, 200)
