"""The page of drift: questions by rule, domain and system, and the days on which a feed is filled otherwise than it used to be."""

import re

import pytest

from mdm import measures
from mdm.access import SYSTEM_ACTOR
from mdm.db import execute
from mdm.entities import ENTITY_TYPES
from mdm.identity import Act, merge
from mdm.ids import new_id
from mdm.ingest import deliver_all
from mdm.measures import Window
from mdm.pins import NewPin, pin
from mdm.standardise import Delivery
from stewardship_ui import charts

PAYER = ENTITY_TYPES["payer"]
ALL = Window(sorted(ENTITY_TYPES), None)
ACT = Act(actor=SYSTEM_ACTOR, reason="their letterhead", request_id="test")
PLAN = {"name": "Cedar Valley Health Plan"}
USUAL = dict.fromkeys(range(2, 12), (6, 6))  # days ago -> (with a city, deliveries)


@pytest.fixture
def feed(database):
    """feed(system, {days ago: (with a city, deliveries)}): payers as this system delivered them."""

    def send(system, days):
        for ago, (filled, deliveries) in days.items():
            rows = [_payer(system, ago, with_city=place < filled) for place in range(deliveries)]
            deliver_all(database, PAYER, SYSTEM_ACTOR, rows, "test")
            _backdate(database, f"d{ago}-%", ago)

    return send


def _payer(system, ago, *, with_city):
    key = f"d{ago}-{new_id().hex}"
    return Delivery(system, key, {"name": f"{key[-12:]} Health", **({"city": "Bath"} if with_city else {})})


def _backdate(database, keys, ago):
    """The history lets nobody change when something came, but for whoever may switch its guard off."""
    with database.unit_of_work() as session:
        execute(session, "set local session_replication_role = replica")
        execute(
            session,
            "update source_record_version v set recorded_at = ((now() at time zone 'utc')::date - %s + time '12:00') at time zone 'utc'"
            " from source_record r where r.id = v.record_id and r.key like %s",
            (ago, keys),
        )


@pytest.fixture
def drifted(deliver, database):
    """Two payers whose city was pinned before billing-north named another; each has a record of ehr-north too, which says nothing of it."""
    for key in ("c1", "c2"):
        row = deliver("payer", "billing-north", {**PLAN, "name": f"{PLAN['name']} {key}", "city": "Bath"}, key=key)
        other = deliver("payer", "ehr-north", {"name": f"Tidal Mutual {key}"}, key=key)
        _join_and_pin(database, sorted([row.golden_id, other.golden_id]))
        deliver("payer", "billing-north", {**PLAN, "name": f"{PLAN['name']} {key}", "city": "Newport"}, key=key)


def _join_and_pin(database, goldens):
    with database.unit_of_work() as session:
        merge(session, PAYER, goldens[0], goldens[1:], ACT)
        pin(session, PAYER, goldens[0], NewPin("city", "Salem"), ACT)


def counted(database, window, name="city"):
    found = database.run(lambda session: measures.filled(session, window, [name]))
    return {(each.system, each.attribute): [(count.filled, count.deliveries) for count in each.counts] for each in found}


def test_deliveries_with_a_value_are_counted_by_system_field_and_day(feed, database):
    feed("billing-north", {0: (1, 2), 3: (4, 5), 34: (2, 2), 40: (1, 1)})
    feed("ehr-north", {1: (0, 3)})
    week = Window(["payer"], None, 7)
    assert counted(database, week) == {("billing-north", "city"): [(2, 2), (4, 5), (1, 2)], ("ehr-north", "city"): [(0, 3)]}
    assert counted(database, Window(["payer"], ["ehr-north"], 7)) == {("ehr-north", "city"): [(0, 3)]}
    assert counted(database, Window(["patient"], None, 7)) == {}
    assert counted(database, week, "name") == {("billing-north", "name"): [(2, 2), (5, 5), (2, 2)], ("ehr-north", "name"): [(3, 3)]}


def test_a_withdrawal_is_no_delivery_and_a_change_is_another(deliver, database):
    deliver("payer", "billing-north", {**PLAN, "city": "Bath"}, key="a")
    deliver("payer", "billing-north", PLAN, key="a")
    deliver("payer", "billing-north", PLAN, key="a")
    gone = Delivery("billing-north", "a", PLAN, (), "inactive")
    deliver_all(database, PAYER, SYSTEM_ACTOR, [gone], "test")
    assert counted(database, Window(["payer"], None, 7)) == {("billing-north", "city"): [(1, 2)]}


def test_questions_are_counted_at_the_system_that_changed(drifted, database):
    found = database.run(lambda session: measures.drifted(session, ALL))
    assert [(row.rule, row.domain, row.system, row.tasks) for row in found] == [("pin", "payer", "billing-north", 2)]
    for narrow in (Window(["payer"], ["ehr-north"]), Window(["patient"], None)):
        assert database.run(lambda session, narrow=narrow: measures.drifted(session, narrow)) == []


