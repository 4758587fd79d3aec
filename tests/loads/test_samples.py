"""Samples of a plan about patients: who sees the rows, who sees what is stored beside them, and that every look is audited."""

from dataclasses import replace

import pytest

from mdm import load_samples, loads
from mdm.access import SYSTEM_ACTOR, Actor, Role
from mdm.db import execute
from mdm.ids import new_id
from mdm.load_signoff import sign_off
from tests.loads.conftest import as_csv, deliver, mercy, rows

LOADER = Actor(new_id(), "lena", Role.LOADER, systems=frozenset({"ehr-mercy"}))
WITH_PHI = Actor(new_id(), "lou", Role.LOADER, grants=frozenset({"phi"}))
ADMIN = Actor(new_id(), "ada", Role.ADMIN, grants=frozenset({"phi"}))


@pytest.fixture
def planned(people, loader):
    """A plan of Lena's, whose rows join people of the north who live elsewhere there."""
    return loader.plan(as_csv([replace(row, attributes={**row.attributes, "city": "Elsewhere"}) for row in mercy(new=())]), actor=LOADER)


def seen_by(database, actor, view):
    shown = database.run(lambda session: load_samples.seen(session, actor, loads.get(session, actor, view.id), "r1"))
    return [each for kept in shown.plan["report"]["samples"].values() for each in kept]


def test_a_loader_sees_the_rows_of_their_file_and_not_what_others_said_of_these_patients(people, planned):
    samples = seen_by(people, LOADER, planned)
    assert "Elsewhere" in {each["values"].get("city") for each in samples}
    assert [each["differences"] for each in samples if each["differences"]] == []
    assert any(each["golden_id"] for each in samples)
    text = people.run(lambda session: sign_off(session, LOADER, planned.id)).as_html()
    assert not [city for (city,) in rows(people, "select distinct values ->> 'city' from golden_version") if city in text]


def test_nobody_else_sees_rows_about_patients_without_the_right_to_unmask(people, planned):
    for actor in (replace(LOADER, name="lisa"), WITH_PHI):
        samples = seen_by(people, actor, planned)
        assert samples
        assert not [each for each in samples if {"values", "differences"} & each.keys()]


def test_whoever_may_read_golden_records_sees_both_halves_of_a_plan_of_their_own(people, planned):
    people.run(lambda session: execute(session, "update load set created_by = 'ada'"))
    assert "city" in {name for each in seen_by(people, ADMIN, planned) for name in each["differences"]}
    cut = replace(ADMIN, systems=frozenset({"ehr-mercy"}))
    assert not [each for each in seen_by(people, cut, planned) if each["differences"]]


def test_a_look_at_samples_of_patients_is_audited_and_stands_in_no_report(people, planned):
    seen_by(people, WITH_PHI, planned)
    assert rows(people, "select count(*) from audit where action = 'plan:read'") == [(0,)]
    seen_by(people, LOADER, planned)
    found = rows(people, "select principal, domain, cardinality(subjects) > 0, 'city' = any(fields), request_id, detail from audit"
                         " where action = 'plan:read'")  # fmt: skip
    assert found == [("lena", "patient", True, True, "r1", {"load": str(planned.id)})]
    acts = people.run(lambda session: sign_off(session, SYSTEM_ACTOR, planned.id)).acts
    assert {act.act for act in acts} == {"upload", "plan"}


def test_what_is_no_patients_is_shown_as_before(clean_database, loader):
    first = loader.load(b"key,name,city\nS1,Aldermoor Surgical,Salem\n", domain="supplier", system="erp-north", columns="")
    view = loader.plan(b"key,name,city\nS1,Aldermoor Surgical,Boston\n", domain="supplier", system="erp-north", columns="")
    assert first.applied["new"] == 1
    [sample] = seen_by(clean_database, replace(LOADER, systems=None), view)
    assert sample["differences"] == {"city": ["Salem", "Boston"]}
    assert rows(clean_database, "select count(*) from audit where action = 'plan:read'") == [(0,)]


def test_a_row_that_a_person_is_asked_about_stands_beside_whom_it_may_be(people, loader):
    stored = mercy(new=[1_000], again=())[0]
    deliver(people, [replace(stored, system="ehr-north", key="plain")])
    junior, senior = (replace(stored, key=suffix, attributes={**stored.attributes, "suffix": suffix}) for suffix in ("JR", "SR"))
    view = loader.plan(as_csv([junior, senior]))
    samples = view.plan["report"]["samples"]["review"]
    assert len(samples) == view.counts["review"] > 0
    golden = "select l.golden_id::text from link l join source_record r on r.id = l.record_id where r.key = 'plain'"
    assert {(each["golden_id"],) for each in samples} == {*rows(people, golden)}
    assert [each["differences"].get("suffix") for each in samples] == [[None, each["values"]["suffix"]] for each in samples]
    assert rows(people, "select count(golden_id) from load_row where plan_id = %s and planned = 'review'", (view.plan_id,)) == [(0,)]
