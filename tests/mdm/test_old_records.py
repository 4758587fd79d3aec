"""Records that an earlier release read otherwise: found, read anew in small steps, and compared as what they are now."""

from collections import deque
from dataclasses import replace
from types import SimpleNamespace

import pytest
from psycopg.types.json import Jsonb

from mdm.access import SYSTEM_ACTOR
from mdm.db import execute, fetch
from mdm.entities import ENTITY_TYPES
from mdm.guard import record_keys
from mdm.ingest import deliver_all
from mdm.invariants import violations
from mdm.old_records import Old, Step, _pieces, again, look, repair
from mdm.standardise import Delivery, standardise
from mdm.systems import registry
from mdm.withdraw import withdraw
from tests.mdm.conftest import SMITH
from tests.mdm.test_findings import PEOPLE

PATIENT = ENTITY_TYPES["patient"]
STORED = "select id, clean, columns, keys from source_record order by id"
KEYS = "select key, record_id from match_key order by key, record_id"


def last(database, *, entity=PATIENT, **how):
    return deque(repair(database, entity, **how), maxlen=1).pop()


def stored(database):
    return database.run(lambda session: (fetch(session, STORED), fetch(session, KEYS)))


def read_as(database, record, other):
    """The record stored as if an earlier release had read these words in its delivery."""

    def work(session):
        model = PATIENT.model
        standard = standardise(PATIENT, Delivery("ehr-north", "1", other), registry(session))
        keys = list(record_keys(PATIENT, model, standard.columns))
        execute(session, "delete from match_key where record_id = %s", (record,))
        execute(session, "insert into match_key (key, record_id) select unnest(%s::bigint[]), %s", (keys, record))
        written = (standard.columns, keys, standard.attributes, record)
        statement = "update source_record set columns = %s, keys = %s, clean = jsonb_set(clean, '{attributes}', %s) where id = %s"
        execute(session, statement, (Jsonb(written[0]), written[1], Jsonb(written[2]), record))

    database.run(work)


@pytest.fixture
def old(clean_database, deliver):
    """William Smith twice, who were not found to be one, because an earlier release read the first otherwise."""
    first = deliver("ehr-north", "1")
    read_as(
        clean_database, first.record_id, {**SMITH, "given_name": "Zoe", "family_name": "Quux", "birth_date": "2001-05-05", "phone": "6"}
    )
    second = deliver("ehr-mercy", "1")
    assert second.golden_id != first.golden_id
    return first, second


def goldens(database):
    return database.run(lambda session: fetch(session, "select count(distinct golden_id) from link where recorded_to is null"))[0][0]


def test_they_are_counted_first_and_nothing_changes(clean_database, old):
    before = stored(clean_database)
    assert last(clean_database, changes=False) == Step("patient", 2, 1, 0)
    assert stored(clean_database) == before


def test_read_anew_they_are_found_and_linked_and_the_next_time_there_is_nothing_left(clean_database, old, deliver):
    assert last(clean_database) == Step("patient", 2, 1, 0)
    assert goldens(clean_database) == 1
    assert clean_database.run(lambda session: violations(session, deep=True)) == []
    after = stored(clean_database)
    assert last(clean_database) == Step("patient", 2, 0, 0)
    assert stored(clean_database) == after
    assert deliver("ehr-north", "1").outcome == "unchanged"
    told = clean_database.run(lambda session: fetch(session, "select count(*) from audit where action = 'record:read_anew'"))
    assert told == [(1,)]


def test_whoever_was_withdrawn_or_delivered_between_the_look_and_the_locks_is_left_alone(clean_database, old, deliver):
    first, _ = old
    found = clean_database.run(lambda session: look(session, PATIENT)).old
    assert [each.today.record_id for each in found] == [first.record_id]
    read_as(clean_database, first.record_id, SMITH)
    assert deliver("ehr-north", "1", phone="617-482-3344", address_line="9 Elm Rd").outcome == "updated"
    assert clean_database.run(lambda session: again(session, PATIENT, found)) == 0
    read_as(clean_database, first.record_id, {**SMITH, "given_name": "Zoe"})
    found = clean_database.run(lambda session: look(session, PATIENT)).old
    clean_database.run(lambda session: withdraw(session, PATIENT, [first.record_id], {}))
    before = stored(clean_database)
    assert clean_database.run(lambda session: again(session, PATIENT, found)) == 0
    assert stored(clean_database) == before
    assert clean_database.run(lambda session: violations(session, deep=True)) == []


def test_a_record_whose_key_is_stored_with_blanks_is_not_taken_for_another(clean_database, deliver):
    first = deliver("ehr-north", "A 1")
    clean_database.run(lambda s: execute(s, "update source_record set key = ' A  1 ' where id = %s", (first.record_id,)))
    second = deliver("ehr-north", "A 1", city="Boston")
    assert second.record_id != first.record_id
    read_as(clean_database, first.record_id, {**SMITH, "given_name": "Zoe"})
    before = clean_database.run(lambda s: fetch(s, "select * from source_record where id = %s", (second.record_id,)))
    assert last(clean_database) == Step("patient", 2, 1, 0)
    assert clean_database.run(lambda s: fetch(s, "select * from source_record where id = %s", (second.record_id,))) == before
    assert last(clean_database) == Step("patient", 2, 0, 0)


def test_pieces_keep_within_the_locks_of_a_transaction():
    keys = [tuple(range(start, start + 400)) for start in range(0, 2_000, 400)]
    pieces = list(_pieces([Old(SimpleNamespace(keys=each), each) for each in keys]))
    assert [len(piece) for piece in pieces] == [2, 2, 1]


def test_what_too_many_hold_is_not_old(clean_database):
    rows = [
        Delivery(
            "ehr-north",
            str(place),
            {"given_name": given, "family_name": family, "birth_date": f"19{40 + place}-0{place + 1}-1{place}"},
            [("us-ssn", "123-45-4410")],
        )
        for place, (given, family) in enumerate(PEOPLE)
    ]
    for row in rows:
        deliver_all(clean_database, PATIENT, SYSTEM_ACTOR, [row], "test")
    assert last(clean_database) == Step("patient", len(PEOPLE), 0, 0)


def test_what_todays_declaration_refuses_stays_and_is_counted(clean_database, old):
    before = stored(clean_database)
    strict = replace(PATIENT, attributes=tuple(replace(each, required=each.name == "email") for each in PATIENT.attributes))
    assert last(clean_database, entity=strict) == Step("patient", 2, 0, 2)
    assert stored(clean_database) == before
