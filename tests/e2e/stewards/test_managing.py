"""Loads, quality and administration in a real browser: keys, progress by itself, the slider, without a script, for assistive technology."""

import pytest

from mdm.entities import ENTITY_TYPES
from mdm.ids import new_id
from mdm.load_jobs import load_handlers
from mdm.running import Hand
from tests.e2e.stewards.conftest import until
from tests.e2e.stewards.scenes import payer_pairs

ADMIN = (
    "/",
    "/admin",
    "/admin/systems",
    "/admin/systems/ehr-north",
    "/admin/identifiers",
    "/admin/people",
    "/admin/roles",
    "/admin/keys",
    "/admin/models",
    f"/admin/models/{ENTITY_TYPES['payer'].model.version}",
    "/admin/survivorship",
    "/admin/consumers",
    "/admin/webhooks",
    "/admin/jobs",
    "/audit",
    "/audit/emergency",
    "/quality",
    "/quality/matching?domain=payer",
    "/quality/people",
)
DARK = ("/admin/people", "/admin/models/", "/audit", "/quality", "/loads/new")
FILE = "ID,NAME,CITY\n" + "".join(f"p{n},Payer of the town number {n},Bath\n" for n in range(20)) + "p1,Twice there,Bath\n"
NARROW = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"


@pytest.fixture
def work(world, server):
    """work() does what is queued, as the worker beside that server would."""
    hand = Hand(world, new_id().hex, lambda: False, load_handlers(server[1].parent, 1))
    return hand.drain


def upload(page, tmp_path, content=FILE):
    file = tmp_path / "payers.csv"
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


def test_a_load_by_keys_with_progress_by_itself_and_a_slider(person, browse, work, tmp_path, count):
    watched = browse(person("lou", role="loader"))
    page = watched.page
    at = upload(page, tmp_path)
    page.keyboard.press(">")
    page.wait_for_url("**/columns")
    choose(page)
    page.locator("#main").focus()
    page.keyboard.press(">")
    page.wait_for_url("**/values")
    page.keyboard.press(">")
    page.wait_for_url("**/plan")
    assert page.locator("progress").count() == 1
    work()
    until(page, "document.querySelector('.outcomes') !== null")  # nobody pressed anything
    slider = page.locator("#link-at")
    before = page.text_content("#link-said")
    slider.focus()
    page.keyboard.press("End")
    assert page.text_content("#link-said") != before
    assert slider.get_attribute("aria-valuetext") == page.text_content("#link-said")
    page.locator("#main").focus()
    page.keyboard.press(">")
    page.wait_for_url("**/apply")
    page.check("[value=key_not_unique]")
    page.click("button.main:visible")
    work()
    until(page, "document.body.textContent.includes('What came out')")
    assert count("select count(*) from source_record where status = 'active'") == 20
    page.goto(f"{at}/undo")
    page.click("button.danger")
    work()
    until(page, "document.body.textContent.includes('This load is undone')")
    assert count("select count(*) from golden_record where status = 'active'") == 0


def test_every_page_of_managing_is_for_everybody(person, browse, work, tmp_path, axe, deliver):
    deliver("payer", *payer_pairs(2))
    name = person("adm", role="admin", grants=["phi"])
    page = browse(name).page
    at = upload(page, tmp_path)
    page.goto(f"{at}/columns")
    choose(page)
    page.click("button[value=save]")
    page.click("button.main:visible")
    work()
    steps = [f"{at}/{step}" for step in ("upload", "columns", "values", "plan", "apply", "report")]
    for path in (*ADMIN, "/loads", "/loads/new", *steps):
        page.goto(path)
        assert axe(page) == [], path
    page.goto("/me")
    page.select_option("#density", "comfortable")
    page.click("section[aria-labelledby=looks] button.main")
    page = browse(name, color_scheme="dark", viewport={"width": 390, "height": 844}).page
    for path in (*ADMIN, "/loads", "/loads/new", *steps):
        page.goto(path)
        assert page.evaluate(NARROW), path
        assert not path.startswith(DARK) or axe(page) == [], path


def test_a_blind_sample_is_judged_by_keys(person, browse, deliver, count, axe):
    whole = {"name": "Harbor Health Plan", "city": "Bath"}
    deliver(
        "payer",
        ("billing-north", "a", whole, [("us-naic", "12345")]),
        ("ehr-north", "b", whole, [("us-naic", "12345")]),
    )
    page = browse(person()).page
    page.goto("/quality/sample/payer")
    page.click("text=Draw this week's pairs")
    page.wait_for_selector("[value=unsure]")
    assert axe(page) == []
    page.keyboard.press("m")
    page.wait_for_selector("text=No pair waits")
    assert count("select verdict from link_sample") == "same"


def test_without_a_script_systems_and_loads_go_on(person, browse, work, tmp_path, count):
    page = browse(person("adm", role="admin", grants=["phi"]), java_script_enabled=False).page
    page.goto("/admin/systems")
    for name, value in (("code", "lab-north"), ("name", "North lab"), ("organization", "Northfield")):
        page.fill(f"#{name}", value)
    page.click("text=Register >> nth=-1")
    page.wait_for_selector("#lab-north")
    at = upload(page, tmp_path)
    page.goto(f"{at}/columns")
    choose(page)
    page.click("button[value=save]")
    page.click("button.main:visible")
    page.wait_for_selector("progress")
    work()
    page.click("text=Look again")
    page.wait_for_selector(".outcomes")
    assert page.locator("#link-at").is_hidden()
    assert count("select count(*) from load_count where stage = 'plan'") == 1
