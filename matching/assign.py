"""One partner at most: which pairs of two files, each free of duplicates, are taken, how clear each is, and where to cut without labels.

Pairs are three arrays of one length: row numbers left, row numbers right (each side counts for itself) and weights in bits; each pair
stands once. Only weights and row numbers count, never the order of the rows.
"""

from dataclasses import dataclass

import numpy as np

from matching.arrays import Bits, Flags, Rows

RUNNER_UPS_MIN = 20  # below it the median runner-up, on which the cut rests, says nothing
_FLAT = 0.001  # of F1, by which cuts that promise it are one as good as the other


@dataclass(frozen=True, slots=True)
class Cut:
    """Weights in bits from which taken pairs are linked or reviewed; the share of the smaller side that seems to have a partner at all."""

    link: float
    review: float
    partner_share: float


def assign(left: Rows, right: Rows, weights: Bits) -> Flags:
    """Take the pairs from the heaviest down, each whose two records are still free; equal weights in order of (left, right).

    Returns one flag per pair, in the order of the pairs.
    """
    order = np.lexsort((right, left, -weights))
    taken = np.zeros(len(weights), dtype=np.bool_)
    free_left, free_right = bytearray(b"\1") * _size(left), bytearray(b"\1") * _size(right)
    # A plain walk: rounds of reciprocal best in numpy save little, and need a round per record where weights tie in blocks.
    for place, low, high in zip(order.tolist(), left[order].tolist(), right[order].tolist(), strict=True):
        if free_left[low] and free_right[high]:
            taken[place] = True
            free_left[low] = free_right[high] = 0
    return taken


def contenders(left: Rows, right: Rows, weights: Bits, most: int) -> Flags:
    """Which pairs are among the `most` heaviest of either of their records; equal weights in order of the partner."""
    return _among_heaviest(left, right, weights, most) | _among_heaviest(right, left, weights, most)


def margins(left: Rows, right: Rows, weights: Bits, taken: Flags) -> Bits:
    """Per taken pair, in the order of the pairs: by how many bits it beats the best partner that either of its records could have instead.

    A partner could be had when it is free or held by a pair no heavier than the taken one. Infinity where there is none.
    """
    held = _Held(left, right, weights, taken)
    best = [np.full(len(side), -np.inf) for side in (held.by_left, held.by_right)]
    to_left, to_right = _available(held, left, right, taken)
    np.maximum.at(best[0], left[to_left], weights[to_left])
    np.maximum.at(best[1], right[to_right], weights[to_right])
    rivals: Bits = np.maximum(best[0][left[taken]], best[1][right[taken]])
    return np.asarray(weights[taken] - rivals, dtype=np.float64)


def runner_up_cut(left: Rows, right: Rows, weights: Bits, taken: Flags) -> Cut | None:
    """Where to cut the taken pairs, learned without labels: the best other candidate of a record that has a partner is a known stranger.

    Every such runner-up of the smaller side gives the cut for links; only those that could have been had (see `margins`) give the lower
    one, for review. The partner share is the middle of both; where few have a partner it is too high and the cut too low, since a stranger
    taken is the best of its record and the runner-up only the second. None with too few runner-ups to tell.
    """
    held = _Held(left, right, weights, taken)
    smaller_is_left = _distinct(left) <= _distinct(right)
    side, owner = (left, held.by_left) if smaller_is_left else (right, held.by_right)
    others = ~taken & (owner[side] > -np.inf)
    available = others & _available(held, left, right, taken)[0 if smaller_is_left else 1]
    strangers = _best(side[others], weights[others], len(owner))
    if len(strangers) < RUNNER_UPS_MIN:
        return None
    records = _distinct(side)
    link, with_partner = _cut(weights[taken], strangers, records)
    review, with_partner_most = _cut(weights[taken], _best(side[available], weights[available], len(owner)), records)
    return Cut(link, min(link, review), (with_partner + with_partner_most) / 2)


def _cut(taken: Bits, strangers: Bits, records: int) -> tuple[float, float]:
    """The lowest weight that promises about the best F1, and the share of records with a partner.

    Taken pairs at or below the strangers' median are half of all taken pairs that are none.
    """
    if len(strangers) == 0:
        return float(taken.min()), 1.0
    without = min(1.0, 2 * float(np.mean(taken <= np.median(strangers))))
    cuts = np.sort(taken)[::-1]
    found = np.searchsorted(-cuts, -cuts, side="right")
    true = found - without * np.searchsorted(np.sort(-strangers), -cuts, side="right")
    promised = 2 * true / (found + (1 - without) * records)
    # Near its height the promise is flat, and which of many cuts is a hair better is chance: one record more moved it by .017 of recall
    return float(cuts[np.flatnonzero(promised >= promised.max() - _FLAT)[-1]]), 1 - without


class _Held:
    """Per row of either side the weight of the pair that holds it, minus infinity when free."""

    def __init__(self, left: Rows, right: Rows, weights: Bits, taken: Flags) -> None:
        self.by_left = np.full(_size(left), -np.inf)
        self.by_right = np.full(_size(right), -np.inf)
        self.by_left[left[taken]] = weights[taken]
        self.by_right[right[taken]] = weights[taken]


def _available(held: _Held, left: Rows, right: Rows, taken: Flags) -> tuple[Flags, Flags]:
    """Which pairs would offer their left record, and which their right one, another partner than the one it has."""
    ours, theirs = held.by_left[left], held.by_right[right]
    return ~taken & (theirs <= ours), ~taken & (ours <= theirs)


def _best(side: Rows, weights: Bits, size: int) -> Bits:
    """The best weight of each row that occurs."""
    best = np.full(size, -np.inf)
    np.maximum.at(best, side, weights)
    return best[best > -np.inf]


def _among_heaviest(side: Rows, partner: Rows, weights: Bits, most: int) -> Flags:
    order = np.lexsort((partner, -weights, side))
    places = np.arange(len(side))
    begins = np.append(True, np.diff(side[order]) != 0) if len(side) else np.zeros(0, dtype=np.bool_)
    rank = places - np.maximum.accumulate(np.where(begins, places, 0))
    among = np.zeros(len(side), dtype=np.bool_)
    among[order] = rank < most
    return among


def _distinct(rows: Rows) -> int:
    return int(np.count_nonzero(np.bincount(rows)))


def _size(rows: Rows) -> int:
    return int(rows.max(initial=-1)) + 1
