"""Quality pages: every figure equals what a plain count of the same rows says, rights and scopes, blind samples without their weight."""

from datetime import UTC, datetime, timedelta

import pytest

from mdm import link_samples, measures
from mdm.db import execute, fetch
from mdm.entities import ENTITY_TYPES
from mdm.measures import Window
from stewardship_ui import charts
from tests.ui.conftest import HERE, Browser

ALL = Window(sorted(ENTITY_TYPES), None)


@pytest.fixture
def sign_in(app, database, person):
    def enter(role, **scope):
        made = Browser(app, database)
        made.name = person(role, **scope)
        made.enter_as(made.name)
        return made

    return enter


def ask(database, statement, params=()):
    with database.unit_of_work() as session:
        return fetch(session, statement, params)


def add_tasks(database, rows):
    """(domain, days since it was opened, days since it was closed or None, hours it was due after opening, usually 120)"""
    now = datetime.now(UTC)
    with database.unit_of_work() as session:
        for number, (domain, opened, closed, due) in enumerate(rows):
            at = now - timedelta(days=opened)
            execute(
                session,
                "insert into task (id, domain, kind, dedupe_key, status, records, goldens, detail, created_at, closed_at, due_at)"
                " values (gen_random_uuid(), %s, 'review', %s, %s, '{}', '{}', '{}', %s, %s, %s)",
                (
                    domain,
                    f"t{number}",
                    "open" if closed is None else "settled",
                    at,
                    None if closed is None else now - timedelta(days=closed),
                    at + timedelta(hours=due or 120),
                ),
            )


def test_the_flow_of_work_and_how_long_it_takes_to_clear(database):
    add_tasks(database, [("payer", 40, None, None), ("payer", 3, None, None), ("payer", 3, 1, None), ("payer", 2, 1, None)])
    flow = database.run(lambda session: measures.flow(session, Window(["payer"], None, 7)))
    assert [(day.arrived, day.resolved, day.backlog) for day in flow[-4:]] == [(2, 0, 3), (1, 0, 4), (0, 2, 2), (0, 0, 2)]
    assert flow[0].backlog == 1
    assert len(flow) == 7
    assert measures.days_to_clear(flow) is None
    falling = [measures.Day(day.day, 0, 2, 10 - 2 * place) for place, day in enumerate(flow[:4])]
    assert measures.days_to_clear(falling) == 2.0


def test_due_times_kept_and_open_past_them(database):
    add_tasks(
        database, [("payer", 3, 2, 48), ("payer", 3, 1, 12), ("payer", 3, None, 12), ("payer", 3, None, 24 * 30), ("payer", 3, 1, None)]
    )
    assert database.run(lambda session: measures.rows(session, "due", ALL)) == [("payer", 3, 2, 1)]


def test_duplicates_are_records_of_one_system_beyond_the_first_of_a_golden_record(deliver, database):
    for key in ("a", "b", "c"):
        deliver("payer", "billing-north", {"name": "Harbor Health Plan", "city": "Bath"}, [("us-naic", "12345")], key=key)
    deliver("payer", "billing-north", {"name": "Tidal Group of Maine", "city": "Orono"}, key="d")
    deliver("payer", "ehr-north", {"name": "Harbor Health Plan", "city": "Bath"}, [("us-naic", "12345")], key="a")
    goldens = ask(database, "select count(distinct golden_id) from link where recorded_to is null")[0][0]
    found = database.run(lambda session: measures.duplicates(session, ALL))
    assert goldens == 2
    assert [(row.domain, row.system, row.records, row.duplicates) for row in found] == [
        ("payer", "billing-north", 4, 2),
        ("payer", "ehr-north", 1, 0),
    ]
    scoped = database.run(lambda session: measures.duplicates(session, Window(["payer"], ["ehr-north"])))
    assert [row.system for row in scoped] == ["ehr-north"]


def test_weights_by_outcome_and_what_other_thresholds_would_do(review, steward, database):
    pairs = ask(database, "select weight, verdict from edge")
    asked = Window(["patient"], None)
    found = database.run(lambda session: measures.rows(session, "weights", asked))
    assert sum(row[2] for row in found) == len(pairs) > 0
    assert {row[1] for row in found} == {"open"}
    weight = pairs[0][0]
    split = database.run(lambda session: measures.split(session, asked, weight - 1, weight + 1))
    assert (split.link, split.review, split.apart) == (0, len(pairs), 0)
    split = database.run(lambda session: measures.split(session, asked, weight - 2, weight))
    assert (split.link, split.review, split.apart) == (len(pairs), 0, 0)
    page = steward.get(f"/quality/matching?domain=patient&review=0&link={weight}").text
    assert "+1" in page
    assert '<rect class="s-open"' in page
    assert "Make a version" not in page


