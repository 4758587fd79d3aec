"""The crosswalk over HTTP: statuses, problems, patients, audit."""

import pytest


@pytest.fixture
def client(slow):
    return slow.test_client()


def test_what_is_unknown_is_not_there(client, key, value):
    answer = client.get(f"/v1/crosswalk/department/erp/{value}?to=hr", headers=key())
    assert (answer.status_code, answer.content_type) == (404, "application/problem+json")
    assert (answer.json["code"], answer.json["outcome"]) == ("unknown_value", "unknown_value")
    assert value not in answer.text
    assert client.get(f"/v1/crosswalk/department/nope/{value}", headers=key()).json["outcome"] == "unknown_system"


def test_a_value_may_hold_slashes(client, key, world, value):
    world.holds(world.golden(), "erp", f"a/{value}//b")
    assert client.get(f"/v1/crosswalk/department/erp/a/{value}//b", headers=key()).json["outcome"] == "found"


def test_post_answers_with_the_outcome(client, key, value):
    body = {"domain": "department", "system": "erp", "value": value, "to": ["hr"]}
    answer = client.post("/v1/crosswalk/lookup", json=body, headers=key())
    assert (answer.status_code, answer.json["outcome"]) == (200, "unknown_value")


def test_no_identifier_of_a_patient_stands_in_an_address(client, key):
    answer = client.get("/v1/crosswalk/patient/ehr/MRN-77?to=hr", headers=key())
    assert (answer.status_code, answer.json["code"]) == (405, "use_post")
    assert "MRN-77" not in answer.text


@pytest.mark.parametrize("path", ["lookup", "translate", "validate"])
def test_an_unknown_domain(client, key, path):
    body = (
        {"domain": "nope", "system": "erp", "value": "1"}
        if path != "translate"
        else {"domain": "nope", "from": "erp", "to": "hr", "values": []}
    )
    answer = client.post(f"/v1/crosswalk/{path}", json=body, headers=key())
    assert (answer.status_code, answer.json["code"]) == (404, "unknown_domain")


def test_too_many_values(client, key):
    body = {"domain": "department", "from": "erp", "to": "hr", "values": ["1"] * 10_001}
    answer = client.post("/v1/crosswalk/translate", json=body, headers=key())
    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, "/values")


def test_a_value_that_is_no_text(client, key):
    body = {"domain": "department", "from": "erp", "to": "hr", "values": ["1", 2]}
    answer = client.post("/v1/crosswalk/translate", json=body, headers=key())
    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, "/values/1")


def test_a_bad_value_does_not_stop_the_others(client, key, world, value):
    world.holds(world.golden(), "erp", value)
    body = {"domain": "department", "from": "erp", "to": [], "values": ["\x00", "x" * 5000, value]}
    answer = client.post("/v1/crosswalk/translate", json=body, headers=key())
    assert [row["outcome"] for row in answer.json["results"]] == ["unknown_value", "unknown_value", "found"]


def test_validate(client, key, world, value):
    world.holds(world.golden("cost_center"), "erp", value)
    body = {"domain": "cost_center", "system": "erp", "value": value, "on": "2026-03-31"}
    answer = client.post("/v1/crosswalk/validate", json=body, headers=key())
    assert (answer.status_code, answer.json["valid"], answer.json["reason"], answer.json["replaced_by"]) == (200, True, None, None)


def test_reading_patients_is_audited_by_golden_id_only(client, key, world, value):
    golden_id = world.golden("patient")
    world.holds(golden_id, "ehr", value)
    headers = {**key(), "X-Request-Id": f"audited-{value}"}
    for path in ("lookup", "validate"):
        client.post(f"/v1/crosswalk/{path}", json={"domain": "patient", "system": "ehr", "value": value}, headers=headers)
    rows = world.rows("select action, subjects, audit::text from audit where request_id = %s order by n", (headers["X-Request-Id"],))
    assert [row[:2] for row in rows] == [("crosswalk:lookup", [golden_id]), ("crosswalk:validate", [golden_id])]
    assert all(value not in row[2].replace(f"audited-{value}", "") for row in rows)


def test_a_batch_of_patients_is_one_audit_row(client, key, world, value):
    for number in range(3):
        world.holds(world.golden("patient"), "ehr", f"{value}-{number}")
    headers = {**key(), "X-Request-Id": f"audited-{value}"}
    body = {"domain": "patient", "from": "ehr", "to": "hr", "values": [f"{value}-{number}" for number in range(3)]}
    client.post("/v1/crosswalk/translate", json=body, headers=headers)
    assert world.rows("select cardinality(subjects) from audit where request_id = %s", (headers["X-Request-Id"],)) == [(3,)]
