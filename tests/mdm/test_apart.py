"""Golden records are apart until anything joins them to others: then what is done to them has to wait for others."""

import pytest

from mdm.apart import is_apart
from mdm.db import execute, fetch

STRANGER = {"given_name": "Zoe", "family_name": "Quux", "birth_date": "2001-05-05", "sex": "F", "address_line": "9 Elm Rd", "phone": None}
OPEN_TASK = (
    "insert into task (id, domain, kind, dedupe_key, goldens, records, detail) values (gen_random_uuid(), 'patient', 'review', 'x',"
    " array[%s::uuid], '{}', '{}')"
)
CLAIM = (
    "insert into relationship_claim (id, domain, type, tree, {subject}, target_domain, {target}, actor)"
    " values (gen_random_uuid(), 'patient', 'x', '', %s, 'patient', {value}, 'test') returning id"
)
ENDS = {
    "its source says it": ("record_id", "target_system, target_key", "'ehr-north', '9'"),
    "somebody says it of it": ("subject_id", "target_system, target_key", "'ehr-north', '9'"),
    "another's leads to it": ("record_id", "target_id", "%s"),
}


@pytest.fixture
def one(clean_database, deliver):
    return deliver("ehr-north", "1", identifiers=[("us-ssn", "219-09-9998")])


def apart(database, *results):
    goldens, records = {r.golden_id for r in results}, {r.record_id for r in results}
    return database.run(lambda session: is_apart(session, sorted(goldens), sorted(records)))


def test_alone_in_the_world(clean_database, deliver, one):
    other = deliver("ehr-north", "2", **STRANGER)
    assert apart(clean_database, one)
    assert apart(clean_database, one, other)


def test_another_record_of_the_same_golden_record(clean_database, deliver, one):
    other = deliver("ehr-mercy", "1")
    assert other.golden_id == one.golden_id
    assert not apart(clean_database, one)
    assert apart(clean_database, one, other)


def test_an_edge_to_another(clean_database, deliver, one):
    other = deliver("ehr-mercy", "2", **STRANGER)
    assert other.golden_id != one.golden_id
    joined = "insert into edge (low, high, weight, model_version) values (%s, %s, 3, 'x') on conflict do nothing"
    clean_database.run(lambda session: execute(session, joined, sorted([one.record_id, other.record_id])))
    clean_database.run(lambda session: execute(session, "update task set status = 'obsolete'"))
    assert (apart(clean_database, one), apart(clean_database, other)) == (False, False)
    assert apart(clean_database, one, other)


def test_an_identifier_that_another_claims(clean_database, deliver, one):
    other = deliver("ehr-mercy", "2", identifiers=[("us-ssn", "219-09-9998")], **STRANGER)
    assert other.golden_id != one.golden_id
    for statement in ("delete from edge", "update task set status = 'obsolete'"):
        clean_database.run(lambda session, statement=statement: execute(session, statement))
    assert not apart(clean_database, one)


def test_an_open_question(clean_database, one):
    clean_database.run(lambda session: execute(session, OPEN_TASK, (one.golden_id,)))
    assert not apart(clean_database, one)


@pytest.mark.parametrize("end", ENDS)
def test_what_is_said_of_relationships(clean_database, deliver, one, end):
    other = deliver("ehr-north", "2", **STRANGER)
    subject, target, value = ENDS[end]
    said = {"record_id": one.record_id, "subject_id": one.golden_id}[subject] if value != "%s" else other.record_id
    asked = (said, one.golden_id) if value == "%s" else (said,)
    clean_database.run(lambda session: fetch(session, CLAIM.format(subject=subject, target=target, value=value), asked))
    assert not apart(clean_database, one)
    assert apart(clean_database, other) == (value != "%s")
