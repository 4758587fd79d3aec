"""Waves of a load, what a second person agrees to, and what an apply that ended on its way tells."""

from dataclasses import replace

import pytest

from mdm import load_apply, loads
from mdm.access import SYSTEM_ACTOR, Role
from mdm.errors import Conflict, Invalid, PlanStale
from mdm.oversight import cancel
from tests.loads.conftest import as_csv, deliver, mercy, rows

ANN, BOB = (replace(SYSTEM_ACTOR, name=name) for name in ("ann", "bob"))


def status_of(database, view):
    return database.run(lambda session: loads.get(session, SYSTEM_ACTOR, view.id))


def test_a_second_person_agrees_to_what_the_first_asked_for_alone(people, loader):
    view = loader.plan(as_csv(mercy()))
    loader.apply(view, actor=ANN, approval_rows=10, wave={"sex": "F"})
    for otherwise in ({}, {"wave": {"sex": "M"}}, {"wave": {"sex": "F"}, "despite": ("volume_off",)}):
        with pytest.raises(Conflict, match="asking for the same"):
            loader.apply(view, actor=BOB, approval_rows=10, **otherwise)
    half = loader.apply(view, actor=BOB, approval_rows=10, wave={"sex": "F"})
    assert (half.status, half.asked_by, half.approved_by) == ("applying", "ann", "bob")
    alone = loader.apply(view, actor=BOB, approval_rows=10)  # the others are another question, to which nobody has agreed yet
    assert (alone.asked_by, alone.approved_by, alone.applied) == ("bob", None, half.applied)
    assert loader.apply(view, actor=ANN, approval_rows=10).status == "applied"


def test_whoever_asks_first_may_ask_otherwise(people, loader):
    view = loader.plan(as_csv(mercy()))
    loader.apply(view, actor=ANN, approval_rows=10, wave={"sex": "F"})
    loader.apply(view, actor=ANN, approval_rows=10)
    assert loader.apply(view, actor=BOB, approval_rows=10).status == "applied"


def test_who_agrees_to_an_undo_has_not_agreed_to_apply(people, loader):
    view = loader.plan(as_csv(mercy()))
    loader.apply(view, wave={"sex": "F"})
    loader.apply(view, actor=ANN, approval_rows=10)
    asked = loader.undo(view, actor=BOB, approval_rows=10)
    assert (asked.status, asked.asked_by, asked.approved_by) == ("applying", "bob", None)
    assert loader.undo(view, actor=ANN, approval_rows=10).status == "undone"


def test_a_wave_in_which_nobody_is_is_refused_with_what_there_is(people, loader):
    view = loader.plan(as_csv(mercy()))
    with pytest.raises(Invalid) as refused:
        loader.apply(view, wave={"sex": "X"})
    assert [(each.code, each.pointer) for each in refused.value.problems] == [("empty_wave", "/wave/sex")]
    assert status_of(people, view).status == "planned"
    with pytest.raises(Invalid) as refused:
        loader.apply(view, wave={"city": "Salme"})
    city = mercy()[0].attributes["city"]
    assert "Salme" not in refused.value.problems[0].message
    assert city in refused.value.problems[0].message
    assert loader.plan_again(view.id).status == "planned"


def test_values_of_patients_are_named_to_nobody_who_would_see_them_masked(people, loader):
    view = loader.plan(as_csv(mercy()))
    masked = replace(SYSTEM_ACTOR, grants=SYSTEM_ACTOR.grants - {"phi", "unmask"}, role=Role.LOADER)
    with pytest.raises(Invalid) as refused:
        loader.apply(view, wave={"city": "Salme"}, actor=masked)
    assert refused.value.problems[0].message == "no row that waits has this city"


def test_a_wave_is_compared_as_values_are_stored_and_of_many_with_each(people, loader):
    deliveries = mercy(again=())
    city = deliveries[0].attributes["city"]
    of_city = sum(row.attributes["city"] == city for row in deliveries)
    view = loader.plan(as_csv([replace(deliveries[0], attributes={**deliveries[0].attributes, "phone": "617-555-0123"}), *deliveries[1:]]))
    one = loader.apply(view, wave={"phone": "(617) 555 0123"})
    assert one.applied["waiting"] == len(deliveries) - 1
    many = loader.apply(view, wave={"city": f" {city.upper()}"})
    assert many.applied["waiting"] == len(deliveries) - of_city
    with pytest.raises(Invalid):
        loader.apply(view, wave={"city": city})


