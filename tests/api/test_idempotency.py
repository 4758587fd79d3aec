"""Idempotency-Key: what is sent again is answered again and not done again; key, effect and answer stand or fall together."""

from threading import Barrier, Thread

import pytest

from mdm.db import execute, fetch
from mdm.idempotency import Asked, told_before
from tests.api.test_identity import JONES, SMITH, merge, versioned

KEY = {"Idempotency-Key": "merge-77"}
REPLAYED = "Idempotency-Replayed"


@pytest.fixture
def people(clean_database, client, key):
    headers = key("integration")

    def put(place, person):
        return client.put(f"/v1/patients/sources/{place}", json={"attributes": person}, headers=headers).json

    return [put("ehr-north/1", SMITH), put("ehr-mercy/1", SMITH), put("ehr-north/2", JONES), put("ehr-mercy/2", JONES)]


@pytest.fixture
def steward(key, people):
    return key("steward")


@pytest.fixture
def merging(client, people, steward):
    """The headers of a merge under a key."""
    return {**versioned(client, steward, people[0]["golden_id"]), **KEY}


def decisions(database):
    with database.unit_of_work() as session:
        return fetch(session, "select count(*) from decision")[0][0]


def test_the_same_again_is_answered_as_before_and_not_done_again(clean_database, client, people, merging):
    first, second = (merge(client, merging, people) for _ in range(2))
    assert (first.status_code, second.status_code) == (200, 200)
    assert second.json == first.json
    assert (REPLAYED in first.headers, second.headers.get(REPLAYED)) == (False, "true")
    assert decisions(clean_database) == 1


def test_a_refusal_is_kept_too(clean_database, client, people, steward):
    headers = {**steward, "If-Match": '"99"', **KEY}
    first, second = (merge(client, headers, people) for _ in range(2))
    assert (first.status_code, second.status_code, second.headers.get(REPLAYED)) == (412, 412, "true")
    assert second.json == first.json
    assert decisions(clean_database) == 0


def test_another_request_under_the_same_key_is_refused(clean_database, client, people, merging):
    merge(client, merging, people)
    other = merge(client, merging, people, reason="on second thoughts")
    assert (other.status_code, other.json["errors"][0]["code"]) == (422, "idempotency_key_reused")
    assert decisions(clean_database) == 1


def test_keys_belong_to_their_client(client, people, merging, key):
    merge(client, merging, people)
    other = {**versioned(client, key("steward"), people[0]["golden_id"]), **KEY}
    answer = client.post(f"/v1/patients/golden/{people[0]['golden_id']}/splits", json={"groups": [[people[2]["record_id"]]]}, headers=other)
    assert answer.status_code == 200, answer.json
    assert REPLAYED not in answer.headers


def test_whoever_may_not_is_not_told_what_was_answered(client, people, merging):
    merge(client, merging, people)
    answer = merge(client, {**merging, "Authorization": "Bearer nonsense"}, people)
    assert (answer.status_code, REPLAYED in answer.headers) == (401, False)


def test_a_rehearsal_is_never_kept(clean_database, client, people, steward):
    headers = {**steward, **KEY}
    first, second = (merge(client, headers, people, dry_run=True) for _ in range(2))
    assert (first.status_code, REPLAYED in second.headers) == (200, False)
    with clean_database.unit_of_work() as session:
        assert fetch(session, "select count(*) from idempotency")[0][0] == 0


def test_what_is_kept_names_nobody(clean_database, client, people, merging):
    merge(client, merging, people)
    with clean_database.unit_of_work() as session:
        [[body]] = fetch(session, "select body from idempotency")
    assert not [value for value in (*SMITH.values(), *JONES.values()) if value in body]


def test_a_day_later_the_key_is_free_again(clean_database, client, people, merging):
    merge(client, merging, people)
    clean_database.run(lambda session: execute(session, "update idempotency set created_at = now() - interval '25 hours'"))
    assert merge(client, merging, people).status_code in {409, 412}


def test_while_it_is_being_done_nobody_else_does_it(clean_database, client, people, merging, steward):
    with clean_database.unit_of_work() as session:
        client_id = fetch(session, "select id from principal order by created_at desc limit 1")[0][0]
    with clean_database.unit_of_work() as session:
        assert told_before(session, Asked(client_id, KEY["Idempotency-Key"], "")) is None
        refused = merge(client, merging, people)
    assert (refused.status_code, refused.json["code"], "Retry-After" in refused.headers) == (409, "in_progress", True)
    assert merge(client, merging, people).status_code == 200


def test_a_double_click_is_one_decision(clean_database, app, people, merging):
    barrier, answers = Barrier(4), []

    def click():
        browser = app.test_client()
        barrier.wait()
        answers.append(merge(browser, merging, people))

    clicks = [Thread(target=click) for _ in range(4)]
    for each in clicks:
        each.start()
    for each in clicks:
        each.join()
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert decisions(clean_database) == 1


@pytest.mark.parametrize("bad", ["", "x" * 256, "caf\u00e9"])
def test_what_is_no_key_is_refused(client, people, merging, bad):
    answer = merge(client, {**merging, "Idempotency-Key": bad}, people)
    assert (answer.status_code, answer.json["errors"][0]["code"]) == (422, "bad_idempotency_key")


CLIENT = {"name": "Ledger flow", "role": "integration"}
CONSUMER = {"name": "Ledger", "contact": "ledger team", "systems": ["erp-north"], "domains": ["cost_center"]}
HOOK = {"url": "https://8.8.8.8/events", "domains": ["cost_center"], "consumer": "ledger"}
SYSTEM = {"name": "Ledger", "kind": "erp", "organization": "north"}


@pytest.mark.parametrize(
    ("method", "path", "body", "secret", "table"),
    [
        ("POST", "/v1/keys", CLIENT, "key", "api_key"),
        ("POST", "/v1/webhooks", HOOK, "secret", "webhook"),
        ("PUT", "/v1/consumers/payroll", CONSUMER, None, "consumer"),
        ("PUT", "/v1/systems/erp-south", SYSTEM, None, "system"),
    ],
)
def test_what_is_set_up_is_set_up_once_and_no_secret_is_kept(clean_database, client, key, method, path, body, secret, table):
    admin = key("admin")
    assert client.put("/v1/consumers/ledger", json=CONSUMER, headers=admin).status_code == 201
    before = count(clean_database, table)
    first, second = (client.open(path, method=method, json=body, headers={**admin, **KEY}) for _ in range(2))
    assert (first.status_code, second.status_code, second.headers[REPLAYED]) == (201, 201, "true"), first.json
    assert count(clean_database, table) == before + 1
    assert second.json == first.json | ({secret: None} if secret else {})
    if secret:
        with clean_database.unit_of_work() as session:
            assert first.json[secret] not in str(fetch(session, "select body from idempotency"))


def count(database, table):
    with database.unit_of_work() as session:
        return fetch(session, f"select count(*) from {table}")[0][0]


def test_the_next_secret_is_made_once(clean_database, client, key):
    admin = key("admin")
    client.put("/v1/consumers/ledger", json=CONSUMER, headers=admin)
    made = client.post("/v1/webhooks", json=HOOK, headers=admin)
    headers = {**admin, **KEY, "If-Match": made.headers["ETag"]}
    first, second = (client.post(f"/v1/webhooks/{made.json['id']}/secret", headers=headers) for _ in range(2))
    assert (first.status_code, second.status_code, second.json["secret"]) == (200, 200, None)
    assert first.json["secret"] != made.json["secret"]
    assert client.get(f"/v1/webhooks/{made.json['id']}", headers=admin).json["version"] == first.json["version"]
