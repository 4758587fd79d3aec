"""Evidence on one screen in every domain, picked values, a remembered no, states that reopen, what stays covered, what a page weighs."""

import gzip
import re
import sys

import pytest

from mdm.access import SYSTEM_ACTOR
from mdm.db import execute, fetch
from mdm.entities import ENTITY_TYPES
from mdm.identifier_systems import BY_CODE
from mdm.identity import Act, split
from mdm.ids import new_id
from mdm.jobs import MATCH_ALL, enqueue
from mdm.running import Hand
from tests.e2e.stewards.conftest import until
from tests.e2e.stewards.scenes import maria_and_marie, overlay, payer_pairs

POST = "async ([url, body]) => (await fetch(url, {method: 'POST', body: new URLSearchParams(body)})).url"
SEEN = (".verbs .main", "tfoot", ".after", ".score")
LINKED = "select r.id, l.golden_id from source_record r join link l on l.record_id = r.id and l.recorded_to is null where r.domain = %s"
BUDGETS = {"page": 90_000, "css": 14_000, "js": 12_000, "html": 25_000}  # bytes as gzip sends them, first load, without fonts
ROW = "name => [...document.querySelectorAll('[data-grid] tbody.open tr')].findIndex(each => each.dataset.row === name)"
FRAME = """addEventListener('keydown', () => {
  const began = performance.now();
  requestAnimationFrame(() => (window.took = performance.now() - began));
}, true)"""
SUM = """() => [...document.querySelectorAll('[data-grid] tbody .weight .code, [data-grid] tbody .weight.code')]
  .reduce((sum, each) => sum + Number(each.textContent.replace('−', '-')), 0)"""


@pytest.fixture
def pair_of(deliver, world, count):
    """pair_of(domain) -> the address of a review of two records of this domain that say everything they can."""

    def make(domain):
        entity = ENTITY_TYPES[domain]
        said = {a.name: a.choices[0] if a.choices else a.type.example for a in entity.attributes}
        numbers = [(rule.system, BY_CODE[rule.system].type.example) for rule in entity.identifiers]
        done = deliver(domain, ("ehr-north", f"{domain}1", said, numbers), ("ehr-mercy", f"{domain}2", said, numbers))
        with world.unit_of_work() as session:
            records = fetch(session, LINKED, (domain,))
            if len({golden for _, golden in records}) == 1:
                act = Act(actor=SYSTEM_ACTOR, reason="two after all", request_id="test-request")
                split(session, entity, done[0].golden_id, [[record] for record, _ in records], act)
            goldens = sorted({golden for _, golden in fetch(session, LINKED, (domain,))})
            return review(session, domain, [record for record, _ in records], goldens)

    return make


def review(session, domain, records, goldens):
    task = new_id()
    execute(
        session,
        "insert into task (id, domain, kind, dedupe_key, records, goldens, detail)"
        " values (%s, %s, 'review', %s, %s::uuid[], %s::uuid[], '{}')",
        (task, domain, f"asked for by a test {task}", [str(each) for each in records], [str(each) for each in goldens]),
    )
    return f"/tasks/{task}"


def test_the_evidence_of_every_domain_fits_the_screen_and_adds_up(pair_of, person, browse):
    page = browse(person()).page
    wrong = {}
    for domain in ENTITY_TYPES:
        page.goto(pair_of(domain))
        page.wait_for_selector("#item h1")
        page.evaluate("window.scrollTo(0, 0)")
        hidden = [each for each in SEEN if (box := page.locator(each).first.bounding_box()) is None or box["y"] + box["height"] > 900]
        prior = re.search(r"prior ([−+-]?[\d.]+)(?:, held below link ([−+-]?[\d.]+))?", page.text_content("tfoot"))
        fixed = sum(float(part.replace("−", "-")) for part in prior.groups() if part)
        total = float(page.get_attribute("[data-total]", "data-total"))
        rows = page.locator("[data-grid] tbody tr").count()
        off = abs(page.evaluate(SUM) + fixed - total)
        if hidden or off > 0.05 * max(rows, 1):
            wrong[domain] = (hidden, off)
    assert wrong == {}


def to_row(page, name):
    for _ in range(page.evaluate(ROW, name) + 1):
        page.keyboard.press("ArrowDown")


def test_a_picked_value_is_shown_at_once_and_is_what_is_stored(deliver, person, browse, count):
    deliver("payer", *payer_pairs(1))
    page = browse(person()).page
    page.goto("/tasks")
    page.keyboard.press("Enter")
    page.wait_for_selector("#item h1")
    page.wait_for_timeout(300)
    to_row(page, "city")
    page.keyboard.press("ArrowRight")
    page.evaluate(FRAME)
    page.keyboard.press("Enter")
    page.wait_for_selector("td.pinned")
    until(page, "window.took !== undefined")  # the value may be seen before its frame is over
    assert page.evaluate("window.took") <= 100
    shown = page.evaluate("document.querySelector('td.pinned select').selectedOptions[0].textContent")
    name = page.text_content("[data-row=name] .golden").strip()
    page.keyboard.press("m")
    page.wait_for_url("**/tasks?decided=*")
    values = count('select "values" from golden_version where recorded_to is null order by recorded_from desc limit 1')
    assert shown.startswith(f"pin {values['city']} ·")
    assert name.startswith(values["name"])


