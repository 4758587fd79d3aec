"""Records, mappings and hierarchies in a real browser: by keyboard, and a code without scripts."""

import os
import re

import pytest

from tests.e2e.stewards import scenes
from tests.e2e.stewards.conftest import sign_in, until

CODES = int(os.environ.get("MDM_UI_CODES", "12"))
BENCH = "/mappings/ehr-mercy/department"
FLOOR_MS = 520  # what the workbench takes for a look, and a little


@pytest.fixture
def wards(world, deliver):
    return scenes.wards(world, deliver, CODES)


@pytest.fixture
def centers(world):
    return scenes.centers(world)


ANSWERED = (
    "select count(*) from xref x join identifier_system s on s.id = x.system_id join golden_version v on v.golden_id = x.golden_id"
    " and v.recorded_to is null where s.code = 'ehr-mercy' and x.recorded_to is null and v.values ->> 'code' = x.value"
)


def test_codes_are_settled_by_digits_alone_and_taken_back(wards, person, browse, count):
    watched = browse(person())
    page = watched.page
    page.goto(BENCH)
    page.evaluate("addEventListener('mousedown', () => (window.mice = 1), true)")
    for settled in range(CODES):
        code = page.text_content("h2#code")
        assert page.text_content(".targets button .who").endswith(code.strip())
        page.wait_for_timeout(FLOOR_MS)
        page.keyboard.press("1")
        until(page, "before => document.querySelector('h2#code')?.textContent !== before", code)
        assert count("select count(*) from miss where status = 'resolved'") == settled + 1
        assert page.evaluate("document.activeElement.tagName") == "H1"
    assert page.evaluate("window.mice") is None
    assert "Every code is settled" in page.text_content("main")
    assert "100.0 %" in page.text_content(".head")
    assert count(ANSWERED) == CODES
    assert count("select count(*) from event where type = 'crosswalk.resolved'") == CODES
    page.keyboard.press("z")
    until(page, "document.querySelectorAll('.queue a').length === 1")
    assert count(ANSWERED) == CODES - 1


RESOLVED = "select count(*) from miss where status = 'resolved'"
OTHER = "before => document.querySelector('h2#code').textContent !== before"


@pytest.mark.parametrize("pause_ms", [0, 150, 300, 450])
def test_a_digit_pressed_twice_maps_one_code(wards, person, browse, count, pause_ms):
    page = browse(person()).page
    page.goto(BENCH)
    page.wait_for_timeout(FLOOR_MS)
    code = page.text_content("h2#code")
    page.keyboard.press("1")
    page.wait_for_timeout(pause_ms)
    page.keyboard.press("1")
    until(page, OTHER, code)
    page.wait_for_timeout(300)
    assert count(RESOLVED) == 1
    page.wait_for_timeout(FLOOR_MS)
    page.keyboard.press("1")
    page.wait_for_timeout(300)
    assert count(RESOLVED) == 2


@pytest.mark.parametrize("delay_ms", [0, 300])
def test_a_double_click_maps_one_code_and_takes_back_one(wards, person, browse, count, delay_ms):
    page = browse(person()).page
    page.goto(BENCH)
    for settled in (1, 2):
        code = page.text_content("h2#code")
        page.wait_for_timeout(FLOOR_MS)
        page.dblclick(".targets button >> nth=0", delay=delay_ms)
        until(page, OTHER, code)
        page.wait_for_timeout(300)
        assert count(RESOLVED) == settled
    page.dblclick("button[data-key=z]", delay=delay_ms)
    page.wait_for_timeout(800)
    assert count(RESOLVED) == 1


def test_a_prefix_changes_exactly_what_was_shown(wards, person, browse, count):
    page = browse(person()).page
    page.goto(BENCH)
    page.keyboard.press(".")
    page.fill("#prefix", "440")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=nothing is stored yet")
    shown = page.locator("input[name=item]").count()
    assert shown == min(CODES, 10)
    page.fill("#reason", "the ERP's own codes")
    page.locator("h1").focus()
    page.keyboard.press("m")
    page.wait_for_url(re.compile("say="))
    assert count(ANSWERED) == shown
    page.keyboard.press("z")
    until(page, "document.querySelector('.queue a')?.textContent.includes('4400')")  # the first of them is back
    assert count(ANSWERED) == 0


def test_a_search_reopens_from_its_address_for_its_owner_only(deliver, person, browse):
    maria = {"given_name": "Maria", "family_name": "Grayson", "birth_date": "1961-04-12", "sex": "F"}
    deliver("patient", ("ehr-north", "m1", maria, [("us-ssn", "123-45-4410")]))
    first = browse(person())
    first.page.goto("/tasks")
    first.page.keyboard.press("g")
    first.page.keyboard.press("r")
    first.page.wait_for_url("**/records")
    first.page.keyboard.press("/")
    first.page.keyboard.type("Grayson")
    first.page.keyboard.press("Enter")
    first.page.wait_for_selector("h2#found")
    address = first.page.url
    first.page.click("th a")
    first.page.wait_for_url("**/records/patient/**")
    assert "1961-04-12" not in first.page.content()
    first.page.go_back()
    first.page.wait_for_selector("h2#found")
    again = browse("ann")
    again.page.goto(address)
    assert "GRAYSON" in again.page.text_content("main").upper()
    other = browse(person("bob"))
    other.allowed.add(404)
    assert other.page.goto(address).status == 404


def test_a_tree_is_walked_and_a_record_moved_by_keys(centers, person, browse):
    page = browse(person()).page
    page.goto("/hierarchies/cost_center:main")
    page.locator("#treegrid tbody tr").first.focus()
    assert page.get_attribute("#treegrid", "role") == "treegrid"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowLeft")
    assert page.locator("#treegrid tbody tr:visible").count() == 2
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert "Ward" in page.evaluate("document.activeElement.textContent")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("node="))
    page.keyboard.press("t")
    page.wait_for_url("**/move/**")
    page.keyboard.press("/")
    page.keyboard.type("100")
    page.keyboard.press("Enter")
    page.wait_for_selector("#target-1")
    page.check("#target-1")
    page.fill("#since", "2026-09-01")
    page.fill("#reason", "reorganised")
    page.click("text=Preview")
    page.wait_for_selector("h2#preview")
    page.click("text=Move it")
    page.wait_for_url(re.compile("as_of=2026-09-01"))
    levels = dict(re.findall(r'data-level="(\d)".*?<bdi>\d+ (\w+)', page.inner_html("#treegrid"), re.DOTALL)[i][::-1] for i in range(3))
    assert levels == {"Total": "1", "East": "2", "Ward": "2"}


def test_a_code_is_mapped_without_scripts(wards, person, browse, count):
    watched = browse(java_script_enabled=False)
    sign_in(watched.page, person())
    watched.page.goto(BENCH)
    watched.page.click(".targets button")
    watched.page.wait_for_url(re.compile("say=mapped"))
    assert count(ANSWERED) == 1
    watched.context.close()
    watched.check = lambda: None  # there is no script to ask what the browser keeps
