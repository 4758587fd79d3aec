"""Records as arrays, piece by piece, say what they say one by one."""

import numpy as np
import pytest

from matching.counting import with_counted, with_frequencies
from matching.table import chunk_of, lay_out, put_together
from mdm.entities import ENTITY_TYPES
from mdm.guard import guard_key, record_keys
from mdm.ids import new_golden_id, new_record_id
from mdm.load_shared import overshared, overshared_with
from mdm.pile import Pile
from tests.matching.real_records import real_sets

PATIENT = ENTITY_TYPES["patient"]
RECORDS = (
    {"given_name": "ann", "phone": ("6175550001",), "email": "a@example.org"},
    {"given_name": "bob", "phone": ("6175550002", "6175550001"), "ssn": ("123456789",)},
    {"family_name": "lee", "phone": ("6175550003",)},
    {"given_name": "eve"},
)


def piled(records, *, cut=2):
    pile = Pile(PATIENT.model.columns)
    for start in range(0, len(records), cut):
        some = records[start : start + cut]
        pile.add([new_record_id() for _ in some], some, [new_golden_id() for _ in some], [str(start + n) for n in range(len(some))])
    return pile


@pytest.mark.parametrize("cut", [1, 2, 3, 4])
def test_chunks_make_the_table_that_all_records_make(cut):
    whole = lay_out(PATIENT.model, RECORDS)
    chunks = [chunk_of(PATIENT.model.columns, RECORDS[start : start + cut]) for start in range(0, len(RECORDS), cut)]
    made = put_together(PATIENT.model, chunks, np.arange(len(RECORDS)))
    assert made.layout == whole.layout
    assert made.table.to_pydict() == whole.table.to_pydict()


def test_records_of_a_table_are_found_by_their_numbers():
    made = put_together(PATIENT.model, [chunk_of(PATIENT.model.columns, RECORDS)], np.array([2, 0, 3, 1]))
    assert [dict(made.columns[number]) for number in (2, 3, 1)] == [RECORDS[0], RECORDS[2], RECORDS[3]]
    assert dict(made.columns[0]) == {**RECORDS[1], "ssn": "123456789"}  # a column in which nobody has two values is one of texts


def test_who_had_a_value_is_told_when_it_is_taken_out():
    pile = piled(RECORDS)
    assert pile.strip({"phone": {"6175550001"}, "email": {"a@example.org"}, "fax": {"1"}}).tolist() == [True, True, False, False]
    assert pile.held("phone").values.to_pylist() == ["6175550002", "6175550003"]
    assert pile.held("phone").rows.tolist() == [1, 2]
    assert pile.held("email").values.to_pylist() == []


def test_a_value_is_over_shared_by_its_holders_in_both_and_only_where_the_file_has_it():
    limit = dict(PATIENT.guarded)["email"]
    fresh, stock = piled(({"email": "all@example.org"},)), piled(({"email": "all@example.org"}, {"email": "stored@example.org"}) * limit)
    assert overshared(PATIENT, stock, fresh, {}) == {("email", "all@example.org")}


def test_the_key_of_a_guarded_value_is_the_one_of_the_record_that_has_it():
    keys = record_keys(PATIENT, PATIENT.model, {"email": "a@example.org"})
    assert keys[guard_key(PATIENT, "email")("a@example.org")] == "guard email"


def test_a_value_is_over_shared_where_its_key_is_too_heavy():
    limit = dict(PATIENT.guarded)["email"]
    heavy = {guard_key(PATIENT, "email")("all@example.org"): limit + 1, guard_key(PATIENT, "email")("few@example.org"): limit}
    fresh = piled(({"email": "all@example.org"}, {"email": "few@example.org"}))
    assert overshared(PATIENT, piled(()), fresh, heavy) == {("email", "all@example.org")}


def test_the_chosen_records_are_handed_over_once():
    pile = piled(RECORDS)
    chunks = pile.hand_over(np.array([True, False, False, True]))
    assert [chunk.arrays["given_name"].to_pylist() for chunk in chunks] == [["ann"], ["eve"]]
    assert pile.hand_over() == []


def test_a_value_is_over_shared_by_its_holders_in_the_file_and_those_of_its_key():
    limit = dict(PATIENT.guarded)["email"]
    fresh = piled(({"email": "many@example.org"},) * 2 + ({"email": "one@example.org"},) + ({"email": "file@example.org"},) * (limit + 1))
    key = guard_key(PATIENT, "email")
    holders = {key("many@example.org"): limit - 1, key("one@example.org"): limit - 1}
    assert overshared_with(PATIENT, fresh, holders) == {("email", "many@example.org"), ("email", "file@example.org")}


@pytest.mark.parametrize("entity", ENTITY_TYPES.values(), ids=ENTITY_TYPES)
def test_frequencies_counted_by_column_are_those_of_the_records(entity):
    for records in real_sets(entity.name, most=400):
        pile = Pile(entity.model.columns)
        for start in range(0, len(records), 30):
            some = records[start : start + 30]
            pile.add([new_record_id() for _ in some], some, [new_golden_id() for _ in some], [str(start + n) for n in range(len(some))])
        assert with_counted(entity.model, pile.records(entity.model).values) == with_frequencies(entity.model, records)


def test_words_are_counted_as_lists_where_nobody_has_two():
    supplier = ENTITY_TYPES["supplier"].model
    records = [{"name.tokens": ("acme",)}, {"name.tokens": ("acme",)}, {"name.tokens": ("apex",)}]
    counted = with_counted(supplier, put_together(supplier, [chunk_of(supplier.columns, records)], np.arange(3)).values)
    assert counted == with_frequencies(supplier, records)
    assert counted.frequencies["name.tokens"].total == 2
