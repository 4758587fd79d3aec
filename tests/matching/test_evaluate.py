"""Measures of what was found, against small cases counted by hand and against definitions read literally."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matching.evaluate import (
    Agreement,
    agreement,
    are_true,
    b_cubed,
    blocking_recall,
    count_pairs,
    macro_f1,
    pairs_across,
    pairs_of,
    pairwise,
    reduction_ratio,
)

PARTITIONS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=12)
PAIRS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)).filter(lambda pair: pair[0] != pair[1]), max_size=12)


def groups(*numbers):
    return np.array(numbers, dtype=np.int64)


def pairs(*ends):
    return pairs_of([left for left, _ in ends], [right for _, right in ends])


def listed(linkage):
    return set(zip(linkage.left.tolist(), linkage.right.tolist(), strict=True))


def within(numbers):
    return {(i, j) for i, j in combinations(range(len(numbers)), 2) if numbers[i] == numbers[j]}


def test_two_of_three_found_links_and_two_of_four_true_ones():
    found = agreement(pairs((0, 1), (2, 3), (4, 5)), pairs((0, 1), (3, 2), (6, 7), (8, 9)))
    assert (found.precision, found.recall) == (pytest.approx(2 / 3), 0.5)
    assert found.f1 == pytest.approx(4 / 7)


def test_a_group_of_three_instead_of_two_has_two_wrong_pairs():
    assert agreement(groups(0, 0, 0, 1), groups(5, 5, 6, 7)) == Agreement(pytest.approx(1 / 3), 1.0, 0.5)


@given(PARTITIONS)
def test_groups_are_measured_like_the_pairs_within_them(records):
    found, truth = (groups(*numbers) for numbers in zip(*records, strict=True))
    spelled = agreement(pairs(*within(found)), pairs(*within(truth)))
    assert agreement(found, truth) == agreement(pairs(*within(found)), truth) == agreement(found, pairs(*within(truth))) == spelled


@given(PARTITIONS)
def test_named_pairs_and_counted_pairs_agree(records):
    found, truth = ({str(row): group for row, group in enumerate(numbers)} for numbers in zip(*records, strict=True))
    named, counted = pairwise(found, truth), agreement(groups(*found.values()), groups(*truth.values()))
    assert Agreement(named.precision, named.recall, named.f1) == counted
    assert (named.found_pairs, named.true_pairs) == (count_pairs(groups(*found.values())), count_pairs(groups(*truth.values())))


@given(PAIRS, PAIRS)
def test_order_and_repetition_of_pairs_change_nothing(found, truth):
    turned = [(right, left) for left, right in reversed(found)] + found
    assert agreement(pairs(*turned), pairs(*truth)) == agreement(pairs(*found), pairs(*truth))


def test_nothing_found_is_precise_and_nothing_to_find_is_complete():
    nothing, something = pairs(), pairs((0, 1))
    assert agreement(nothing, something) == Agreement(1.0, 0.0, 0.0)
    assert agreement(something, nothing) == Agreement(0.0, 1.0, 0.0)
    assert agreement(nothing, nothing) == Agreement(1.0, 1.0, 1.0)


@given(PARTITIONS)
def test_b_cubed_is_the_mean_over_records(records):
    found, truth = (groups(*numbers) for numbers in zip(*records, strict=True))
    measured = b_cubed(found, truth)
    assert measured.precision == pytest.approx(mean_share(found, truth))
    assert measured.recall == pytest.approx(mean_share(truth, found))


def mean_share(grouped, other):
    """Per record, the share of its group that is in its other group too."""
    shares = [np.mean(other[grouped == grouped[row]] == other[row]) for row in range(len(grouped))]
    return np.mean(shares)


def test_b_cubed_by_hand():
    assert b_cubed(groups(0, 0, 0), groups(0, 0, 1)) == Agreement(pytest.approx(5 / 9), 1.0, pytest.approx(5 / 7))


def test_blocking_recall_is_the_share_of_true_pairs_that_were_compared():
    assert blocking_recall(pairs((0, 1), (0, 2), (3, 4)), groups(0, 0, 1, 1, 1)) == 0.5


@pytest.mark.parametrize(("candidates", "sizes", "saved"), [(9, (10,), 0.8), (25, (10, 10), 0.75), (0, (2,), 1.0)])
def test_the_reduction_ratio_is_the_share_of_pairs_that_were_not_compared(candidates, sizes, saved):
    assert reduction_ratio(candidates, *sizes) == pytest.approx(saved)


def test_only_pairs_across_two_files_count():
    assert listed(pairs_across(groups(0, 0, 1, 0, 1, 1), 3)) == {(0, 3), (1, 3), (2, 4), (2, 5)}


@pytest.mark.parametrize("truth", [groups(0, 0, 1, 1), pairs((1, 0), (2, 3))])
def test_single_pairs_are_told_true_from_false(truth):
    assert are_true(pairs((0, 1), (1, 2), (2, 3)), truth).tolist() == [True, False, True]


def test_macro_f1_is_the_mean_over_the_classes_that_occur():
    assert macro_f1([[1, 1, 0], [0, 2, 0], [0, 0, 0]]) == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert macro_f1([[3, 0, 0], [0, 0, 0], [0, 0, 4]]) == 1.0
    assert macro_f1([[0, 0, 5], [0, 0, 0], [5, 0, 0]]) == 0.0