def test_overturned_decisions_by_person_and_band_and_their_pace(review, steward, database):
    low, high, weight = ask(database, "select low, high, weight from edge")[0]
    with database.unit_of_work() as session:
        insert = (
            "insert into decision (id, domain, kind, records, actor, model_version, revokes)"
            " values (gen_random_uuid(), 'patient', %s, %s, %s, '', %s) returning id"
        )
        decided = fetch(session, insert, ("different", [low, high], steward.name, None))[0][0]
        execute(session, "insert into judgement (decision_id, low, high, verdict) values (%s, %s, %s, 'different')", (decided, low, high))
        execute(session, insert, ("undo", [low, high], steward.name, decided))
    by_person = database.run(lambda session: measures.overturned(session, "overturned_by_person", ALL))
    assert [(row.what, row.decided, row.undone, row.rate) for row in by_person] == [((steward.name, "different"), 1, 1, 1.0)]
    by_band = database.run(lambda session: measures.overturned(session, "overturned_by_band", ALL))
    assert [(row.what[0], row.decided, row.undone) for row in by_band] == [(weight // 2 * 2, 1, 1)]
    pace = database.run(lambda session: measures.pace(session, ALL))
    assert [(row.actor, row.decided, row.days, row.median_seconds) for row in pace] == [(steward.name, 1, 1, None)]
    assert "100.0 %" in steward.get("/quality/people").text


def test_a_steward_sees_their_own_pace_and_nobody_elses(steward, sign_in, database):
    with database.unit_of_work() as session:
        for who in (steward.name, "somebody.else"):
            execute(
                session,
                "insert into decision (id, domain, kind, records, actor, model_version)"
                " values (gen_random_uuid(), 'payer', 'merge', '{}', %s, '')",
                (who,),
            )
    assert "somebody.else" not in steward.get("/quality/people").text
    page = sign_in("admin").get("/quality/people").text
    assert "somebody.else" in page
    assert steward.name in page


def test_the_median_leaves_pauses_out(database):
    with database.unit_of_work() as session:
        for seconds in (0, 4, 10, 4000, 4008):
            execute(
                session,
                "insert into decision (id, domain, kind, records, actor, model_version, created_at)"
                " values (gen_random_uuid(), 'payer', 'merge', '{}', 'ann', '', date_trunc('day', now()) - interval '1 day'"
                " + %s * interval '1 s')",
                (seconds,),
            )
    assert database.run(lambda session: measures.pace(session, ALL))[0].median_seconds == 6.0


def test_misses_and_stale_rules(database):
    with database.unit_of_work() as session:
        for system, value, status in (
            ("ehr-north", "1", "open"),
            ("ehr-north", "2", "open"),
            ("ehr-mercy", "3", "open"),
            ("ehr-north", "4", "resolved"),
        ):
            execute(
                session,
                "insert into miss (domain, system, value, count, status) values ('payer', %s, %s, 5, %s)",
                (system, value, status),
            )
    found = database.run(lambda session: measures.misses(session, ALL))
    assert [(row.system, row.values, row.asked) for row in found] == [("ehr-north", 2, 10), ("ehr-mercy", 1, 5)]
    assert database.run(lambda session: measures.rows(session, "stale_mappings", ALL)) == []


@pytest.mark.parametrize(
    ("good", "total", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (45, 50, 0.7864, 0.9565), (1, 2, 0.0945, 0.9055)],
)
def test_wilsons_interval(good, total, low, high):
    assert measures.wilson(good, total) == pytest.approx((low, high), abs=5e-5)
    assert measures.wilson(0, 0) is None


@pytest.fixture
def linked(deliver):
    """Three payers of two records each, linked by the machine."""
    for number, name, city in (
        ("12345", "Harbor Health Plan", "Bath"),
        ("60054", "Tidal Mutual", "Orono"),
        ("80314", "Pine Casualty", "Saco"),
    ):
        for system in ("billing-north", "ehr-north"):
            deliver("payer", system, {"name": name, "city": city}, [("us-naic", number)])


def test_a_blind_sample_is_drawn_once_a_week_and_judged_once(linked, steward, database):
    assert "Draw this week" in steward.get("/quality/sample/payer").text
    assert steward.post("/quality/sample/payer").status_code == 303
    assert steward.post("/quality/sample/payer").status_code == 409
    drawn = ask(database, "select id, weight from link_sample order by id")
    assert len(drawn) == 3
    page = steward.get("/quality/sample/payer").text
    assert 'value="unsure"' in page
    assert "bits" not in page
    assert all(f"{weight:.1f}" not in page for _, weight in drawn)
    verdicts = ("same", "same", "different")
    for (sample, _), verdict in zip(drawn, verdicts, strict=True):
        assert steward.post(f"/quality/sample/payer/{sample}", verdict=verdict).status_code == 303
    assert steward.post(f"/quality/sample/payer/{drawn[0][0]}", verdict="different").status_code == 409
    assert steward.post(f"/quality/sample/payer/{drawn[0][0]}", verdict="maybe").status_code == 422
    assert steward.post(f"/quality/sample/patient/{drawn[0][0]}", verdict="same").status_code == 404
    row = database.run(lambda session: measures.precision(session, ALL))[0]
    assert (row.same, row.different, row.unsure, row.waiting, row.value) == (2, 1, 0, 0, pytest.approx(2 / 3))
    assert "66.7 %" in steward.get("/quality/matching?domain=payer").text


def test_judging_a_pair_of_patients_is_audited_as_reading_them(deliver, steward, database):
    same = {"given_name": "Maria", "family_name": "Grayson", "birth_date": "1961-04-12", "sex": "F", "address_line": "12 Oak Street"}
    for system in ("ehr-north", "ehr-mercy"):
        deliver("patient", system, same, [("us-ssn", "123-45-4410")])
    steward.post("/quality/sample/patient")
    if ask(database, "select count(*) from link_sample")[0][0] == 0:
        pytest.fail("the machine has not linked two equal records")
    before = ask(database, "select count(*) from audit where subjects <> '{}'")[0][0]
    page = steward.get("/quality/sample/patient").text
    assert "1961-04-12" not in page
    assert ask(database, "select count(*) from audit where subjects <> '{}'")[0][0] > before


def test_who_sees_which_figures(sign_in, linked, database):
    narrow = sign_in("steward", systems=["ehr-north"], domains=["payer"])
    page = narrow.get("/quality").text
    assert "ehr-north" in page
    assert "billing-north" not in page
    assert "Arrivals" not in page
    for path in ("/quality/matching", "/quality/people"):
        assert "Not for your scope" in narrow.get(path).text
    assert narrow.get("/quality/sample/patient").status_code == 403
    for role in ("auditor", "loader"):
        assert sign_in(role).get("/quality").status_code == 403
    assert sign_in("admin").get("/quality/sample/payer").status_code == 403
    whole = sign_in("steward", domains=["payer"])
    assert whole.get("/quality/matching?domain=patient").status_code == 404


def test_every_figure_has_its_definition_and_its_table(steward, linked):
    for path, names in (
        ("/quality", ("flow", "duplicates", "misses", "loads", "due", "stale_mappings")),
        ("/quality/matching?domain=payer", ("weights", "what_if", "precision")),
        ("/quality/people", ("throughput", "overturned_by_person", "overturned_by_band", "emergency")),
    ):
        page = steward.get(path).text
        for name in names:
            assert measures.MEASURES[name].title in page
            assert measures.MEASURES[name].definition.split(".")[0][:60] in page
        assert page.count("<svg viewBox") == 0 or "Show as table" in page
        assert "style=" not in page


def test_drawings_fit_their_figures():
    drawn = charts.stacked([("6", {"same": 3, "open": 1}), ("7", {"open": 8})], ["same", "open"], {"link": 1.5})
    room = charts.HEIGHT - 30
    assert [(bar.series, bar.count, bar.height) for bar in drawn.bars] == [
        ("same", 3, round(3 / 8 * room, 1)),
        ("open", 1, round(room / 8, 1)),
        ("open", 8, float(room)),
    ]
    assert [tick.text for tick in drawn.ticks] == ["0", "2", "4", "6", "8"]
    assert drawn.marks[0].text == "link"
    series = charts.lines(["a", "b"], {"x": [0, 4]})
    assert series.lines[0].points == f"48.0,{charts.HEIGHT - 22.0} {charts.WIDTH - 20.0},8.0"
    assert [charts.nice(most) for most in (0, 4, 5, 9, 45, 61, 1000)] == [4, 4, 8, 12, 80, 80, 1000]
    assert charts.lines([], {"x": []}).lines[0].points == ""


def test_forms_without_our_token_draw_nothing(steward, database):
    assert steward.client.post("/quality/sample/payer", data={"csrf": "x"}, headers=HERE).status_code == 403
    assert ask(database, "select count(*) from link_sample") == [(0,)]


def test_a_draw_is_repeatable(linked, database, actor):
    payer = ENTITY_TYPES["payer"]
    database.run(lambda session: link_samples.draw(session, payer, actor, size=2))
    first = ask(database, "select low, high from link_sample order by low")
    with database.unit_of_work() as session:
        execute(session, "delete from link_sample")
    database.run(lambda session: link_samples.draw(session, payer, actor, size=2))
    assert ask(database, "select low, high from link_sample order by low") == first
