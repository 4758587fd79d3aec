"""Every page that there is: for assistive technology in both themes and densities, in a narrow window, and without a script.

The list is the application's own: a page that is added without an address here fails.
"""

from urllib.parse import urlsplit

import pytest
from flask import Flask
from psycopg.types.json import Jsonb

from mdm import batches, routing
from mdm.access import SYSTEM_ACTOR
from mdm.consumers import NewConsumer, register
from mdm.db import execute, fetch
from mdm.entities import ENTITY_TYPES
from mdm.jobs import enqueue
from mdm.webhooks import NewWebhook, create
from stewardship_ui.site import blueprint
from tests.e2e.stewards import scenes
from tests.e2e.stewards.conftest import choose, upload

NO_PAGE = {
    "ui.static",
    "ui.audit_file",
    "ui.blank_load",
    "ui.load_rejects",
    "ui.load_progress",
    "ui.task_state",
}  # files, and parts of pages
ONWARD = {"ui.approvals", "ui.load", "ui.choose_diff"}  # they send on to another page
HEADINGS = "sent => new DOMParser().parseFromString(sent, 'text/html').querySelectorAll('h1').length"  # nothing runs in there
OPENED = "[...document.querySelectorAll('details:not(.who)')].forEach(each => (each.open = true)), document.documentElement.outerHTML"
WIDTH = "[...document.querySelectorAll('details:not(.who)')].forEach(each => (each.open = false)), document.documentElement.scrollWidth"
DARK = "document.documentElement.dataset.theme = 'dark', document.documentElement.dataset.density = 'comfortable'"


@pytest.fixture
def everywhere(world, deliver, person, browse, work, tmp_path, count):
    """(who, address) of every page, with something on each; and the pages of ann, a steward, and adm, an administrator."""
    ann, adm = browse(person("ann")).page, browse(person("adm", role="admin", grants=["phi"])).page
    deliver("payer", *scenes.payer_pairs(1))
    deliver("patient", *scenes.maria_and_marie())
    scenes.proposed_cut(deliver)
    scenes.overlay(deliver)
    scenes.wards(world, deliver, 3)
    centers = scenes.centers(world)
    scenes.posting(world)
    made = of_the_machine(world)
    load = urlsplit(upload(adm, tmp_path)).path
    adm.goto(f"{load}/columns")
    choose(adm)
    adm.click("button[value=save]")
    adm.click("button.main:visible")
    work()
    ann.goto("/records")
    ann.fill("#text", "Harbor")
    ann.keyboard.press("Enter")
    ann.wait_for_selector("h2#found")
    search = urlsplit(ann.url).path
    payer, other = goldens(world)
    ann.goto("/tasks")
    token = ann.get_attribute("body", "data-csrf")
    started = "async ([url, body]) => (await fetch(url, {method: 'POST', body: new URLSearchParams(body)})).url"
    split = ann.evaluate(started, [f"/records/payer/{payer}/split", {"csrf": token}])
    assert split
    with world.unit_of_work() as session:
        tasks = fetch(session, "select distinct on (kind, domain) id, kind from task where status = 'open' order by kind, domain, id")
    assert {kind for _, kind in tasks} >= {"review", "overlay", "cut", "split", "mapping"}
    model, record, tree = ENTITY_TYPES["payer"].model.version, f"/records/payer/{payer}", "/hierarchies/cost_center:main"
    steward = [
        *(
            "/",
            "/tasks",
            "/tasks?kind=review",
            "/me",
            "/help/keys",
            "/break-glass",
            "/step-up",
            "/approvals",
            search,
            "/records",
            "/mappings",
        ),
        *(record + tab for tab in ("", "/sources", "/identifiers", "/relationships", "/history", "/tasks", "?as_of=2026-01-01")),
        *(f"/tasks/{each}" for each, _ in tasks),
        *(f"/mappings/ehr-mercy/department/plan?code={each}&letters=2&target=0.85" for each, kind in tasks if kind == "mapping"),
        *("/mappings/ehr-mercy/department", f"/tasks/batches/{made['batch']}", f"{record}/compare/{other}"),
        *(f"/mappings/sets/posting{tab}" for tab in ("", "/conflicts", "/coverage", "/releases")),
        *("/hierarchies", tree, f"{tree}/diff/cost_center:main?as_of=2019-01-01", f"{tree}/move/{centers['loose']}"),
        *("/quality", "/quality/matching?domain=payer", "/quality/people", "/quality/sample", "/quality/sample/payer"),
        *("/drift?domain=payer", "/drift?domain=patient&days=7"),
    ]
    admin = [
        *(
            "/",
            "/admin",
            "/admin/systems",
            "/admin/systems/ehr-north",
            "/admin/identifiers",
            "/admin/people",
            "/admin/roles",
            "/admin/queues",
            "/admin/keys",
        ),
        *(f"/admin/people/{made['person']}", "/admin/models", f"/admin/models/{model}", "/admin/survivorship", "/admin/survivorship/payer"),
        *("/admin/consumers", "/admin/consumers/erp", "/admin/webhooks", f"/admin/webhooks/{made['webhook']}", "/admin/jobs"),
        *(f"/admin/jobs/{made['job']}", "/audit", "/audit/emergency", "/loads", "/loads/new"),
        *("/loads/templates", two_versions(world)),
        *(f"{load}/{step}" for step in ("upload", "columns", "values", "plan", "apply", "report", "undo")),
    ]
    return {"ann": (ann, steward), "adm": (adm, admin)}


