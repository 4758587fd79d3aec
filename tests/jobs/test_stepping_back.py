"""What takes minutes works at a lower priority than what takes milliseconds, and leaves no trace of it in the process that did it."""

import os
import sys
import time
from contextlib import closing

import pytest

from mdm import jobs
from mdm.db import Database, connection
from mdm.stepping_back import NICE, WEB, Watch, is_asked

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives every thread a priority of its own")


def priorities(seen):
    """A handler that notes the priority of its thread, and of its session's process where that is on this machine."""

    def of_session(session):
        info = connection(session).info
        return os.getpriority(os.PRIO_PROCESS, info.backend_pid) if info.host.startswith("/") else os.getpriority(os.PRIO_PROCESS, 0)

    def handle(run):
        seen.append((os.getpriority(os.PRIO_PROCESS, 0), run.effect(of_session)))

    return handle


def test_long_work_and_its_sessions_step_back_and_short_work_does_not(work, job, hand):
    seen, own = [], os.getpriority(os.PRIO_PROCESS, 0)
    for queue in (jobs.BULK, "interactive"):
        hand(noop=priorities(seen)).take(job(queue=queue))
    assert seen == [(min(own + NICE, 19),) * 2, (own, own)]
    assert os.getpriority(os.PRIO_PROCESS, 0) == own


def test_how_long_work_ends_is_written_as_ever(work, job, hand, row):
    def fail(_):
        raise ZeroDivisionError

    job_id = job(queue=jobs.BULK)
    hand(noop=fail).take(job_id)
    assert row(job_id) == ("queued", 1, 1, "ZeroDivisionError")


def test_whoever_answers_requests_is_seen_while_they_do_and_nobody_else_is(database_url):
    with closing(Database(database_url, name=WEB)) as web, closing(Database(database_url)) as other:
        other.check()
        assert not is_asked(other)
        web.check()
        assert is_asked(other)
        time.sleep(0.3)
        assert not is_asked(other)


def test_who_watches_asks_the_database_four_times_a_second(database_url, monkeypatch):
    with closing(Database(database_url, name=WEB)) as web, closing(Database(database_url)) as other:
        watch, asked, run = Watch(other), [], Database.run
        monkeypatch.setattr(Database, "run", lambda database, work: asked.append(1) or run(database, work))
        web.check()
        assert [watch(), watch(), len(asked)] == [True, True, 1]
        time.sleep(0.3)
        assert [watch(), watch(), len(asked)] == [False, False, 2]
