"""Trees: as of a day, with their roll-ups; what differs; moving with its preview; and what somebody without rights sees of it."""

import re
from datetime import date

import pytest

from mdm.db import fetch
from mdm.entities import ENTITY_TYPES
from mdm.ingest import deliver_all
from mdm.standardise import Delivery
from mdm.statements import Assertion

AT = "/hierarchies/cost_center:main"
NOBODY = "00000000-0000-7000-8000-000000000000"


@pytest.fixture
def centers(database, actor):
    """Total over East and West; Ward below East until it moved in July 2026; Loose without a place."""

    def send(key, name, *parents):
        said = [Assertion("rolls_up_to", "erp-north", parent, valid_from=since) for parent, since in parents]
        deliveries = [Delivery("erp-north", key, {"name": name, "code": key}, (), "active", None, None, said)]
        return deliver_all(database, ENTITY_TYPES["cost_center"], actor, deliveries, "test-request")[0].golden_id

    ids = {"100": send("100", "Total"), "110": send("110", "East", ("100", None)), "120": send("120", "West", ("100", None))}
    ids["111"] = send("111", "Ward", ("110", date(2020, 1, 1)), ("120", date(2026, 7, 1)))
    ids["900"] = send("900", "Loose")
    return ids


def rows(page):
    """(level, record) of the tree as it is shown."""
    return re.findall(r'<tr data-level="(\d+)".*?class="node"[^>]*><bdi>([^<]+)</bdi>', page, re.DOTALL)


def test_a_tree_is_shown_as_of_a_day(steward, centers):
    assert AT in steward.get("/hierarchies").text
    june, july = (rows(steward.get(f"{AT}?as_of=2026-{day}").text) for day in ("06-30", "07-01"))
    assert [(level, line.split()[1]) for level, line in june] == [("1", "Total"), ("2", "East"), ("3", "Ward"), ("2", "West")]
    assert [(level, line.split()[1]) for level, line in july] == [("1", "Total"), ("2", "East"), ("2", "West"), ("3", "Ward")]


def test_what_has_no_place_stands_in_the_tray(steward, centers):
    page = steward.get(AT).text
    assert "Without a place" in page
    assert f"{AT}/move/{centers['900']}" in page


def test_two_days_differ_in_words(steward, centers):
    page = steward.get(f"{AT}/diff/cost_center:main?as_of=2026-06-30&to=2026-07-01").text
    assert "Moved 1" in page
    assert re.search(r"<del><bdi>[^<]*East[^<]*</bdi></del>.*<ins><bdi>[^<]*West", page, re.DOTALL)
    assert "No difference" in steward.get(f"{AT}/diff/cost_center:main?as_of=2026-07-01&to=2026-07-02").text
    chosen = steward.get(f"{AT}/diff?as_of=2026-06-30&to=2026-07-01")
    assert (chosen.status_code, chosen.location) == (303, f"{AT}/diff/cost_center:main?as_of=2026-06-30&to=2026-07-01")


def test_a_move_is_previewed_and_then_done_exactly_so(steward, centers, database):
    at = f"{AT}/move/{centers['900']}"
    assert f'value="{centers["110"]}"' in steward.post(at, step="find", text="East").text
    typed = {"target": str(centers["110"]), "since": "2026-09-01", "reason": "reorganised"}
    preview = steward.post(at, step="preview", **typed).text
    assert re.search(r"Total.*?>3<.*?>4<", preview, re.DOTALL)
    with database.unit_of_work() as session:
        assert fetch(session, "select count(*) from relationship_claim where actor = %s", (steward.name,)) == [(0,)]
    assert steward.post(at, step="move", **typed).status_code == 303
    assert "Loose" not in str(rows(steward.get(f"{AT}?as_of=2026-08-31").text))
    assert "Loose" in str(rows(steward.get(f"{AT}?as_of=2026-09-01").text))


def test_a_move_below_itself_is_refused_and_keeps_what_was_typed(steward, centers):
    typed = {"target": str(centers["111"]), "since": "2026-09-01", "reason": "by mistake"}
    answer = steward.post(f"{AT}/move/{centers['100']}", step="move", **typed)
    assert answer.status_code == 409
    assert "by mistake" in answer.text


@pytest.mark.parametrize("missing", ["target", "since", "reason"])
def test_a_move_needs_its_day_and_reason(steward, centers, missing):
    typed = {"target": str(centers["110"]), "since": "2026-09-01", "reason": "x", missing: ""}
    assert steward.post(f"{AT}/move/{centers['900']}", step="move", **typed).status_code == 422


def test_who_only_reads_moves_nothing(browser, person, centers):
    browser.enter_as(person("admin"))
    assert "Move to" not in browser.get(AT).text
    assert browser.get(f"{AT}/move/{centers['900']}").status_code == 403
    assert browser.post(f"{AT}/move/{centers['900']}", step="move").status_code == 403


def test_a_closed_domain_and_a_foreign_system_have_no_tree(browser, person, centers):
    browser.enter_as(person(domains=["payer"]))
    assert browser.get(AT).status_code == 404
    browser.enter_as(person(systems=["ehr-mercy"]))
    assert "No record has a place" in browser.get(AT).text
    assert browser.get(f"{AT}/move/{centers['900']}").status_code == 404


@pytest.mark.parametrize(
    "path", ["/hierarchies/unicorn:main", "/hierarchies/patient:main", f"{AT}?at=00000000-0000-7000-8000-000000000000"]
)
def test_what_is_not_there_says_so(steward, centers, path):
    assert steward.get(path).status_code == 404


def test_a_day_that_is_none_is_refused(steward, centers):
    assert steward.get(f"{AT}?as_of=soon").status_code == 422
