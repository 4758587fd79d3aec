"""The past in lanes, and what differs between two points, for those who may see it."""

import pytest

from mdm.db import fetch
from tests.mdm.conftest import SMITH


@pytest.fixture
def flow(clean_database, key):
    return key("integration", grants=["phi", "unmask"])


@pytest.fixture
def put(client, flow):
    def one(place, domain="patients", **attributes):
        body = {"attributes": {**(SMITH if domain == "patients" else {}), **attributes}}
        return client.put(f"/v1/{domain}/sources/{place}", json=body, headers=flow).json

    return one


@pytest.fixture
def now(clean_database):
    """The moment at which nothing is going on, as a query wants it."""

    def moment():
        with clean_database.unit_of_work() as session:
            return fetch(session, "select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")[0][0]

    return moment


def test_the_lanes_of_a_golden_record_say_who_joined_when_and_why(client, flow, put):
    one = put("ehr-north/1")
    two = put("ehr-mercy/9")
    put("ehr-north/1", city="Boston")
    history = client.get(f"/v1/patients/golden/{one['golden_id']}/history", headers=flow).json
    assert one["golden_id"] == two["golden_id"]
    mercy, north = history["lanes"]
    assert (mercy["system"], mercy["stays"][0]["joined_by"], north["stays"][0]["joined_by"]) == ("ehr-mercy", "edge", "new")
    assert [version["recorded_to"] is None for version in north["versions"]] == [False, True]
    assert len(history["items"]) >= 2


def test_a_sources_history_holds_every_version_also_one_held_back(client, flow, put):
    put("ehr-north/1")
    held = put("ehr-north/1", given_name="Agatha", family_name="Jones", birth_date="1931-12-01", sex="F", phone="212-555-0199")
    assert held["outcome"] == "quarantined"
    lane = client.get("/v1/patients/source-history/ehr-north/1", headers=flow).json
    assert [(v["version"], v["state"], v["attributes"]["given_name"]) for v in lane["versions"]] == [
        (1, "applied", "William"),
        (2, "quarantined", "Agatha"),
    ]
    assert lane["stays"][0]["golden_id"] == held["golden_id"]
    assert client.get("/v1/patients/source-history/ehr-north/none", headers=flow).status_code == 404


def test_a_key_may_hold_slashes(client, flow, put):
    put("erp-north/a/b", domain="payers", name="Aetna")
    assert client.get("/v1/payers/source-history/erp-north/a/b", headers=flow).json["key"] == "a/b"
    assert client.get("/v1/payers/sources/erp-north/a/b", headers=flow).json["key"] == "a/b"


def test_a_diff_says_what_changed_and_which_source_said_so(client, flow, put, now):
    golden_id = put("ehr-north/1")["golden_id"]
    before = now()
    put("ehr-north/1", city="Boston", postal_code="02115", address_line="1 Park Ave")
    put("ehr-mercy/9", city="Boston", postal_code="02115", address_line="1 Park Ave")
    diff = client.get(f"/v1/patients/golden/{golden_id}/diff?from={before}", headers=flow).json
    [city] = [change for change in diff["values"] if change["attribute"] == "city"]
    assert (city["before"], city["after"], city["source_before"]["key"]) == ("Salem", "Boston", "1")
    assert [held["value"] for held in diff["identifiers_added"]] == ["9"]
    assert [(origin["system"], origin["key"]) for origin in diff["records_joined"]] == [("ehr-mercy", "9")]
    assert (diff["version_before"], diff["records_left"], diff["identifiers_removed"]) == (1, [], [])
    back = client.get(f"/v1/patients/golden/{golden_id}/diff?to={before}", headers=flow).json
    assert [held["value"] for held in back["identifiers_removed"]] == ["9"]


def test_a_diff_of_two_days_in_the_world(client, flow, put):
    body = {"attributes": {**SMITH, "city": "Salem"}, "valid_from": "2020-01-01"}
    golden_id = client.put("/v1/patients/sources/ehr-north/1", json=body, headers=flow).json["golden_id"]
    body = {"attributes": {**SMITH, "city": "Boston"}, "valid_from": "2024-01-01"}
    client.put("/v1/patients/sources/ehr-north/1", json=body, headers=flow)
    diff = client.get(f"/v1/patients/golden/{golden_id}/diff?from_as_of=2021-01-01&to_as_of=2025-01-01", headers=flow).json
    assert [(c["attribute"], c["before"], c["after"]) for c in diff["values"]] == [("city", "Salem", "Boston")]


def test_before_it_was_known_there_was_nothing(client, flow, put):
    golden_id = put("ehr-north/1")["golden_id"]
    diff = client.get(f"/v1/patients/golden/{golden_id}/diff?from=2001-01-01T00:00:00Z", headers=flow).json
    assert (diff["version_before"], diff["version_after"], len(diff["records_joined"])) == (None, 1, 1)
    never = client.get(f"/v1/patients/golden/{golden_id}/diff?from=2001-01-01T00:00:00Z&to=2002-01-01T00:00:00Z", headers=flow)
    assert never.status_code == 404


@pytest.mark.parametrize("query", ["from=2026-01-01T00:00:00", "from=x", "from_as_of=2026-13-01", "other=1"])
def test_points_are_checked(client, flow, query):
    assert client.get(f"/v1/patients/golden/00000000-0000-7000-8000-000000000000/diff?{query}", headers=flow).status_code == 422


def test_masks_scopes_and_audit_are_those_of_a_read(clean_database, client, flow, put, key, now):
    golden_id = put("ehr-north/1")["golden_id"]
    before = now()
    put("ehr-mercy/9")
    put("ehr-north/1", phone="617-253-2000")
    steward, stranger = key("steward"), key("steward", systems=["ehr-north"])
    addresses = (f"golden/{golden_id}/diff?from={before}", f"golden/{golden_id}/history", "source-history/ehr-north/1")
    for address in addresses:
        assert "617-253-2000" not in client.get(f"/v1/patients/{address}", headers=steward).text
        assert "ehr-mercy" not in client.get(f"/v1/patients/{address}", headers=stranger).text
    assert client.get("/v1/patients/source-history/ehr-mercy/9", headers=stranger).status_code == 404
    with clean_database.unit_of_work() as session:
        actions = {row[0] for row in fetch(session, "select action from audit where principal like 'steward%%'")}
    assert {"golden:diff", "golden:history", "source:history"} <= actions
