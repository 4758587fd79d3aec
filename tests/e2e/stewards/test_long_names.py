"""Names and file names that are long and have no place to break: pages stay as wide as the window, on a telephone too."""

from urllib.parse import urlsplit

import pytest

from mdm.misswork import Counted, Miss, record
from tests.e2e.stewards.conftest import choose, upload
from tests.e2e.stewards.scenes import payer_pairs
from tests.e2e.stewards.test_everybody import goldens

LONG = "Interkontinentaltransportversicherungs" * 4 + "gesellschaft.Holding"  # 172 characters
FILE = "lieferantenstammdatenexport_" * 6 + "2026.csv"
WIDE = """() => {
  document.querySelectorAll('details:not(.who)').forEach(each => (each.open = false));
  return document.documentElement.scrollWidth <= innerWidth ? null
    : [...document.querySelectorAll('main *')]
      .filter(each => each.getBoundingClientRect().right > innerWidth + 1 && !each.closest('.scroll'))
      .slice(-3).map(each => each.outerHTML.slice(0, 120));
}"""


def wide(page, addresses):
    """What is wider than a window of either width, by address."""
    found = {}
    for address in addresses:
        for width in (390, 1440):
            page.set_viewport_size({"width": width, "height": 844})
            assert page.goto(address).status == 200
            if (parts := page.evaluate(WIDE)) is not None:
                found[address, width] = parts
    return found


@pytest.fixture
def suppliers(deliver, count):
    """Two suppliers of one long name, in one pair for review; the first of them."""
    for system, key in (("erp-north", LONG[:120]), ("billing-north", "s2")):
        deliver("supplier", (system, key, {"name": f"{LONG} {key[0]}", "city": LONG[:80]}, []))
    return count("select min(golden_id::text) from link")


def test_a_long_name_of_a_record_breaks_no_page(suppliers, deliver, person, browse, world, count):
    page = browse(person()).page
    deliver("department", ("erp-north", "4400", {"name": LONG, "code": "4400"}, ()))
    deliver("cost_center", ("erp-north", "100", {"name": LONG, "code": "100"}, ()))
    with world.unit_of_work() as session:
        record(session, [Counted(Miss("department", "ehr-mercy", "4400"), 7, {"a-flow"}, set())])
        record(session, [Counted(Miss("department", "ehr-mercy", LONG[:90]), 9, {"a-flow"}, set())])
    other = count("select max(golden_id::text) from link where golden_id in (select id from golden_record where domain = 'supplier')")
    supplier = f"/records/supplier/{suppliers}"
    page.goto("/records")
    page.fill("#text", LONG)
    page.keyboard.press("Enter")
    page.wait_for_selector("h2#found")
    search = urlsplit(page.url).path
    tasks = [f"/tasks/{task}" for task in count("select array_agg(id::text) from task")]
    places = ["/", "/tasks", search, "/mappings/ehr-mercy/department", "/hierarchies/cost_center:main", *tasks]
    tabs = [supplier + tab for tab in ("", "/sources", "/identifiers", "/relationships", "/history", "/tasks", f"/compare/{other}")]
    assert wide(page, places + tabs) == {}


def test_a_long_name_of_a_file_breaks_no_page(person, browse, work, tmp_path):
    page = browse(person("adm", role="admin")).page
    load = urlsplit(upload(page, tmp_path, name=FILE)).path
    page.goto(f"{load}/columns")
    choose(page)
    page.click("button[value=save]")
    page.click("button.main:visible")
    work()
    steps = [f"{load}/{step}" for step in ("upload", "columns", "values", "plan", "apply", "report", "undo")]
    assert wide(page, ["/loads", "/loads/templates", "/admin/jobs", "/", *steps]) == {}


def test_values_side_by_side_keep_their_words_on_a_telephone(deliver, person, browse, world):
    deliver("payer", *payer_pairs(1))
    page = browse(person()).page
    page.set_viewport_size({"width": 400, "height": 800})
    page.goto("/records/payer/{}/compare/{}".format(*goldens(world)))
    widths = page.evaluate("[...document.querySelectorAll('.grid thead th')].slice(1, 3).map(each => each.offsetWidth)")
    assert min(widths) >= 100
