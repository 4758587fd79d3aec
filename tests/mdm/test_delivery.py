"""A delivery, its guards, and what it leaves behind."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from matching.model import Thresholds
from mdm import golden, tasks
from mdm.access import SYSTEM_ACTOR
from mdm.db import fetch
from mdm.entities import ENTITY_TYPES
from mdm.errors import Conflict, NotFound, Stale
from mdm.ingest import deactivate, deliver_all
from mdm.invariants import violations
from mdm.standardise import Delivery
from mdm.tasks import Ruling
from tests.mdm.conftest import SMITH

PATIENT, DEPARTMENT = ENTITY_TYPES["patient"], ENTITY_TYPES["department"]


BILL = {"given_name": "Bill", "family_name": "Smith", "birth_date": "1980-02-13", "sex": "M", "phone": "617-253-1000"}
# Where the default weights lie is not what these tests are about: everything above chance is reviewed, next to nothing links.
CAUTIOUS = replace(PATIENT, model=replace(PATIENT.model, version="cautious", thresholds=Thresholds(review=-13.0, link=13.9), clip=14.0))


@pytest.fixture
def in_review(clean_database):
    """Two records of one person, one open review."""
    rows = [Delivery("ehr-north", "1", SMITH), Delivery("ehr-mercy", "2", BILL)]
    results = deliver_all(clean_database, CAUTIOUS, SYSTEM_ACTOR, rows, "test")
    (task,) = open_tasks(clean_database, "review")
    assert [(r.outcome, r.task_id) for r in results] == [("review", task.id)] * 2
    return task


def open_tasks(database, kind):
    with database.unit_of_work() as session:
        return tasks.list_tasks(session, kind=kind).items


def rule(database, task, verdict, **ruling):
    entity = CAUTIOUS if task.kind == "review" else PATIENT
    return database.run(lambda s: tasks.decide(s, entity, task.id, SYSTEM_ACTOR, Ruling(verdict, task.version, **ruling), "test"))


@pytest.fixture(autouse=True)
def sound(clean_database):
    yield
    with clean_database.unit_of_work() as session:
        assert violations(session, deep=True) == []


def test_the_same_person_of_two_systems_is_one_golden_record(deliver):
    first, second = deliver("ehr-north", "1"), deliver("ehr-mercy", "A-9", given_name="Bill")
    assert (first.outcome, second.outcome) == ("new", "linked")
    assert first.golden_id == second.golden_id
    assert {e.comparison for e in second.evidence} >= {"given name", "birth date"}


def test_an_unchanged_delivery_is_told_so(deliver):
    first = deliver("ehr-north", "1")
    again = deliver("ehr-north", "1")
    assert (again.outcome, again.golden_id) == ("unchanged", first.golden_id)


def test_an_update_becomes_the_next_version(deliver, clean_database):
    deliver("ehr-north", "1")
    assert deliver("ehr-north", "1", phone="617-253-2000").outcome == "updated"
    with clean_database.unit_of_work() as session:
        assert golden.source(session, PATIENT, "ehr-north", "1").version == 2


def test_an_update_leaves_alone_the_match_keys_that_stay(deliver, clean_database):
    def keys():
        with clean_database.unit_of_work() as session:
            return {row[0]: row[1] for row in fetch(session, "select key, xmin::text from match_key")}

    deliver("ehr-north", "1")
    before = keys()
    deliver("ehr-north", "1", phone="617-253-2000", postal_code=None)
    after = keys()
    stay = before.keys() & after.keys()
    assert (bool(before.keys() - stay), bool(after.keys() - stay)) == (True, True)
    assert len(stay) > len(before) / 2
    assert all(after[key] == before[key] for key in stay)


def test_a_value_that_does_not_clean_is_noted_and_the_record_accepted(deliver):
    result = deliver("ehr-north", "1", birth_date="31st of Never")
    assert result.outcome == "new"
    assert [(n.code, n.pointer) for n in result.notes] == [("not_understood", "/attributes/birth_date")]


def test_a_bad_row_says_why_and_the_others_go_on(clean_database):
    rows = [Delivery("ehr-north", "1", {"family_name": "Ok"}), Delivery("ehr-north", "2", {"shoe_size": "42"}), Delivery("nobody", "3", {})]
    results = deliver_all(clean_database, PATIENT, SYSTEM_ACTOR, rows, "test")
    assert [r.outcome for r in results] == ["new", "rejected", "rejected"]
    assert [(p.code, p.pointer) for r in results for p in r.problems] == [
        ("unknown_attribute", "/attributes/shoe_size"),
        ("unknown_system", "/system"),
    ]


def test_an_update_that_makes_a_record_somebody_else_is_held_back(deliver, clean_database):
    first = deliver("ehr-north", "1")
    other = {"given_name": "Zoe", "family_name": "Quux", "birth_date": "2001-05-05", "sex": "F", "address_line": "9 Elm Rd", "phone": None}
    held = deliver("ehr-north", "1", **other)
    assert (held.outcome, held.golden_id) == ("quarantined", first.golden_id)
    (task,) = open_tasks(clean_database, "overlay")
    with clean_database.unit_of_work() as session:
        assert golden.read(session, PATIENT, first.golden_id).values["family_name"] == "Smith"
    rule(clean_database, task, "accept", reason="the number was given to another patient")
    with clean_database.unit_of_work() as session:
        assert golden.source(session, PATIENT, "ehr-north", "1").attributes["family_name"] == "Quux"


def test_a_rejected_overlay_never_becomes_current(deliver, clean_database):
    first = deliver("ehr-north", "1")
    deliver("ehr-north", "1", given_name="Zoe", family_name="Quux", birth_date="2001-05-05", sex="F", address_line="9 Elm Rd", phone=None)
    (task,) = open_tasks(clean_database, "overlay")
    rule(clean_database, task, "reject")
    with clean_database.unit_of_work() as session:
        assert golden.read(session, PATIENT, first.golden_id).values["family_name"] == "Smith"
        states = fetch(session, "select version, state from source_record_version order by version")
    assert states == [(1, "applied"), (2, "rejected")]


def test_a_phone_that_many_share_is_no_evidence(deliver, clean_database):
    limit = dict(PATIENT.guarded)["phone"]
    people = [
        Delivery("ehr-north", str(n), {"given_name": f"Name{chr(97 + n)}", "family_name": f"Family{chr(97 + n)}", "phone": "617-253-1000"})
        for n in range(limit + 1)
    ]
    results = deliver_all(clean_database, PATIENT, SYSTEM_ACTOR, people, "test")
    with clean_database.unit_of_work() as session:
        known = fetch(session, "select count(*) from source_record where columns ? 'phone'")[0][0]
    assert known == 0
    assert any(n.code == "over_shared" for r in results for n in r.notes)


def test_delete_makes_inactive_and_goes_on_answering(deliver, clean_database):
    first = deliver("ehr-north", "1")
    assert deactivate(clean_database, PATIENT, SYSTEM_ACTOR, "ehr-north", "1", "test").outcome == "inactive"
    with clean_database.unit_of_work() as session:
        view = golden.read(session, PATIENT, first.golden_id)
    assert (view.status, view.values["family_name"]) == ("retired", "Smith")


def test_deleting_what_was_never_delivered_is_not_found(clean_database):
    with pytest.raises(NotFound):
        deactivate(clean_database, PATIENT, SYSTEM_ACTOR, "ehr-north", "no such", "test")


def test_a_merged_id_answers_with_its_survivor(deliver, clean_database):
    first = deliver("ehr-north", "1", phone=None, address_line=None, postal_code=None, birth_date=None, sex=None, city=None, state=None)
    second = deliver("ehr-mercy", "2", identifiers=[("us-ssn", "512-34-7781")])
    assert first.golden_id != second.golden_id
    deliver("ehr-north", "1", identifiers=[("us-ssn", "512-34-7781")])
    with clean_database.unit_of_work() as session:
        old = golden.read(session, PATIENT, second.golden_id)
    assert (old.id, old.redirected_from) == (first.golden_id, second.golden_id)


def test_known_at_gives_what_was_said_by_then(deliver, clean_database):
    first = deliver("ehr-north", "1")
    moment = datetime.now(UTC)
    deliver("ehr-north", "1", phone="617-253-2000")
    with clean_database.unit_of_work() as session:
        then = golden.read(session, PATIENT, first.golden_id, known_at=moment)
        now = golden.read(session, PATIENT, first.golden_id)
        assert [v.version for v in golden.history(session, PATIENT, first.golden_id)] == [2, 1]
    assert then.values["phone"] != now.values["phone"]


def test_as_of_gives_what_was_true_on_that_day(deliver, clean_database):
    old = deliver("ehr-north", "7", domain="department", name="Cardiology", valid_from=date(2020, 1, 1))
    deliver("ehr-north", "7", domain="department", name="Heart Center Cardiology", valid_from=date(2026, 7, 1))
    with clean_database.unit_of_work() as session:
        before = golden.read(session, DEPARTMENT, old.golden_id, as_of=date(2025, 3, 1))
        after = golden.read(session, DEPARTMENT, old.golden_id)
    assert (before.values["name"], after.values["name"]) == ("Cardiology", "Heart Center Cardiology")


def test_a_contested_exclusive_identifier_belongs_to_nobody(deliver, clean_database):
    npi = [("us-npi", "1234567893")]
    deliver("ehr-north", "1", domain="provider", given_name="Ann", family_name="Archer", birth_date="1970-01-02", identifiers=npi)
    deliver("workforce-north", "2", domain="provider", given_name="Bo", family_name="Zimmer", birth_date="1990-09-09", identifiers=npi)
    with clean_database.unit_of_work() as session:
        rows = fetch(session, "select count(distinct golden_id), bool_or(exclusive) from xref where not own and recorded_to is null")
    assert rows in ([(2, False)], [(1, True)])


def test_a_review_settled_as_same_makes_one(in_review, clean_database):
    assert rule(clean_database, in_review, "same", reason="seen the passport").status == "settled"
    with clean_database.unit_of_work() as session:
        assert golden.source(session, PATIENT, "ehr-mercy", "2").golden_id == golden.source(session, PATIENT, "ehr-north", "1").golden_id


def test_a_review_settled_as_different_never_comes_back(in_review, clean_database):
    rule(clean_database, in_review, "different")
    deliver_all(clean_database, CAUTIOUS, SYSTEM_ACTOR, [Delivery("ehr-mercy", "2", {**BILL, "city": "Salem"})], "test")
    assert open_tasks(clean_database, "review") == ()


def test_a_stale_or_second_decision_is_refused(in_review, clean_database):
    stale = Ruling("same", in_review.version - 1)
    with pytest.raises(Stale):
        clean_database.run(lambda s: tasks.decide(s, CAUTIOUS, in_review.id, SYSTEM_ACTOR, stale, "test"))
    rule(clean_database, in_review, "different")
    with pytest.raises(Conflict):
        rule(clean_database, in_review, "same")


def test_every_write_leaves_an_audit_row_and_an_event(deliver, clean_database):
    first = deliver("ehr-north", "1")
    with clean_database.unit_of_work() as session:
        assert fetch(session, "select action, subjects from audit") == [("record:deliver", [first.golden_id])]
        assert fetch(session, "select type, golden_id from event") == [("golden.created", first.golden_id)]


def test_blanks_around_and_in_a_key_make_no_second_record(deliver, clean_database):
    first = deliver("ehr-north", "44 10")
    again = [deliver("ehr-north", key) for key in ("44 10   ", " 44  10", "44\t10")]
    assert [(r.outcome, r.key, r.record_id) for r in again] == [("unchanged", "44 10", first.record_id)] * 3
    assert deactivate(clean_database, PATIENT, SYSTEM_ACTOR, "ehr-north", "44 10 ", "test").outcome == "inactive"
    with clean_database.unit_of_work() as session:
        assert golden.source(session, PATIENT, "ehr-north", "44 10 ").key == "44 10"
