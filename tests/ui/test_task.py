"""Deciding on a page: evidence and masked values side by side, verdicts, staleness, and what is kept when a decision is refused."""

import re

import pytest

from mdm.db import execute, fetch


def version(page):
    return re.search(r'name="if_match" value="(\d+)"', page)[1]


def rulings(page):
    return re.findall(r'name="ruling" value="([^"]+)"', page)


def state(database, path):
    with database.unit_of_work() as session:
        return fetch(session, "select status from task where id = %s", (path.rpartition("/")[2],))[0][0]


def decide(steward, path, ruling, **fields):
    fields.setdefault("if_match", version(steward.get(path).text))
    return steward.post(f"{path}/decision", ruling=ruling, **fields)


def test_a_review_shows_both_sides_with_evidence_and_masked_values(steward, review):
    page = steward.get(review).text
    assert "Subject" in page
    assert "Candidate 1" in page
    assert "birth date: one digit off" in page
    assert "given name: short form" in page
    assert "family name: same" in page
    assert "Total" in page
    assert "1961" in page
    assert "1961-04-12" not in page
    assert "123-45-4410" not in page
    assert "12 Oak" not in page


def test_a_review_shows_the_sum_and_what_would_turn_it(steward, review):
    page = steward.get(review).text
    why = page[page.index("<details>") : page.index("</details>", page.index("<details>"))]
    steps = [
        float(text.replace("\u2212", "-")) for text in re.findall(r'<td class="number">([+\u2212][\d.]+)</td><td class="number">', why)
    ]
    start, *_, last = re.findall(r'<td class="number">([+\u2212][\d.]+)</td><td>', why)
    assert len(steps) >= 5
    assert sum(steps) + float(start.replace("\u2212", "-")) == pytest.approx(
        float(last.replace("\u2212", "-")), abs=0.05 * (len(steps) + 2)
    )
    assert re.search(r"If birth date were &#39;same&#39; instead of &#39;one digit off&#39;: \+[\d.]+, linked without asking", why)
    assert "Said nothing: social security number" in why
    assert "maria" not in why


def test_a_sum_of_another_model_is_not_shown(steward, review, database):
    with database.unit_of_work() as session:
        execute(session, "update edge set evidence = jsonb_set(evidence, '{items,0,weight}', '0.5')")
    page = steward.get(review).text
    assert "The model has changed since" in page
    assert "instead of" not in page


def test_an_overlay_shows_the_present_and_the_incoming_version_masked(steward, overlay):
    page = steward.get(overlay).text
    assert page.index("Present version") < page.index("Incoming version")
    assert "Okafor" in page
    assert "Zimmer" in page
    assert "1942-11-03" not in page
    assert "3 Elm" not in page
    assert rulings(page) == ["accept", "reject"]


def test_a_cut_shows_its_parts(steward, cut):
    page = steward.get(cut).text
    assert "Part 1" in page
    assert "Part 2" in page
    assert "Tidal Group" in page
    assert rulings(page) == ["accept", "reject"]


@pytest.mark.parametrize(("verdict", "goldens"), [("same", 1), ("different", 2)])
def test_a_review_is_decided(steward, review, database, verdict, goldens):
    ruling = next(each for each in rulings(steward.get(review).text) if each.startswith(verdict))
    answer = decide(steward, review, ruling, reason="same  guarantor\x00")
    assert (answer.status_code, answer.location) == (303, f"/tasks?decided={review[-6:]}")
    assert f"Decision on task #{review[-6:]} stored." in steward.get(answer.location).text
    with database.unit_of_work() as session:
        assert fetch(session, "select count(*) from golden_record where status = 'active'") == [(goldens,)]
        assert fetch(session, "select kind, actor, reason from decision") == [(verdict, steward.name, "same guarantor")]
    settled = steward.get(review).text
    assert "same guarantor" in settled
    assert rulings(settled) == []


