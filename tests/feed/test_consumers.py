"""Registered consumers: who may act as them, whom a merge concerns, which of their keys moved."""

import json
from uuid import uuid4

import pytest

from mdm import consumers
from mdm.access import SYSTEM_ACTOR
from mdm.consumers import affected
from mdm.couriers import prepare
from mdm.entities import ENTITY_TYPES
from mdm.tasks import Ruling, decide, list_tasks

BODY = {"name": "Billing flow", "contact": "billing@example.org", "domains": ["payer"], "systems": ["erp-north"]}
MARIA = {"given_name": "Maria", "birth_date": "1980-02-29", "sex": "F", "city": "Boston", "family_name": "Rivera"}


@pytest.fixture
def admin(client, key):
    return key("admin", grants=["phi"])


@pytest.fixture
def put(client, admin):
    """put(code, **changes) -> the answer"""

    def make(code="billing", if_match=None, **changes):
        headers = admin if if_match is None else {**admin, "If-Match": f'"{if_match}"'}
        return client.put(f"/v1/consumers/{code}", json={**BODY, **changes}, headers=headers)

    return make


@pytest.fixture
def merged(deliver, clean_database):
    """merged(keys) -> the golden ids that a steward joins, of one patient, each with so many keys."""

    def make(keys=1):
        first, *_ = [deliver("ehr-mercy", f"m{n}", domain="patient", **MARIA) for n in range(1, keys + 1)]
        second, *more = [deliver("ehr-north", f"n{n}", domain="patient", **{**MARIA, "family_name": "Olsen"}) for n in range(1, keys + 1)]
        assert second.outcome == "review"
        assert {each.golden_id for each in more} <= {second.golden_id}
        prepare(clean_database, None)

        def settle(session):
            [task] = list_tasks(session, kind="review").items
            decide(session, ENTITY_TYPES["patient"], task.id, SYSTEM_ACTOR, Ruling("same", task.version), "test")

        clean_database.run(settle)
        prepare(clean_database, None)
        return {first.golden_id, second.golden_id}

    return make


def test_a_consumer_is_registered_read_and_changed_under_its_version(client, put, admin):
    made = put()
    assert (made.status_code, made.headers["ETag"], made.json["acknowledged"]) == (201, '"1"', None)
    assert put().status_code == 428
    assert put(if_match=7).status_code == 412
    changed = put(if_match=1, contact="other@example.org")
    assert (changed.status_code, changed.json["version"], changed.json["contact"]) == (200, 2, "other@example.org")
    assert client.get("/v1/consumers/billing", headers=admin).json == changed.json
    assert [each["code"] for each in client.get("/v1/consumers", headers=admin).json["items"]] == ["billing"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"domains": ["planets"]}, "unknown_domain"),
        ({"systems": ["nothing"]}, "unknown_system"),
        ({"systems": ["us-npi"]}, "unknown_system"),
    ],
)
def test_what_would_never_be_told_is_refused(put, changes, code):
    answer = put(**changes)
    assert (answer.status_code, answer.json["errors"][0]["code"]) == (422, code)


@pytest.mark.parametrize("code", ["Billing", "-a", "a" * 64, "ä"])
def test_codes_are_plain(put, code):
    assert put(code).status_code == 422


def test_a_client_acts_as_its_own_consumer_alone(client, put, key, tell):
    put(client="billing client")
    put("other")
    tell(1)
    own, stranger, steward = key(name="billing client"), key(), key("steward")
    cursor = client.get("/v1/changes", headers=own).json["next"]
    ack = client.post("/v1/consumers/billing/ack", json={"cursor": cursor}, headers=own)
    assert (ack.status_code, ack.json["acknowledged"]) == (200, cursor)
    assert client.post("/v1/consumers/billing/ack", json={"cursor": cursor}, headers=stranger).status_code == 404
    assert client.post("/v1/consumers/billing/ack", json={"cursor": cursor}, headers=steward).status_code == 403
    assert [each["code"] for each in client.get("/v1/consumers", headers=own).json["items"]] == ["billing"]
    assert client.get("/v1/consumers/other", headers=own).status_code == 404


def test_who_sees_some_systems_sees_the_consumers_that_concern_them(client, put, key):
    put("both", systems=["ehr-north", "ehr-mercy"])
    put("mercy", systems=["ehr-mercy"])
    put("ids", systems=[])
    scoped = key("steward", systems=["ehr-north"])
    items = client.get("/v1/consumers", headers=scoped).json["items"]
    assert {each["code"]: each["systems"] for each in items} == {"both": ["ehr-north"], "ids": []}
    assert client.get("/v1/consumers/mercy", headers=scoped).status_code == 404


