"""Deciding on a page: evidence and masked values side by side, verdicts, staleness, and what is kept when a decision is refused."""

import re

import pytest

from mdm.db import execute, fetch
from tests.ui.conftest import MARIA, MARIE, SSN


def field(page, name):
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    return found[1] if found else ""


def verdicts(page):
    return re.findall(r'name="verdict" value="([^"]+)"', page)


def state(database, path):
    with database.unit_of_work() as session:
        return fetch(session, "select status from task where id = %s", (path.rpartition("/")[2],))[0][0]


def form(steward, path):
    page = steward.get(path).text
    return {name: field(page, name) for name in ("version", "idempotency_key", "candidate") if field(page, name)}


def decide(steward, path, verdict, **fields):
    return steward.post(f"{path.partition('?')[0]}/decision", **{**form(steward, path), "verdict": verdict, **fields})


def test_a_review_shows_both_sides_with_evidence_and_masked_values(steward, review):
    page = steward.get(review).text
    assert "one digit off" in page
    assert "short form" in page
    assert "Total" in page
    assert "1961-•4-••" in re.sub("<[^>]+>", "", page)
    for hidden in ("1961-04-12", "123-45-4410", "123454410", "12 Oak"):
        assert hidden not in page


def test_the_weights_of_the_rows_add_up_to_the_total(steward, review):
    page = steward.get(review).text
    rows = [float(text.replace("\u2212", "-")) for text in re.findall(r'</svg><span class="code">([+\u2212][\d.]+)</span></td>', page)]
    prior = float(re.search(r"prior ([+\u2212][\d.]+)", page)[1].replace("\u2212", "-"))
    total = float(re.search(r'data-total="([-\d.]+)"', page)[1])
    assert len(rows) >= 5
    assert sum(rows) + prior == pytest.approx(total, abs=0.05 * (len(rows) + 1))
    assert "Would flip it" in page
    assert "linked without asking" in page


def test_an_overlay_shows_the_present_and_the_incoming_version_masked(steward, overlay):
    page = steward.get(overlay).text
    assert page.index("Present version") < page.index("Incoming version")
    assert "Okafor" in page
    assert "Zimmer" in page
    assert "1942-11-03" not in page
    assert "3 Elm" not in page
    assert verdicts(page) == ["accept", "reject"]


def test_a_cut_shows_its_parts_and_the_weight_of_every_pair(steward, cut):
    page = steward.get(cut).text
    assert "group 1: 1 record; group 2: 1 record" in page
    assert "weakest bridge" in page
    assert "Harbor Health Plan" in page
    assert verdicts(page) == ["accept", "reject"]


@pytest.mark.parametrize(("verdict", "goldens"), [("same", 1), ("different", 2)])
def test_a_review_is_decided(steward, review, database, verdict, goldens):
    answer = decide(steward, review, verdict, reason="same  guarantor\x00")
    assert (answer.status_code, answer.location) == (303, f"/tasks?decided={review[-6:]}")
    assert f"Decision on task #{review[-6:]} stored." in steward.get(answer.location).text
    with database.unit_of_work() as session:
        assert fetch(session, "select count(*) from golden_record where status = 'active'") == [(goldens,)]
        assert fetch(session, "select kind, actor, reason from decision") == [(verdict, steward.name, "same guarantor")]
    settled = steward.get(review).text
    assert "same guarantor" in settled
    assert verdicts(settled) == []


def test_who_only_looks_claims_nothing(browser, person, review, database):
    browser.enter_as(person("admin"))
    assert browser.post("/tasks/ahead").status_code == 200
    with database.unit_of_work() as session:
        assert fetch(session, "select count(*) from task where claimed_by is not null") == [(0,)]


def test_a_decision_about_records_out_of_scope_is_not_there_to_be_undone(steward, browser, person, review, database):
    decide(steward, review, "different")
    with database.unit_of_work() as session:
        decision = fetch(session, "select id from decision")[0][0]
    browser.enter_as(person(systems=["billing-north"]))
    assert browser.post(f"/decisions/{decision}/undo").status_code == 404


def test_a_part_that_is_refused_swaps_nothing_and_says_why(steward):
    part = {"HX-Request": "true"}
    answer = steward.client.get("/tasks/1", headers=part)
    assert (answer.status_code, answer.headers["HX-Reswap"], answer.text) == (404, "none", "")
    assert "Nothing here" in answer.headers["HX-Trigger"]


