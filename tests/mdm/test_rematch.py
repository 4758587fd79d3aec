"""Which pairs are worked on when everything is matched again."""

import numpy as np

from matching.arrays import Weighed
from mdm.rematch import changed_pairs
from mdm.stock import Edges

SIZE = 10


def arrays(pairs):
    return (np.array(side, dtype=np.int64) for side in (zip(*pairs, strict=True) if pairs else ((), ())))


def found(pairs):
    return Weighed(*arrays(list(pairs)), np.array([*pairs.values()], dtype=np.float64), np.zeros(len(pairs), dtype=np.bool_))


def stored(pairs):
    """{pair: (weight, by this version, judged)}"""
    weights, current, judged = zip(*pairs.values(), strict=True) if pairs else ((), (), ())
    return Edges(*arrays(list(pairs)), np.array(weights), np.array(current, dtype=np.bool_), np.array(judged, dtype=np.bool_))


def changed(now, before):
    return {*zip(*(side.tolist() for side in changed_pairs(found(now), stored(before), SIZE)), strict=True)}


def test_what_is_stored_with_this_weight_is_left_alone():
    pairs = {(0, 9): 5.0, (3, 4): 7.5}
    assert changed(pairs, {(3, 4): (7.5, True, False), (0, 9): (5.0 + 1e-9, True, True)}) == set()


def test_new_pairs_and_those_of_another_weight_or_model_are_worked_on():
    now = {(0, 1): 5.0, (0, 2): 6.0, (1, 2): 7.0, (4, 5): 8.0}
    assert changed(now, {(4, 5): (8.0, True, False), (1, 2): (7.0, False, False), (0, 2): (6.5, True, False)}) == {(0, 1), (0, 2), (1, 2)}
    assert changed(now, {}) == {*now}


def test_a_pair_that_is_no_longer_met_goes_unless_a_person_has_judged_it():
    assert changed({}, {(0, 1): (5.0, True, False), (2, 3): (5.0, True, True)}) == {(0, 1)}
    assert changed({}, {}) == set()
