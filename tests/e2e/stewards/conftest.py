"""A real browser against a real server: Debian's Chromium, granian, PostgreSQL. Nothing is switched off for a test.

Around every test: no error on the page, no report of a broken policy, no request that leaves the origin, no planted value of a person in
an address, a title or the browser's storage.
"""

import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from playwright.sync_api import Error, sync_playwright

from mdm.access import SYSTEM_ACTOR
from mdm.db import execute, fetch
from mdm.entities import ENTITY_TYPES
from mdm.ids import new_id
from mdm.ingest import deliver_all
from mdm.load_jobs import load_handlers
from mdm.running import Hand
from mdm.standardise import Delivery
from tests.conftest import empty, register_systems
from tests.ports import free_port

PASSWORD = "correct horse battery"
CHROMIUM = os.environ.get("MDM_CHROMIUM", "/usr/bin/chromium")
PLANTED = re.compile(r"Grayson|Grayso|1961-04-12|123-45-4410|123454410|Zimmer", re.IGNORECASE)
FILE = "ID,NAME,CITY\n" + "".join(f"p{n},Payer of the town number {n},Bath\n" for n in range(20)) + "p1,Twice there,Bath\n"
READY_SECONDS = 90  # the machine may be busy with other tests


def pytest_collection_modifyitems(items):
    """Without a browser these tests say so, once and loudly; where one is required they fail."""
    if shutil.which(CHROMIUM) or os.environ.get("MDM_REQUIRE_BROWSER") == "1":
        return
    for item in items:
        if "e2e/stewards" in str(item.path):
            item.add_marker(
                pytest.mark.skip(reason=f"NO BROWSER: {CHROMIUM} is not there; the pages were not tried (MDM_CHROMIUM names one)")
            )


@pytest.fixture(scope="session")
def world(new_database):
    """A database of these tests' own, which the server reads."""
    made = new_database.migrated()
    register_systems(made)
    return made


@pytest.fixture(scope="session")
def server(world, tmp_path_factory):
    """The address of a web server over that database, and where its log is."""
    home, port = tmp_path_factory.mktemp("web"), free_port()
    told = {"MDM_HOME": str(home), "MDM_DATABASE_URL": world.url, "MDM_BROKER_URL": "none", "MDM_PORT": str(port), "MDM_PROFILE": "demo"}
    log = home / "web.log"
    with log.open("wb") as file:
        started = subprocess.Popen([sys.executable, "-m", "mdm.cli", "serve"], env=os.environ | told, stdout=file, stderr=file)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait(started, address)
        yield address, log
    finally:
        started.terminate()
        started.wait(20)


def _wait(started, address):
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and started.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/readyz", timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"the web server did not become ready, status {started.poll()}")


@pytest.fixture(autouse=True)
def _nothing_left(world):
    empty(world)


@pytest.fixture(scope="session")
def chromium():
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def password_hash():
    return PasswordHasher(time_cost=1, memory_cost=1024).hash(PASSWORD)


@pytest.fixture
def person(world, password_hash):
    """person(name, role=..., ...) -> the name of somebody new whose password is PASSWORD."""

    def make(name="ann", role="steward", grants=()):
        with world.unit_of_work() as session:
            execute(
                session,
                "insert into principal (id, name, role, kind, grants, password_hash) values (%s, %s, %s, 'person', %s, %s)",
                (new_id(), name, role, list(grants), password_hash),
            )
        return name

    return make


class Watched:
    """A page with what went wrong on it."""

    def __init__(self, context, address):
        self.context, self.address, self.trouble, self.allowed = context, address, [], set()
        context.on("request", self._request)
        self.page = context.new_page()
        self.watch(self.page)

    def watch(self, page):
        page.on("pageerror", lambda error: self.trouble.append(f"page error: {error}"))
        page.on("console", self._console)

    def _request(self, request):
        if not request.url.startswith((self.address, "data:", "about:")):
            self.trouble.append(f"left the origin: {request.url}")
        if request.url.endswith("/csp"):
            self.trouble.append("the policy was broken")
        if PLANTED.search(request.url):
            self.trouble.append(f"a planted value in an address: {request.url}")

    def _console(self, message):
        if message.type == "error" and not any(f"status of {status}" in message.text for status in self.allowed):
            self.trouble.append(f"console: {message.text} {message.location.get('url', '')}")

    def check(self):
        if self.page.url.startswith(self.address):
            kept = self.page.evaluate("JSON.stringify([document.title, {...localStorage}, {...sessionStorage}, document.cookie])")
            assert not PLANTED.search(kept), kept
        assert self.trouble == [], self.trouble


