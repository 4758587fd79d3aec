"""The page of a golden record: values with their reasons, pins, relationships, history, looking back, and ids that were merged."""

import re

import pytest

from mdm.db import execute, fetch


def test_a_value_says_where_it_comes_from_and_what_others_say(steward, deliver):
    deliver("payer", "ehr-north", {"name": "Harbor Health Plan", "city": "Bath"}, [("us-naic", "12345")], key="h1")
    made = deliver("payer", "billing-north", {"name": "Harbor Health Plan", "city": "Portland"}, [("us-naic", "12345")], key="h2")
    page = steward.get(f"/records/payer/{made.golden_id}").text
    assert "the authoritative system for this attribute" in page or "whole" in page
    assert re.search(r"billing-north</bdi></span> <bdi[^>]*>h2<", page)
    assert "us-naic" in page
    assert "Portland" in page
    assert "Bath" in page


def test_history_says_what_changed(steward, deliver):
    deliver("payer", "billing-north", {"name": "Harbor Health Plan", "city": "Bath"}, key="h1")
    made = deliver("payer", "billing-north", {"name": "Harbor Health Plan", "city": "Salem"}, key="h1")
    page = steward.get(f"/records/payer/{made.golden_id}/history").text
    assert "<del>Bath</del>" in page
    assert "<ins>Salem</ins>" in page
    assert page.index("<strong>Version 2") < page.index("<strong>Version 1")


def test_a_patient_is_masked_in_values_sources_and_history(steward, review, database):
    with database.unit_of_work() as session:
        ids = [row[0] for row in fetch(session, "select id from golden_record")]
    for path in [f"/records/patient/{golden_id}{tab}" for golden_id in ids for tab in ("", "/sources", "/identifiers", "/history")]:
        page = steward.get(path).text
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
    answer = steward.get(f"/records/patient/{old}")
    assert (answer.status_code, answer.location) == (302, f"/records/patient/{survivor}?formerly={str(old)[-6:]}")
    assert f"Formerly #{str(old)[-6:]}" in steward.get(answer.location).text


def test_a_former_tag_that_is_none_is_not_shown(steward, deliver):
    golden_id = deliver("payer", "billing-north", {"name": "Harbor Health Plan"}).golden_id
    assert "Formerly" not in steward.get(f"/records/payer/{golden_id}?formerly=%3Cb%3E1").text


@pytest.fixture
def harbor(deliver):
    """Two source records of one payer that differ in their city."""
    deliver("payer", "ehr-north", {"name": "Harbor Health Plan", "city": "Bath"}, [("us-naic", "12345")], key="h1")
    return deliver("payer", "billing-north", {"name": "Harbor Health Plan", "city": "Portland"}, [("us-naic", "12345")], key="h2").golden_id


def version(page):
    return re.search(r'name="if_match" value="(\d+)"', page)[1]


def test_a_pinned_value_holds_until_it_is_taken_back(steward, harbor):
    at = f"/records/payer/{harbor}"
    before = steward.get(at).text
    pinned = steward.post(f"{at}/pins/city", **{"value-city": "Augusta", "reason-city": "said on the phone", "if_match": version(before)})
    assert (pinned.status_code, pinned.location) == (303, at)
    page = steward.get(at).text
    assert "Pinned 1" in page
    assert "Augusta" in page
    assert "said on the phone" in steward.get(f"{at}/history").text
    assert steward.post(f"{at}/pins/city/end", **{"reason-city": "wrong after all"}).status_code == 303
    assert "Augusta" not in steward.get(at).text


def test_a_masked_text_is_no_value_and_a_record_is_chosen_instead(steward, deliver):
    said = {"given_name": "Maria", "family_name": "Grayson", "birth_date": "1961-04-12"}
    at = f"/records/patient/{deliver('patient', 'ehr-north', said, key='p1').golden_id}"
    page = steward.get(at).text
    assert "1961-04-12" not in page
    masked = steward.post(f"{at}/pins/birth_date", **{"value-birth_date": "1961", "reason-birth_date": "x", "if_match": version(page)})
    assert masked.status_code == 422
    assert "as it is masked" in masked.text
    record = re.search(r'name="record-birth_date"><option value="([^"]+)">ehr-north p1', page)[1]
    chosen = steward.post(f"{at}/pins/birth_date", **{"record-birth_date": record, "reason-birth_date": "x", "if_match": version(page)})
    assert chosen.status_code == 303


def test_a_stale_pin_changes_nothing_and_keeps_what_was_typed(steward, harbor):
    at = f"/records/payer/{harbor}"
    answer = steward.post(f"{at}/pins/city", **{"value-city": "Augusta", "reason-city": "x", "if_match": "99"})
    assert answer.status_code == 412
    assert "nothing was stored" in answer.text
    assert 'value="Augusta"' in answer.text
    assert "Pinned 1" not in steward.get(at).text


def test_a_decision_is_taken_back_from_the_history(steward, harbor):
    at = f"/records/payer/{harbor}"
    steward.post(f"{at}/pins/city", **{"value-city": "Augusta", "if_match": version(steward.get(at).text)})
    undo = re.search(rf'action="({at}/decisions/[^"]+/undo)"', steward.get(f"{at}/history").text)[1]
    assert steward.post(undo).status_code == 303
    assert "taken back" in steward.get(f"{at}/history").text
    assert "Augusta" not in steward.get(at).text


