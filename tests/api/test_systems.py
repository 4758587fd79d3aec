"""The registry over HTTP: systems are registered by administrators and seen within one's scope."""

import pytest

from mdm.db import fetch

BODY = {"name": "Lakeside EHR", "kind": "ehr", "organization": "Lakeside", "aliases": [{"kind": "oid", "value": "2.16.840.1.113883.19.5"}]}


@pytest.fixture
def admin(clean_database, key):
    return key("admin")


def test_a_system_is_made_then_changed(client, admin):
    made = client.put("/v1/systems/ehr-lakeside", json=BODY, headers=admin)
    again = client.put("/v1/systems/ehr-lakeside", json={**BODY, "name": "Lakeside"}, headers={**admin, "If-Match": made.headers["ETag"]})
    assert (made.status_code, again.status_code) == (201, 200)
    assert made.json == {**BODY, "code": "ehr-lakeside", "version": 1}
    assert again.headers["ETag"] == client.get("/v1/systems/ehr-lakeside", headers=admin).headers["ETag"] == '"2"'
    assert client.get("/v1/systems/ehr-lakeside", headers=admin).json == again.json


def test_a_system_is_not_overwritten_by_who_has_not_read_it(client, admin):
    client.put("/v1/systems/ehr-lakeside", json=BODY, headers=admin)
    other = {**BODY, "kind": "erp", "aliases": []}
    assert client.put("/v1/systems/ehr-lakeside", json=other, headers=admin).status_code == 428
    assert client.put("/v1/systems/ehr-lakeside", json=other, headers={**admin, "If-Match": '"7"'}).json["code"] == "stale"
    same = client.put("/v1/systems/ehr-lakeside", json=BODY, headers=admin)
    assert (same.status_code, same.json) == (200, {**BODY, "code": "ehr-lakeside", "version": 1})


def test_a_change_is_audited(clean_database, client, admin):
    client.put("/v1/systems/ehr-lakeside", json=BODY, headers=admin)
    with clean_database.unit_of_work() as session:
        [(principal, detail)] = fetch(session, "select principal, detail from audit where action = 'system:put'")
    assert (principal.split()[0], detail) == ("admin", {"system": "ehr-lakeside", "new": True})


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"kind": "toaster"}, "/kind"),
        ({"name": ""}, "/name"),
        ({"organization": None}, "/organization"),
        ({"aliases": [{"kind": "oid"}]}, "/aliases/0/value"),
        ({"aliases": [{"kind": "fhir", "value": "http://hl7.org/fhir/sid/us-ssn"}]}, "/aliases/0"),
        ({"version": 7}, "/version"),
    ],
)
def test_a_wrong_field_is_pointed_at_and_nothing_is_registered(client, admin, change, pointer):
    answer = client.put("/v1/systems/ehr-lakeside", json={**BODY, **change}, headers=admin)
    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, pointer)
    assert client.get("/v1/systems/ehr-lakeside", headers=admin).status_code == 404


def test_a_name_that_is_taken_is_refused_whatever_its_kind(client, admin):
    client.put("/v1/systems/ehr-lakeside", json={**BODY, "aliases": [{"kind": "hl7", "value": "lake"}]}, headers=admin)
    for code, value in (("lake", "x1"), ("ehr-other", "lake")):
        answer = client.put(f"/v1/systems/{code}", json={**BODY, "aliases": [{"kind": "oid", "value": value}]}, headers=admin)
        assert (answer.status_code, answer.json["errors"][0]["code"]) == (422, "alias_taken")


def test_everybody_sees_the_systems_of_their_scope(client, key, admin):
    narrow = key("loader", systems=["erp-north"])
    assert [item["code"] for item in client.get("/v1/systems", headers=narrow).json["items"]] == ["erp-north"]
    assert client.get("/v1/systems/ehr-mercy", headers=narrow).status_code == 404
    assert len(client.get("/v1/systems", headers=admin).json["items"]) > 1


def test_identifier_systems_come_with_their_aliases(client, key, admin):
    items = {
        item["code"]: item for item in client.get("/v1/identifier-systems", headers=key("loader", systems=["erp-north"])).json["items"]
    }
    assert {"kind": "fhir", "value": "http://hl7.org/fhir/sid/us-npi"} in items["us-npi"]["aliases"]
    assert items["us-ssn"]["sensitivity"] == "secret"
    assert (items["erp-north"]["is_source"], "ehr-mercy" in items) == (True, False)
