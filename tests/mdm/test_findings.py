"""Findings become tasks where they arise and close when they are cured; every answer is a decision that is taken back exactly."""

from dataclasses import replace

import pytest

from mdm.access import SYSTEM_ACTOR
from mdm.byhand import part_pair
from mdm.db import fetch
from mdm.entities import ENTITY_TYPES
from mdm.errors import Conflict, Invalid
from mdm.identity import Act, merge
from mdm.ingest import deliver_all
from mdm.invariants import violations
from mdm.pins import NewPin, pin
from mdm.regain import regain
from mdm.standardise import Delivery
from mdm.tasks import Ruling, decide, list_tasks
from mdm.tiers import tier
from mdm.undo import undo
from mdm.updates import restore
from tests.mdm.conftest import SMITH
from tests.mdm.test_undo import JONES, picture, run

PATIENT, PROVIDER, PAYER = (ENTITY_TYPES[name] for name in ("patient", "provider", "payer"))
SMALL = replace(PATIENT, model=replace(PATIENT.model, version="small", max_cluster=2))
ACT = Act(actor=SYSTEM_ACTOR, reason="by phone", request_id="test")
NPI, OTHER_NPI = "1234567893", "1679576722"
MARA = {"given_name": "Mara", "family_name": "Hidalgo", "suffix": "Sr"}
SON = {**MARA, "suffix": "Jr"}
JUNIOR = {"given_name": "Otto", "family_name": "Brandt", "suffix": "Jr"}


@pytest.fixture(autouse=True)
def sound(clean_database):
    yield
    with clean_database.unit_of_work() as session:
        assert violations(session, deep=True) == []


def open_tasks(database, kind):
    with database.unit_of_work() as session:
        return list_tasks(session, kind=kind).items


def settle(database, entity, task, verdict, **ruling):
    asked = Ruling(verdict, task.version, **ruling)
    return database.run(lambda session: decide(session, entity, task.id, SYSTEM_ACTOR, asked, "test"))


def put(database, entity, *rows):
    return deliver_all(database, entity, SYSTEM_ACTOR, [Delivery(*row) for row in rows], "test")


def answers(database, npi=NPI):
    """Who a lookup of this NPI finds."""
    with database.unit_of_work() as session:
        return fetch(
            session,
            "select x.golden_id, x.exclusive from xref x join identifier_system s on s.id = x.system_id where s.code = 'us-npi'"
            " and x.value = %s and x.recorded_to is null order by 1",
            (npi,),
        )


# -- oversize


@pytest.fixture
def oversize(clean_database):
    """Three records joined by a person although the bound is two: their results and the task."""
    one, other = put(clean_database, SMALL, ("ehr-north", "1", SMITH), ("ehr-mercy", "1", SMITH))
    third = put(clean_database, SMALL, ("ehr-north", "2", {**SMITH, **JONES}))[0]
    clean_database.run(lambda session: merge(session, SMALL, one.golden_id, [third.golden_id], ACT))
    (task,) = open_tasks(clean_database, "oversize")
    return task, (one, other, third)


def test_a_golden_record_above_its_bound_is_asked_about_and_takes_two_people(clean_database, oversize):
    task, (one, *_) = oversize
    assert (task.goldens, task.detail) == ((one.golden_id,), {"bound": 2, "records": 3})
    with clean_database.unit_of_work() as session:
        assert tier(session, SMALL, task).level == 3


def test_kept_it_is_asked_about_again_only_when_it_grows(clean_database, oversize):
    task, _ = oversize
    before = picture(clean_database)
    done = settle(clean_database, SMALL, task, "keep")
    put(clean_database, SMALL, ("ehr-mercy", "1", {**SMITH, "phone": "617-253-1001"}))
    assert (done.status, open_tasks(clean_database, "oversize")) == ("settled", ())
    put(clean_database, SMALL, ("ehr-mercy", "1", SMITH))
    clean_database.run(lambda session: undo(session, SMALL, done.decision_id, ACT))
    assert picture(clean_database) == before


def test_parted_it_is_no_longer_oversize_until_that_is_taken_back(clean_database, oversize):
    task, (*_, third) = oversize
    before = picture(clean_database)
    with pytest.raises(Invalid):
        settle(clean_database, SMALL, task, "split")
    done = settle(clean_database, SMALL, task, "split", groups=((third.record_id,),))
    assert (done.status, open_tasks(clean_database, "oversize")) == ("settled", ())
    clean_database.run(lambda session: undo(session, SMALL, done.decision_id, ACT))
    assert picture(clean_database) == before


# -- shared identifier


