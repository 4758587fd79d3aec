"""Every page: who may open it, the headers it carries, the structure that assistive technology needs, and text that stays text."""

import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from mdm.db import Database, execute, fetch
from mdm.misses import Misses
from mdm.misswork import Miss
from stewardship_ui import assets, vendor
from stewardship_ui.guard import OPEN
from stewardship_ui.site import CONTENT_SECURITY_POLICY, add_pages

VOID = {"meta", "link", "input", "br", "img"}


@pytest.fixture
def pages(steward, review, overlay, cut, deliver):
    """Every page there is, with something on it."""
    golden = deliver("supplier", "erp-north", {"name": "Acme Medical"}).golden_id
    return [
        "/",
        "/tasks",
        "/tasks?domain=patient&kind=review",
        "/tasks?status=settled",
        review,
        overlay,
        cut,
        "/records",
        *(f"/records/supplier/{golden}{tab}" for tab in ("", "/sources", "/identifiers", "/relationships", "/history", "/tasks")),
    ]


def ui_rules(app):
    return [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("ui.")]


def test_a_steward_sees_every_page(steward, pages):
    assert {path: steward.get(path).status_code for path in pages} == dict.fromkeys(pages, 200)


def test_nobody_passes_without_a_session(app, browser):
    for rule in ui_rules(app):
        if rule.endpoint in OPEN:
            continue
        path = re.sub(r"<[^>]+>", "1", rule.rule)
        for method in rule.methods - {"HEAD"}:
            answer = browser.client.open(path, method=method, headers={"Sec-Fetch-Site": "same-origin"})
            assert (answer.status_code, "Tasks" in answer.text) == (303 if method == "GET" else 401, False), (method, path)


@pytest.mark.parametrize("role", ["loader", "auditor"])
def test_a_role_without_reading_sees_no_task_and_no_golden_record(app, browser, person, pages, role):
    browser.enter_as(person(role))
    assert {browser.get(path).status_code for path in pages[1:]} == {403}
    assert "Your role reads no domain" in browser.get("/").text


def test_a_steward_of_another_domain_finds_no_patient(browser, person, review, deliver):
    browser.enter_as(person(domains=["payer"]))
    golden = deliver("patient", "ehr-north", {"given_name": "Zoe", "family_name": "Quill", "birth_date": "1999-09-09"}).golden_id
    assert browser.get(review).status_code == 404
    assert browser.get(f"/records/patient/{golden}").status_code == 403
    assert browser.get("/tasks?domain=patient").status_code == 403
    assert "Patient" not in browser.get("/").text


def test_a_steward_of_one_system_sees_and_counts_only_what_it_knows(browser, person, review, deliver):
    golden = deliver("payer", "billing-north", {"name": "Harbor Health Plan"}).golden_id
    browser.enter_as(person(systems=["ehr-north"]))
    assert browser.get(review).status_code == 404
    assert browser.get(f"/records/payer/{golden}").status_code == 404
    assert "No open task matches" in browser.get("/tasks").text
    numbers = dict(re.findall(r'<th scope="row">(\w+) .*?</th>\s*<td class="number">(.*?)</td>', browser.get("/").text))
    assert (numbers["Patient"], numbers["Payer"]) == ("1", "0")


def test_home_counts_the_tasks_that_the_list_has(browser, person, database):
    """An unknown value of another organisation's system is a task without golden records, which are in every scope."""
    counter = Misses(database)
    counter.count([Miss("payer", "billing-north", "04410")], "flow")
    counter.write()
    with database.unit_of_work() as session:
        assert fetch(session, "select goldens, status from task where kind = 'mapping'") == [([], "open")]
    for system, number in (("ehr-mercy", "0"), ("billing-north", "1")):
        browser.enter_as(person(systems=[system]))
        row = re.search(r'<th scope="row">Payer .*?</tr>', browser.get("/").text, re.DOTALL)[0]
        assert re.sub("<[^>]+>", " ", row.rpartition('<td class="number">')[2]).split()[0] == number


@pytest.mark.parametrize(
    "path",
    [
        "/tasks/1",
        "/tasks/00000000-0000-7000-8000-000000000000",
        "/records/unicorn/1",
        "/records/payer/1",
        "/records/payer/00000000-0000-7000-8000-000000000000",
    ],
)
def test_what_is_not_there_is_a_page_that_says_so(steward, path):
    answer = steward.get(path)
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    assert "Nothing here" in answer.text


