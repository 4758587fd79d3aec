"""A day of work: tasks of all kinds settled by keys alone; the database is then as each answer says, and undoing restores it exactly."""

import os
from itertools import cycle

from mdm.db import fetch
from mdm.invariants import violations
from tests.e2e.stewards import scenes
from tests.e2e.stewards.conftest import until

DAY = int(os.environ.get("MDM_UI_DAY", "12"))
UNDOS = min(20, DAY // 3)
ANSWERS = {  # the keys of each kind, in turn, and the decision that they make
    "review": (("m", "same"), ("n", "different")),
    "mapping": (("1", "map"),),
    "overlay": (("m2", "accept"), ("n", "reject")),
    "cut": (("m", "split"), ("n", "same")),
}
SHARES = {"review": 0.5, "mapping": 0.25, "overlay": 0.125, "cut": 0.125}
MADE = "select t.id::text, d.kind from task t join decision d on d.id = t.decision_id"


def test_a_day_by_keys_alone_and_its_last_decisions_taken_back(world, deliver, person, browse, count):
    begin(world, deliver)
    work = count("select count(*) from task where status = 'open'")
    page = browse(person()).page
    page.goto("/tasks")
    page.evaluate("addEventListener('mousedown', () => (window.mice = 1), true)")
    page.keyboard.press("Enter")
    page.wait_for_selector("#item h1")
    turns = {kind: cycle(answers) for kind, answers in ANSWERS.items()}
    wanted, states = {}, []
    for done in range(work - 1):  # the last one stays: there the undoing happens
        if work - 1 - done <= UNDOS:
            states.append(count(scenes.STATE))
        task, kind = shown(page)
        keys, decision = next(turns[kind])
        wanted[task] = decision
        settle(page, keys)
        wait_for(lambda done=done: count("select count(*) from task where status = 'settled'") == done + 1, page)
    with world.unit_of_work() as session:
        assert dict(fetch(session, MADE)) == wanted
        assert violations(session, deep=True) == []
    for state in reversed(states):
        undone = count("select count(*) from decision where kind = 'undo'")
        page.keyboard.press("z")
        wait_for(lambda undone=undone: count("select count(*) from decision where kind = 'undo'") > undone, page)
        assert count(scenes.STATE) == state
    assert page.evaluate("window.mice") is None


def begin(world, deliver):
    """Tasks in the shares of a day, `DAY` and one more."""
    number = {kind: max(1, round(share * DAY)) for kind, share in SHARES.items()}
    deliver("payer", *scenes.payer_pairs(number["review"] + 1))
    scenes.wards(world, deliver, number["mapping"])
    for place in range(number["overlay"]):
        scenes.overlay(deliver, place)
    for place in range(number["cut"]):
        scenes.proposed_cut(deliver, place)


def shown(page):
    """The task on the screen and its kind, once it may be answered."""
    until(page, "document.querySelector('#item:not(.sent) #claim[data-claimed=mine]') !== null")
    page.wait_for_timeout(130)  # nobody has looked at it yet
    item = page.locator("#item")
    kind = next(each for each in (item.get_attribute("class") or "").split() if each.startswith("kind-"))
    return item.get_attribute("data-task"), kind.removeprefix("kind-")


def settle(page, keys):
    """Press them; the next item comes."""
    before = page.get_attribute("#item", "data-task")
    for key in keys:
        page.keyboard.press(key)
    until(page, "before => document.querySelector('#item:not(.sent)')?.dataset.task !== before", before)


def wait_for(is_so, page):
    for _ in range(1600):  # the machine may be busy with other tests
        if is_so():
            return
        page.wait_for_timeout(25)
    raise AssertionError("it did not happen")
