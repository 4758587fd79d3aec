"""Models on stored data: training, the effect of a version shown first, activation, and matching everything again."""

from dataclasses import replace
from random import Random
from threading import Thread
from time import sleep

import pytest

from matching.bulk import Room
from matching.model import Thresholds, to_json
from mdm import jobs, learning, model_versions, models, rematch, tasks
from mdm.access import SYSTEM_ACTOR
from mdm.db import execute, fetch
from mdm.entities import ENTITY_TYPES
from mdm.errors import NotFound
from mdm.ingest import deliver_all
from mdm.invariants import violations
from mdm.jsonio import dumps
from mdm.rematch import match_all
from mdm.running import Hand
from mdm.tasks import Ruling
from tests.bench.people import delivered, known

PATIENT = ENTITY_TYPES["patient"]
ROOM = Room("500MB", 1)
STRICT = replace(PATIENT.model, version="strict", thresholds=Thresholds(review=-13.0, link=13.9), clip=14.0)


@pytest.fixture
def people(clean_database):
    """120 persons, 60 of them at a second hospital too."""
    clean_database.run(lambda s: models.current_scorer(s, PATIENT))
    deliver_people(clean_database)
    return clean_database


def deliver_people(database):
    rows = [*(delivered(n) for n in range(120)), *(known(n) for n in range(0, 120, 2))]
    Random(1).shuffle(rows)
    results = deliver_all(database, PATIENT, SYSTEM_ACTOR, rows, "test")
    assert not any(r.problems for r in results)


def groups(database):
    """The partition by the records' own names: golden ids differ from load to load."""
    found = {}
    for name, golden in partition(database).items():
        found.setdefault(golden, set()).add(name)
    return {frozenset(members) for members in found.values()}


def keep(database, model, *, active=False):
    statement = "insert into match_model (domain, version, model, active) values ('patient', %s, %s::jsonb, %s)"
    database.run(lambda session: execute(session, statement, (model.version, dumps(to_json(model)).decode(), active)))


def partition(database):
    statement = (
        "select r.system || '/' || r.key, l.golden_id from source_record r join link l on l.record_id = r.id and l.recorded_to is null"
    )
    return dict(database.run(lambda session: fetch(session, statement)))


def pairs_of(database):
    return {(low, high): weight for low, high, weight in database.run(lambda s: fetch(s, "select low, high, weight from edge"))}


def match_again(database, domain="patient"):
    """Do the job as a worker does it."""
    database.run(lambda s: jobs.enqueue(s, jobs.MATCH_ALL, {"domain": domain}, dedupe_key="again", queue="bulk"))
    hand = Hand(database, "hand", lambda: False, {jobs.MATCH_ALL: lambda run: match_all(run, 1)})
    assert hand.drain() >= 1
    states = database.run(lambda s: fetch(s, "select state, error from job where kind = %s", (jobs.MATCH_ALL,)))
    assert set(states) == {("done", None)}


def check(database):
    with database.unit_of_work() as session:
        assert violations(session, deep=True) == []


def test_bulk_finds_nothing_to_do_after_deliveries(people):
    """Loaded one by one or matched in bulk: the same edges, the same golden records."""
    before, edges = partition(people), pairs_of(people)
    match_again(people)
    assert partition(people) == before
    assert pairs_of(people) == pytest.approx(edges, abs=1e-9)
    check(people)


def test_bulk_links_what_a_stricter_model_had_left_apart(people):
    """Delivered under a model that links next to nothing, then matched in bulk: as if they had been delivered under this one."""
    joined = groups(people)
    statement = "truncate source_record, golden_record, edge, link, task, match_key cascade"
    people.run(lambda s: execute(s, statement))
    keep(people, STRICT, active=True)
    people.run(lambda s: models.current_scorer(s, PATIENT))
    deliver_people(people)
    assert len(groups(people)) > len(joined)
    people.run(lambda s: execute(s, "update match_model set active = false"))
    match_again(people)
    assert groups(people) == joined
    check(people)