@pytest.fixture
def shared(clean_database):
    """Two providers of one NPI, whom nothing else joins and somebody called different: their results and the task."""
    rows = put(clean_database, PROVIDER, ("ehr-north", "1", MARA, [("us-npi", NPI)]), ("ehr-mercy", "2", JUNIOR, [("us-npi", NPI)]))
    for task in open_tasks(clean_database, "review"):
        settle(clean_database, PROVIDER, task, "different")
    (task,) = open_tasks(clean_database, "shared_identifier")
    return task, rows


def test_a_second_claimant_of_an_exclusive_identifier_opens_one_task_without_the_value(clean_database, shared):
    task, (one, other) = shared
    assert task.goldens == tuple(sorted([one.golden_id, other.golden_id]))
    assert set(task.records) == {one.record_id, other.record_id}
    assert NPI not in str(task.detail)
    put(clean_database, PROVIDER, ("ehr-mercy", "2", {**JUNIOR, "specialty": "Cardiology"}, [("us-npi", NPI)]))
    assert [each.version for each in open_tasks(clean_database, "shared_identifier")] == [task.version]


def test_it_closes_by_itself_when_a_source_corrects_the_value(clean_database, shared):
    put(clean_database, PROVIDER, ("ehr-mercy", "2", JUNIOR, [("us-npi", OTHER_NPI)]))
    assert open_tasks(clean_database, "shared_identifier") == ()
    put(clean_database, PROVIDER, ("ehr-mercy", "2", JUNIOR, [("us-npi", NPI)]))
    assert [task.id for task in open_tasks(clean_database, "shared_identifier")] == [shared[0].id]


@pytest.mark.parametrize("verdict", ["different", "shared", "belongs", "placeholder"])
def test_each_answer_ends_the_question_and_is_taken_back_exactly(clean_database, shared, verdict):
    task, (one, _) = shared
    before = picture(clean_database)
    done = settle(clean_database, PROVIDER, task, verdict, **({"candidate": one.golden_id} if verdict == "belongs" else {}))
    assert (done.status, open_tasks(clean_database, "shared_identifier")) == ("settled", ())
    put(clean_database, PROVIDER, ("ehr-mercy", "2", {**JUNIOR, "specialty": "Cardiology"}, [("us-npi", NPI)]))
    assert open_tasks(clean_database, "shared_identifier") == ()
    put(clean_database, PROVIDER, ("ehr-mercy", "2", JUNIOR, [("us-npi", NPI)]))
    clean_database.run(lambda session: undo(session, PROVIDER, done.decision_id, ACT))
    assert picture(clean_database) == before


def test_whose_value_it_is_answers_alone(clean_database, shared):
    task, (one, other) = shared
    assert answers(clean_database) == sorted([(one.golden_id, False), (other.golden_id, False)])
    settle(clean_database, PROVIDER, task, "belongs", candidate=one.golden_id)
    assert answers(clean_database) == [(one.golden_id, True)]
    assert put(clean_database, PROVIDER, ("ehr-mercy", "2", {**JUNIOR, "sex": "M"}, [("us-npi", NPI)]))[0].outcome == "updated"
    assert answers(clean_database) == [(one.golden_id, True)]


def test_a_former_version_that_is_applied_once_more_claims_nothing_that_was_ruled_wrong(clean_database, shared):
    task, (one, other) = shared
    settle(clean_database, PROVIDER, task, "belongs", candidate=one.golden_id)
    put(clean_database, PROVIDER, ("ehr-mercy", "2", {**JUNIOR, "sex": "M"}, [("us-npi", NPI)]))
    clean_database.run(lambda session: restore(session, PROVIDER, [other.record_id], [1]))
    assert answers(clean_database) == [(one.golden_id, True)]


@pytest.mark.parametrize("verdict", ["belongs", "placeholder"])
def test_what_was_ruled_stays_ruled_where_a_load_is_taken_back(clean_database, shared, verdict):
    task, (one, other) = shared
    settle(clean_database, PROVIDER, task, verdict, **({"candidate": one.golden_id} if verdict == "belongs" else {}))
    compared = "select id, columns from source_record order by id"
    before = clean_database.run(lambda session: fetch(session, compared))
    clean_database.run(lambda session: regain(session, PROVIDER, [one.record_id, other.record_id]))
    assert clean_database.run(lambda session: fetch(session, compared)) == before


