"""What was chosen by key or mouse is what happens: a proposal instead of a decision, the rows that are ticked and no others."""

import pytest

from tests.e2e.stewards.conftest import until
from tests.e2e.stewards.scenes import payer_pairs
from tests.e2e.stewards.test_deciding import OPEN, ready

DONE = "select concat((select count(*) from proposal), ' ', (select count(*) from decision))"  # proposals and decisions
PROPOSE = "document.querySelector('#verdict').elements.propose.checked"


@pytest.fixture
def tasks(deliver):
    """tasks(n) -> that many pairs of payers, all of them T1."""
    return lambda number: deliver("payer", *payer_pairs(number))


@pytest.fixture
def page(person, browse):
    return browse(person()).page


def open_first(page):
    page.goto("/tasks")
    page.keyboard.press("Enter")
    ready(page)


def test_e_proposes_to_a_second_person_and_says_so(tasks, page, count):
    tasks(2)
    open_first(page)
    page.keyboard.press("e")
    assert page.evaluate(PROPOSE)
    assert page.text_content("#live") == "Propose to a second person: yes"
    page.keyboard.press("e")
    assert page.text_content("#live") == "Propose to a second person: no"
    page.keyboard.press("e")
    page.keyboard.press("m")
    until(page, "document.querySelector('#live').textContent.startsWith('Proposed: a second person decides')")
    assert count(DONE) == "1 0"


def test_the_palette_proposes_as_the_key_does(tasks, page, count):
    tasks(2)
    open_first(page)
    page.keyboard.press("Control+k")
    page.keyboard.type("second person")
    page.keyboard.press("Enter")
    assert page.evaluate(PROPOSE)
    page.keyboard.press("n")
    until(page, "document.querySelector('#live').textContent.startsWith('Proposed: a second person decides')")
    assert count(DONE) == "1 0"


@pytest.mark.parametrize("key", ["i", "d"])
def test_a_row_that_was_unticked_after_all_were_chosen_is_left_alone(tasks, page, count, key):
    tasks(3)
    page.goto("/tasks")
    page.keyboard.press("*")
    assert page.text_content("[data-selected]") == "3 selected"
    spared = page.get_attribute(".tasks tbody tr >> nth=1", "data-task")
    page.locator(".tasks [name=task] >> nth=1").uncheck()
    assert page.text_content("[data-selected]") == page.text_content("#live") == "2 selected"
    page.keyboard.press(key)
    page.wait_for_selector("#progress")
    assert count("select count(*) from task_batch_item") == 2
    assert count("select count(*) from task_batch_item where task_id = %s", spared) == 0
    assert count(OPEN) == 3
