"""A database of its own for work that commits, and hands that do jobs in it."""

import pytest

from mdm import jobs
from mdm.db import execute, fetch
from mdm.running import Hand


@pytest.fixture(scope="session")
def work_database(new_database):
    return new_database.migrated()


@pytest.fixture
def work(work_database):
    """The database without a job in it."""
    work_database.run(lambda session: execute(session, "truncate job, canary cascade"))
    return work_database


@pytest.fixture
def hand(work):
    def make(*, stopping=lambda: False, **handlers):
        return Hand(work, "hand", stopping, handlers)

    return make


@pytest.fixture
def job(work):
    """job(kind) -> the id of a new job."""

    def make(kind="noop", key=None, queue="interactive", **payload):
        return work.run(lambda session: jobs.enqueue(session, kind, payload, dedupe_key=key or kind, queue=queue))

    return make


@pytest.fixture
def row(work):
    """row(id) -> state, attempt, fence, error"""
    return lambda job_id: work.run(lambda session: fetch(session, "select state, attempt, fence, error from job where id = %s", (job_id,)))[
        0
    ]


@pytest.fixture
def lapse(work):
    """The worker of this job has been silent for too long."""
    return lambda job_id: work.run(
        lambda session: execute(session, "update job set lease_until = now() - interval '1 s', run_at = now() where id = %s", (job_id,))
    )


@pytest.fixture
def hasten(work):
    """A job that was put off is due, and has been for a while."""
    return lambda job_id: work.run(
        lambda session: execute(session, "update job set run_at = now() - interval '6 s' where id = %s", (job_id,))
    )
