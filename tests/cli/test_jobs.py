"""`mdm jobs` as an operator uses it."""

import json

import pytest

from mdm import jobs
from mdm.db import execute


@pytest.fixture
def job(sound):
    """A job that was given up."""
    sound.run(lambda session: execute(session, "delete from job"))
    job_id = sound.run(lambda session: jobs.enqueue(session, "noop", {"domain": "payer"}, dedupe_key="k"))
    change = "update job set state = 'quarantined', attempt = 5, error = 'ValueError', finished_at = now(), progress = %s::jsonb"
    told = json.dumps({"stage": "settling", "done": 1200, "total": 5000, "rate": 300.0})
    sound.run(lambda session: execute(session, change, (told,)))
    yield job_id
    sound.run(lambda session: execute(session, "delete from job"))


def test_the_list_says_how_far_and_what_went_wrong(mdm, job):
    (line,) = mdm("jobs").out.splitlines()
    assert line.split() == [str(job), "quarantined", "interactive", "noop", "settling", "1,200", "of", "5,000,", "300/s", "ValueError"]


def test_filters(mdm, job):
    for arguments in (("--state", "quarantined"), ("--queue", "interactive"), ("--kind", "noop")):
        assert str(job) in mdm("jobs", *arguments).out
    for arguments in (("--state", "done"), ("--queue", "bulk"), ("--kind", "other")):
        assert mdm("jobs", *arguments).out == ""


def test_json_before_and_after_the_word(mdm, job):
    assert [each["id"] for each in json.loads(mdm("jobs", "--json").out)["items"]] == [str(job)]
    for arguments in (("jobs", "show", str(job), "--json"), ("jobs", "--json", "show", str(job))):
        assert json.loads(mdm(*arguments).out)["error"] == "ValueError"


def test_show_retry_cancel(mdm, job):
    assert "quarantined" in mdm("jobs", "show", str(job)).out
    assert json.loads(mdm("jobs", "retry", str(job), "--json").out)["state"] == "queued"
    assert json.loads(mdm("jobs", "cancel", str(job), "--json").out)["state"] == "cancelled"
    assert mdm("jobs", "retry", str(job)).is_one_clear_line


def test_what_is_no_job_is_refused_in_one_line(mdm, job):
    assert mdm("jobs", "show", "00000000-0000-0000-0000-000000000000").is_one_clear_line
    said = mdm("jobs", "show", "nonsense")
    assert (said.status, said.err.count("\n")) == (2, 1)


def test_a_worker_of_a_queue_that_is_not_there_is_refused(mdm):
    said = mdm("worker", "--once", "--queue", "fast")
    assert (said.status, "interactive" in said.err) == (2, True)
