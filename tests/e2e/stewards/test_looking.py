"""Records, mappings and hierarchies in a real browser: by keyboard, with and without scripts, accessible in both themes and densities."""

import os
import re
from datetime import date

import pytest

from mdm.access import SYSTEM_ACTOR
from mdm.db import execute
from mdm.entities import ENTITY_TYPES
from mdm.ingest import deliver_all
from mdm.mapping_sets import By, Definition, Input, Output, put_set
from mdm.misswork import Counted, Miss, record
from mdm.standardise import Delivery
from mdm.statements import Assertion
from tests.e2e.stewards.conftest import sign_in, until

CODES = int(os.environ.get("MDM_UI_CODES", "12"))
BENCH = "/mappings/ehr-mercy/department"
WORDS = ["Cardiac", "Renal", "Pediatric", "Nuclear", "Surgical", "Trauma", "Hepatic", "Dental", "Spinal", "Neonatal"]
KINDS = ["Stepdown", "Catheterization", "Imaging", "Infusion", "Recovery", "Admissions", "Therapy", "Dialysis", "Screening", "Clinic"]


@pytest.fixture
def wards(world, deliver):
    """Departments of the ERP and, asked for by Mercy in vain, the same codes; the answers by code."""
    made = {}
    for number in range(CODES):
        key, name = f"{4400 + number}", f"{WORDS[number % 10]} {KINDS[number // 10 % 10]}"
        made[key] = deliver("department", ("erp-north", key, {"name": name, "code": key}, ()))[0].golden_id
    with world.unit_of_work() as session:
        misses = [Counted(Miss("department", "ehr-mercy", key), 1000 - int(key) % 100, {"a-flow"}, set()) for key in made]
        record(session, misses)
    return made


@pytest.fixture
def centers(world):
    """Total over East, East over Ward, and one without a place; as of then and now."""

    def send(key, name, parent=None):
        said = [Assertion("rolls_up_to", "erp-north", parent, valid_from=date(2020, 1, 1))] if parent else None
        delivery = Delivery("erp-north", key, {"name": name, "code": key}, (), "active", None, None, said)
        return deliver_all(world, ENTITY_TYPES["cost_center"], SYSTEM_ACTOR, [delivery], "test-request")[0].golden_id

    told = {"total": ("100", "Total"), "east": ("110", "East", "100"), "ward": ("111", "Ward", "110"), "loose": ("900", "Loose")}
    return {name: send(*said) for name, said in told.items()}


@pytest.fixture
def posting(world):
    inputs = Input("department", "department", required=True), Input("payer_class")
    with world.unit_of_work() as session:
        by = By(SYSTEM_ACTOR, "test-request", date(2026, 7, 1))
        put_set(session, by, "posting", Definition("Where charges are posted", inputs, (Output("account"),)), if_match=None)


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
    until(page, "n => document.querySelectorAll('.queue a').length === n", CODES)
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


@pytest.fixture
def addresses(wards, centers, posting, deliver):
    """Every page of records, mappings and hierarchies, with something on it."""
    deliver("payer", ("ehr-north", "h1", {"name": "Harbor Health Plan", "city": "Bath"}, [("us-naic", "12345")]))
    [payer] = deliver("payer", ("billing-north", "h2", {"name": "Harbor Health Plan", "city": "Portland"}, [("us-naic", "12345")]))
    record, tree = f"/records/payer/{payer.golden_id}", "/hierarchies/cost_center:main"
    tabs = ("", "/sources", "/identifiers", "/relationships", "/history", "/tasks", "?as_of=2026-01-01")
    sets = [f"/mappings/sets/posting{tab}" for tab in ("", "/conflicts", "/coverage", "/releases")]
    trees = ["/hierarchies", tree, f"{tree}/diff/cost_center:main?as_of=2019-01-01", f"{tree}/move/{centers['loose']}"]
    return ["/records", *(record + tab for tab in tabs), "/mappings", BENCH, *sets, *trees]


@pytest.mark.parametrize(("scheme", "density"), [("light", "dense"), ("dark", "comfortable")])
def test_every_page_is_accessible(addresses, person, browse, axe, world, scheme, density):
    page = browse(person(), color_scheme=scheme).page
    with world.unit_of_work() as session:
        execute(session, "insert into user_pref select id, jsonb_build_object('density', %s::text) from principal", (density,))
    found = {}
    for address in addresses:
        assert page.goto(address).status == 200, address
        for each in page.locator("details:not(.who)").all():
            each.evaluate("each => (each.open = true)")
        found[address] = axe(page)
    assert {address: problems for address, problems in found.items() if problems} == {}


def test_every_page_fits_a_narrow_window(addresses, person, browse):
    page = browse(person(), viewport={"width": 320, "height": 700}).page
    wide = {}
    for address in addresses:
        page.goto(address)
        wide[address] = page.evaluate("document.documentElement.scrollWidth")
    assert {address: width for address, width in wide.items() if width > 320} == {}


def test_every_page_works_without_scripts(addresses, person, browse, count):
    watched = browse(java_script_enabled=False)
    sign_in(watched.page, person())
    for address in addresses:
        assert watched.page.goto(address).status == 200, address
        assert watched.page.locator("h1").count() == 1, address
    watched.page.goto(BENCH)
    watched.page.click(".targets button")
    watched.page.wait_for_url(re.compile("say=mapped"))
    assert count(ANSWERED) == 1
    watched.context.close()
    watched.check = lambda: None  # there is no script to ask what the browser keeps