@pytest.fixture
def browse(chromium, server):
    """browse(name, **context) -> a watched page where this person is signed in; checked at the end of the test."""
    address, log = server
    opened = []

    def start(name=None, **options):
        options.setdefault("viewport", {"width": 1440, "height": 900})
        context = chromium.new_context(base_url=address, **options)
        watched = Watched(context, address)
        opened.append(watched)
        if name is not None:
            sign_in(watched.page, name)
        return watched

    yield start
    for each in opened:
        each.check()
        each.context.close()
    said = log.read_text(errors="replace")
    assert not PLANTED.search(said)
    assert '"unforeseen"' not in said


def sign_in(page, name):
    page.goto("/sign-in")
    page.fill("#name", name)
    page.fill("#password", PASSWORD)
    page.click("button.main")
    page.wait_for_selector("text=Home")


def until(page, expression, argument=None, seconds=20):
    """Wait until an expression of the page is true. Playwright's own waiting evaluates strings, which the policy rightly refuses."""
    deadline = time.monotonic() + seconds
    while not _holds(page, expression, argument):
        assert time.monotonic() < deadline, expression
        page.wait_for_timeout(30)


def _holds(page, expression, argument):
    try:
        return page.evaluate(expression, argument)
    except Error:  # the page is just being left for another
        return False


@pytest.fixture
def deliver(world):
    """deliver(domain, [(system, key, attributes, identifiers)]) -> the results."""

    def send(domain, *records):
        deliveries = [Delivery(system, key, attributes, identifiers) for system, key, attributes, identifiers in records]
        return deliver_all(world, ENTITY_TYPES[domain], SYSTEM_ACTOR, deliveries, "test-request")

    return send


@pytest.fixture
def work(world, server):
    """work() does what is queued, as the worker beside that server would."""
    hand = Hand(world, new_id().hex, lambda: False, load_handlers(server[1].parent, 1))
    return hand.drain


def upload(page, tmp_path, content=FILE, name="payers.csv"):
    """The address of a load of payers, begun with this file."""
    file = tmp_path / name
    file.write_text(content)
    page.goto("/loads/new")
    page.select_option("#domain", "payer")
    page.select_option("#system", "billing-north")
    page.set_input_files("#file", str(file))
    page.click("button.main:visible")
    page.wait_for_url("**/upload")
    return page.url.removesuffix("/upload")


def choose(page):
    for place, target in enumerate(("key", "name", "city")):
        page.select_option(f"#target-{place}", target)


AXE = Path(__file__).parents[1] / "vendor" / "axe.min.js"
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}, "resultTypes": ["violations"]}
TWICE = """
async ([page, rules]) => {
  const made = new DOMParser().parseFromString(page, 'text/html').documentElement;
  document.replaceChild(document.adoptNode(made), document.documentElement);
  const loaded = each => each.sheet ?? new Promise((done, failed) => { each.onload = done; each.onerror = failed; });
  await Promise.all([...document.querySelectorAll('link[rel=stylesheet]')].map(loaded));
  const found = {};
  for (const [theme, density] of [['light', 'dense'], ['dark', 'comfortable']]) {
    Object.assign(document.documentElement.dataset, { theme, density });
    found[theme] = (await axe.run(document, rules)).violations;
  }
  return found;
}
"""


@pytest.fixture
def axe():
    """axe(page) -> the violations of WCAG 2.2 A and AA, as short lines."""

    def look(page):
        page.evaluate(AXE.read_text())
        return _lines(page.evaluate("rules => axe.run(document, rules)", RULES)["violations"])

    return look


@pytest.fixture
def axe_twice(chromium, server):
    """axe_twice(html) -> (theme, violation) of a page as it stands, light and dense, dark and comfortable.

    It is looked at in a page where axe stays from one to the next: to load and to warm it costs more than what it does.
    """
    context = chromium.new_context(base_url=server[0], viewport={"width": 1440, "height": 900})
    bench = context.new_page()
    bench.route("**/*.js", lambda route: route.abort())  # our own scripts would ask for what is not here, and be sent away
    bench.goto("/sign-in")
    bench.unroute_all()
    bench.evaluate(AXE.read_text())

    def look(html):
        found = bench.evaluate(TWICE, [html, RULES])
        return [(theme, line) for theme, violations in found.items() for line in _lines(violations)]

    yield look
    context.close()


def _lines(violations):
    return [f"{each['id']}: {each['nodes'][0]['target']} ({len(each['nodes'])})" for each in violations]


@pytest.fixture
def count(world):
    """count(statement, *parameters) -> the first figure of a query."""

    def ask(statement, *parameters):
        with world.unit_of_work() as session:
            return fetch(session, statement, parameters)[0][0]

    return ask