def test_activation_leaves_golden_ids_and_human_decisions_standing(people):
    """A stricter model parts nothing by itself; what a person has said stands whatever the model says."""
    before = partition(people)
    keep(people, STRICT)
    entity, model = people.run(lambda s: model_versions.find_model(s, ENTITY_TYPES, "strict"))
    effect = learning.effect_of(people, entity, model, ROOM)
    assert effect.replaces == PATIENT.model.version
    assert effect.pairs_lost > 0
    assert effect.golden_records_after > effect.golden_records_before
    assert partition(people) == before  # looking changes nothing
    people.run(lambda s: model_versions.activate(s, entity, model, SYSTEM_ACTOR))
    match_again(people)
    assert partition(people) == before
    cuts = people.run(lambda s: tasks.list_tasks(s, kind="cut")).items
    assert cuts
    people.run(lambda s: tasks.decide(s, PATIENT, cuts[0].id, SYSTEM_ACTOR, Ruling("reject", cuts[0].version), "test"))
    declared = people.run(lambda s: model_versions.find_model(s, ENTITY_TYPES, PATIENT.model.version))
    people.run(lambda s: model_versions.activate(s, *declared, SYSTEM_ACTOR))
    people.run(lambda s: model_versions.activate(s, entity, model, SYSTEM_ACTOR))
    match_again(people)
    assert partition(people) == before
    assert cuts[0].goldens[0] not in {g for task in people.run(lambda s: tasks.list_tasks(s, kind="cut")).items for g in task.goldens}
    check(people)


def test_a_version_that_is_activated_while_everything_is_matched_is_matched_too(people, monkeypatch):
    keep(people, STRICT)
    read, begun = rematch.read_stock, []

    def read_and_activate(database, entity, columns):
        begun.append(read(database, entity, columns))
        if len(begun) == 1:
            job = people.run(lambda s: model_versions.activate(s, entity, STRICT, SYSTEM_ACTOR))
            states = people.run(lambda s: fetch(s, "select state from job where id = %s", (job,)))
            assert states == [("running",)]
        return begun[-1]

    monkeypatch.setattr(rematch, "read_stock", read_and_activate)
    people.run(lambda s: model_versions.activate(s, PATIENT, PATIENT.model, SYSTEM_ACTOR))
    match_again(people)
    assert {row[0] for row in people.run(lambda s: fetch(s, "select distinct model_version from edge where verdict is null"))} == {"strict"}
    assert people.run(lambda s: tasks.list_tasks(s, kind="cut")).items
    check(people)


def test_two_versions_made_at_once_have_two_names(people):
    names = []

    def make():
        names.append(people.run(lambda s: model_versions.with_thresholds(s, PATIENT, (1.0, 5.0), SYSTEM_ACTOR)))

    second = Thread(target=make)
    with people.unit_of_work() as session:
        names.append(model_versions.with_thresholds(session, PATIENT, (1.0, 6.0), SYSTEM_ACTOR))
        second.start()
        sleep(0.3)
    second.join()
    assert len(set(names)) == 2


def test_a_trained_model_is_kept_but_not_used(people):
    learned = learning.learn(people, PATIENT, SYSTEM_ACTOR, ROOM)
    assert learned.reason is None
    assert learned.records == 180
    lines = {line.version: line.active for line in people.run(model_versions.models)}
    assert lines == {learned.version: False}
    assert people.run(lambda s: model_versions.find_model(s, ENTITY_TYPES, learned.version))[0] is PATIENT


def test_too_few_records_teach_nothing(deliver, clean_database):
    deliver("ehr-north", "1")
    learned = learning.learn(clean_database, PATIENT, SYSTEM_ACTOR, ROOM)
    assert (learned.version, learned.records) == (None, 1)
    assert "too few" in (learned.reason or "")


def test_an_unknown_version_is_not_found(clean_database):
    with pytest.raises(NotFound):
        clean_database.run(lambda s: model_versions.find_model(s, ENTITY_TYPES, "no-such"))
