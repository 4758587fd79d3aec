"""Other survivorship rules, tried on what is stored."""

import pytest


@pytest.fixture
def stored(clean_database, client, key):
    headers = key("integration")
    for system, name, city in (
        ("erp-north", "Blue Heron Health Plan", "Salem"),
        ("billing-north", "Blue Heron Health Plan of the North", "Lynn"),
    ):
        attributes = {"name": name, "city": city}
        client.put(f"/v1/payers/sources/{system}/1", json={"attributes": attributes}, headers=headers)


def test_a_rule_is_tried_and_nothing_changes(client, key, stored):
    steward, admin = key("steward"), key("admin")
    goldens = client.post("/v1/payers/search", json={"text": "Heron"}, headers=steward).json["items"]
    if len(goldens) == 2:
        body = {"from": [goldens[1]["id"]]}
        client.post(f"/v1/payers/golden/{goldens[0]['id']}/merges", json=body, headers={**steward, "If-Match": '"1"'})
    before = client.get(f"/v1/payers/golden/{goldens[0]['id']}", headers=steward).json
    told = client.post("/v1/payers/survivorship/preview", json={"authorities": {"name": ["billing"]}}, headers=admin)
    assert told.status_code == 200, told.json
    other = client.post("/v1/payers/survivorship/preview", json={"authorities": {"name": ["erp"]}}, headers=admin).json
    assert told.json["looked_at"] == other["looked_at"] == 1
    assert told.json["attributes"].get("name", 0) + other["attributes"].get("name", 0) == 1
    assert client.get(f"/v1/payers/golden/{goldens[0]['id']}", headers=steward).json == before
    same = client.post("/v1/payers/survivorship/preview", json={}, headers=admin).json
    assert (same["golden_records"], same["samples"]) == (0, [])


@pytest.mark.parametrize(
    "body", [{"survive": {"shoe_size": "longest"}}, {"survive": {"name": "loudest"}}, {"authorities": {"mood": ["erp"]}}]
)
def test_rules_that_cannot_be_are_refused(client, key, stored, body):
    answer = client.post("/v1/payers/survivorship/preview", json=body, headers=key("admin"))
    assert (answer.status_code, answer.content_type) == (422, "application/problem+json")