def test_of_a_link_the_record_that_changed_counts(database, deliver):
    rows = [deliver("payer", system, {"name": name}) for system, name in (("billing-north", "Harbor Plan"), ("ehr-north", "Tidal Mutual"))]
    with database.unit_of_work() as session:
        execute(
            session,
            "insert into task (id, domain, kind, dedupe_key, records, goldens, detail) values (%s, 'payer', 'drift', 'd', %s, %s,"
            " jsonb_build_object('rule', 'link', 'changed', jsonb_build_array(%s::text)))",
            (new_id(), [row.record_id for row in rows], [rows[0].golden_id], str(rows[1].record_id)),
        )
    found = database.run(lambda session: measures.drifted(session, ALL))
    assert [(row.rule, row.system, row.tasks) for row in found] == [("link", "ehr-north", 1)]


def test_the_page_leads_from_a_count_to_its_tasks(steward, drifted):
    page = steward.get("/drift").text
    assert "a value that somebody pinned" in page
    address = re.search(r'href="(/tasks\?[^"]+)"', page)[1].replace("&amp;", "&")
    assert address == "/tasks?domain=payer&kind=drift"
    assert "Tasks <small>2 open" in steward.get(address).text


def test_a_field_that_stops_being_filled_is_listed_first_and_drawn(steward, feed):
    feed("billing-north", {**USUAL, 1: (0, 6)})
    page = steward.get("/drift?domain=payer").text
    rows = [re.sub(r"<[^>]+>", " ", row).split() for row in re.findall(r"<tr><td><code>.*?</tr>", page)]
    assert rows[0][:2] == ["billing-north", "City"]
    assert rows[0][3:] == ["0.0", "%", "100.0", "%", "to", "100.0", "%", "6", "outside"]
    assert [row[-1] for row in rows].count("outside") == 1
    assert "1 day outside" in page
    assert "City of <code>billing-north</code>" in page
    assert page.count('<circle class="s-outside" cx="7"') == 1
    assert page.count('<circle class="s-outside"') == 2
    assert page.count('<circle class="s-share"') == 11
    assert "style=" not in page


def test_the_address_names_domain_system_field_and_period(steward, feed):
    feed("billing-north", {**USUAL, 1: (0, 6)})
    chosen = "/drift?domain=payer&system=billing-north&field=name&days=7"
    page = steward.get(chosen).text
    assert "Name of <code>billing-north</code>" in page
    assert page.count('<circle class="s-share"') == 6
    assert "system=billing-north&amp;field=name" in page
    assert "Nothing to draw" in steward.get("/drift?domain=payer&system=ehr-north").text
    for wrong in ("domain=gadget", "domain=payer&field=gadget", "domain=payer&system=gadget", "field=%00"):
        assert steward.get(f"/drift?{wrong}").status_code == 404


def test_a_steward_of_one_system_sees_its_feeds_and_questions_only(enter, feed, drifted):
    feed("billing-north", {**USUAL, 1: (0, 6)})
    feed("ehr-north", {1: (0, 1)})
    page = enter("steward", systems=["ehr-north"], domains=["payer"]).get("/drift?domain=payer").text
    assert "ehr-north" in page
    assert "billing-north" not in page
    assert "No source has changed its mind" in page
    assert "no day outside" in page
    narrow = enter("steward", systems=["ehr-north"], domains=["payer"])
    assert narrow.get("/drift?domain=payer&system=billing-north").status_code == 404
    assert narrow.get("/drift?domain=patient").status_code == 404
    assert "a value that somebody pinned" in enter("steward", systems=["billing-north", "ehr-north"]).get("/drift").text
    for role in ("auditor", "loader"):
        assert enter(role).get("/drift").status_code == 403


def test_where_nothing_is_the_page_says_what_would_be(steward):
    page = steward.get("/drift").text
    for said in ("No source has changed its mind", "No delivery in this period", "Nothing to draw"):
        assert said in page
    for name in ("drifted", "filled"):
        assert measures.MEASURES[name].title in page
    assert 'href="/drift" aria-current="page"' in page
    assert 'href="/drift"' in steward.get("/quality").text


def test_no_value_is_on_the_page(steward, feed, drifted):
    feed("billing-north", USUAL)
    page = steward.get("/drift?domain=payer").text
    assert not any(value in page for value in ("Bath", "Salem", "Newport", "Cedar"))


def test_a_gap_parts_a_line_and_dots_stand_alone():
    drawn = charts.lines(["a", "b", "c", "d"], {"x": [1, 2, None, 4]}, dots={"y": [None, 3, None, None]})
    assert [(line.series, len(line.points.split())) for line in drawn.lines] == [("x", 2), ("x", 1)]
    assert [(dot.series, dot.label, dot.value) for dot in drawn.dots] == [("y", "b", 3)]
    assert drawn.dots[0].y == charts.HEIGHT - 22 - 3 / 4 * (charts.HEIGHT - 30)