def test_link_only_joins_here_and_asks_the_system_to_merge(steward, deliver, open_task, database):
    deliver("patient", "ehr-north", MARIA, [("us-ssn", SSN)], key="m1")
    deliver("patient", "ehr-north", MARIE, key="m2")
    assert decide(steward, open_task("review"), "link-only", reason="two charts", digit="1").status_code == 303
    request = open_task("request")
    assert verdicts(steward.get(request).text) == ["done", "declined"]
    assert decide(steward, request, "done").status_code == 303
    assert state(database, request) == "settled"


def test_link_only_of_two_systems_is_refused_with_the_reason(steward, review, database):
    answer = decide(steward, review, "link-only", reason="two charts", digit="1")
    assert (answer.status_code, state(database, review)) == (422, "open")
    assert "no system has active records of more than one of them" in answer.text


@pytest.mark.parametrize("verdict", ["accept", "reject"])
@pytest.mark.parametrize("kind", ["overlay", "cut"])
def test_overlays_and_cuts_are_decided(steward, request, database, kind, verdict):
    path = request.getfixturevalue(kind)
    assert decide(steward, path, verdict, digit="1").status_code == 303
    assert state(database, path) == "settled"
    assert steward.get(path).status_code == 200


@pytest.mark.parametrize("verdict", ["accept", "reject"])
def test_an_overlay_whose_decision_is_taken_back_asks_again_where_it_asked(steward, overlay, verdict):
    decide(steward, overlay, verdict, digit="1")
    answer = steward.post("/decisions/undo")
    assert answer.location == overlay
    assert verdicts(steward.get(overlay).text) == ["accept", "reject"]


def test_a_decision_leads_to_the_next_task_of_its_kind(steward, review, deliver, open_task):
    deliver("patient", "ehr-mercy", {"given_name": "Frank", "family_name": "Boyle", "birth_date": "1950-02-03"})
    deliver("patient", "ehr-north", {"given_name": "Frank", "family_name": "Boyle", "birth_date": "1950-02-05"})
    other = open_task("review")
    assert other != review
    assert decide(steward, review, "different").location == f"{other}?decided={review[-6:]}"


def test_what_is_put_off_or_asked_is_not_called_decided(steward, other, review, overlay):
    answer = steward.post(f"{overlay}/defer", until="2")
    assert answer.location == f"{review}?decided={overlay[-6:]}&outcome=rests"
    assert f"Task #{overlay[-6:]} rests" in steward.get(answer.location).text
    answer = steward.post(f"{review}/ask", whom=other.name, body="Are they one?")
    assert answer.location == f"/tasks?decided={review[-6:]}&outcome=rests"
    page = steward.get(answer.location).text
    assert f"Task #{review[-6:]} rests" in page
    assert "stored" not in page


def test_a_decision_on_a_closed_task_loses_nothing_that_was_typed(steward, other, review):
    seen = form(other, review)
    decide(steward, review, "different")
    answer = other.post(f"{review}/decision", verdict="same", reason="typed with care", **seen)
    assert answer.status_code == 409
    assert "already closed" in answer.text
    assert "typed with care" in answer.text


def test_a_stale_decision_is_refused_and_loses_nothing(steward, review, database):
    seen = form(steward, review)
    with database.unit_of_work() as session:
        execute(session, "update task set version = version + 1")
    answer = steward.post(f"{review}/decision", verdict="different", reason="typed with care", **seen)
    assert answer.status_code == 412
    assert "changed while you had it open" in answer.text
    assert "typed with care" in answer.text
    assert int(field(answer.text, "version")) == int(seen["version"]) + 1
    assert state(database, review) == "open"


