"""A key that walks through patients' numbers: it runs into its budget, and the walk is told."""

import dataclasses

import pytest

from api.app import create_app
from mdm import budget
from mdm.budget import Budget, OverBudget
from mdm.db import fetch
from mdm.ids import new_id


@pytest.fixture
def walker(clean_database, settings, key):
    """walker(first, last, domain) -> the answer for these numbers, to a key that may ask for 20,000 an hour."""
    client = create_app(clean_database, dataclasses.replace(settings, lookup_budget=20_000, web_workers=1)).test_client()
    headers = key("integration", grants=["phi"])

    def ask(first, last, domain="patient"):
        body = {
            "domain": domain,
            "from": "ehr-north",
            "to": ["ehr-mercy"],
            "values": [str(n) for n in range(first, last)],
            "on_miss": "ignore",
        }
        return client.post("/v1/crosswalk/translate", json=body, headers=headers)

    return ask


def alarms(database):
    with database.unit_of_work() as session:
        return fetch(session, "select detail from audit where action = 'crosswalk:walk' and outcome = 'alarm'")


def test_a_walk_is_told_once_and_ends(walker, database):
    assert walker(0, 999).status_code == 200
    assert alarms(database) == []
    assert walker(1_000, 1_500).status_code == 200
    assert alarms(database) == [({"asked": 1_499, "unknown": 1_499},)]
    assert walker(0, 10_000).status_code == 200
    answer = walker(0, 10_000)
    assert (answer.status_code, answer.json["code"]) == (429, "lookup_budget")
    assert 0 < int(answer.headers["Retry-After"]) <= 3_600
    assert len(alarms(database)) == 1
    assert walker(0, 10_000, "payer").status_code == 200


def test_asking_who_somebody_may_be_counts_too(clean_database, settings, key, monkeypatch):
    monkeypatch.setattr("api.budget.VALUES_MAX", 2)
    client = create_app(clean_database, dataclasses.replace(settings, lookup_budget=2, web_workers=1)).test_client()
    asked = {"json": {"attributes": {"family_name": "Rivera", "birth_date": "1980-02-29"}}, "headers": key("integration")}
    assert [client.post("/v1/patients/match", **asked).status_code for _ in range(3)] == [200, 200, 429]
    assert client.post("/v1/payers/match", **{**asked, "json": {"attributes": {"name": "Blue"}}}).status_code == 200


def test_an_hour_later_it_begins_anew(monkeypatch):
    spent, holder = Budget(10), new_id()
    spent.take(holder, 10)
    spent.take(new_id(), 10)
    with pytest.raises(OverBudget):
        spent.take(holder, 1)
    monkeypatch.setattr(budget, "WINDOW_SECONDS", -1)
    spent.take(holder, 1)


def test_work_with_few_unknown_values_is_no_walk():
    spent, holder = Budget(10_000), new_id()
    spent.take(holder, 4_000)
    assert spent.note_unknown(holder, 2_000) is None
    assert spent.note_unknown(holder, 1) is not None
    assert spent.note_unknown(holder, 500) is None
