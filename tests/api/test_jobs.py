"""Jobs over HTTP: seen by administrators and by whoever asked for them, cancelled, tried again."""

from uuid import uuid4

import pytest

from mdm import jobs
from mdm.access import SYSTEM_ACTOR
from mdm.chunks import plan_once
from mdm.db import execute, fetch


@pytest.fixture
def job(clean_database):
    """job(created_by) -> the id of a new job."""

    def make(created_by=None):
        how = {"dedupe_key": f"k{uuid4()}", "created_by": created_by, "request_id": "flow-0001"}
        return clean_database.run(lambda session: jobs.enqueue(session, "noop", {"domain": "payer"}, **how))

    return make


def test_a_job_says_everything_about_itself(clean_database, client, key, job):
    job_id = job(SYSTEM_ACTOR.name)
    mine = clean_database.run(lambda session: jobs.claim(session, job_id, "w"))
    clean_database.run(lambda session: plan_once(session, mine, [10, 10]))
    clean_database.run(lambda session: jobs.tell(session, mine, jobs.Progress("loading", 5, 20, 2.5)))
    said = client.get(f"/v1/jobs/{job_id}", headers=key("admin")).json
    assert (said["state"], said["attempt"], said["created_by"], said["request_id"]) == ("running", 1, "system", "flow-0001")
    assert said["progress"] == {"stage": "loading", "done": 5, "total": 20, "rate": 2.5}
    assert said["chunks"] == {"total": 2, "done": 0, "rows_ok": 0, "rows_rejected": 0}


def test_pages_and_filters(client, key, job):
    made, admin = [str(job()) for _ in range(3)], key("admin")
    first = client.get("/v1/jobs?limit=2&state=queued&kind=noop", headers=admin).json
    assert [each["id"] for each in first["items"]] == made[:0:-1]
    rest = client.get(f"/v1/jobs?limit=2&cursor={first['next']}", headers=admin).json
    assert ([each["id"] for each in rest["items"]], rest["next"]) == (made[:1], None)
    assert client.get("/v1/jobs?state=lost", headers=admin).status_code == 422


def test_others_see_what_they_asked_for(clean_database, client, key, job):
    headers, foreign = key("integration"), job()
    name = clean_database.run(newest_principal)
    own = job(name)
    assert [each["id"] for each in client.get("/v1/jobs", headers=headers).json["items"]] == [str(own)]
    assert client.get(f"/v1/jobs/{own}", headers=headers).status_code == 200
    for method, address in (("GET", f"/v1/jobs/{foreign}"), ("POST", f"/v1/jobs/{foreign}/cancel")):
        assert client.open(address, method=method, headers=headers).status_code == 404
    assert client.post(f"/v1/jobs/{own}/retry", headers=headers).status_code == 403
    assert client.post(f"/v1/jobs/{own}/cancel", headers=headers).json["state"] == "cancelled"


def newest_principal(session):
    return fetch(session, "select name from principal order by created_at desc, id desc limit 1")[0][0]


def test_a_waiting_job_ends_at_once_and_a_running_one_later(clean_database, client, key, job):
    admin, waiting, running = key("admin"), job(), job()
    clean_database.run(lambda session: jobs.claim(session, running, "w"))
    ended = client.post(f"/v1/jobs/{waiting}/cancel", headers=admin)
    assert (ended.status_code, ended.json["state"], ended.json["cancel_asked"]) == (200, "cancelled", False)
    ending = client.post(f"/v1/jobs/{running}/cancel", headers=admin)
    assert (ending.status_code, ending.json["state"], ending.json["cancel_asked"]) == (202, "running", True)


def test_what_failed_is_tried_again_and_nothing_else(clean_database, client, key, job):
    admin, job_id = key("admin"), job()
    refused = client.post(f"/v1/jobs/{job_id}/retry", headers=admin)
    assert (refused.status_code, refused.json["code"]) == (409, "conflict")
    clean_database.run(lambda session: execute(session, "update job set state = 'quarantined', attempt = 5"))
    again = client.post(f"/v1/jobs/{job_id}/retry", headers=admin)
    assert (again.status_code, again.json["state"], again.json["attempt"]) == (202, "queued", 0)


def test_what_is_not_there(client, key):
    for address in (f"/v1/jobs/{uuid4()}", "/v1/jobs/nonsense"):
        assert client.get(address, headers=key("admin")).status_code == 404
