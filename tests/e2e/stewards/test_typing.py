"""What somebody types in a real browser decides nothing by itself, and is there again when it could not be stored."""

import pytest

from mdm.db import execute
from tests.e2e.stewards import scenes
from tests.e2e.stewards.conftest import PASSWORD
from tests.e2e.stewards.scenes import payer_pairs
from tests.e2e.stewards.test_deciding import DECIDED, ready
from tests.e2e.stewards.test_looking import BENCH, FLOOR_MS, RESOLVED

WRITTEN = "select count(*) from task_comment where body = 'ask the north office'"


@pytest.fixture
def pair(deliver, person, browse):
    """(page of a task, its watch, who looks at it)"""
    deliver("payer", *payer_pairs(2))
    name = person()
    watched = browse(name)
    watched.page.goto("/tasks")
    watched.page.keyboard.press("Enter")
    ready(watched.page)
    return watched.page, watched, name


def test_enter_in_the_note_of_a_code_decides_nothing(world, deliver, person, browse, count):
    scenes.wards(world, deliver, 2)
    page = browse(person()).page
    page.goto(BENCH)
    page.wait_for_timeout(FLOOR_MS)
    code = page.text_content("h2#code")
    page.fill("#reason", "as the ward says")
    page.press("#reason", "Enter")
    page.wait_for_timeout(500)
    assert (count(RESOLVED), page.text_content("h2#code"), page.input_value("#reason")) == (0, code, "as the ward says")


@pytest.mark.parametrize("scripts", [True, False])
def test_enter_in_the_reason_of_a_decision_decides_nothing(deliver, person, browse, count, scripts):
    deliver("payer", *payer_pairs(2))
    page = browse(person(), java_script_enabled=scripts).page
    page.goto("/tasks")
    page.click(".tasks th a")
    page.click("details.reason summary")
    page.fill("#reason", "their own card")
    page.press("#reason", "Enter")
    page.wait_for_timeout(300)
    assert (count(DECIDED), page.input_value("#reason")) == (0, "their own card")


def end_sessions(world):
    with world.unit_of_work() as session:
        execute(session, "delete from user_session")


def sign_in_again(page, name):
    page.wait_for_selector("#password")
    page.fill("#name", name)
    page.fill("#password", PASSWORD)
    page.click("main button.main")


def test_a_comment_sent_after_the_session_ended_is_sent_after_signing_in(pair, world, count):
    page, watched, name = pair
    watched.allowed.add(401)
    task = page.get_attribute("#item", "data-task")
    page.keyboard.press("c")
    page.fill("#comment", "ask the north office")
    end_sessions(world)
    page.press("#comment", "Enter")
    sign_in_again(page, name)
    page.wait_for_selector("text=ask the north office")
    assert count(WRITTEN) == 0
    page.click("main button.main")
    page.wait_for_url(f"**/tasks/{task}")
    assert count(WRITTEN) == 1


def test_what_is_being_typed_when_the_session_ends_is_kept(pair, world, count):
    page, watched, name = pair
    watched.allowed.add(401)
    page.keyboard.press("c")
    page.fill("#comment", "ask the north office")
    end_sessions(world)
    page.wait_for_selector("#password", timeout=8000)  # the page asks by itself whether the task is as it was
    sign_in_again(page, name)
    page.click("main button.main")
    page.wait_for_selector("ol.thread >> text=ask the north office")
    assert count(WRITTEN) == 1


def test_a_mapping_sent_after_the_session_ended_keeps_its_note(world, deliver, person, browse, count):
    scenes.wards(world, deliver, 2)
    name = person()
    watched = browse(name)
    watched.allowed.add(401)
    page = watched.page
    page.goto(BENCH)
    page.wait_for_timeout(FLOOR_MS)
    page.fill("#reason", "as the ward says")
    end_sessions(world)
    page.click(".targets button >> nth=0")
    sign_in_again(page, name)
    page.wait_for_selector("text=as the ward says")
    page.click("main button.main")
    page.wait_for_url(f"**{BENCH}*")
    assert count(RESOLVED) == 1
    assert count("select count(*) from decision where reason = 'as the ward says'") == 1
