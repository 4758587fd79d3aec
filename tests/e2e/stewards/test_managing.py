"""Loads, quality and administration in a real browser: keys, progress by itself, the slider, a series, without a script."""

from tests.e2e.stewards.conftest import choose, until, upload
from tests.e2e.stewards.scenes import payer_pairs


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
    page.fill("[name=reason]", "The hospital says that the later row counts")
    page.click("button.main:visible")
    work()
    until(page, "document.body.textContent.includes('What came out')")
    assert count("select count(*) from source_record where status = 'active'") == 20
    page.goto(f"{at}/undo")
    page.click("button.danger")
    work()
    until(page, "document.body.textContent.includes('This load is undone')")
    assert count("select count(*) from golden_record where status = 'active'") == 0


def test_a_series_is_read_and_brushed_over_the_figures_of_its_table(person, browse, deliver):
    deliver("payer", *payer_pairs(3))
    page = browse(person()).page
    page.goto("/quality")
    over = page.locator(".u-over")
    box = over.bounding_box()
    page.mouse.move(box["x"] + box["width"] - 1, box["y"] + 40)
    until(page, "document.querySelector('[data-hint]').textContent.includes('arrived 3, resolved 0, backlog 3')")
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 2, box["y"] + 60, steps=4)
    page.mouse.up()
    assert page.locator(".chart svg").is_hidden()
    page.emulate_media(color_scheme="dark")
    assert page.locator(".u-over").count() == 1


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