def test_it_belongs_to_one_of_those_who_carry_it(clean_database, shared, deliver):
    stranger = deliver("ehr-north", "9", domain="provider", given_name="Ines", family_name="Duarte")
    with pytest.raises(Invalid) as refused:
        settle(clean_database, PROVIDER, shared[0], "belongs", candidate=stranger.golden_id)
    assert refused.value.problems[0].code == "unknown_candidate"


def test_the_next_who_carries_it_is_a_new_question(clean_database, shared):
    settle(clean_database, PROVIDER, shared[0], "shared")
    ines = {"given_name": "Ines", "family_name": "Duarte", "suffix": "III"}
    third = put(clean_database, PROVIDER, ("ehr-north", "3", ines, [("us-npi", NPI)]))[0]
    for task in open_tasks(clean_database, "review"):
        settle(clean_database, PROVIDER, task, "different")
    assert third.golden_id in open_tasks(clean_database, "shared_identifier")[0].goldens


def test_a_placeholder_is_nobodys_evidence_from_then_on(clean_database, shared):
    settle(clean_database, PROVIDER, shared[0], "placeholder")
    third = put(clean_database, PROVIDER, ("ehr-north", "3", {"given_name": "Ines", "family_name": "Duarte"}, [("us-npi", NPI)]))[0]
    assert (third.outcome, third.weight) == ("new", None)
    assert ("placeholder_by_ruling", "/identifiers/us-npi") in {(note.code, note.pointer) for note in third.notes}


def test_called_one_they_are_merged_until_that_is_taken_back(clean_database, shared):
    task, _ = shared
    before = picture(clean_database)
    done = settle(clean_database, PROVIDER, task, "same")
    assert (done.status, [golden for golden, _ in answers(clean_database)]) == ("settled", [min(task.goldens)])
    clean_database.run(lambda session: undo(session, PROVIDER, done.decision_id, ACT))
    assert picture(clean_database) == before


def test_whoever_is_under_review_together_is_asked_about_that_first(clean_database):
    review = put(clean_database, PROVIDER, ("ehr-north", "1", MARA, [("us-npi", NPI)]), ("ehr-mercy", "2", SON, [("us-npi", NPI)]))
    assert open_tasks(clean_database, "shared_identifier") == ()
    (task,) = open_tasks(clean_database, "review")
    done = settle(clean_database, PROVIDER, task, "different")
    (asked,) = open_tasks(clean_database, "shared_identifier")
    assert set(asked.goldens) == {row.golden_id for row in review}
    with pytest.raises(Conflict):
        settle(clean_database, PROVIDER, asked, "same")
    clean_database.run(lambda session: undo(session, PROVIDER, done.decision_id, ACT))
    assert open_tasks(clean_database, "shared_identifier") == ()


def test_a_value_above_its_guard_is_asked_about_once(clean_database):
    people = [
        ("ehr-north", str(place), {"given_name": given, "family_name": family, "birth_date": f"19{40 + place}-0{place + 1}-1{place}"})
        for place, (given, family) in enumerate(PEOPLE)
    ]
    for system, key, who in people:
        put(clean_database, PATIENT, (system, key, who, [("us-ssn", "123-45-4410")]))
    (task,) = open_tasks(clean_database, "shared_identifier")
    assert (task.detail["rule"], task.detail["limit"], len(task.goldens)) == ("over_shared", 4, len(PEOPLE))
    before = picture(clean_database)
    done = settle(clean_database, PATIENT, task, "placeholder")
    clean_database.run(lambda session: undo(session, PATIENT, done.decision_id, ACT))
    assert picture(clean_database) == before


PEOPLE = (("Chen", "Li"), ("Maria", "Grayson"), ("Otto", "Brandt"), ("Ines", "Duarte"), ("Paul", "Okafor"), ("Ruth", "Zimmer"))


# -- drift


@pytest.fixture
def pinned(clean_database, deliver):
    """A payer whose city is pinned and whose source then says another: the result and the task."""
    row = deliver("billing-north", "1", domain="payer", name="Cedar Valley Health Plan", city="Bath")
    run(clean_database, pin, PAYER, row.golden_id, NewPin("city", "Salem"))
    assert open_tasks(clean_database, "drift") == ()
    deliver("billing-north", "1", domain="payer", name="Cedar Valley Health Plan", city="Newport")
    (task,) = open_tasks(clean_database, "drift")
    return task, row


def city(database):
    with database.unit_of_work() as session:
        return fetch(session, "select \"values\" ->> 'city' from golden_version where recorded_to is null")[0][0].lower()


