"""What takes two people over /v1: the first one's word is a proposal, the second one's own word decides; one person is never two."""

import pytest

from mdm.access import NewPrincipal, Role, create_client
from mdm.db import execute, fetch
from tests.api.test_identity import JONES, SMITH, versioned
from tests.mdm.test_undo import picture


@pytest.fixture
def people(clean_database, client, key):
    """Two patients of two records each, both published long ago: parting either takes two people."""
    headers = key("integration")

    def put(place, person):
        return client.put(f"/v1/patients/sources/{place}", json={"attributes": person}, headers=headers).json

    made = [put("ehr-north/1", SMITH), put("ehr-mercy/1", SMITH), put("ehr-north/2", JONES), put("ehr-mercy/2", JONES)]
    clean_database.run(lambda session: execute(session, "update golden_record set created_at = now() - interval '31 days'"))
    return made


@pytest.fixture
def ann(key):
    return key("steward")


@pytest.fixture
def bob(key):
    return key("steward")


def act(client, who, people, verb, body):
    golden = people[0]["golden_id"]
    return client.post(f"/v1/patients/golden/{golden}/{verb}", json=body, headers=versioned(client, who, golden))


def acts(people):
    return {
        "splits": {"groups": [[people[1]["record_id"]]], "reason": "twins"},
        "moves": {"records": [people[1]["record_id"]], "to": people[2]["golden_id"], "reason": "twins"},
    }


@pytest.mark.parametrize("verb", ["splits", "moves"])
def test_the_same_act_asked_by_two_is_done(clean_database, client, people, ann, bob, verb):
    before, body = clean_picture(clean_database), acts(people)[verb]
    assert act(client, ann, people, verb, {**body, "dry_run": True}).status_code == 200
    first = act(client, ann, people, verb, body)
    assert (first.status_code, first.json["outcome"]) == (202, "proposed")
    assert first.headers["Location"] == f"/v1/tasks/{first.json['task_id']}"
    assert "proposed" not in first.json
    assert clean_picture(clean_database) == before
    own = act(client, ann, people, verb, body)
    assert (own.status_code, own.json["code"]) == (403, "own_proposal")
    second = act(client, bob, people, verb, body)
    assert (second.status_code, [move["record_id"] for move in second.json["moves"]]) == (200, [people[1]["record_id"]]), second.json
    assert client.get(f"/v1/tasks/{first.json['task_id']}", headers=ann).json["status"] == "settled"
    decision = client.get(f"/v1/decisions/{second.json['decision_id']}", headers=ann).json
    assert "proposed by" in decision["reason"]


def clean_picture(database):
    """Who is who, without the tasks about it."""
    found = picture(database)
    return found[:5] + found[6:]


@pytest.mark.parametrize(("verb", "other"), [("splits", {"verdict": "together"}), ("moves", {"verdict": "stay"})])
def test_two_who_differ_decide_nothing_and_are_told_of_each_other(clean_database, client, people, ann, bob, verb, other):
    before = clean_picture(clean_database)
    task = act(client, ann, people, verb, acts(people)[verb]).json["task_id"]
    said = client.put(f"/v1/tasks/{task}/decision", json=other, headers=at(client, bob, task))
    assert (said.status_code, said.json["outcome"]) == (202, "disagreed"), said.json
    assert (said.json["verdict"], said.json["proposed"]) == (other["verdict"], verb[:-1])
    assert clean_picture(clean_database) == before
    assert client.get(f"/v1/tasks/{task}", headers=ann).json["status"] == "open"


def at(client, who, task):
    return {**who, "If-Match": client.get(f"/v1/tasks/{task}", headers=who).headers["ETag"]}


def test_a_split_is_agreed_to_on_its_task(client, people, ann, bob):
    task = act(client, ann, people, "splits", acts(people)["splits"]).json["task_id"]
    groups = [[people[0]["record_id"]], [people[1]["record_id"]]]
    said = client.put(f"/v1/tasks/{task}/decision", json={"verdict": "split", "groups": groups}, headers=at(client, bob, task))
    assert (said.status_code, said.json["status"]) == (200, "settled"), said.json


def test_a_merge_with_much_behind_it_is_agreed_to_from_either_side(clean_database, client, people, ann, bob, monkeypatch):
    monkeypatch.setattr("mdm.tiers.LINKS_MAX", 4)
    one, other = people[0]["golden_id"], people[2]["golden_id"]
    first = act(client, ann, people, "merges", {"from": [other], "reason": "one person"})
    assert first.status_code == 202, first.json
    second = client.post(f"/v1/patients/golden/{other}/merges", json={"from": [one]}, headers=versioned(client, bob, other))
    assert (second.status_code, second.json["golden_id"]) == (200, one), second.json
    with clean_database.unit_of_work() as session:
        assert fetch(session, "select status, approver is not null from proposal") == [("agreed", True)]


def test_a_proposal_ends_when_what_it_asks_can_no_longer_be(clean_database, client, people, ann, bob, key):
    first = act(client, ann, people, "moves", acts(people)["moves"])
    clean_database.run(lambda session: execute(session, "update golden_record set created_at = now()"))
    merged = act(client, bob, people, "merges", {"from": [people[2]["golden_id"]], "reason": "one person"})
    assert merged.status_code == 200, merged.json
    assert client.get(f"/v1/tasks/{first.json['task_id']}", headers=ann).json["status"] == "obsolete"


def test_what_cannot_be_done_is_not_proposed(clean_database, client, people, ann):
    refused = act(client, ann, people, "splits", {"groups": [[people[2]["record_id"]]]})
    assert (refused.status_code, refused.json["errors"][0]["code"]) == (422, "foreign_record")
    with clean_database.unit_of_work() as session:
        assert fetch(session, "select count(*) from task") == [(0,)]


def test_who_made_a_key_is_nobody_else_by_it(clean_database, client, people, ann, settings):
    maker = fetch_one(
        clean_database, "select name from principal where kind = 'client' and role = 'steward' order by created_at desc limit 1"
    )
    made = NewPrincipal("made by ann", Role.STEWARD)
    token = clean_database.run(lambda session: create_client(session, settings.key_pepper(), made, created_by=maker)[1])
    body = acts(people)["splits"]
    assert act(client, ann, people, "splits", body).status_code == 202
    own = act(client, {"Authorization": f"Bearer {token}"}, people, "splits", body)
    assert (own.status_code, own.json["code"]) == (403, "own_proposal")


def fetch_one(database, statement):
    with database.unit_of_work() as session:
        return fetch(session, statement)[0][0]
