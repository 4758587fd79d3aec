"""The queue and its decisions: nobody decides what they have not seen, and nothing is decided twice."""

import pytest

from mdm.db import execute, fetch

MARIA = {"given_name": "Maria", "birth_date": "1980-02-29", "sex": "F", "city": "Boston"}


@pytest.fixture
def task(clean_database, client, key):
    """A review of two patients who may be one."""
    headers = key("integration")
    deliveries = (
        ("ehr-mercy/1", {**MARIA, "family_name": "Rivera"}),
        ("ehr-north/1", {**MARIA, "family_name": "Olsen"}),
    )
    results = [
        client.put(f"/v1/patients/sources/{place}", json={"attributes": person}, headers=headers).json for place, person in deliveries
    ]
    assert results[1]["outcome"] == "review", results[1]
    return results[1]["task_id"]


@pytest.fixture
def steward(key, task):
    return key("steward")


def decide(client, task, headers, verdict="same", **extra):
    return client.put(f"/v1/tasks/{task}/decision", json={"verdict": verdict, **extra}, headers=headers)


def test_the_queue_holds_the_task_with_its_version(client, task, steward):
    [listed] = client.get("/v1/tasks", headers=steward).json["items"]
    answer = client.get(f"/v1/tasks/{task}", headers=steward)
    assert (listed["id"], listed["kind"], listed["domain"]) == (task, "review", "patient")
    assert answer.json == listed
    assert answer.headers["ETag"] == f'"{listed["version"]}"'


@pytest.mark.parametrize("etag", ['"{}"', 'W/"{}"', "{}"])
def test_a_decision_settles_the_task_and_merges(client, task, steward, etag):
    before = client.get(f"/v1/tasks/{task}", headers=steward).json
    answer = decide(client, task, {**steward, "If-Match": etag.format(before["version"])}, reason="same person, by phone")
    assert (answer.status_code, answer.json["status"]) == (200, "settled")
    assert answer.json["decision_id"]
    redirected = [client.get(f"/v1/patients/golden/{golden}", headers=steward) for golden in before["goldens"]]
    [merged] = [golden for golden in redirected if golden.json["redirected_from"]]
    assert merged.headers["Link"] == f'</v1/patients/golden/{merged.json["id"]}>; rel="canonical"'


def test_a_decision_needs_the_version_that_was_read(client, task, steward):
    missing = decide(client, task, steward)
    assert (missing.status_code, missing.json["code"]) == (428, "precondition_required")
    for etag in ('"999"', "*", "soon", '"1", "2"'):
        stale = decide(client, task, {**steward, "If-Match": etag})
        assert (stale.status_code, stale.json["code"]) == (412, "stale")


def test_nothing_is_decided_twice(client, task, steward):
    version = client.get(f"/v1/tasks/{task}", headers=steward).headers["ETag"]
    assert decide(client, task, {**steward, "If-Match": version}, "different").status_code == 200
    again = decide(client, task, {**steward, "If-Match": client.get(f"/v1/tasks/{task}", headers=steward).headers["ETag"]})
    assert (again.status_code, again.json["code"]) == (409, "conflict")


@pytest.mark.parametrize(
    "body", [{"verdict": "maybe"}, {}, {"verdict": "accept"}, {"verdict": "same", "candidate": "7"}, {"verdict": "same", "decision_id": 1}]
)
def test_a_verdict_that_the_task_has_not_is_refused(client, task, steward, body):
    version = client.get(f"/v1/tasks/{task}", headers=steward).headers["ETag"]
    answer = client.put(f"/v1/tasks/{task}/decision", json=body, headers={**steward, "If-Match": version})
    assert (answer.status_code, answer.content_type) == (422, "application/problem+json")


def test_who_may_not_read_the_domain_or_its_systems_finds_no_task(client, key, task):
    strangers = (key("integration"), key("steward", domains=["payer"]), key("steward", systems=["ehr-north"]))
    for headers in strangers:
        assert client.get("/v1/tasks", headers=headers).json["items"] == []
        hidden = client.get(f"/v1/tasks/{task}", headers=headers)
        absent = client.get("/v1/tasks/00000000-0000-7000-8000-000000000000", headers=headers)
        assert hidden.status_code == absent.status_code == 404
    decided = decide(client, task, {**strangers[1], "If-Match": '"1"'})
    assert decided.status_code == 404


def test_a_read_of_a_patients_task_and_its_decision_are_audited(clean_database, client, task, steward):
    version = client.get(f"/v1/tasks/{task}", headers=steward).headers["ETag"]
    decide(client, task, {**steward, "If-Match": version})
    with clean_database.unit_of_work() as session:
        actions = [row[0] for row in fetch(session, "select action from audit where action like 'task:%' order by n")]
    assert actions[0] == "task:read"
    assert actions[-1] == "task:same"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("domain=patient", 200),
        ("domain=unicorn", 404),
        ("status=lost", 422),
        ("limit=0", 422),
        ("cursor=x", 422),
        ("cursor=nan_1", 422),
        ("sort=id", 422),
    ],
)
def test_filters_are_checked(client, steward, query, status):
    assert client.get(f"/v1/tasks?{query}", headers=steward).status_code == status


def test_pages_of_the_queue_follow_each_other(clean_database, client, task, steward):
    with clean_database.unit_of_work() as session:
        execute(
            session,
            "insert into task (id, domain, kind, dedupe_key, records, goldens, detail, impact)"
            " select gen_random_uuid(), 'payer', 'review', n::text, '{}', '{}', '{}', n from generate_series(1, 4) n",
        )
    seen, cursor = [], ""
    while cursor is not None:
        page = client.get(f"/v1/tasks?limit=2{cursor and '&cursor=' + cursor}", headers=steward).json
        seen += [item["id"] for item in page["items"]]
        cursor = page["next"]
    assert len(seen) == len(set(seen)) == 5
