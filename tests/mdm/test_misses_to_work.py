"""A miss becomes work, and its decision a crosswalk row that outlives everything derived."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from mdm.access import SYSTEM_ACTOR
from mdm.assertions import unmap
from mdm.consult import Asker, consult
from mdm.db import execute, fetch
from mdm.entities import ENTITY_TYPES
from mdm.errors import Conflict, NotFound, Stale
from mdm.feed import publish
from mdm.ingest import deliver_all
from mdm.invariants import violations
from mdm.misses import Misses
from mdm.misswork import NO_TARGET, Miss, impact
from mdm.question import Question
from mdm.reading import Reader
from mdm.standardise import Delivery
from mdm.tasks import Ruling, decide, get, list_tasks
from mdm.workbench import shown

DEPARTMENT = ENTITY_TYPES["department"]


@pytest.fixture
def department(deliver):
    return deliver("ehr-north", "4410", domain="department", name="Cardiology Stepdown")


@pytest.fixture
def miss(clean_database):
    """miss(value, times=..., ...) -> the open mapping task, if there is one."""
    counter = Misses(clean_database)

    def one(value="04410", times=1, *, domain="department", system="ehr-mercy", **more):
        counter.count([Miss(domain, system, value, **more)] * times, "billing flow", ["erp-north"])
        counter.write()
        with clean_database.unit_of_work() as session:
            return next(iter(list_tasks(session, kind="mapping").items), None)

    return one


@pytest.fixture
def rule(clean_database):
    """rule(task, verdict, ...) -> the settled task."""

    def one(task, verdict="map", *, domain="department", **more):
        ruling = Ruling(verdict, task.version, **more)
        with clean_database.unit_of_work() as session:
            view = decide(session, ENTITY_TYPES[domain], task.id, SYSTEM_ACTOR, ruling, "test")
            assert violations(session, deep=True) == []
        return view

    return one


def rows(database, statement, *parameters):
    with database.unit_of_work() as session:
        return fetch(session, statement, parameters)


def events(database, kind="crosswalk.resolved"):
    return [row[0] for row in rows(database, "select data from event where type = %s order by n", kind)]


def ask(database, value="04410", system="ehr-mercy", to=(), domain="department"):
    question = Question(ENTITY_TYPES[domain], system, tuple(to), (value,), date(2026, 11, 1))
    return database.run(lambda session: consult(session, Asker(SYSTEM_ACTOR, "test"), question)).answers[0]


def test_a_miss_opens_one_task_and_more_traffic_raises_it(clean_database, miss):
    first, second = miss(), miss(times=998)
    assert (first.id, first.version, second.version) == (second.id, 1, 1)
    assert (first.impact, second.impact) == (impact(1), impact(999))
    assert second.detail["value"] == "04410"
    assert rows(clean_database, "select clients, targets, count from miss") == [(["billing flow"], ["erp-north"], 999)]


def test_the_task_of_a_patient_holds_no_value(clean_database, miss):
    task = miss("MRN-778899", domain="patient", system="ehr-north")
    assert task.detail == {"miss": task.detail["miss"], "kind": "unknown_value", "system": "ehr-north"}
    assert "778899" not in str(rows(clean_database, "select * from task"))


def test_a_value_that_is_known_by_now_opens_nothing(department, miss):
    assert miss("4410", system="ehr-north") is None


def test_golden_ids_and_unknown_domains_are_no_work(miss):
    assert miss("00000000-0000-7000-8000-000000000000", system="concord") is None
    assert miss(domain="unicorn") is None


def test_mapping_makes_a_crosswalk_row_that_survives_deriving_again(clean_database, department, miss, rule, deliver):
    task = rule(miss(), candidate=department.golden_id)
    assert (task.status, ask(clean_database)["golden_id"]) == ("settled", str(department.golden_id))
    assert events(clean_database) == [{"kind": "unknown_value", "system": "ehr-mercy", "value": "04410", "tickets": []}]
    deliver("ehr-north", "4410", domain="department", name="Cardiology Stepdown Unit")
    assert ask(clean_database)["golden_id"] == str(department.golden_id)
    assert ask(clean_database, "04410", to=["ehr-north"])["targets"][0]["value"] == "4410"


def test_a_mapped_spelling_is_asked_for_and_never_answered(clean_database, department, miss, rule):
    rule(miss("0-4410", system="ehr-north"), candidate=department.golden_id)
    found = ask(clean_database, "0-4410", "ehr-north", to=["ehr-north"])
    assert (found["outcome"], [target["value"] for target in found["targets"]]) == ("found", ["4410"])


def test_the_mapped_identifier_follows_its_record_through_a_merge(clean_database, deliver, miss, rule):
    one = deliver("ehr-north", "1", domain="supplier", name="Medline Industries", identifiers=[("us-ein", "36-2596612")])
    task = miss("V-77", domain="supplier", system="erp-north")
    rule(task, domain="supplier", candidate=one.golden_id)
    two = deliver("ehr-mercy", "9", domain="supplier", name="Medline Industries", identifiers=[("us-ein", "36-2596612")])
    survivor = rows(clean_database, "select coalesce(merged_into, id) from golden_record where id = %s", two.golden_id)[0][0]
    assert ask(clean_database, "V-77", "erp-north", domain="supplier")["golden_id"] == str(survivor)
    assert rows(clean_database, "select count(*) from xref where value = 'V-77' and recorded_to is null") == [(1,)]


def test_unmapping_makes_it_unknown_and_work_again(clean_database, department, miss, rule):
    decision = rule(miss(), candidate=department.golden_id).decision_id
    with clean_database.unit_of_work() as session:
        publish(session, "department", unmap(session, DEPARTMENT, decision))
        assert violations(session, deep=True) == []
        [task] = list_tasks(session, kind="mapping").items
    assert ask(clean_database)["outcome"] == "unknown_value"
    with pytest.raises(Conflict), clean_database.unit_of_work() as session:
        unmap(session, DEPARTMENT, decision)
    assert rule(task, candidate=department.golden_id).status == "settled"


@pytest.mark.parametrize("verdict", ["ignore", "not_ours"])
def test_what_is_refused_is_counted_but_no_work(clean_database, miss, rule, verdict):
    decision = rule(miss(), verdict, reason="test channel").decision_id
    assert miss(times=5) is None
    assert rows(clean_database, "select count from miss") == [(6,)]
    assert [event["system"] for event in events(clean_database, "crosswalk.rejected")] == ["ehr-mercy"]
    with clean_database.unit_of_work() as session:
        unmap(session, DEPARTMENT, decision)
        assert len(list_tasks(session, kind="mapping").items) == 1


def test_what_is_ignored_until_a_day_is_work_after_it(clean_database, miss, rule):
    over_everywhere = datetime.now(UTC).date() - timedelta(days=2)  # whatever the time zone of the database
    rule(miss(), "ignore", until=over_everywhere)
    assert miss() is not None


def test_a_delivery_that_brings_the_value_closes_the_task(clean_database, miss, deliver):
    task = miss("4499")
    result = deliver("ehr-mercy", "4499", domain="department", name="Radiology")
    with clean_database.unit_of_work() as session:
        assert get(session, task.id).status == "obsolete"
    assert [event["value"] for event in events(clean_database)] == ["4499"]
    assert ask(clean_database, "4499")["golden_id"] == str(result.golden_id)


def test_a_records_own_key_wins_over_what_was_mapped(clean_database, department, miss, rule, deliver):
    rule(miss("4499"), candidate=department.golden_id)
    result = deliver("ehr-mercy", "4499", domain="department", name="Radiology")
    assert result.golden_id != department.golden_id
    assert ask(clean_database, "4499")["golden_id"] == str(result.golden_id)


def test_no_target_is_work_that_joins_two_golden_records(clean_database, department, miss, rule, deliver):
    other = deliver("erp-north", "D-9", domain="department", name="Stepdown, Cardiology")
    assert other.golden_id != department.golden_id
    task = miss(str(department.golden_id), system="concord", kind=NO_TARGET, target="erp-north")
    with clean_database.unit_of_work() as session:
        detail = shown(session, DEPARTMENT, Reader(SYSTEM_ACTOR, "test"), task).detail
    assert detail["candidates"][0]["golden_id"] == str(other.golden_id)
    rule(task, candidate=other.golden_id)
    assert ask(clean_database, "4410", "ehr-north", to=["erp-north"])["targets"][0]["value"] == "D-9"
    assert [event["target"] for event in events(clean_database)] == ["erp-north"]


def test_a_steward_reads_the_five_best_candidates(clean_database, department, miss, deliver):
    for key in ("4411", "4510", "9999"):
        deliver("ehr-north", key, domain="department", name=f"Ward {key}")
    with clean_database.unit_of_work() as session:
        detail = shown(session, DEPARTMENT, Reader(SYSTEM_ACTOR, "test"), miss()).detail
    assert [(c["value"], c["reason"]) for c in detail["candidates"]] == [
        ("4410", "format"),
        ("4411", "similar_code"),
        ("4510", "similar_code"),
    ]
    assert (detail["count"], detail["clients"], detail["targets"]) == (1, ["billing flow"], ["erp-north"])
    assert "Cardiology Stepdown" in detail["candidates"][0]["display"]


@pytest.mark.race
def test_of_two_stewards_one_decides(clean_database, department, miss, rule, deliver):
    other = deliver("ehr-north", "9", domain="department", name="Radiology")
    task = miss()

    def one(golden_id):
        def work(session):
            return decide(session, DEPARTMENT, task.id, SYSTEM_ACTOR, Ruling("map", task.version, golden_id), "test")

        try:
            return clean_database.run(work).status
        except (Conflict, Stale) as error:
            return type(error).__name__

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(one, (department.golden_id, other.golden_id))) == ["Conflict", "settled"]
    assert rows(clean_database, "select count(*) from identifier_assertion") == [(1,)]


@pytest.mark.race
@pytest.mark.parametrize("turn", range(4))
def test_a_delivery_beside_a_decision_leaves_one_answer_and_one_event(clean_database, department, miss, turn):
    task = miss("4499")
    delivery = Delivery("ehr-mercy", "4499", {"name": "Radiology"})

    def map_it():
        def work(session):
            return decide(session, DEPARTMENT, task.id, SYSTEM_ACTOR, Ruling("map", task.version, department.golden_id), "test").status

        try:
            return clean_database.run(work)
        except (Conflict, Stale):
            return "late"

    with ThreadPoolExecutor(2) as pool:
        acts = [map_it, lambda: deliver_all(clean_database, DEPARTMENT, SYSTEM_ACTOR, [delivery], "test")[0].golden_id]
        results = list(pool.map(lambda act: act(), acts if turn % 2 else acts[::-1]))
    [golden_id] = [result for result in results if isinstance(result, UUID)]
    assert ask(clean_database, "4499")["golden_id"] == str(golden_id)
    assert len(events(clean_database)) == 1
    assert rows(clean_database, "select status from miss") == [("resolved",)]
    assert rows(clean_database, "select count(*) from task where status = 'open'") == [(0,)]


@pytest.mark.race
def test_a_value_that_becomes_known_beside_its_first_miss_leaves_no_task(clean_database, miss):
    """The delivery looked for misses before this one was there; the writer looks again when the delivery has ended."""
    counter = Misses(clean_database)
    with clean_database.unit_of_work() as session:
        golden_id = UUID("00000000-0000-7000-8000-00000000000a")
        execute(session, "insert into golden_record (id, domain, status) values (%s, 'department', 'active')", (golden_id,))
        execute(
            session,
            "insert into xref (domain, system_id, value, golden_id, status, own, exclusive, pending) select 'department', id, '5', %s,"
            " 'active', true, false, false from identifier_system where code = 'ehr-mercy'",
            (golden_id,),
        )
        counter.count([Miss("department", "ehr-mercy", "5")], "flow")
        counter.write()
        assert rows(clean_database, "select status from task") == [("open",)]
    counter.write()
    assert rows(clean_database, "select status from task") == [("obsolete",)]
    assert len(events(clean_database)) == 1


def test_an_unknown_decision_cannot_be_taken_back(clean_database):
    with pytest.raises(NotFound), clean_database.unit_of_work() as session:
        unmap(session, DEPARTMENT, UUID(int=7))


def test_a_value_is_mapped_only_to_what_the_steward_may_see(clean_database, department, miss):
    task, narrow = miss(), replace(SYSTEM_ACTOR, systems=frozenset({"ehr-mercy"}))
    ruling = Ruling("map", task.version, candidate=department.golden_id)
    with pytest.raises(NotFound), clean_database.unit_of_work() as session:
        decide(session, DEPARTMENT, task.id, narrow, ruling, "test")