@pytest.mark.parametrize("verdict", ["accept", "reject"])
@pytest.mark.parametrize("kind", ["overlay", "cut"])
def test_overlays_and_cuts_are_decided(steward, request, database, kind, verdict):
    path = request.getfixturevalue(kind)
    assert decide(steward, path, verdict).status_code == 303
    assert state(database, path) == "settled"
    assert steward.get(path).status_code == 200


def test_a_decision_leads_to_the_next_task_of_its_kind(steward, review, deliver, open_task):
    deliver("patient", "ehr-mercy", {"given_name": "Frank", "family_name": "Boyle", "birth_date": "1950-02-03"})
    deliver("patient", "ehr-north", {"given_name": "Frank", "family_name": "Boyle", "birth_date": "1950-02-05"})
    other = open_task("review")
    assert other != review
    assert decide(steward, review, "different").location == f"{other}?decided={review[-6:]}"


def test_a_stale_decision_is_refused_and_loses_nothing(steward, review, database):
    seen = version(steward.get(review).text)
    with database.unit_of_work() as session:
        execute(session, "update task set version = version + 1")
    answer = decide(steward, review, "different", if_match=seen, reason="typed with care")
    assert answer.status_code == 412
    assert "changed while you had it open" in answer.text
    assert "typed with care" in answer.text
    assert int(version(answer.text)) == int(seen) + 1
    assert state(database, review) == "open"


def test_a_settled_task_is_not_decided_again(steward, review):
    seen = version(steward.get(review).text)
    decide(steward, review, "different")
    answer = steward.post(f"{review}/decision", ruling="same", if_match=seen)
    assert answer.status_code == 409
    assert "already closed" in answer.text


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"ruling": ""}, 422),
        ({"ruling": "accept"}, 422),
        ({"ruling": "same nonsense"}, 404),
        ({"ruling": "same 00000000-0000-7000-8000-000000000000"}, 422),
        ({"ruling": "different", "if_match": ""}, 412),
        ({"ruling": "different", "if_match": "9" * 50}, 412),
        ({"ruling": "different", "if_match": "²"}, 412),
        ({"ruling": "different", "reason": "x" * 2001}, 422),
    ],
)
def test_a_bad_decision_is_refused_and_nothing_is_written(steward, review, database, fields, status):
    assert decide(steward, review, **fields).status_code == status
    assert state(database, review) == "open"


def test_a_decision_without_the_token_or_from_elsewhere_is_refused(steward, review, database):
    fields = {"ruling": "different", "if_match": version(steward.get(review).text)}
    assert steward.client.post(f"{review}/decision", data=fields, headers={"Sec-Fetch-Site": "same-origin"}).status_code == 403
    assert steward.post(f"{review}/decision", headers={"Sec-Fetch-Site": "cross-site"}, **fields).status_code == 403
    assert state(database, review) == "open"


def test_who_may_only_read_sees_no_buttons_and_cannot_decide(browser, person, review, database):
    browser.enter_as(person("admin", grants=["phi"]))
    page = browser.get(review)
    assert page.status_code == 200
    assert rulings(page.text) == []
    assert browser.post(f"{review}/decision", ruling="different", if_match="1").status_code == 403
    assert state(database, review) == "open"


def test_a_review_of_several_candidates_asks_of_each(steward, deliver, open_task):
    deliver("patient", "billing-north", {"given_name": "Frank", "family_name": "Boyle", "birth_date": "1950-02-03"})
    deliver("patient", "ehr-mercy", {"given_name": "Frank", "family_name": "Boyle", "birth_date": "1950-02-28"})
    deliver("patient", "ehr-north", {"given_name": "Frank", "family_name": "Boyle", "birth_date": "1950-02-08"})
    page = steward.get(open_task("review")).text
    candidates = {each.split(" ")[1] for each in rulings(page) if " " in each}
    assert len(candidates) == 2
    assert rulings(page)[-1] == "different"


def test_every_comparison_read_of_a_patient_is_audited(steward, review, database):
    steward.get(review)
    with database.unit_of_work() as session:
        found = {row[0] for row in fetch(session, "select action from audit where principal = %s", (steward.name,))}
    assert {"task:read", "golden:read"} <= found
