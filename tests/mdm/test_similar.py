"""What a value that nobody knows could mean: the ranking, without a database."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdm.similar import Habit, Known, Wanted, core, habits, rank, strip, variants

A, B, C = (UUID(int=n) for n in (1, 2, 3))


@pytest.mark.parametrize(
    ("value", "known", "reason"),
    [
        ("4410", "4410", "same_value"),
        ("04410", "4410", "format"),
        ("44-10", "4410", "format"),
        ("ab12", "AB 12", "format"),
        ("4401", "4410", "similar_code"),
        ("CARD4410", "CARD4411", "similar_code"),
    ],
)
def test_the_reason_is_what_a_steward_reads(value, known, reason):
    [found] = rank(Wanted("erp", value), [Known(A, "ehr", known)])
    assert (found.golden_id, found.reason, found.value) == (A, reason, known)


@pytest.mark.parametrize(("value", "known"), [("4410", "9377"), ("12", "13"), ("", "4410")])
def test_what_is_alike_by_chance_is_not_suggested(value, known):
    assert rank(Wanted("erp", value), [Known(A, "ehr", known)]) == []


def test_earlier_mappings_of_the_system_teach_its_habit():
    learned = habits([("MER-4410", ["4410", "CC77"]), ("MER-4420", ["4420"]), ("X4430Z", ["4430"])])
    assert learned[0] == Habit("MER-", "", 2)
    [found] = rank(Wanted("ehr", "MER-5100", habits=learned), [Known(A, "erp", "5100"), Known(B, "erp", "9999")])
    assert (found.golden_id, found.reason) == (A, "habit")
    assert "5100" in variants("MER-5100", learned)


def test_a_described_value_is_found_by_its_name():
    known = [Known(A, "erp", "D-1", "Cardiac Stepdown Unit"), Known(B, "erp", "D-2", "Laundry")]
    [found] = rank(Wanted("ehr", "4410", "Stepdown Unit Cardiac"), known)
    assert (found.golden_id, found.reason) == (A, "similar_name")


@given(
    st.lists(st.tuples(st.sampled_from((A, B, C)), st.text("0123456789ab-", max_size=8)), max_size=12), st.text("0123456789ab-", max_size=8)
)
def test_the_order_of_what_is_known_never_matters(pairs, value):
    known = [Known(golden_id, "erp", text) for golden_id, text in pairs]
    ranked = rank(Wanted("ehr", value), known)
    assert ranked == rank(Wanted("ehr", value), known[::-1])
    assert len({each.golden_id for each in ranked}) == len(ranked) <= 5
    assert [each.score for each in ranked] == sorted((each.score for each in ranked), reverse=True)


@given(st.text(max_size=12))
def test_a_core_is_its_own_core_and_every_variant_has_it(value):
    assert core(core(value)) == core(value)
    assert value == "" or value in variants(value)


def test_nothing_is_stripped_that_is_not_there():
    assert strip("MER-1", Habit("MER-", "", 1)) == "1"
    assert strip("MER-", Habit("MER-", "", 1)) == strip("NOR-1", Habit("MER-", "", 1)) == ""
