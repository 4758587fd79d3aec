"""Shift+z in a real browser: said, taken back and said again by keys alone."""

from tests.e2e.stewards.conftest import until
from tests.e2e.stewards.scenes import payer_pairs

LAST = "select kind from decision order by created_at desc limit 1"


def test_said_taken_back_and_said_again(deliver, person, browse, count):
    deliver("payer", *payer_pairs(3))
    page = browse(person()).page
    page.goto("/tasks")
    page.keyboard.press("Enter")
    page.wait_for_selector("#item h1")
    until(page, "document.querySelectorAll('#ahead template[data-task]').length > 0")
    page.wait_for_timeout(200)
    first = page.get_attribute("#item", "data-task")
    page.keyboard.press("m")
    until(page, "document.querySelector('#tray').textContent.includes('merged')")
    page.keyboard.press("z")
    until(page, "first => document.querySelector('#item').dataset.task === first", first)
    until(page, "document.querySelector('#tray [data-redo]') !== null")
    page.wait_for_timeout(200)
    page.keyboard.press("Shift+Z")
    until(page, "document.querySelector('#tray').textContent.includes('merged')")
    assert count(LAST) == "same"
    until(page, "first => document.querySelector('#item').dataset.task !== first", first)
    assert count("select count(*) from task where status = 'open'") == 2
