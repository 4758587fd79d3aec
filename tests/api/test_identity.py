"""Merge, split, move, pin and undo over HTTP: rehearsed first, refused in words, taken back exactly."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from mdm.db import execute, fetch
from mdm.expiry import EXPIRE_PINS, expire_pins, has_expired
from mdm.jobs import enqueue
from mdm.misswork import Counted, Miss, record
from mdm.running import Hand
from tests.mdm.test_undo import picture

SMITH = {"given_name": "William", "family_name": "Smith", "birth_date": "1980-02-03", "address_line": "12 Main St", "phone": "617-253-1000"}
JONES = {"given_name": "Robert", "family_name": "Jones", "birth_date": "1944-12-01", "address_line": "9 Elm Rd", "phone": "617-253-9000"}


@pytest.fixture
def people(clean_database, client, key):
    """Two patients of two records each; what each delivery answered."""
    headers = key("integration")

    def put(place, person):
        return client.put(f"/v1/patients/sources/{place}", json={"attributes": person}, headers=headers).json

    return [put("ehr-north/1", SMITH), put("ehr-mercy/1", SMITH), put("ehr-north/2", JONES), put("ehr-mercy/2", JONES)]


@pytest.fixture
def steward(key, people):
    return key("steward")


def versioned(client, headers, golden):
    etag = client.get(f"/v1/patients/golden/{golden}", headers=headers).headers["ETag"]
    return {**headers, "If-Match": etag}


def merge(client, headers, people, **extra):
    golden = people[0]["golden_id"]
    body = {"from": [people[2]["golden_id"]], "reason": "one person, by phone", **extra}
    return client.post(f"/v1/patients/golden/{golden}/merges", json=body, headers=headers)


def test_a_merge_is_done_and_taken_back(clean_database, client, people, steward):
    before = picture(clean_database)
    merged = merge(client, versioned(client, steward, people[0]["golden_id"]), people)
    assert merged.status_code == 200, merged.json
    assert merged.json["golden_id"] == people[0]["golden_id"]
    assert {move["record_id"] for move in merged.json["moves"]} == {people[2]["record_id"], people[3]["record_id"]}
    assert merged.json["effect"] is None
    redirected = client.get(f"/v1/patients/golden/{people[2]['golden_id']}", headers=steward)
    assert redirected.json["redirected_from"] == people[2]["golden_id"]
    undone = client.delete(f"/v1/decisions/{merged.json['decision_id']}?reason=wrong+after+all", headers=steward)
    assert (undone.status_code, undone.json["kept"], undone.json["task_id"]) == (200, [], None)
    assert picture(clean_database) == before
    listed = client.get(f"/v1/patients/golden/{people[2]['golden_id']}/decisions", headers=steward).json["items"]
    assert [(d["kind"], d["reason"]) for d in listed] == [("undo", "wrong after all"), ("merge", "one person, by phone")]
    assert listed[1]["revoked_by"] == listed[0]["id"]
    again = client.delete(f"/v1/decisions/{merged.json['decision_id']}", headers=steward)
    assert (again.status_code, again.json["code"]) == (409, "conflict")


def test_a_rehearsal_tells_all_and_changes_nothing(clean_database, client, people, steward):
    before = picture(clean_database)
    told = merge(client, steward, people, dry_run=True)
    assert told.status_code == 200, told.json
    assert picture(clean_database) == before
    with clean_database.unit_of_work() as session:
        assert fetch(session, "select count(*) from decision") == [(0,)]
        assert fetch(session, "select count(*) from audit where action = 'decision:rehearse'") == [(1,)]
    kept, gone = (next(c for c in told.json["effect"]["golden_records"] if c["id"] == people[n]["golden_id"]) for n in (0, 2))
    assert (len(kept["before"]["records"]), len(kept["after"]["records"])) == (2, 4)
    assert (gone["after"], gone["merged_into"]) == (None, people[0]["golden_id"])


def test_a_split_gives_every_group_an_id(client, people, steward):
    golden = people[0]["golden_id"]
    body = {"groups": [[people[1]["record_id"]]], "reason": "twins"}
    answer = client.post(f"/v1/patients/golden/{golden}/splits", json=body, headers=versioned(client, steward, golden))
    assert answer.status_code == 200, answer.json
    assert golden in answer.json["golden_ids"]
    assert len(answer.json["golden_ids"]) == 2
    undone = client.delete(f"/v1/decisions/{answer.json['decision_id']}?dry_run=true", headers=steward)
    assert (undone.status_code, undone.json["dry_run"]) == (200, True)
    assert client.get(f"/v1/decisions/{answer.json['decision_id']}", headers=steward).json["revoked_by"] is None


def test_records_move(client, people, steward):
    golden, other = people[0]["golden_id"], people[2]["golden_id"]
    body = {"records": [people[1]["record_id"]], "to": other, "reason": "filed under the wrong number"}
    answer = client.post(f"/v1/patients/golden/{golden}/moves", json=body, headers=versioned(client, steward, golden))
    assert answer.json["moves"] == [{"record_id": people[1]["record_id"], "left": golden, "joined": other}]


def test_what_speaks_against_a_merge_wants_a_reason(clean_database, client, people, steward):
    before = picture(clean_database)
    answer = merge(client, versioned(client, steward, people[0]["golden_id"]), people, reason=" ")
    assert (answer.status_code, answer.json["code"]) == (422, "reason_wanted")
    assert "birth date year differs" in answer.json["detail"]
    assert picture(clean_database) == before
    assert merge(client, steward, people, reason="", dry_run=True).status_code == 200


def test_an_act_needs_the_version_that_was_read(client, people, steward):
    missing = merge(client, steward, people)
    assert (missing.status_code, missing.json["code"]) == (428, "precondition_required")
    for etag in ('"999"', "*", "soon"):
        stale = merge(client, {**steward, "If-Match": etag}, people)
        assert (stale.status_code, stale.json["code"]) == (412, "stale")


def test_a_record_that_joined_meanwhile_makes_the_read_version_stale(client, key, people, steward):
    headers = versioned(client, steward, people[0]["golden_id"])
    joined = client.put("/v1/patients/sources/billing-north/1", json={"attributes": SMITH}, headers=key("integration")).json
    assert joined["golden_id"] == people[0]["golden_id"]
    assert merge(client, headers, people).status_code == 412


@pytest.mark.parametrize(
    "case",
    [
        ("merges", {"from": ["{0}"]}, 422, "merge_with_itself"),
        ("merges", {"from": []}, 422, "invalid"),
        ("merges", {"from": ["00000000-0000-7000-8000-000000000000"]}, 404, "not_found"),
        ("splits", {"groups": [["{r0}", "{r1}"]]}, 422, "nothing_to_part"),
        ("splits", {"groups": [["{r0}"], ["{r0}"]]}, 422, "overlapping_groups"),
        ("splits", {"groups": [["{r2}"]]}, 422, "foreign_record"),
        ("moves", {"records": ["{r0}", "{r1}"], "to": "{2}"}, 422, "nothing_to_part"),
        ("moves", {"records": ["{r0}"], "to": "{0}"}, 422, "merge_with_itself"),
    ],
)
def test_what_cannot_be_is_refused_in_words(clean_database, client, people, steward, case):
    path, body, status, code = case

    def filled(value):
        if isinstance(value, list):
            return [filled(part) for part in value]
        names = {f"{{{n}}}": p["golden_id"] for n, p in enumerate(people)} | {f"{{r{n}}}": p["record_id"] for n, p in enumerate(people)}
        return names.get(value, value)

    before, golden = picture(clean_database), people[0]["golden_id"]
    given = {name: filled(value) for name, value in body.items()}
    answer = client.post(f"/v1/patients/golden/{golden}/{path}", json=given, headers=versioned(client, steward, golden))
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    assert code in {answer.json["code"], *(error["code"] for error in answer.json.get("errors", ()))}
    assert picture(clean_database) == before


def test_a_pinned_value_stands_until_it_is_taken_back(client, key, people, steward):
    golden = people[0]["golden_id"]
    address = f"/v1/patients/golden/{golden}/pins/family_name"
    pinned = client.put(address, json={"value": "Smith-Jones", "reason": "passport"}, headers=versioned(client, steward, golden))
    assert pinned.status_code == 200, pinned.json
    client.put("/v1/patients/sources/ehr-north/1", json={"attributes": {**SMITH, "sex": "M"}}, headers=key("integration"))
    view = client.get(f"/v1/patients/golden/{golden}", headers=steward).json
    assert (view["values"]["family_name"], view["provenance"]["family_name"]["rule"]) == ("Smith-Jones", "pin")
    assert {lost["value"] for lost in view["provenance"]["family_name"]["losing"]} == {"Smith"}
    # It goes where its record goes, and both come back
    merged = merge(client, versioned(client, steward, golden), people).json
    assert client.get(f"/v1/patients/golden/{golden}", headers=steward).json["values"]["family_name"] == "Smith-Jones"
    client.delete(f"/v1/decisions/{merged['decision_id']}", headers=steward)
    assert client.delete(address, headers=steward).status_code == 200
    assert client.get(f"/v1/patients/golden/{golden}", headers=steward).json["values"]["family_name"] == "Smith"
    assert client.delete(address, headers=steward).status_code == 409


def test_a_pin_that_ran_out_is_taken_back(clean_database, client, people, steward):
    golden = people[0]["golden_id"]
    soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    body = {"value": "Smith-Jones", "expires_at": soon}
    pinned = client.put(f"/v1/patients/golden/{golden}/pins/family_name", json=body, headers=versioned(client, steward, golden))
    assert pinned.status_code == 200, pinned.json
    time.sleep(1.1)
    assert clean_database.run(has_expired)
    clean_database.run(lambda session: enqueue(session, EXPIRE_PINS, {}, dedupe_key=EXPIRE_PINS))
    Hand(clean_database, "hand", lambda: False, {EXPIRE_PINS: expire_pins}).drain()
    view = client.get(f"/v1/patients/golden/{golden}", headers=steward).json
    assert view["values"]["family_name"] == "Smith"
    [taken_back, _] = client.get(f"/v1/patients/golden/{golden}/decisions", headers=steward).json["items"]
    assert (taken_back["kind"], taken_back["actor"], taken_back["reason"]) == ("unpin", "system", "the pin ran out")


def test_a_rehearsal_names_relationships_and_consumers(clean_database, client, key):
    flow, steward, admin = key("integration"), key("steward"), key("admin")

    def put(domain, place, name, **extra):
        body = {"attributes": {"name": name, "code": place.rpartition("/")[2]}, **extra}
        answer = client.put(f"/v1/{domain}/sources/{place}", json=body, headers=flow)
        assert answer.status_code == 200, answer.json
        return answer.json["golden_id"]

    centers = [put("cost-centers", f"erp-north/{n}", name) for n, name in ((7100, "Cardiology services"), (9200, "Grounds keeping"))]
    edge = {"relationships": [{"type": "rolls_up_to", "system": "erp-north", "value": "7100"}]}
    child = put("cost-centers", "erp-north/7110", "Echo laboratory", **edge)
    consumer = {"name": "Ledger", "contact": "ledger team", "systems": ["erp-north"], "domains": ["cost_center"]}
    assert client.put("/v1/consumers/ledger", json=consumer, headers=admin).status_code in {200, 201}
    body = {"from": [centers[0]], "dry_run": True}
    told = client.post(f"/v1/cost-centers/golden/{centers[1]}/merges", json=body, headers=steward).json["effect"]
    edges = {(e["subject_id"], e["target_id"], e["ended"]) for e in told["relationships"]}
    assert edges == {(child, centers[0], True), (child, centers[1], False)}
    assert [(c["code"], c["identifiers"]) for c in told["consumers"]] == [("ledger", {"erp-north": 2})]


@pytest.mark.parametrize(
    ("attribute", "body"),
    [
        ("shoe_size", {"value": "9"}),
        ("birth_date", {"value": "soon"}),
        ("birth_date", {"value": ["1980-02-03"]}),
        ("family_name", {"value": "Smith", "expires_at": "2001-01-01T00:00:00Z"}),
        ("family_name", {}),
    ],
)
def test_a_pin_that_cannot_be_is_refused(client, people, steward, attribute, body):
    golden = people[0]["golden_id"]
    answer = client.put(f"/v1/patients/golden/{golden}/pins/{attribute}", json=body, headers=versioned(client, steward, golden))
    assert (answer.status_code, answer.content_type) == (422, "application/problem+json")


def test_a_task_that_was_decided_opens_again(clean_database, client, key):
    headers, person = key("integration"), {"given_name": "Maria", "birth_date": "1980-02-29", "sex": "F", "city": "Boston"}
    for place, name in (("ehr-mercy/1", "Rivera"), ("ehr-north/1", "Olsen")):
        result = client.put(f"/v1/patients/sources/{place}", json={"attributes": {**person, "family_name": name}}, headers=headers).json
    task, steward = result["task_id"], key("steward")
    before = picture(clean_database)
    etag = client.get(f"/v1/tasks/{task}", headers=steward).headers["ETag"]
    client.put(f"/v1/tasks/{task}/decision", json={"verdict": "same"}, headers={**steward, "If-Match": etag})
    undone = client.delete(f"/v1/tasks/{task}/decision", headers=steward)
    assert undone.status_code == 200, undone.json
    assert picture(clean_database) == before
    assert client.get(f"/v1/tasks/{task}", headers=steward).json["status"] == "open"
    assert client.delete(f"/v1/tasks/{task}/decision", headers=steward).status_code == 409


@pytest.mark.parametrize("verdict", ["map", "ignore"])
def test_what_was_said_of_a_miss_is_taken_back(clean_database, client, key, verdict):
    flow, steward = key("integration"), key("steward")
    golden = client.put("/v1/payers/sources/erp-north/1", json={"attributes": {"name": "Blue Heron"}}, headers=flow).json["golden_id"]
    with clean_database.unit_of_work() as session:
        record(session, [Counted(Miss("payer", "billing-north", "771"), 1, {"test"}, set())])
    [task] = client.get("/v1/tasks?kind=mapping", headers=steward).json["items"]
    said = {"verdict": verdict, **({"candidate": golden} if verdict == "map" else {})}
    decided = client.put(f"/v1/tasks/{task['id']}/decision", json=said, headers={**steward, "If-Match": f'"{task["version"]}"'})
    assert decided.status_code == 200, decided.json
    question = "/v1/crosswalk/payer/billing-north/771?to=erp-north"
    assert client.get(question, headers=flow).json["outcome"] == ("found" if verdict == "map" else "unknown_value")
    assert client.get("/v1/tasks?kind=mapping", headers=steward).json["items"] == []
    undone = client.delete(f"/v1/decisions/{decided.json['decision_id']}", headers=steward)
    assert undone.status_code == 200, undone.json
    assert client.get(question, headers=flow).json["outcome"] == "unknown_value"
    assert len(client.get("/v1/tasks?kind=mapping", headers=steward).json["items"]) == 1
    assert client.delete(f"/v1/decisions/{decided.json['decision_id']}", headers=steward).status_code == 409


@pytest.mark.parametrize("verdict", ["map", "not_ours"])
def test_what_was_said_of_a_miss_is_taken_back_after_the_miss_is_gone(clean_database, client, key, verdict):
    flow, steward = key("integration"), key("steward")
    golden = client.put("/v1/payers/sources/erp-north/1", json={"attributes": {"name": "Blue Heron"}}, headers=flow).json["golden_id"]
    with clean_database.unit_of_work() as session:
        record(session, [Counted(Miss("payer", "billing-north", "771"), 1, {"test"}, set())])
    [task] = client.get("/v1/tasks?kind=mapping", headers=steward).json["items"]
    said = {"verdict": verdict, **({"candidate": golden} if verdict == "map" else {})}
    decided = client.put(f"/v1/tasks/{task['id']}/decision", json=said, headers={**steward, "If-Match": f'"{task["version"]}"'})
    assert decided.status_code == 200, decided.json
    clean_database.run(lambda session: execute(session, "delete from miss"))
    shown = client.get(f"/v1/tasks/{task['id']}", headers=steward)
    assert (shown.status_code, shown.json["detail"]["status"]) == (200, "gone")
    undone = client.delete(f"/v1/decisions/{decided.json['decision_id']}", headers=steward)
    assert undone.status_code == 200, undone.json
    assert client.get("/v1/crosswalk/payer/billing-north/771?to=erp-north", headers=flow).json["outcome"] == "unknown_value"


def test_an_accepted_update_can_be_taken_back(clean_database, client, key, people, steward):
    other = {**JONES, "given_name": "Chen", "family_name": "Li", "birth_date": "1975-11-30"}
    held = client.put("/v1/patients/sources/ehr-north/1", json={"attributes": other}, headers=key("integration")).json
    assert held["outcome"] == "quarantined"
    for verdict, name in (("accept", "Li"), ("reject", "Smith")):
        task = client.get("/v1/tasks?kind=overlay", headers=steward).json["items"][0]
        said, headers = {"verdict": verdict, "reason": "by phone"}, {**steward, "If-Match": f'"{task["version"]}"'}
        decided = client.put(f"/v1/tasks/{task['id']}/decision", json=said, headers=headers)
        assert decided.status_code == 200, decided.json
        assert client.get("/v1/patients/sources/ehr-north/1", headers=steward).json["attributes"]["family_name"] == name
        undone = client.delete(f"/v1/decisions/{decided.json['decision_id']}", headers=steward)
        assert undone.status_code == 200, undone.json
        assert client.get("/v1/patients/sources/ehr-north/1", headers=steward).json["attributes"]["family_name"] == "Smith"
        assert len(client.get("/v1/tasks?kind=overlay", headers=steward).json["items"]) == 1


def test_who_may_not_see_the_golden_record_finds_nothing(client, key, people, steward):
    stranger = key("steward", systems=["workforce-north"])
    assert merge(client, {**stranger, "If-Match": '"1"'}, people).status_code == 404
    merged = merge(client, versioned(client, steward, people[0]["golden_id"]), people).json
    for headers in (stranger, key("steward", domains=["payer"])):
        assert client.get(f"/v1/decisions/{merged['decision_id']}", headers=headers).status_code == 404
        assert client.delete(f"/v1/decisions/{merged['decision_id']}", headers=headers).status_code == 404