def test_a_wave_that_reaches_nobody_leaves_the_load_planned(people, loader, monkeypatch):
    monkeypatch.setattr("mdm.load_waves.ROWS_LOOKED_THROUGH", 0)
    view = loader.plan(as_csv(mercy()))
    after = loader.apply(view, wave={"city": "Salme"})
    assert (after.status, after.applied, after.applied_at, after.plan["state"]) == ("planned", None, None, "ready")
    assert loader.apply(loader.plan_again(view.id)).applied["waiting"] == 0


def test_the_rows_that_wait_are_stale_once_somebody_else_has_changed_what_they_touch(people, loader):
    deliveries = mercy()
    view = loader.plan(as_csv(deliveries))
    loader.apply(view, wave={"sex": "F"})
    man = next(row for row in deliveries if row.attributes["sex"] == "M")
    woman = next(row for row in deliveries if row.attributes["sex"] == "F")
    deliver(people, [replace(woman, system="ehr-mercy", attributes={**woman.attributes, "phone": "617-555-0142"})])
    assert people.run(lambda s: loads.stale_because(s, status_of(people, view))) == []
    deliver(people, [replace(man, system="ehr-mercy")])
    with pytest.raises(PlanStale, match="upload the same file as a new load") as refused:
        loader.apply(view)
    assert [each.code for each in refused.value.problems] == ["records_changed"]
    women = sum(row.attributes["sex"] == "F" for row in deliveries)
    assert loader.plan(as_csv(deliveries)).counts["unchanged"] >= women - 1  # what was applied, but for what was delivered since


def test_golden_records_of_waiting_rows_that_others_changed_are_stale_and_those_of_the_load_itself_not(people, loader):
    deliveries = mercy(again=range(40))
    view = loader.plan(as_csv(deliveries))
    loader.apply(view, wave={"sex": "F"})
    assert people.run(lambda s: loads.stale_because(s, status_of(people, view))) == []
    statement = (
        "select r.key from load_row x join link l on l.golden_id = x.golden_id and l.recorded_to is null join source_record r"
        " on r.id = l.record_id where x.plan_id = %s and x.planned = 'linked' and x.became is null and r.system = 'ehr-north'"
    )
    key = rows(people, statement, (view.plan_id,))[0][0]
    there = rows(people, "select v.raw from source_record r join source_record_version v on v.record_id = r.id where r.key = %s", (key,))
    given = {**there[0][0]["attributes"], "phone": "617-555-0177"}
    deliver(people, [replace(deliveries[0], system="ehr-north", key=key, attributes=given, identifiers=())])
    found = people.run(lambda s: loads.stale_because(s, status_of(people, view)))
    assert [each.code for each in found] == ["golden_records_changed"]


def test_an_apply_that_was_cancelled_tells_what_it_has_done(people, loader, monkeypatch):
    view, settle = loader.plan(as_csv(mercy())), load_apply.settle_newcomers

    def cancelled(run, *rest):
        people.run(lambda session: cancel(session, SYSTEM_ACTOR, run.mine.id, "test"))
        settle(run, *rest)

    monkeypatch.setattr(load_apply, "settle_newcomers", cancelled)
    ended = loader.apply(view)
    assert (ended.status, ended.job["state"]) == ("applying", "cancelled")
    assert sum(ended.applied[name] for name in ("new", "linked", "review")) == 100
    assert ended.applied["waiting"] == 0
    monkeypatch.setattr(load_apply, "settle_newcomers", settle)
    assert loader.apply(view).applied == {**view.counts, "waiting": 0}


def test_an_apply_that_was_cancelled_before_it_began_can_be_planned_again(people, loader):
    view = loader.plan(as_csv(mercy()))
    how = loads.Applying(1_000_000, {"sex": "F"}, (), "test")
    asked = people.run(lambda session: loads.ask_apply(session, SYSTEM_ACTOR, view.plan_id, how, "test"))
    with pytest.raises(Conflict, match="other rows"):
        loader.apply(view)
    people.run(lambda session: cancel(session, SYSTEM_ACTOR, asked.job_id, "test"))
    assert loader.plan_again(view.id).status == "planned"
    assert loader.apply(status_of(people, view)).applied["waiting"] == 0  # nothing is left of the wave that was asked for first
