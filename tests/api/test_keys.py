"""The life of a key: made, shown once, used, revoked; and what it may never do."""

import time

import pytest

from mdm.access import is_well_formed, new_token
from mdm.db import execute, fetch

CLIENT = {"name": "billing flow", "role": "integration", "domains": ["payer"], "systems": ["erp-north"]}


@pytest.fixture
def admin(clean_database, key):
    return key("admin", grants=["phi"])


@pytest.fixture
def issue(client, admin):
    def made(**changes):
        return client.post("/v1/keys", json={**CLIENT, **changes}, headers=admin)

    return made


def use(client, token):
    return client.get("/v1/systems", headers={"Authorization": f"Bearer {token}"})


def test_a_key_is_made_works_is_listed_without_its_text_and_is_revoked(client, admin, issue):
    made = issue().json
    assert use(client, made["key"]).json["items"][0]["code"] == "erp-north"
    listed = client.get("/v1/keys", headers=admin)
    assert listed.json["items"][0] | {"id": made["id"], "name": CLIENT["name"], "domains": ["payer"]} == listed.json["items"][0]
    assert made["key"] not in listed.text
    assert client.delete(f"/v1/keys/{made['id']}", headers=admin).status_code == 204
    time.sleep(1)
    assert use(client, made["key"]).status_code == 401


def test_the_database_never_sees_a_key(database, issue):
    token = issue().json["key"]
    with database.unit_of_work() as session:
        stored = fetch(session, "select api_key::text, principal::text from api_key join principal on principal.id = principal_id")
        told = fetch(session, "select audit::text from audit where action = 'key:create'")
    assert told
    assert token not in str(stored) + str(told)
    assert token.encode().hex() not in str(stored)


def test_a_key_says_when_it_was_last_used(database, client, issue):
    token = issue().json["key"]
    use(client, token)
    with database.unit_of_work() as session:
        assert fetch(session, "select count(*) from api_key where last_used_at is not null and created_by <> 'system'") == [(1,)]


@pytest.mark.parametrize(
    "statement",
    [
        "update api_key set expires_at = now() where created_by <> 'system'",
        "update principal set disabled = true where name = 'billing flow'",
    ],
)
def test_an_expired_key_or_a_disabled_client_is_out_within_a_second(database, client, issue, statement):
    token = issue().json["key"]
    assert use(client, token).status_code == 200
    with database.unit_of_work() as session:
        execute(session, statement)
    time.sleep(1)
    assert use(client, token).status_code == 401


def test_two_keys_at_once_for_changing_over_and_no_third(client, admin, issue):
    first, second = issue().json, issue().json
    assert issue().status_code == 409
    client.delete(f"/v1/keys/{first['id']}", headers=admin)
    assert issue().status_code == 201
    assert use(client, second["key"]).status_code == 200


def test_a_name_belongs_to_one_role_and_scope(issue):
    issue()
    assert issue(domains=["item"]).json["code"] == "conflict"


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"role": "root"}, "/role"),
        ({"domains": ["unicorn"]}, "/domains"),
        ({"systems": ["not-there"]}, "/systems"),
        ({"domains": []}, "/domains"),
        ({"grants": ["everything"]}, "/grants/0"),
        ({"name": ""}, "/name"),
        ({"hash": "x"}, "/hash"),
    ],
)
def test_a_client_with_a_wrong_field_is_not_made(issue, wrong, pointer):
    answer = issue(**wrong)
    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, pointer)


def test_nobody_hands_out_more_than_they_have(clean_database, client, key):
    scoped = key("admin", systems=["erp-north"])
    assert client.post("/v1/keys", json={**CLIENT, "grants": ["phi"]}, headers=scoped).status_code == 403
    assert client.post("/v1/keys", json={**CLIENT, "systems": None}, headers=scoped).status_code == 403
    assert client.post("/v1/keys", json=CLIENT, headers=scoped).status_code == 201


def test_a_key_makes_no_keys_but_for_the_first(client, admin, key, issue):
    later = key("admin", grants=["phi"])
    answer = client.post("/v1/keys", json=CLIENT, headers=later)
    assert (answer.status_code, answer.json["code"]) == (403, "keys_from_people")
    assert client.get("/v1/keys", headers=later).status_code == 200
    assert issue().status_code == 201


@pytest.mark.parametrize("heavy", [{"role": "steward"}, {"role": "admin"}, {"grants": ["phi"]}])
def test_what_takes_two_people_no_key_asks_for(database, issue, heavy):
    answer = issue(name="heavy", **heavy)
    assert (answer.status_code, answer.json["code"]) == (403, "second_person_needed")
    with database.unit_of_work() as session:
        assert fetch(session, "select 1 from principal where name = 'heavy'") == []


def test_revoking_what_never_was_is_not_found(client, admin):
    for name in ("7", "00000000-0000-0000-0000-000000000000"):
        assert client.delete(f"/v1/keys/{name}", headers=admin).status_code == 404


def test_a_key_is_checked_by_its_own_last_characters():
    token = new_token()
    assert is_well_formed(token)
    assert new_token(demo=True).startswith("mdm_demo_")
    for at in range(len(token)):
        other = "x" if token[at] != "x" else "y"
        assert not is_well_formed(token[:at] + other + token[at + 1 :])
