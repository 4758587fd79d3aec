"""A day of work: tasks of all kinds settled by keys alone; the database is then as each answer says, and undoing restores it exactly."""

import os
from collections import Counter
from itertools import cycle

from mdm.db import fetch
from mdm.invariants import violations
from mdm.tasks import VERDICTS
from tests.e2e.stewards import scenes
from tests.e2e.stewards.conftest import until
from tests.e2e.stewards.daywork import MAKERS, mixed

DAY = int(os.environ.get("MDM_UI_DAY", "12"))
UNDOS = min(20, DAY // 2)
ANSWERS = {  # the keys of each kind, in turn, and the decision that they make
    "oversize": (("m", None),),  # takes two people: a proposal
    "undo": (("m", "keep"), ("n", "split")),
    "overlay": (("m 2", "accept"), ("n", "reject")),
    "cut": (("m", "split"), ("n", "same")),
    "split": (("u Enter", "split"), ("n", "same")),
    "shared_identifier": (("1", "belongs"), ("n", "different"), ("t", "shared"), ("0", "placeholder")),
    "drift": (("m", "pin"), ("n", "pin"), ("3", "exception")),
    "request": (("m", "answer"), ("n", "answer")),
    "merge": (("m", "merge"), ("n", "different")),
    "move": (("m", "move"), ("n", "different")),
    "mapping": (("1", "map"),),
    "review": (("m", "same"), ("n", "different")),
}
SHARES = {
    "review": 0.35,
    "mapping": 0.2,
    "overlay": 0.1,
    "cut": 0.1,
    "split": 0.06,
    "shared_identifier": 0.06,
    "drift": 0.06,
    "request": 0.05,
}
MADE = "select t.id::text, d.kind from task t join decision d on d.id = t.decision_id"
SETTLED = "select count(*) from task where status = 'settled'"
TAKEN_BACK = "select count(*) from decision where revokes is not null"
ANSWERED = f"select ({SETTLED}) + (select count(*) from proposal)"


def test_every_kind_there_is_has_its_share_of_the_day():
    assert set(ANSWERS) == set(MAKERS) == set(VERDICTS)


def test_a_day_by_keys_alone_and_its_last_decisions_taken_back(world, deliver, person, browse, count):
    seeded = mixed({kind: max(1, round(SHARES.get(kind, 0.01) * DAY)) for kind in MAKERS} | {"oversize": 1})
    for kind, number in seeded:
        MAKERS[kind](world, deliver, number)
    with world.unit_of_work() as session:  # nothing else is in doubt, and each of it about one other
        found = fetch(session, "select kind, cardinality(goldens) from task where status = 'open'")
    assert Counter(kind for kind, _ in found) == Counter(kind for kind, _ in seeded)
    assert max(goldens for kind, goldens in found if kind == "review") == 2
    work = len(found)
    page = browse(person("ann")).page
    page.goto("/tasks?sort=age")
    page.evaluate("addEventListener('mousedown', () => (window.mice = 1), true)")
    page.keyboard.press("Enter")
    page.wait_for_selector("#item h1")
    turns = {kind: cycle(answers) for kind, answers in ANSWERS.items()}
    wanted, states, taken_back = {}, [], set()
    for done in range(work - 1):  # the last one stays: there the undoing happens
        task, kind = shown(page)
        if work - 1 - done <= UNDOS:
            states.append(count(scenes.STATE))
            taken_back.add(kind)
        keys, decision = next(turns[kind])
        wanted[task] = decision
        settle(page, keys.split())
        wait_for(lambda done=done: count(ANSWERED) == done + 1, page)
    with world.unit_of_work() as session:
        assert dict(fetch(session, MADE)) == {task: decision for task, decision in wanted.items() if decision}
        assert violations(session, deep=True) == []
    for state in reversed(states):
        undone = count(TAKEN_BACK)
        page.keyboard.press("z")
        wait_for(lambda undone=undone: count(TAKEN_BACK) > undone, page)
        assert count(scenes.STATE) == state
    assert DAY < 24 or taken_back == set(MAKERS) - {"oversize", "undo"}
    assert page.evaluate("window.mice") is None
    second(browse(person("ben")).page, count)


def second(page, count):
    """What takes two people is settled by the second, who says the same."""
    settled, waiting = count(SETTLED), count("select count(*) from proposal where status = 'open'")
    page.goto("/tasks?waits=approval&sort=age")
    page.keyboard.press("Enter")
    for done in range(waiting):
        shown(page)
        page.keyboard.press("m")
        wait_for(lambda done=done: count(SETTLED) == settled + done + 1, page)
    until(page, "location.pathname === '/tasks'")
    assert count("select count(*) from proposal where status = 'agreed'") == waiting > 0


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