def test_a_no_stays_and_taken_back_it_is_still_told(deliver, person, browse, count, world):
    deliver("patient", *maria_and_marie())
    page = browse(person()).page
    page.goto(f"/tasks/{count('select id from task')}")
    page.wait_for_timeout(300)
    page.click("summary:has-text('Reason')")
    page.fill("#reason", "twins, says the midwife")
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    page.wait_for_url("**/tasks?decided=*")
    match_again(world)
    page.reload()
    assert count("select count(*) from task where status = 'open'") == 0
    decision = count("select id from decision")
    page.evaluate(POST, [f"/decisions/{decision}/undo", {"csrf": page.get_attribute("body", "data-csrf")}])
    page.goto(f"/tasks/{count('select id from task where status = %s', 'open')}")
    banner = page.text_content(".head")
    assert re.search(r"decided different by ann, \d{4}-\d\d-\d\d: twins, says the midwife, taken back", banner), banner


def match_again(world):
    from mdm.rematch import match_all  # takes seconds to load

    world.run(lambda session: enqueue(session, MATCH_ALL, {"domain": "patient"}, dedupe_key="again", queue="bulk"))
    Hand(world, "hand", lambda: False, {MATCH_ALL: lambda run: match_all(run, 1)}).drain()


def test_states_reopen_from_their_address_and_a_merged_one_at_its_survivor(deliver, person, browse, count):
    deliver("payer", *payer_pairs(2))
    first = browse(person())
    page = first.page
    places = [
        "/tasks?kind=review&sort=due",
        "/tasks?domain=payer",
        "/quality?days=90",
        "/quality/matching?domain=payer&days=7",
        "/mappings",
    ]
    page.goto(places[0])
    page.click(".tasks th a >> nth=0")
    page.wait_for_selector("#item h1")
    places.append(page.url)
    page.go_back()
    page.wait_for_selector(".tasks tbody tr")
    assert page.url.endswith(places[0])
    said = {}
    for place in places:
        page.goto(place)
        said[place] = page.text_content("h1")
    page.goto(places[-1])
    page.wait_for_timeout(300)
    merged = count("select goldens[2] from task where id = %s", places[-1].partition("?")[0].rpartition("/")[2])
    page.keyboard.press("m")
    until(page, "document.querySelector('#tray').textContent.includes('merged')")
    again = browse("ann").page
    for place in places[:-1]:
        assert again.goto(place).status == 200
        assert re.sub(r"\d+", "", again.text_content("h1")) == re.sub(r"\d+", "", said[place])
    gone = count("select g.id from golden_record g where g.status = 'merged'")
    assert gone is not None, merged
    again.goto(f"/records/payer/{gone}")
    assert "Formerly" in again.text_content("main")
    assert str(gone) not in again.url


def test_what_was_revealed_is_covered_by_itself_and_no_list_sorts_by_what_is_masked(deliver, person, browse, count):
    deliver("patient", *maria_and_marie())
    watched = browse(person())
    page = watched.page
    page.clock.install()
    page.goto(f"/tasks/{count('select id from task')}")
    until(page, "document.querySelector('#claim[data-claimed=mine]') !== null")
    to_row(page, "birth_date")
    page.keyboard.press("r")
    until(page, "document.querySelector('.revealed-row') !== null")
    page.clock.fast_forward(31_000)
    until(page, "document.querySelector('.revealed-row') === null")
    assert "1961-04-12" not in page.content()
    watched.allowed.add(422)
    for query in ("sort=birth_date", "birth_date=1961", "sort=line"):
        assert page.goto(f"/tasks?{query}").status == 422


def test_where_nothing_can_be_revealed_the_key_says_so(deliver, person, browse, count):
    overlay(deliver)
    deliver("patient", *maria_and_marie())
    page = browse(person()).page
    said = {}
    for kind in ("overlay", "review"):
        page.goto(f"/tasks/{count('select id from task where kind = %s', kind)}")
        until(page, "document.querySelector('#claim[data-claimed=mine]') !== null")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("r")
        said[kind] = page.text_content("#live")
    assert said == {"overlay": "Nothing on this page can be revealed", "review": "Choose a masked row with the arrows first"}


def test_a_first_load_is_light(deliver, person, browse):
    deliver("payer", *payer_pairs(3))
    watched = browse(person())
    answers = []
    watched.page.on("response", lambda answer: answers.append(answer))  # noqa: PLW0108  (Playwright wants a function)
    for path in ("/", "/tasks", "/quality"):
        answers.clear()
        watched.page.goto(path)
        found = {"css": 0, "js": 0, "html": 0, "page": 0}
        for each in answers:
            kind = each.headers.get("content-type", "").partition(";")[0].rpartition("/")[2].replace("javascript", "js")
            if kind in found:
                weight = len(gzip.compress(each.body(), 6))
                found["page"] += weight
                found[kind] += weight if "/vendor/" not in each.url else 0
        sys.stdout.write(f"\nfirst load of {path}: {found}\n")
        assert {name: weight for name, weight in found.items() if weight > BUDGETS[name]} == {}
