"""Link only: one entity here, several records that live on in their system, and a merge request that follows the records."""

import pytest

from mdm.access import SYSTEM_ACTOR
from mdm.entities import ENTITY_TYPES
from mdm.errors import Conflict, Invalid
from mdm.identity import Act, link_only, split
from mdm.ingest import deactivate, deliver_all
from mdm.standardise import Delivery
from mdm.tasks import Ruling, decide, list_tasks
from mdm.undo import undo
from tests.mdm.conftest import SMITH
from tests.mdm.test_delivery import CAUTIOUS
from tests.mdm.test_undo import JONES, picture, run

PATIENT = ENTITY_TYPES["patient"]
MOVED = {"address_line": "77 Ocean Ave", "postal_code": "02139", "phone": "617-253-7777"}
ACT = Act(actor=SYSTEM_ACTOR, reason="registered twice", request_id="test")


@pytest.fixture
def twice(clean_database, deliver):
    """Two patients whom no evidence joins, both with a record in ehr-north: their deliveries."""
    return deliver("ehr-north", "1"), deliver("ehr-north", "2", **JONES)


def requests_of(database):
    with database.unit_of_work() as session:
        return list_tasks(session, kind="request").items


def test_both_records_live_on_in_one_golden_record_and_their_system_is_asked(clean_database, twice):
    one, two = twice
    done = run(clean_database, link_only, PATIENT, one.golden_id, [two.golden_id])
    assert set(done.golden_of.values()) == {one.golden_id}
    (task,) = requests_of(clean_database)
    assert task.detail == {"system": "ehr-north", "decision": str(done.decision_id)}
    assert set(task.records) == {one.record_id, two.record_id}
    assert task.goldens == (one.golden_id,)


def test_taken_back_it_leaves_nothing(clean_database, twice):
    before = picture(clean_database)
    done = run(clean_database, link_only, PATIENT, twice[0].golden_id, [twice[1].golden_id])
    run(clean_database, undo, PATIENT, done.decision_id)
    assert picture(clean_database) == before


def test_where_no_system_keeps_both_there_is_nothing_to_ask(clean_database, deliver):
    one, two = deliver("ehr-north", "1"), deliver("ehr-mercy", "2", **JONES)
    with pytest.raises(Invalid) as refused:
        clean_database.run(lambda session: link_only(session, PATIENT, one.golden_id, [two.golden_id], ACT))
    assert refused.value.problems[0].code == "nothing_to_request"


def test_the_request_ends_when_the_system_has_merged_its_records(clean_database, twice):
    run(clean_database, link_only, PATIENT, twice[0].golden_id, [twice[1].golden_id])
    deactivate(clean_database, PATIENT, SYSTEM_ACTOR, "ehr-north", "2", "test")
    assert requests_of(clean_database) == ()


def test_whom_a_split_parts_nobody_is_asked_to_merge_until_it_is_taken_back(clean_database, twice):
    run(clean_database, link_only, PATIENT, twice[0].golden_id, [twice[1].golden_id])
    (asked,) = requests_of(clean_database)
    parted = run(clean_database, split, PATIENT, twice[0].golden_id, [[twice[1].record_id]])
    assert requests_of(clean_database) == ()
    run(clean_database, undo, PATIENT, parted.decision_id)
    assert [task.id for task in requests_of(clean_database)] == [asked.id]


def test_an_answered_request_is_not_asked_again_unless_the_answer_is_taken_back(clean_database, twice, deliver):
    run(clean_database, link_only, PATIENT, twice[0].golden_id, [twice[1].golden_id])
    (task,) = requests_of(clean_database)
    ruling = Ruling("declined", task.version)
    settled = clean_database.run(lambda session: decide(session, PATIENT, task.id, SYSTEM_ACTOR, ruling, "test"))
    deliver("ehr-north", "1", phone="617-253-4000")
    assert (settled.status, requests_of(clean_database)) == ("settled", ())
    run(clean_database, undo, PATIENT, settled.decision_id)
    assert [each.id for each in requests_of(clean_database)] == [task.id]


def test_it_is_a_verdict_of_a_review(clean_database):
    rows = [Delivery("ehr-north", "1", SMITH, ()), Delivery("ehr-north", "2", {**SMITH, **MOVED}, ())]
    one, two = deliver_all(clean_database, CAUTIOUS, SYSTEM_ACTOR, rows, "test")
    with clean_database.unit_of_work() as session:
        (task,) = list_tasks(session, kind="review").items
    ruling = Ruling("link-only", task.version)
    clean_database.run(lambda session: decide(session, CAUTIOUS, task.id, SYSTEM_ACTOR, ruling, "test"))
    (asked,) = requests_of(clean_database)
    assert set(asked.records) == {one.record_id, two.record_id}
    with pytest.raises(Conflict):
        clean_database.run(lambda session: decide(session, CAUTIOUS, task.id, SYSTEM_ACTOR, ruling, "test"))