def test_a_form_sent_twice_decides_once_and_is_answered_twice(steward, review, database):
    seen = form(steward, review)
    answers = [steward.post(f"{review}/decision", verdict="different", **seen) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    with database.unit_of_work() as session:
        assert fetch(session, "select count(*) from decision") == [(1,)]
    other = steward.post(f"{review}/decision", verdict="same", **seen)
    assert (other.status_code, "key stood for another form" in other.text) == (409, True)


def test_a_settled_task_is_not_decided_again(steward, review):
    seen = form(steward, review)
    decide(steward, review, "different")
    answer = steward.post(f"{review}/decision", verdict="same", **{**seen, "idempotency_key": "another-key"})
    assert answer.status_code == 409
    assert "already closed" in answer.text


NOBODY = "00000000-0000-7000-8000-000000000000"


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"verdict": ""}, 422),
        ({"verdict": "accept"}, 422),
        ({"verdict": "same", "candidate": "nonsense"}, 404),
        ({"verdict": "same", "candidate": NOBODY}, 422),
        ({"verdict": "different", "version": ""}, 428),
        ({"verdict": "different", "idempotency_key": ""}, 428),
        ({"verdict": "different", "version": "9" * 50}, 412),
        ({"verdict": "different", "version": "²"}, 412),
        ({"verdict": "different", "reason": "x" * 2001}, 422),
        ({"verdict": "same", "pick-given_name": NOBODY}, 412),
    ],
)
def test_a_bad_decision_is_refused_and_nothing_is_written(steward, review, database, fields, status):
    assert decide(steward, review, **fields).status_code == status
    assert state(database, review) == "open"


def test_a_decision_without_the_token_or_from_elsewhere_is_refused(steward, review, database):
    fields = {"verdict": "different", **form(steward, review)}
    assert steward.client.post(f"{review}/decision", data=fields, headers={"Sec-Fetch-Site": "same-origin"}).status_code == 403
    assert steward.post(f"{review}/decision", headers={"Sec-Fetch-Site": "cross-site"}, **fields).status_code == 403
    assert state(database, review) == "open"


def test_who_may_only_read_sees_no_buttons_and_cannot_decide(browser, person, review, database):
    browser.enter_as(person("admin", grants=["phi"]))
    page = browser.get(review)
    assert page.status_code == 200
    assert verdicts(page.text) == []
    assert browser.post(f"{review}/decision", verdict="different", version="1", idempotency_key="12345678").status_code == 403
    assert state(database, review) == "open"


def test_a_review_of_several_candidates_shows_one_and_names_the_others(steward, deliver, open_task):
    deliver("patient", "billing-north", {"given_name": "Frank", "family_name": "Boyle", "birth_date": "1950-02-03"})
    deliver("patient", "ehr-mercy", {"given_name": "Frank", "family_name": "Boyle", "birth_date": "1950-02-28"})
    deliver("patient", "ehr-north", {"given_name": "Frank", "family_name": "Boyle", "birth_date": "1950-02-08"})
    path = open_task("review")
    page = steward.get(path).text
    other = re.search(r"candidate=([0-9a-f-]{36})", page)[1]
    assert other != field(page, "candidate")
    assert "stay possible" in page
    assert field(steward.get(f"{path}?candidate={other}").text, "candidate") == other


def test_every_comparison_read_of_a_patient_is_audited(steward, review, database):
    steward.get(review)
    with database.unit_of_work() as session:
        found = {row[0] for row in fetch(session, "select action from audit where principal = %s", (steward.name,))}
    assert {"task:read", "pair:read"} <= found


LONG = "to the north office " * 200


def test_a_refused_question_or_comment_comes_back_as_it_was_typed(steward, other, review):
    asked = steward.post(f"{review}/ask", whom=other.name, body=LONG)
    assert asked.status_code == 422
    assert f'value="{LONG}"' in asked.text
    assert f"<option selected>{other.name}</option>" in asked.text
    assert "1 to 2000 characters" in asked.text
    said = steward.post(f"{review}/comment", body=LONG)
    assert (said.status_code, said.text.count(LONG)) == (422, 1)
    nobody = steward.post(f"{review}/ask", whom="nobody", body="sure?")
    assert (nobody.status_code, 'value="sure?"' in nobody.text) == (422, True)


@pytest.mark.parametrize("act", ["ask", "comment"])
def test_what_is_said_of_a_task_that_was_closed_meanwhile_is_not_lost(steward, other, review, act):
    decide(other, review, "different")
    answer = steward.post(f"{review}/{act}", whom=other.name, body="sure?")
    assert (answer.status_code, "<q>sure?</q>" in answer.text) == (409, True)


@pytest.mark.parametrize(("act", "field"), [("ask", "body"), ("comment", "body"), ("decision", "reason")])
def test_whoever_may_no_longer_decide_keeps_what_they_typed(enter, review, act, field):
    reader = enter("admin", grants=["phi"])
    answer = reader.post(f"{review}/{act}", verdict="same", version="1", idempotency_key="k" * 20, whom="x", **{field: "sure?"})
    assert (answer.status_code, "<q>sure?</q>" in answer.text) == (403, True)