def two_versions(world):
    """The address of the template that the load made, after a second version."""
    with world.unit_of_work() as session:
        template = fetch(session, "select domain, system, version + 1, mapping from load_template")[0]
        steps = Jsonb([{"kind": "trim", "column": "PAYER_NM"}])
        execute(
            session,
            "insert into load_template (domain, system, version, mapping, steps, created_by) values (%s, %s, %s, %s, %s, 'ann')",
            (*template[:3], Jsonb(template[3]), steps),
        )
    return f"/loads/templates/{template[0]}/{template[1]}"


def of_the_machine(world):
    """A consumer with its webhook, a job, a person, an act on many tasks."""
    with world.unit_of_work() as session:
        register(session, NewConsumer(code="erp", name="ERP", contact="erp@example.org", client=None, domains=("payer",), systems=()))
        webhook = create(session, "erp", NewWebhook(url="https://example.org/hook", types=(), domains=("payer",), state="paused")).id
        routing.add(session, SYSTEM_ACTOR, sorted(ENTITY_TYPES), routing.Route("", "mapping", "ehr-mercy", "codes"))
        job = enqueue(session, "canary", {}, dedupe_key="looked at")
        tasks = [row[0] for row in fetch(session, "select id from task")]
        batch = batches.start(session, SYSTEM_ACTOR, "assign", "ann", tasks).id
        execute(session, "update task_batch set actor = 'ann'")
        ann = fetch(session, "select id from principal where name = 'ann'")[0][0]
    return {"webhook": webhook, "job": job, "batch": batch, "person": ann}


def goldens(world):
    """The payer with two records, and another."""
    with world.unit_of_work() as session:
        rows = fetch(
            session,
            "select g.id from golden_record g join link l on l.golden_id = g.id and l.recorded_to is null where g.domain = 'payer'"
            " group by g.id order by count(*) desc, g.id",
        )
    return rows[0][0], rows[1][0]


def test_every_page_is_for_everybody(everywhere, browse, axe_twice):
    listed = dict(everywhere.values())
    check_whole([address for addresses in listed.values() for address in addresses])
    nobody = browse().page
    wrong = []
    for page, addresses in ({nobody: ["/sign-in"]} | listed).items():
        for address in addresses:
            wrong += [(address, *each) for each in wrong_with(page, address, axe_twice)]
    assert wrong == []


def check_whole(addresses):
    app = Flask("addresses")
    app.register_blueprint(blueprint())
    wanted = {rule.endpoint for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ()) and rule.endpoint.startswith("ui.")}
    match = app.url_map.bind("localhost").match
    seen = {match(address.partition("?")[0])[0] for address in [*addresses, "/sign-in"]}
    assert wanted - seen - NO_PAGE - ONWARD == set()


def wrong_with(page, address, look):
    """As it was sent, which is what a browser without scripts shows; all rules in both looks; then as narrow as a telephone."""
    page.set_viewport_size({"width": 1440, "height": 900})
    answer = page.goto(address)
    assert answer.status == 200, address
    headings = page.evaluate(HEADINGS, answer.text())
    wrong = look(page.evaluate(OPENED))
    page.evaluate(DARK)
    page.set_viewport_size({"width": 320, "height": 700})
    width = page.evaluate(WIDTH)
    return wrong + ([] if headings == 1 else [("without scripts", headings)]) + ([] if width <= 320 else [("wide", width)])


def test_what_is_wrong_is_seen_in_both_looks(axe_twice):
    """The page in which pages are looked at hides nothing: what is planted there is found."""
    found = axe_twice("<html><head><title>Wrong</title></head><body bgcolor=white><img src=x><font color='#ccc'>pale</font></body></html>")
    seen = {theme: {line.partition(":")[0] for theme_of, line in found if theme_of == theme} for theme in ("light", "dark")}
    assert seen["light"] == seen["dark"] == {"html-has-lang", "image-alt", "color-contrast"}
