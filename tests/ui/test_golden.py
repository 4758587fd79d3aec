"""The golden page: values with their reasons, identifiers, sources, history, and ids that were merged."""

from mdm.db import fetch


def test_a_value_says_where_it_comes_from_and_what_others_say(steward, deliver):
    deliver("payer", "ehr-north", {"name": "Harbor Health Plan", "city": "Bath"}, [("us-naic", "12345")], key="h1")
    made = deliver("payer", "billing-north", {"name": "Harbor Health Plan", "city": "Portland"}, [("us-naic", "12345")], key="h2")
    page = steward.get(f"/golden/payer/{made.golden_id}").text
    assert "the authoritative system for this attribute" in page or "whole" in page
    assert "billing-north h2" in page
    assert "us-naic" in page
    assert "Portland" in page
    assert "Bath" in page


def test_history_says_what_changed(steward, deliver):
    deliver("payer", "billing-north", {"name": "Harbor Health Plan", "city": "Bath"}, key="h1")
    made = deliver("payer", "billing-north", {"name": "Harbor Health Plan", "city": "Salem"}, key="h1")
    page = steward.get(f"/golden/payer/{made.golden_id}").text
    assert "<del>Bath</del>" in page
    assert "<ins>Salem</ins>" in page
    assert page.index("Version 2") < page.index("Version 1")


def test_a_patient_is_masked_in_values_sources_and_history(steward, review, database):
    with database.unit_of_work() as session:
        ids = [row[0] for row in fetch(session, "select id from golden_record")]
    for golden_id in ids:
        page = steward.get(f"/golden/patient/{golden_id}").text
        assert "1961" in page
        assert "1961-0" not in page
        assert "12 Oak" not in page
        assert "4410" not in page.replace("•", "") or "•4410" in page
        assert "123-45" not in page


def test_a_merged_id_leads_to_its_survivor_which_says_so(steward, review, database):
    with database.unit_of_work() as session:
        before = {row[0] for row in fetch(session, "select id from golden_record")}
    page = steward.get(review).text
    sent = {name: page.split(f'name="{name}" value="')[1].split('"')[0] for name in ("version", "idempotency_key", "candidate")}
    steward.post(f"{review}/decision", verdict="same", **sent)
    with database.unit_of_work() as session:
        old, survivor = fetch(session, "select id, merged_into from golden_record where status = 'merged'")[0]
    assert {old, survivor} == before
    answer = steward.get(f"/golden/patient/{old}")
    assert (answer.status_code, answer.location) == (302, f"/golden/patient/{survivor}?formerly={str(old)[-6:]}")
    assert f"Formerly #{str(old)[-6:]}" in steward.get(answer.location).text


def test_a_former_tag_that_is_none_is_not_shown(steward, deliver):
    golden_id = deliver("payer", "billing-north", {"name": "Harbor Health Plan"}).golden_id
    assert "Formerly" not in steward.get(f"/golden/payer/{golden_id}?formerly=%3Cb%3E1").text