CHROMIUM = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7"


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (CHROMIUM, "text/html"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html"),
        ("*/*", "application/problem+json"),
        ("application/json", "application/problem+json"),
        ("application/json, text/plain, */*", "application/problem+json"),
        (None, "application/problem+json"),
    ],
)
@pytest.mark.parametrize(("path", "status"), [("/nonexistent", 404), ("/decisions/undo", 405), ("/sign-out", 405)])
def test_an_address_that_is_no_page_is_told_as_whoever_asks_reads(steward, accept, kind, path, status):
    answer = steward.get(path, headers={"Accept": accept} if accept else {})
    assert (answer.status_code, answer.mimetype) == (status, kind)
    assert ("Allow" in answer.headers) == (status == 405)
    assert ("Nothing here" in answer.text) == ("Content-Security-Policy" in answer.headers) == (kind == "text/html")


@pytest.mark.parametrize("query", ["colour=red", "cursor=x", "kind=%00", "status=lost"])
def test_a_bad_filter_is_refused(steward, query):
    assert steward.get(f"/tasks?{query}").status_code == 422


def test_an_empty_world_says_what_will_come(steward):
    assert "No task is open" in steward.get("/").text
    assert "No open task matches" in steward.get("/tasks").text


def test_every_answer_carries_the_headers(steward, pages):
    for path in [*pages, "/sign-in", "/tasks/1"]:
        headers = steward.get(path).headers
        assert headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
        assert (headers["Cross-Origin-Opener-Policy"], headers["X-Content-Type-Options"]) == ("same-origin", "nosniff")
        assert (headers["Referrer-Policy"], headers["Cache-Control"]) == ("same-origin", "no-store")
        assert headers["Strict-Transport-Security"].startswith("max-age=31536000")
        assert headers["Content-Type"] == "text/html; charset=utf-8"


