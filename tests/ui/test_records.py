"""Searching records: what is found, by whom, masked how; and that no address ever holds what was asked."""

import pytest

from mdm.db import execute, fetch
from mdm.worker import sweep
from tests.ui.conftest import MARIA, SSN, Browser


@pytest.fixture
def maria(deliver):
    return deliver("patient", "ehr-north", MARIA, [("us-ssn", SSN)], key="m1").golden_id


def search(browser, text, domain=""):
    return browser.post("/records/search", text=text, domain=domain)


def test_a_search_has_an_address_that_says_nothing_of_it(steward, maria):
    answer = search(steward, "Grayson")
    assert answer.status_code == 303
    assert answer.location.startswith("/records/search/")
    assert "rayson" not in answer.location
    page = steward.get(answer.location).text
    assert f"/records/patient/{maria}" in page
    assert "1 record<" in page
    assert "Grayson" in page
    assert "1961-04-12" not in page
    assert "Grayson" not in page.split("</title>")[0]


@pytest.mark.parametrize("number", ["m1", SSN, "123454410"])
def test_a_whole_number_or_key_finds_its_record(steward, maria, number):
    page = steward.get(search(steward, number).location).text
    assert f"/records/patient/{maria}" in page
    assert "123-45" not in page.replace(f'value="{number}"', "")


def test_a_part_of_a_number_finds_nobody(steward, maria):
    assert f"/records/patient/{maria}" not in steward.get(search(steward, "4410").location).text


def test_a_golden_id_opens_its_record(steward, maria):
    assert search(steward, str(maria)).location == f"/records/patient/{maria}"


def test_a_search_is_its_owners_alone_and_a_day_old_at_most(app, database, person, steward, maria):
    found = search(steward, "Grayson").location
    other = Browser(app, database)
    other.enter_as(person("steward"))
    assert other.get(found).status_code == 404
    assert "Grayson" in steward.get("/records").text
    with database.unit_of_work() as session:
        execute(session, "update record_search set created_at = now() - interval '25 hours'")
    assert steward.get(found).status_code == 404
    assert "Grayson" not in steward.get("/records").text
    sweep(database, lambda _job, _queue: None)
    with database.unit_of_work() as session:
        assert fetch(session, "select count(*) from record_search") == [(0,)]


def test_systems_out_of_scope_find_nothing(browser, person, maria):
    browser.enter_as(person(systems=["ehr-mercy"]))
    for text in ("Grayson", "m1", SSN):
        assert f"/records/patient/{maria}" not in browser.get(search(browser, text).location).text


def test_domains_out_of_scope_are_not_searched(browser, person, maria):
    browser.enter_as(person(domains=["payer"]))
    assert f"/records/patient/{maria}" not in browser.get(search(browser, "Grayson").location).text
    assert search(browser, "Grayson", "patient").status_code == 403


@pytest.mark.parametrize("text", ["", " ", "x" * 300])
def test_what_asks_for_nothing_is_refused_on_the_page(steward, text):
    answer = search(steward, text)
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text


def test_further_pages_are_searches_of_their_own(steward, deliver):
    for number in range(52):
        deliver("payer", "billing-north", {"name": f"Harbor {number:02d} Plan {number * 7919}"}, key=f"p{number}")
    first = search(steward, "Harbor", "payer").location
    assert "50 or more records" in steward.get(first).text
    second = steward.post(f"{first}/next").location
    assert second != first
    assert "2 records" in steward.get(second).text
    assert steward.post(f"{second}/next").status_code == 404


def test_reading_a_list_of_patients_is_audited(steward, database, maria):
    found = search(steward, "Grayson").location
    steward.get(found)
    with database.unit_of_work() as session:
        actions = {
            row[0] for row in fetch(session, "select action from audit where domain = 'patient' and principal = %s", (steward.name,))
        }
    assert {"golden:search", "golden:list"} <= actions
