"""Alive, ready, counted; and what happens when the database is gone."""

import dataclasses
import json
import re

import pytest
import structlog

from api.app import create_app
from mdm.access import new_token
from mdm.db import execute
from mdm.logs import configure
from mdm.settings import Profile


def test_alive_and_ready(client):
    assert client.get("/livez").json == {"status": "alive"}
    assert client.get("/readyz").json == {"status": "ready"}


def test_not_ready_without_a_database_but_alive(nowhere):
    assert nowhere.get("/livez").status_code == 200
    answer = nowhere.get("/readyz")
    assert (answer.status_code, answer.json["code"], answer.content_type) == (503, "unavailable", "application/problem+json")
    assert int(answer.headers["Retry-After"]) > 0


def test_without_a_database_every_request_with_a_key_may_be_tried_again(nowhere):
    answer = nowhere.post("/v1/payers/match", json={}, headers={"Authorization": f"Bearer {new_token()}"})
    assert (answer.status_code, answer.json["code"]) == (503, "unavailable")
    assert int(answer.headers["Retry-After"]) > 0


def test_garbage_is_refused_without_asking_the_database(nowhere):
    assert nowhere.post("/v1/payers/match", json={}, headers={"Authorization": "Bearer mdm_live_garbage"}).status_code == 401


def test_requests_are_counted_by_route_template(client, key):
    client.get("/v1/payers/sources/ehr-north/SECRET-KEY", headers=key("integration"))
    text = client.get("/metrics").text
    assert 'concord_requests_total{method="GET",route="/v1/payers/sources/<system>/<path:key>",status="404"}' in text
    assert "SECRET-KEY" not in text


def test_the_age_of_each_queues_canary_is_shown_while_the_database_knows_it(database, client, nowhere):
    database.run(lambda s: execute(s, "insert into canary values ('bulk', now() - interval '90 s') on conflict (queue) do nothing"))
    age = re.search(r'mdm_canary_age_seconds\{queue="bulk"\} ([0-9.]+)', client.get("/metrics").text)
    assert float(age[1]) >= 90
    assert nowhere.get("/metrics").status_code == 200
    assert "queue=" not in nowhere.get("/metrics").text
    database.run(lambda s: execute(s, "delete from canary"))


def test_private_answers_are_not_stored(client, key):
    for answer in (client.get("/v1/systems", headers=key("auditor")), client.get("/v1/systems"), client.get("/nowhere")):
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(("given", "is_kept"), [("flow-42.a_B", True), ("short", False), ("x" * 65, False), ("a b c d e f", False)])
def test_a_plain_request_id_is_kept_any_other_replaced(client, given, is_kept):
    answer = client.get("/livez", headers={"X-Request-Id": given})
    assert (answer.headers["X-Request-Id"] == given) is is_kept


def test_log_lines_are_json_with_route_templates_and_no_values(client, key, settings, capsys):
    configure("INFO")
    headers = {**key("integration", grants=["phi"]), "X-Request-Id": "flow-0001"}
    client.get("/v1/patients/sources/ehr-north/MRN-CANARY", headers=headers)
    client.post("/v1/patients/search", json={"text": "Canary\n"}, headers=headers)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    configure(settings.log_level)
    assert [line["route"] for line in lines] == ["/v1/patients/sources/<system>/<path:key>", "/v1/patients/search"]
    assert {line["request_id"] for line in lines} == {"flow-0001"}
    assert "canary" not in json.dumps(lines).lower()
    assert structlog.is_configured()


def test_in_production_strangers_are_told_only_whether_it_lives(database, settings, key, clean_database):
    client = create_app(database, dataclasses.replace(settings, profile=Profile.PRODUCTION)).test_client()
    outside, forwarded = {"REMOTE_ADDR": "10.0.0.7"}, {"X-Forwarded-For": "10.0.0.7"}
    for path in ("/docs", "/docs/docs.css", "/openapi.json", "/metrics"):
        assert client.get(path, environ_base=outside).status_code == 401, path
        assert client.get(path, headers=forwarded).status_code == 401, path
        assert client.get(path, headers=key("auditor"), environ_base=outside).status_code == 200, path
    assert client.get("/metrics").status_code == 200
    assert client.get("/docs").status_code == 401
    assert {client.get(path, environ_base=outside).status_code for path in ("/livez", "/readyz")} == {200}