def test_an_acknowledged_position_never_goes_back(client, put, admin, tell):
    put()
    tell(1)
    first = client.get("/v1/changes", headers=admin).json["next"]
    tell(2)
    second = client.get("/v1/changes", headers=admin).json["next"]
    for cursor in (second, first):
        client.post("/v1/consumers/billing/ack", json={"cursor": cursor}, headers=admin)
    assert client.get("/v1/consumers/billing", headers=admin).json["acknowledged"] == second
    wrong = {"cursor": f"{uuid4().hex}-1"}
    assert client.post("/v1/consumers/billing/ack", json=wrong, headers=admin).status_code == 410


def test_a_change_concerns_who_knows_the_domain_and_a_key(put, deliver, clean_database):
    put("by-key")
    put("other-key", systems=["ehr-mercy"])
    put("golden-ids-only", systems=[])
    put("other-domain", domains=["item"])
    known = deliver("erp-north", "1", name="Blue Shield of Oregon").golden_id
    found = clean_database.run(lambda session: affected(session, "payer", [known]))
    assert [(each.code, dict(each.identifiers)) for each in found] == [("by-key", {"erp-north": 1}), ("golden-ids-only", {})]
    assert found[0].contact == BODY["contact"]
    assert clean_database.run(lambda session: affected(session, "supplier", [known])) == ()


def rekey(client, headers, **query):
    answer = client.get("/v1/consumers/ehr/rekey", query_string=query, headers=headers)
    return answer, [json.loads(line) for line in answer.data.splitlines()] if answer.status_code == 200 else None


@pytest.fixture
def ehr(put):
    assert put("ehr", domains=["patient", "payer"], systems=["ehr-north", "ehr-mercy"]).status_code == 201


def test_the_rekey_file_says_which_keys_went_where(client, admin, ehr, merged, clean_database):
    before = client.get("/v1/changes", headers=admin).json["next"]
    ids = merged()
    answer, lines = rekey(client, admin, since=before)
    assert answer.content_type == "application/x-ndjson"
    [line] = lines
    assert {line["golden_id"], line["survivor"]} == {str(each) for each in ids}
    assert (line["domain"], line["system"][:4], line["value"][1:]) == ("patient", "ehr-", "1")
    assert rekey(client, admin, since=answer.headers["Concord-Position"])[1] == []
    assert rekey(client, admin, since=before, domain="payer")[1] == []
    assert rekey(client, admin)[1] == lines


def test_a_key_that_moved_before_is_not_told_again(client, admin, ehr, merged, deliver, clean_database):
    merged()
    after = rekey(client, admin)[0].headers["Concord-Position"]
    deliver("ehr-mercy", "m1", domain="patient", **{**MARIA, "city": "Salem"})
    prepare(clean_database, None)
    assert rekey(client, admin, since=after)[1] == []


def test_the_rekey_file_comes_in_pages(client, admin, ehr, merged, monkeypatch):
    merged(keys=3)
    monkeypatch.setattr(consumers, "REKEY_PAGE", 1)
    assert len({(line["system"], line["value"]) for line in rekey(client, admin)[1]}) == 3


def test_keys_of_patients_are_read_under_their_grant_and_audited(client, key, ehr, merged, put, rows):
    put("ehr", if_match=1, domains=["patient", "payer"], systems=["ehr-north", "ehr-mercy"], client="ehr client")
    merged()
    blind = key(name="ehr client")
    assert rekey(client, blind)[0].status_code == 403
    assert rekey(client, blind, domain="payer")[0].status_code == 200
    assert rows("select count(*) from audit where action = 'consumer:rekey' and cardinality(subjects) > 0") == [(0,)]
    assert len(rekey(client, key("admin", grants=["phi"]))[1]) == 1
    assert rows("select count(*) from audit where action = 'consumer:rekey' and cardinality(subjects) > 0") == [(1,)]
    assert rekey(client, key("admin", grants=["phi"], systems=["erp-north"]))[0].status_code == 404


def test_a_consumer_without_systems_has_nothing_to_rekey(client, admin, put, merged):
    put("ids", systems=[], domains=["patient"])
    merged()
    assert client.get("/v1/consumers/ids/rekey", headers=admin).data == b""