def test_looking_back_shows_what_was_and_offers_nothing(steward, harbor, deliver):
    at = f"/records/payer/{harbor}"
    link = re.search(rf'href="({at}\?known_at=[^"]+)"', steward.get(f"{at}/history").text)[1]
    deliver("payer", "billing-north", {"name": "Harbor Health Plan", "city": "Augusta"}, [("us-naic", "12345")], key="h2")
    page = steward.get(link).text
    assert "You are looking at" in page
    assert "Augusta" not in page
    assert "Pin city" not in page
    assert steward.get(f"{at}?as_of=yesterday").status_code == 422
    assert steward.get(f"{at}?known_at=1999-01-01").status_code == 404


def test_two_moments_are_compared(steward, deliver):
    deliver("payer", "billing-north", {"name": "Harbor Health Plan", "city": "Bath"}, key="h1")
    golden = deliver("payer", "billing-north", {"name": "Harbor Health Plan", "city": "Salem"}, key="h1").golden_id
    page = steward.get(f"/records/payer/{golden}/history").text
    first = re.findall(r'<option value="([^"]+Z)"', page)[-1]
    compared = steward.get(f"/records/payer/{golden}/history?from={first}&to=").text
    assert re.search(r"<del><bdi[^>]*>Bath</bdi></del>.*<ins><bdi[^>]*>Salem</bdi></ins>", compared, re.DOTALL)


def test_a_relationship_is_found_added_and_ended(steward, deliver):
    part = deliver("payer", "billing-north", {"name": "Harbor Health Plan"}, key="h1").golden_id
    parent = deliver("payer", "billing-north", {"name": "Tidal Insurance Group"}, key="t1").golden_id
    at = f"/records/payer/{part}/relationships"
    found = steward.post(f"{at}/find", type="subsidiary_of", text="tidal").text
    assert f'value="{parent}"' in found
    assert steward.post(at, type="subsidiary_of", target=str(parent), tree="main", reason="annual report").status_code == 303
    page = steward.get(at).text
    assert "Tidal Insurance Group" in page
    assert "annual report" in page
    assert "Harbor Health Plan" in steward.get(f"/records/payer/{parent}/relationships").text
    end = re.search(rf'action="({at}/[^"]+/end)"', page)[1]
    assert steward.post(end).status_code == 303
    assert "annual report" not in steward.get(at).text


def test_a_relationship_that_is_refused_loses_nothing(steward, deliver):
    part = deliver("payer", "billing-north", {"name": "Harbor Health Plan"}, key="h1").golden_id
    parent = deliver("payer", "billing-north", {"name": "Tidal Insurance Group"}, key="t1").golden_id
    dates = {"valid_from": "2026-03-31", "valid_to": "2026-03-01"}
    at = f"/records/payer/{part}/relationships"
    answer = steward.post(at, type="subsidiary_of", text="tidal", target=str(parent), tree="legal", reason="annual report", **dates)
    assert answer.status_code == 422
    assert "the last day lies before the first" in answer.text
    assert f'value="{parent}" checked' in answer.text
    for name, value in {**dates, "tree": "legal", "reason": "annual report"}.items():
        assert re.search(f'name="{name}" type="[a-z]+" value="{value}"', answer.text), name


def test_a_loop_is_refused_in_words(steward, deliver):
    part = deliver("payer", "billing-north", {"name": "Harbor Health Plan"}, key="h1").golden_id
    parent = deliver("payer", "billing-north", {"name": "Tidal Insurance Group"}, key="t1").golden_id
    steward.post(f"/records/payer/{part}/relationships", type="subsidiary_of", target=str(parent), reason="x")
    answer = steward.post(f"/records/payer/{parent}/relationships", type="subsidiary_of", target=str(part), reason="x")
    assert answer.status_code == 409
    assert 'role="alert"' in answer.text


def test_who_only_reads_can_change_nothing(browser, person, harbor):
    browser.enter_as(person("admin"))
    at = f"/records/payer/{harbor}"
    assert "Pin city" not in browser.get(at).text
    assert browser.post(f"{at}/pins/city", **{"value-city": "Augusta", "if_match": "1"}).status_code == 403
    assert browser.post(f"{at}/relationships", type="subsidiary_of", target=str(harbor), reason="x").status_code == 403


def test_an_open_break_glass_shows_values_whole(steward, database, deliver):
    golden = deliver(
        "patient", "ehr-north", {"given_name": "Zoe", "family_name": "Quill", "birth_date": "1999-09-08", "sex": "F"}
    ).golden_id
    assert "1999-09-08" not in steward.get(f"/records/patient/{golden}").text
    with database.unit_of_work() as session:
        execute(session, "update user_session set factor_at = now()")
    steward.post("/break-glass", domain="patient", reason="urgent transfusion", ticket="INC-1", minutes="15")
    for tab in ("", "/sources", "/history"):
        assert "1999-09-08" in steward.get(f"/records/patient/{golden}{tab}").text
