"""Keys that were stored with blanks too many: found by the doctor, put right, and nobody is told twice."""

from functools import partial

import pytest

from mdm import old_keys
from mdm.db import execute, fetch
from mdm.entities import ENTITY_TYPES
from mdm.invariants import violations
from mdm.old_keys import Repaired, put_right, repair
from mdm.withdraw import withdraw

PATIENT = ENTITY_TYPES["patient"]


@pytest.fixture
def old(clean_database, deliver):
    """A record as an earlier version stored it, and what its delivery answered."""
    made = deliver("ehr-north", "A 1")
    text = "replace(columns::text, 'ehr-north:A 1', 'ehr-north: A  1 ')::jsonb"
    clean_database.run(lambda s: execute(s, f"update source_record set key = ' A  1 ', columns = {text} where id = %s", (made.record_id,)))
    assert clean_database.run(lambda s: fetch(s, old_keys.COUNT)) == [(1,)]
    return made


def keys(database):
    return [row[0] for row in database.run(lambda s: fetch(s, "select key from source_record where status = 'active' order by key"))]


def test_a_key_takes_its_normal_form_and_its_record_is_found_again(clean_database, deliver, old):
    assert repair(clean_database) == Repaired(renamed=1)
    assert keys(clean_database) == ["A 1"]
    assert deliver("ehr-north", " A 1").outcome == "unchanged"
    assert clean_database.run(lambda s: fetch(s, "select columns -> 'keys' from source_record")) == [(["ehr-north:A 1"],)]
    assert clean_database.run(lambda s: violations(s, deep=True)) == []
    assert repair(clean_database) == Repaired()


def test_one_that_was_delivered_anew_since_goes(clean_database, deliver, old):
    new = deliver("ehr-north", "A 1", city="Boston")
    assert new.golden_id == old.golden_id
    assert repair(clean_database) == Repaired(withdrawn=1)
    assert keys(clean_database) == ["A 1"]
    assert clean_database.run(lambda s: violations(s, deep=True)) == []


def test_one_that_was_withdrawn_since_it_was_found_stays_so(clean_database, old):
    clean_database.run(lambda session: withdraw(session, PATIENT, [old.record_id], {}))
    assert clean_database.run(partial(put_right, PATIENT, old.record_id)) == "gone"
    assert clean_database.run(lambda s: violations(s, deep=True)) == []
    assert keys(clean_database) == []