class Outline(HTMLParser):
    """What a page is made of: elements with their attributes, in order; refuses tags that do not close."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.open = [], []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def all(self, *tags):
        return [attributes for tag, attributes in self.elements if tag in tags]


def test_every_page_is_built_for_assistive_technology(steward, pages):
    for path in [*pages, "/sign-in", "/tasks/1"]:
        page = Outline(steward.get(path).text)
        ids = [a["id"] for _, a in page.elements if "id" in a]
        assert len(ids) == len(set(ids)), path
        assert page.all("html")[0]["lang"] == "en"
        assert [len(page.all(tag)) for tag in ("main", "h1", "title")] == [1, 1, 1], path
        assert [a.get("class") for a in page.all("header")].count("top") == 1, path
        levels = [int(tag[1]) for tag, _ in page.elements if tag in {"h1", "h2", "h3"}]
        assert all(b - a <= 1 for a, b in pairwise(levels)), path
        named = {a.get("for") for a in page.all("label")}
        fields = [a for a in page.all("input", "select", "textarea") if a.get("type") != "hidden"]
        assert {a["id"] for a in fields if "id" in a} <= named, path
        # A box stands inside its label, or says itself what it is.
        assert {a.get("type") for a in fields if "id" not in a and "aria-label" not in a} <= {"radio", "checkbox"}, path
        assert all(a.get("scope") for a in page.all("th")), path
        for wanted in ("aria-labelledby", "aria-describedby"):
            assert {a[wanted] for _, a in page.elements if wanted in a} <= set(ids), path


def test_nothing_is_inline(steward, pages):
    for path in [*pages, "/sign-in"]:
        page = Outline(steward.get(path).text)
        assert page.all("style") == []
        assert all(a["src"].startswith("/static/") for a in page.all("script")), path
        assert [a for _, a in page.elements if "style" in a or any(name.startswith("on") for name in a)] == []
        assert all((a.get("href") or "/").startswith(("/", "#")) for a in page.all("a", "link")), path


def test_markup_in_names_stays_text(steward, deliver):
    evil = "<script>alert(1)</script>\"'><img src=x onerror=1>"
    golden = deliver("supplier", "erp-north", {"name": evil}, key="<b>1</b>").golden_id
    page = steward.get(f"/records/supplier/{golden}").text
    assert "&lt;script&gt;" in page
    inside = Outline(page[page.index("<main") : page.index("</main>") + len("</main>")])
    assert inside.all("script", "img", "b") == []


def test_titles_and_addresses_hold_no_name(steward, pages):
    for path in pages:
        page = steward.get(path).text
        assert not re.search("Grayson|Zimmer|Linda|1961", re.search(r"<title>(.*?)</title>", page)[1])
        assert not re.search(r'href="[^"]*(Grayson|Zimmer|1961)', page)


def test_reading_patients_is_audited_for_the_list_too(steward, review, database):
    steward.get("/tasks")
    with database.unit_of_work() as session:
        found = fetch(session, "select action from audit where principal = %s and domain = 'patient'", (steward.name,))
    assert ("task:list",) in found


def test_the_list_is_paged(steward, overlay, database):
    with database.unit_of_work() as session:
        execute(
            session,
            "insert into task (id, domain, kind, dedupe_key, records, goldens, detail) select gen_random_uuid(), domain, kind, n::text,"
            " records, goldens, detail from task, generate_series(1, 60) n",
        )
    first = steward.get("/tasks").text
    onward = re.search(r'rel="next" href="([^"]+)"', first)[1].replace("&amp;", "&")
    links = re.findall(r'href="(/tasks/[0-9a-f-]{36})["?]', first)
    more = re.findall(r'href="(/tasks/[0-9a-f-]{36})["?]', steward.get(onward).text)
    assert len(links) == 50
    assert len(more) == 11
    assert set(links).isdisjoint(more)


def test_a_database_that_is_gone_is_a_page_that_says_so(app, steward):
    from api.app import create_app

    settings = app.extensions["concord"].settings
    gone = add_pages(create_app(Database("postgresql://nobody@127.0.0.1:9/none"), settings)).test_client()
    gone.set_cookie("__Host-concord", "x" * 43)
    answer = gone.get("/")
    assert (answer.status_code, answer.headers["Retry-After"], answer.mimetype) == (503, "2", "text/html")


STATIC = Path(assets.__file__).with_name("static")
TEMPLATES = STATIC.with_name("templates")


def test_static_files_are_open_and_kept_for_ever(app, browser):
    for path in ("css/tokens.css", "js/app.js", "vendor/htmx.min.js", "vendor/lucide.svg"):
        with browser.get(f"/static/{assets.version()}/{path}") as answer:
            assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "public, max-age=31536000, immutable")


def test_nothing_names_another_origin():
    found = [
        (path.name, address)
        for path in [*STATIC.glob("css/*.css"), *STATIC.glob("js/*.js"), *TEMPLATES.rglob("*.html")]
        for address in re.findall(r"""(?:src=|href=|action=|url\(|from )["']?((?:https?:)?//[^"')]+)""", path.read_text())
    ]
    assert found == []


def test_vendored_files_are_those_of_their_packages():
    assert vendor.check(vendor.read_list()) == []


def test_a_changed_or_unlisted_vendored_file_is_told(tmp_path):
    (tmp_path / "v").mkdir()
    for name in ("a.js", "b.js"):
        (tmp_path / "v" / name).write_text("x")
    packages = [{"files": [{"file": "v/a.js", "path": "a.js", "sha256": "0"}, {"file": "v/c.js", "path": "c.js", "sha256": "0"}]}]
    wrong = vendor.check(packages, tmp_path)
    assert wrong == ["v/c.js: missing", "v/a.js: not the file of the package", "v/b.js: in no package of the list"]


def test_own_files_are_small():
    files = [*STATIC.glob("css/*.css"), *STATIC.glob("js/*.js"), *TEMPLATES.rglob("*.html")]
    assert [path.name for path in files if len(path.read_text().splitlines()) > 400] == []
    scripts = {path.name: len(path.read_text().splitlines()) for path in STATIC.glob("js/*.js")}
    assert [name for name, lines in scripts.items() if lines > 150] == []
    assert sum(scripts.values()) <= 1200


def test_a_violation_of_the_policy_is_logged_without_what_the_page_held(browser, caplog):
    report = {"csp-report": {"effective-directive": "img-src", "script-sample": "Grayson", "document-uri": "https://x/tasks"}}
    assert browser.client.post("/csp", json=report).status_code == 204


def test_choices_are_kept_and_shown_on_every_page(steward):
    steward.post("/me/prefs", theme="dark", density="comfortable")
    assert 'data-theme="dark" data-density="comfortable"' in steward.get("/tasks").text
    assert steward.post("/me/prefs", theme="pink").status_code == 422


def test_keys_can_be_changed_and_no_key_means_two_things(steward):
    steward.post("/me/keys", **{"key-m": "s", "key-s": "m"})
    assert '"s":"m"' in steward.get("/").text.replace("&#34;", '"').replace('": "', '":"')
    refused = steward.post("/me/keys", **{"key-m": "g"})
    assert (refused.status_code, "one plain character" in refused.text) == (422, True)
