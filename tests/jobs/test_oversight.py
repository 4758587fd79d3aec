"""What people see of jobs and do to them; and that queues are known to be served."""

from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from mdm import canary, cli_jobs, jobs, oversight
from mdm.access import SYSTEM_ACTOR, Actor, Role
from mdm.db import execute, fetch
from mdm.errors import Conflict, NotFound
from mdm.running import Hand
from mdm.worker import sweep

SOMEBODY = Actor(UUID(int=7), "flow-ehr", Role.INTEGRATION)


@pytest.fixture
def quarantined(work, job):
    job_id = job()
    work.run(lambda session: execute(session, "update job set state = 'quarantined', attempt = 5, finished_at = now()"))
    return job_id


def listed(work, actor=SYSTEM_ACTOR, **wanted):
    return work.run(lambda session: oversight.list_jobs(session, actor, wanted))


def act(work, verb, job_id, actor=SYSTEM_ACTOR):
    return work.run(lambda session: verb(session, actor, job_id, "request-1"))


def of_somebody(work, who="flow-ehr"):
    how = {"dedupe_key": f"k{uuid4()}", "created_by": who, "request_id": "request-1"}
    return work.run(lambda session: jobs.enqueue(session, "noop", {}, **how))


def test_jobs_are_listed_newest_first_by_pages(work, job):
    made = [job(key=f"k{n}") for n in range(5)]
    first = listed(work, limit=3)
    assert [view.id for view in first.items] == made[:1:-1]
    assert [view.id for view in listed(work, limit=3, cursor=first.next).items] == made[1::-1]
    assert listed(work, limit=3, cursor=first.next).next is None


def test_filters_narrow(work, job):
    job(kind="a", key="a")
    wanted = job(kind="b", key="b", queue="bulk")
    for only in ({"kind": "b"}, {"queue": "bulk"}, {"kind": "b", "state": "queued"}):
        assert [view.id for view in listed(work, **only).items] == [wanted]
    assert listed(work, state="done").items == ()


def test_others_see_and_end_only_what_they_asked_for(work, job):
    theirs, foreign = of_somebody(work), job(key="foreign")
    assert [view.id for view in listed(work, SOMEBODY).items] == [theirs]
    assert work.run(lambda session: oversight.get(session, SOMEBODY, theirs)).request_id == "request-1"
    assert act(work, oversight.cancel, theirs, SOMEBODY).state == "cancelled"
    for verb in (oversight.cancel, oversight.retry):
        with pytest.raises(NotFound):
            act(work, verb, foreign, SOMEBODY)
    assert len(listed(work, replace(SOMEBODY, role=Role.ADMIN)).items) == 2


def test_a_waiting_job_is_cancelled_at_once_and_never_done(work, job, hand, row):
    job_id = job()
    assert act(work, oversight.cancel, job_id).state == "cancelled"
    hand(noop=lambda run: run.effect(lambda _: 1 / 0)).take(job_id)
    assert row(job_id)[:2] == ("cancelled", 0)


def test_a_job_given_back_after_somebody_asked_for_its_end_is_ended_by_the_sweeper(work, job, row):
    job_id = job()
    mine = work.run(lambda session: jobs.claim(session, job_id, "w"))
    act(work, oversight.cancel, job_id)
    work.run(lambda session: jobs.release(session, mine))
    assert work.run(jobs.sweep).cancelled == 1
    assert row(job_id)[0] == "cancelled"


def test_what_has_ended_cannot_be_cancelled(work, job, hand):
    job_id = job()
    hand(noop=lambda _: None).take(job_id)
    with pytest.raises(Conflict, match="done"):
        act(work, oversight.cancel, job_id)


def test_a_quarantined_job_is_tried_again_with_all_its_attempts(work, quarantined, hand, row):
    assert act(work, oversight.retry, quarantined).attempt == 0
    hand(noop=lambda _: None).take(quarantined)
    assert row(quarantined)[:2] == ("done", 1)


def test_only_what_failed_is_tried_again(work, job):
    with pytest.raises(Conflict):
        act(work, oversight.retry, job())


def test_a_job_whose_work_is_queued_anew_is_not_tried_again_beside_it(work, quarantined, job):
    job()
    with pytest.raises(Conflict, match="queued already"):
        act(work, oversight.retry, quarantined)


def test_cancel_and_retry_are_audited(work, quarantined):
    act(work, oversight.retry, quarantined)
    act(work, oversight.cancel, quarantined)
    rows = work.run(lambda s: fetch(s, "select action, request_id from audit where detail->>'job' = %s order by n", (str(quarantined),)))
    assert rows == [("job:retry", "request-1"), ("job:cancel", "request-1")]


@pytest.mark.parametrize("refusal", [NotFound("gone"), oversight.Conflict("later")])
def test_what_cannot_be_fails_at_once_and_what_may_yet_be_is_tried_again(work, job, hand, row, refusal):
    def refuse(_):
        raise refusal

    job_id = job()
    hand(noop=refuse).take(job_id)
    assert row(job_id)[0] == ("failed" if isinstance(refusal, NotFound) else "queued")


def test_a_canary_through_every_queue(work):
    rung = []
    sweep(work, lambda _, queue: rung.append(queue))
    assert rung == []  # just installed: nothing to worry about yet
    work.run(lambda session: execute(session, "update canary set heard_at = now() - interval '31 s'"))
    sweep(work, lambda _, queue: rung.append(queue))
    assert sorted(rung) == sorted(jobs.QUEUES)
    assert min(work.run(canary.ages).values()) > 30
    assert Hand(work, "hand", lambda: False).drain() == len(jobs.QUEUES)
    assert max(work.run(canary.ages).values()) < 30


def test_the_shell_knows_every_state():
    assert cli_jobs.STATES == jobs.STATES
