"""Undo in a real browser: the button takes back what it names, the key one's last decision, and the address follows what is shown."""

import pytest

from tests.e2e.stewards.conftest import until
from tests.e2e.stewards.scenes import payer_pairs
from tests.e2e.stewards.test_deciding import ready

NAMES = "tag => document.querySelector('#tray [data-undo] code')?.textContent.endsWith(tag) ?? false"
SHOWN = "task => document.querySelector('#item').dataset.task === task"
UNDONE = "document.querySelector('#item').textContent.includes('Undone.')"
STATUS = "select status from task where id = %s"


@pytest.fixture
def decided(deliver, person, browse):
    """A page whose tray names its first decision, the tasks of that and of a later one in another tab."""
    deliver("payer", *payer_pairs(6))
    watched = browse(person())
    tabs = watched.page, watched.context.new_page()
    watched.watch(tabs[1])
    return tabs[0], [_decide(page) for page in tabs]


def _decide(page):
    page.goto("/tasks")
    page.keyboard.press("Enter")
    ready(page)
    task = page.get_attribute("#item", "data-task")
    page.keyboard.press("n")
    until(page, NAMES, task[-6:])
    return task


@pytest.mark.parametrize("by", ["button", "palette"])
def test_the_button_takes_back_what_it_names(decided, count, by):
    page, (named, later) = decided
    if by == "button":
        page.click("#tray [data-undo]")
    else:
        page.keyboard.press("Control+k")
        page.keyboard.type("Undo:")
        page.keyboard.press("Enter")
    until(page, SHOWN, named)
    assert (count(STATUS, named), count(STATUS, later)) == ("open", "settled")
    assert page.url.endswith(f"/tasks/{named}")
    page.reload()
    assert page.get_attribute("#item", "data-task") == named


def test_the_key_takes_back_my_last_decision_wherever_it_was_made(decided, count):
    page, (named, later) = decided
    page.keyboard.press("z")
    until(page, UNDONE)
    assert (count(STATUS, named), count(STATUS, later)) == ("settled", "open")
