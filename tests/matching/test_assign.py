"""One partner at most: the plain rule, whatever the order of the rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matching.assign import assign, contenders, margins, runner_up_cut

PAIRS = st.dictionaries(st.tuples(st.integers(0, 6), st.integers(0, 6)), st.sampled_from([-3.0, 0.0, 1.0, 1.5, 4.0, 9.0]), max_size=30).map(
    lambda found: [(low, high, weight) for (low, high), weight in found.items()]
)


def arrays(pairs):
    left, right, weights = zip(*pairs, strict=True) if pairs else ((), (), ())
    return np.array(left, dtype=np.int64), np.array(right, dtype=np.int64), np.array(weights, dtype=np.float64)


def by_rounds(pairs):
    """Rounds of reciprocal best, ties by (left, right), until none is left."""
    taken, rest = set(), set(pairs)
    while rest:
        best = [p for p in rest if all(key(p) <= key(o) for o in rest if o[0] == p[0] or o[1] == p[1])]
        taken |= set(best)
        rest = {p for p in rest if not any(p[0] == t[0] or p[1] == t[1] for t in best)}
    return taken


def key(p):
    return (-p[2], p[0], p[1])


@given(PAIRS, st.randoms())
def test_assigns_by_rounds_of_reciprocal_best_in_any_order_of_rows(pairs, random):
    shuffled = random.sample(pairs, len(pairs))
    taken = assign(*arrays(shuffled))
    assert {p for p, chosen in zip(shuffled, taken, strict=True) if chosen} == by_rounds(pairs)


@given(PAIRS)
def test_margin_is_the_distance_to_the_best_partner_that_could_be_had(pairs):
    taken = assign(*arrays(pairs))
    held = [{p[side]: p[2] for p, chosen in zip(pairs, taken, strict=True) if chosen} for side in (0, 1)]
    expected = []
    for p, chosen in zip(pairs, taken, strict=True):
        if chosen:
            others = [(o, side) for side in (0, 1) for o in pairs if o != p and o[side] == p[side]]
            rivals = [o[2] for o, side in others if held[1 - side].get(o[1 - side], -9e9) <= p[2]]
            expected.append(p[2] - max(rivals, default=-np.inf))
    assert margins(*arrays(pairs), taken).tolist() == expected


@given(PAIRS, st.integers(1, 3), st.randoms())
def test_contenders_are_the_heaviest_of_either_record_in_any_order_of_rows(pairs, most, random):
    shuffled = random.sample(pairs, len(pairs))
    chosen = contenders(*arrays(shuffled), most)

    def is_among(p, side):
        rivals = sorted((o for o in pairs if o[side] == p[side]), key=lambda o: (-o[2], o[1 - side]))
        return p in rivals[:most]

    assert {p for p, kept in zip(shuffled, chosen, strict=True) if kept} == {p for p in pairs if is_among(p, 0) or is_among(p, 1)}


def test_a_partner_that_a_heavier_pair_holds_is_no_rival():
    pairs = arrays([(0, 0, 9.0), (1, 0, 6.0), (1, 1, 5.0), (2, 1, 4.5)])
    assert margins(*pairs, assign(*pairs)).tolist() == [3.0, 0.5]


def test_the_same_two_records_twice_are_unclear_on_both_sides():
    pairs = arrays([(0, 0, 5.0), (0, 1, 5.0), (1, 0, 5.0), (1, 1, 5.0)])
    assert margins(*pairs, assign(*pairs)).tolist() == [0.0, 0.0]


def planted(records: int, with_partner: float):
    """Each record left has six strangers, about 0 bits away; some have a partner, about 12 bits away."""
    random = np.random.default_rng(5)
    true = np.flatnonzero(random.random(records) < with_partner)
    strangers = [np.roll(random.permutation(records), 1) + records for _ in range(6)]
    left = np.concatenate([true, np.tile(np.arange(records), 6)])
    right = np.concatenate([true, *strangers])
    weights = np.concatenate([random.normal(12, 2, len(true)), random.normal(0, 2, 6 * records)])
    return left, right, weights


@pytest.mark.parametrize("with_partner", [0.6, 0.8, 1.0])
def test_the_cut_without_labels_is_about_as_good_as_the_best_one(with_partner):
    left, right, weights = planted(2000, with_partner)
    taken = assign(left, right, weights)
    cut = runner_up_cut(left, right, weights, taken)
    assert cut is not None
    assert cut.review <= cut.link
    true = (left == right)[taken]
    f1 = [2 * true[weights[taken] >= at].sum() / ((weights[taken] >= at).sum() + true.sum()) for at in (cut.link, *range(-5, 20))]
    assert f1[0] > max(f1) - 0.03


def test_more_partners_make_a_larger_share():
    cuts = [runner_up_cut(*pairs, assign(*pairs)) for pairs in (planted(2000, share) for share in (0.3, 0.6, 1.0))]
    shares = [cut.partner_share for cut in cuts if cut is not None]
    assert shares == sorted(shares)
    assert shares[0] < 0.6
    assert shares[-1] > 0.95


def test_the_cut_is_the_same_with_the_sides_exchanged():
    left, right, weights = planted(500, 0.6)
    taken = assign(left, right, weights)
    assert runner_up_cut(left, right, weights, taken) == runner_up_cut(right, left, weights, taken)


@pytest.mark.parametrize("pairs", [[], [(0, 0, 5.0)], [(0, 0, 5.0), (0, 1, 2.0)]])
def test_too_few_runner_ups_show_no_cut(pairs):
    assert runner_up_cut(*arrays(pairs), assign(*arrays(pairs))) is None


def test_without_a_partner_that_could_be_had_every_taken_pair_is_reviewed():
    rows = np.arange(30)
    pairs = (np.concatenate([rows, rows[1:]]), np.concatenate([rows, rows[:-1]]), np.concatenate([40.0 - rows, np.full(29, 1.0)]))
    cut = runner_up_cut(*pairs, assign(*pairs))
    assert cut is not None
    assert cut.review == 11.0
