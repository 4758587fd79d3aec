"""A flow parks what nobody knows, and a steward's decision, or a delivery, gives it back."""

import threading
import time

import pytest

from mdm.db import execute, fetch

BODY = {"domain": "department", "system": "ehr-mercy", "value": "04410", "to": "ehr-north", "on_miss": "hold"}


@pytest.fixture
def flow(clean_database, key):
    return key("integration", grants=["hold", "phi"])


@pytest.fixture
def department(client, flow):
    body = {"attributes": {"name": "Cardiology Stepdown"}}
    return client.put("/v1/departments/sources/ehr-north/4410", json=body, headers=flow).json["golden_id"]


def park(client, headers, **more):
    return client.post("/v1/crosswalk/lookup", json={**BODY, **more}, headers=headers)


def ticket(client, headers, parked, wait=0):
    return client.get(f"/v1/crosswalk/tickets/{parked.json['ticket']['id']}?wait={wait}", headers=headers)


def settle(client, headers, verdict, **more):
    [task] = client.get("/v1/tasks?kind=mapping", headers=headers).json["items"]
    etag = client.get(f"/v1/tasks/{task['id']}", headers=headers).headers["ETag"]
    return client.put(f"/v1/tasks/{task['id']}/decision", json={"verdict": verdict, **more}, headers={**headers, "If-Match": etag})


def test_what_is_found_has_no_ticket(client, flow, department):
    answer = park(client, flow, system="ehr-north", value="4410")
    assert (answer.status_code, answer.json["outcome"], "ticket" in answer.json) == (200, "found", False)


def test_an_unknown_value_is_parked_and_given_back_when_a_steward_maps_it(clean_database, client, flow, key, department):
    parked = park(client, flow)
    assert (parked.status_code, parked.json["outcome"], parked.json["ticket"]["status"]) == (202, "unknown_value", "pending")
    assert ticket(client, flow, parked).json["answer"] is None
    assert settle(client, key("steward"), "map", candidate=department).status_code == 200
    resolved = ticket(client, flow, parked).json
    assert (resolved["status"], resolved["answer"]["golden_id"]) == ("resolved", department)
    assert resolved["answer"]["targets"][0]["value"] == "4410"
    with clean_database.unit_of_work() as session:
        [(data,)] = fetch(session, "select data from event where type = 'crosswalk.resolved'")
    assert data["tickets"] == [parked.json["ticket"]["id"]]


def test_the_same_question_of_the_same_client_is_the_same_ticket(client, flow, key, department):
    tickets = {park(client, flow).json["ticket"]["id"] for _ in range(3)}
    others = [
        park(client, key("integration", grants=["hold"])),
        park(client, flow, to=["erp-north"]),
        park(client, flow, as_of="2026-01-01"),
    ]
    assert len(tickets) == 1
    assert len({*tickets, *(other.json["ticket"]["id"] for other in others)}) == 4


def test_a_refused_value_rejects_its_tickets_old_and_new(clean_database, client, flow, key):
    parked = park(client, flow)
    settle(client, key("steward"), "not_ours")
    assert ticket(client, flow, parked).json["status"] == "rejected"
    again = [park(client, flow).json["ticket"] for _ in range(2)]
    assert again[0] == again[1] == {"id": parked.json["ticket"]["id"], "status": "rejected"}


def test_a_ticket_expires_and_the_question_gets_a_new_one(clean_database, client, flow):
    parked = park(client, flow)
    with clean_database.unit_of_work() as session:
        execute(session, "update ticket set expires_at = now()")
    assert ticket(client, flow, parked).json["status"] == "expired"
    assert park(client, flow).json["ticket"]["id"] != parked.json["ticket"]["id"]


def test_waiting_ends_with_the_delivery_that_brings_the_value(client, app, flow):
    parked = park(client, flow, value="4499", to="ehr-mercy")
    body = {"attributes": {"name": "Radiology"}}
    bring = threading.Timer(0.5, lambda: app.test_client().put("/v1/departments/sources/ehr-mercy/4499", json=body, headers=flow))
    bring.start()
    begun = time.monotonic()
    assert ticket(client, flow, parked, wait=15).json["status"] == "resolved"
    assert time.monotonic() - begun < 10
    bring.join()


def test_waiting_holds_no_connection_and_ends(clean_database, client, app, flow):
    parked = park(client, flow)
    held, ended = [], threading.Event()

    def look():
        while not ended.wait(0.01):
            held.append(clean_database.engine.pool.checkedout())

    looking = threading.Thread(target=look)
    looking.start()
    assert ticket(client, flow, parked, wait=0.8).json["status"] == "pending"
    ended.set()
    looking.join()
    assert held.count(0) > len(held) / 2  # a look at the ticket takes one, for a moment


def test_parking_is_granted(client, key):
    refused = park(client, key("integration"))
    assert (refused.status_code, refused.json["code"]) == (403, "forbidden")


def test_a_ticket_is_its_clients_alone(client, flow, key):
    parked = park(client, flow)
    assert ticket(client, key("integration", grants=["hold"]), parked).status_code == 404
    assert client.get("/v1/crosswalk/tickets/x", headers=flow).status_code == 404


@pytest.mark.parametrize("wait", ["21", "-1", "nan", "x"])
def test_waiting_is_bounded(client, flow, wait):
    assert client.get(f"/v1/crosswalk/tickets/00000000-0000-7000-8000-000000000000?wait={wait}", headers=flow).status_code == 422


def test_the_past_cannot_be_waited_for(client, flow):
    assert park(client, flow, known_at="2026-01-01T00:00:00Z").status_code == 422
    translated = client.post(
        "/v1/crosswalk/translate",
        json={"domain": "department", "from": "erp-north", "to": [], "values": [], "on_miss": "hold"},
        headers=flow,
    )
    assert translated.status_code == 422


def test_a_patients_number_is_in_no_event_and_no_task(clean_database, client, flow, key):
    parked = park(client, flow, domain="patient", value="MRN-778899", to=[])
    assert parked.status_code == 202
    listed = client.get("/v1/tasks?kind=mapping", headers=key("steward"))
    assert "778899" not in listed.text
    read = client.get(f"/v1/tasks/{listed.json['items'][0]['id']}", headers=key("steward")).json
    assert read["detail"]["value"] == "MRN-778899"
    settle(client, key("steward"), "ignore")
    with clean_database.unit_of_work() as session:
        told = fetch(session, "select (select string_agg(data::text, '') from event), (select string_agg(a::text, '') from audit a)")
        assert fetch(session, "select 1 from audit where action = 'task:read'")
    assert "778899" not in str(told)


def test_a_steward_of_other_systems_sees_no_such_task(client, flow, key, department):
    park(client, flow)
    assert client.get("/v1/tasks?kind=mapping", headers=key("steward", systems=["ehr-north"])).json["items"] == []
    assert len(client.get("/v1/tasks?kind=mapping", headers=key("steward", systems=["ehr-mercy"])).json["items"]) == 1