def test_a_source_that_changes_under_a_pin_is_a_finding_without_values(clean_database, pinned, deliver):
    task, row = pinned
    assert (task.goldens, task.records, task.detail["attribute"]) == ((row.golden_id,), (row.record_id,), "city")
    assert "newport" not in str(task.detail).lower()
    deliver("billing-north", "1", domain="payer", name="Cedar Valley Health Plan", city="Bath")
    assert open_tasks(clean_database, "drift") == ()


@pytest.mark.parametrize(("verdict", "says"), [("accept", "newport"), ("restore", "salem"), ("exception", "salem")])
def test_drift_under_a_pin_is_answered_and_taken_back(clean_database, pinned, verdict, says):
    task, _ = pinned
    before = picture(clean_database)
    done = settle(clean_database, PAYER, task, verdict)
    assert (done.status, city(clean_database), open_tasks(clean_database, "drift")) == ("settled", says, ())
    clean_database.run(lambda session: undo(session, PAYER, done.decision_id, ACT))
    assert picture(clean_database) == before


BARE = {"phone": None, "address_line": None, "city": None, "postal_code": None, "state": None}


def test_two_who_were_said_to_be_different_are_asked_about_again_once_they_grow_alike(clean_database, deliver):
    one = deliver("ehr-north", "1", birth_date="1961-04-12")
    other = deliver("ehr-mercy", "2", **{**BARE, "birth_date": "1980-07-30"})
    clean_database.run(lambda session: part_pair(session, PATIENT, one.golden_id, other.golden_id, ACT))
    deliver("ehr-mercy", "2", **{**BARE, "birth_date": "1980-07-31"})
    assert open_tasks(clean_database, "review") == ()
    deliver("ehr-mercy", "2", **{**BARE, "birth_date": "1961-04-12"})
    for held in open_tasks(clean_database, "overlay"):
        settle(clean_database, PATIENT, held, "accept")
    (task,) = open_tasks(clean_database, "review")
    assert task.detail["candidates"][0]["reason"] == "changed"
    with clean_database.unit_of_work() as session:
        assert "decided different before" in tier(session, PATIENT, task).reasons
    before = picture(clean_database)
    done = settle(clean_database, PATIENT, task, "same")
    with clean_database.unit_of_work() as session:
        assert fetch(session, "select count(distinct golden_id) from link where recorded_to is null") == [(1,)]
    clean_database.run(lambda session: undo(session, PATIENT, done.decision_id, ACT))
    assert picture(clean_database)[1:] == before[1:]
    (task,) = open_tasks(clean_database, "review")
    settle(clean_database, PATIENT, task, "different")
    assert open_tasks(clean_database, "review") == ()


@pytest.fixture
def loosened(clean_database, deliver):
    """Two records that a person called one and that a later delivery makes unlike: their results and the task."""
    one, other = deliver("ehr-north", "1"), deliver("ehr-mercy", "2", **{**BARE, "birth_date": "1980-07-30"})
    assert one.golden_id != other.golden_id
    run(clean_database, merge, PATIENT, one.golden_id, [other.golden_id])
    assert open_tasks(clean_database, "drift") == ()
    deliver("ehr-mercy", "2", **{**BARE, "given_name": "Walter", "birth_date": "1966-10-30"})
    for task in open_tasks(clean_database, "overlay"):
        settle(clean_database, PATIENT, task, "accept")
    (task,) = open_tasks(clean_database, "drift")
    return task, (one, other)


@pytest.mark.parametrize(("verdict", "goldens"), [("accept", 1), ("restore", 2), ("exception", 1)])
def test_drift_under_a_link_of_a_person_is_answered_and_taken_back(clean_database, loosened, verdict, goldens):
    task, _ = loosened
    before = picture(clean_database)
    done = settle(clean_database, PATIENT, task, verdict)
    with clean_database.unit_of_work() as session:
        assert fetch(session, "select count(distinct golden_id) from link where recorded_to is null") == [(goldens,)]
    assert (done.status, open_tasks(clean_database, "drift")) == ("settled", ())
    clean_database.run(lambda session: undo(session, PATIENT, done.decision_id, ACT))
    after = picture(clean_database)
    assert after[1:] == before[1:]


def test_whoever_says_the_same_again_has_seen_what_changed(clean_database, loosened, deliver):
    _, (one, _) = loosened
    third = deliver("ehr-north", "9", given_name="Zoe", family_name="Quist", birth_date="2001-05-05")
    before = picture(clean_database)
    done = run(clean_database, merge, PATIENT, one.golden_id, [third.golden_id])
    assert open_tasks(clean_database, "drift") == ()
    clean_database.run(lambda session: undo(session, PATIENT, done.decision_id, ACT))
    assert picture(clean_database)[1:] == before[1:]
