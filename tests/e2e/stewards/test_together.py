"""Two people at one task, and what a second person must not see."""

import re

import pytest

from mdm.db import execute
from tests.e2e.stewards.conftest import until
from tests.e2e.stewards.scenes import payer_pairs
from tests.e2e.stewards.test_deciding import ahead, ready, soon

MINE = "document.querySelector('#claim[data-claimed=mine]') !== null"


@pytest.fixture
def task(deliver, count):
    deliver("payer", *payer_pairs(1))
    return f"/tasks/{count('select id from task')}"


def test_the_second_sees_the_claim_and_a_stale_decision_keeps_what_was_typed(task, person, browse, world, count):
    first, second = browse(person("ann")), browse(person("ben"))
    first.page.goto(task)
    until(first.page, MINE)
    second.page.goto(task)
    until(second.page, "document.querySelector('#claim').textContent.includes('ann has this open')", seconds=5)
    with world.unit_of_work() as session:
        execute(session, "update task set version = version + 1")
    until(first.page, "document.querySelector('#claim').textContent.includes('changed')", seconds=8)
    first.allowed.add(412)
    first.page.click("summary:has-text('Reason')")
    first.page.fill("#reason", "typed with care")
    first.page.keyboard.press("Escape")
    first.page.keyboard.press("n")
    until(first.page, "document.querySelector('#problem') !== null")
    assert "changed while you had it open" in first.page.text_content("#problem")
    assert first.page.input_value("#reason") == "typed with care"
    assert count("select count(*) from decision") == 0


def test_a_decision_on_what_another_has_decided_is_never_said_to_be_done(deliver, person, browse, count):
    deliver("payer", *payer_pairs(6))
    ann, ben = browse(person("ann")), browse(person("ben"))
    ann.page.goto("/tasks")
    ann.page.keyboard.press("Enter")
    ready(ann.page)
    task = ann.page.get_attribute("#item", "data-task")
    ben.page.goto(f"/tasks/{task}")
    ahead(ben.page)
    ben.page.wait_for_timeout(200)
    ann.page.keyboard.press("n")
    soon(lambda: count("select count(*) from decision") == 1)
    ben.allowed.add(409)
    ben.page.click("summary:has-text('Reason')")
    ben.page.fill("#reason", "typed with care")
    ben.page.keyboard.press("Escape")
    ben.page.keyboard.press("m")
    until(ben.page, "document.querySelector('#problem') !== null")
    until(ben.page, "document.querySelector('#live').textContent.includes('already closed')")
    assert ben.page.text_content("#toast") == ben.page.text_content("#live") == ben.page.text_content("#problem").strip()
    assert "typed with care" in ben.page.text_content("#item")
    assert ben.page.get_attribute("#item", "data-task") == task
    assert ben.page.url.endswith(f"/tasks/{task}")
    assert count("select kind from decision") == "different"


def test_a_grave_decision_is_a_proposal_that_the_second_person_does_not_see(task, person, browse, world, count):
    with world.unit_of_work() as session:  # thirty keys of other systems hang on the two
        execute(
            session,
            "insert into xref (domain, system_id, value, golden_id, status, own, exclusive, pending)"
            " select 'payer', (select id from identifier_system limit 1), 'k' || n, (select min(golden_id::text)::uuid from link),"
            " 'active', true, false, false from generate_series(1, 30) n",
        )
    ann, ben = browse(person("ann")), browse(person("ben"))
    ann.page.goto(task)
    until(ann.page, MINE)
    ann.page.wait_for_timeout(200)
    ann.page.keyboard.press("m")
    until(ann.page, "location.pathname === '/tasks'")
    assert (count("select count(*) from proposal"), count("select count(*) from decision")) == (1, 0)
    ann.page.goto(task)
    assert "second person" in ann.page.text_content("#item")
    sent = {"verdict": "same", "version": "1", "idempotency_key": "by hand, again", "csrf": ann.page.get_attribute("body", "data-csrf")}
    by_hand = "async ([url, body]) => (await fetch(url, {method: 'POST', body: new URLSearchParams(body)})).status"
    ann.allowed.add(403)
    assert ann.page.evaluate(by_hand, [f"{task}/decision", sent]) == 403
    seen = []
    ben.page.on("response", lambda answer: seen.append(answer.text() if "/tasks" in answer.url and answer.status == 200 else ""))
    ben.page.goto(task)
    until(ben.page, MINE)
    assert "proposed here" in ben.page.text_content("#item")
    assert not any(re.search("ann (said|proposed)|proposed (same|different)", text) for text in [*seen, ben.page.content()])
    ben.page.wait_for_timeout(200)
    ben.page.keyboard.press("m")
    until(ben.page, "location.pathname === '/tasks'")
    assert count("select status from proposal") == "agreed"
    assert count("select kind from decision") == "same"
    assert "two people say the same" in ben.page.text_content("main")


def test_a_disagreement_about_the_last_task_of_a_list_is_seen(task, person, browse, count):
    ann, ben = browse(person("ann")).page, browse(person("ben")).page
    for page, keys in ((ann, "em"), (ben, "n")):
        page.goto(f"{task}?list=kind%3Dreview")
        until(page, MINE)
        page.wait_for_timeout(200)
        for key in keys:
            page.keyboard.press(key)
        until(page, "location.pathname === '/tasks'")
        page.wait_for_selector("#worklist .note")
        assert page.url.endswith("&kind=review")
    assert "a second person decides" in ann.text_content("#worklist .note")
    assert "disagree; see its comments" in ben.text_content("#worklist .note")
    assert "disagree; see its comments" in ben.text_content("#live")
    assert count("select count(*) from decision") == 0
