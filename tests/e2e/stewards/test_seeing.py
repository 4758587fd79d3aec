"""Masks, reveal, break-glass; keys off and remapped; a pair without a script."""

import pytest

from tests.e2e.stewards.conftest import until
from tests.e2e.stewards.scenes import maria_and_marie, payer_pairs

HIDDEN = ("1961-04-12", "123-45-4410", "123454410", "12 Oak Street")
ROWS = "[...document.querySelectorAll('[data-grid] tbody.open tr')].findIndex(each => each.dataset.row === 'birth_date')"


@pytest.fixture
def task(deliver, count):
    deliver("patient", *maria_and_marie())
    return f"/tasks/{count('select id from task')}"


def test_a_value_is_revealed_by_a_key_noted_and_covered_again(task, person, browse, count):
    page = browse(person()).page
    page.goto(task)
    assert not any(value in page.content() for value in HIDDEN)
    choose_birth_date(page)
    page.keyboard.press("r")
    until(page, "document.querySelector('.revealed-row') !== null")
    assert "1961-04-12" in page.text_content("[data-row=birth_date]")
    until(page, "document.activeElement.matches('.revealed-row')")
    assert page.get_attribute(".revealed-row", "data-seconds") == "30"
    assert count("select count(*) from audit where action = 'value:reveal' and fields = '{birth_date}'") == 1
    page.reload()
    assert not any(value in page.content() for value in HIDDEN)


def test_what_arrives_elsewhere_on_the_page_leaves_the_chosen_row(task, person, browse):
    page = browse(person()).page
    page.goto(task)
    choose_birth_date(page)
    page.evaluate("document.body.dispatchEvent(new CustomEvent('htmx:load', { bubbles: true, detail: { elt: document.body } }))")
    page.keyboard.press("r")
    until(page, "document.querySelector('.revealed-row') !== null")


def choose_birth_date(page):
    for _ in range(page.evaluate(ROWS) + 1):
        page.keyboard.press("ArrowDown")


def test_break_glass_wants_a_reason_counts_down_and_ends(task, person, browse, count):
    watched = browse(person())
    page = watched.page
    page.goto("/break-glass?back=" + task)
    watched.allowed.add(422)
    page.evaluate("document.querySelectorAll('[required]').forEach(each => (each.required = false))")
    page.click("button.danger")
    assert "say why" in page.text_content("#problem")
    page.fill("#reason", "Newborn mixed up with mother")
    page.fill("#ticket", "INC-1")
    page.click("button.danger")
    page.wait_for_selector(".glass")
    assert page.url.endswith(task)
    assert "1961-04-12" in page.text_content("[data-row=birth_date]")
    assert page.text_content(".glass [data-until]") != ""
    page.click("text=End now")
    page.goto(task)
    assert not any(value in page.content() for value in HIDDEN)
    assert count("select count(*) from break_glass where reviewed_at is null") == 1


def test_keys_can_be_off_or_others(deliver, person, browse, count):
    deliver("payer", *payer_pairs(2))
    page = browse(person()).page
    page.goto("/me")
    page.fill("[id='key-n']", "7")
    page.click("text=Save keys")
    page.goto("/tasks")
    page.keyboard.press("Enter")
    until(page, "document.querySelectorAll('#ahead template[data-task]').length > 0")
    page.wait_for_timeout(200)
    page.keyboard.press("n")
    page.keyboard.press("Control+m")
    page.wait_for_timeout(200)
    assert count("select count(*) from decision") == 0
    page.keyboard.press("7")
    until(page, "document.querySelector('#tray [data-undo]') !== null")
    assert count("select count(*) from decision") == 1
    page.goto("/me")
    page.select_option("select[name=keys]", "off")
    page.click("form:has(select[name=keys]) button.main")
    page.goto("/tasks")
    page.keyboard.press("g")
    page.keyboard.press("h")
    page.wait_for_timeout(200)
    assert page.url.endswith("/tasks")


def test_a_key_that_composes_a_character_decides_nothing(deliver, person, browse, count):
    deliver("payer", *payer_pairs(3))
    page = browse(person()).page
    typed = page.context.new_cdp_session(page)

    def press(key, code=229):
        """As the browser's own input method has it: 229, whatever the key; with its own code it is that key."""
        for kind in ("rawKeyDown", "keyUp"):
            typed.send("Input.dispatchKeyEvent", {"type": kind, "key": key, "code": f"Key{key.upper()}", "windowsVirtualKeyCode": code})

    page.goto("/tasks")
    page.keyboard.press("Enter")
    until(page, "document.querySelectorAll('#ahead template[data-task]').length > 0")
    page.wait_for_timeout(200)
    page.evaluate(
        "addEventListener('keydown', event => (window.keys = [...(window.keys ?? []), [event.key, event.keyCode, event.isComposing]]))"
    )
    for key in ("m", "n", "z", "Process"):
        press(key)
    page.keyboard.press("c")
    page.focus("#comment")
    typed.send("Input.imeSetComposition", {"text": "ま", "selectionStart": 1, "selectionEnd": 1})
    page.evaluate(
        "document.querySelector('#item h1').dispatchEvent(new KeyboardEvent('keydown', {key: 'm', isComposing: true, bubbles: true}))"
    )
    press("m")
    typed.send("Input.insertText", {"text": "松"})
    assert page.input_value("#comment") == "松"
    seen = page.evaluate("window.keys")
    assert ["m", 229, False] in seen
    assert ["m", 229, True] in seen
    page.keyboard.press("Control+k")
    typed.send("Input.imeSetComposition", {"text": "ほ", "selectionStart": 1, "selectionEnd": 1})
    press("Enter")
    assert page.evaluate("document.querySelector('#palette').open")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.wait_for_timeout(200)
    assert count("select count(*) from decision") == 0
    page.focus("#item h1")
    press("m", 77)
    until(page, "document.querySelector('#tray [data-undo]') !== null")
    assert count("select count(*) from decision") == 1


def test_a_pair_is_decided_without_a_script(deliver, person, browse, count):
    deliver("payer", *payer_pairs(2))
    page = browse(person(), java_script_enabled=False).page
    page.goto("/tasks")
    page.click(".tasks th a >> nth=0")
    page.click("button[value=different]")
    assert "stored" in page.text_content("main")
    page.click("[data-undo]")
    assert count("select count(*) from decision") == 2
