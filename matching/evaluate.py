"""How good is what was found? Pairwise precision, recall and F1 against the truth, by recordlinkage's measures, and B-cubed.

Records are row numbers here. What was found, and what is true, is either groups (one group number per row) or distinct pairs of rows;
any of the two is compared with any of the two, and pairs within groups are counted, never listed: a group of 20,000 is one line.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
import recordlinkage
from numpy.typing import NDArray

from matching.arrays import Rows


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of rows, each once, the smaller row left; `pairs_of` makes them."""

    left: Rows
    right: Rows


Linkage = Rows | Pairs


@dataclass(frozen=True, slots=True)
class Agreement:
    """Shares from 0 to 1. With nothing found, precision is 1; with nothing to find, recall is 1."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, slots=True)
class Quality:
    """Pairs found against pairs that are true; shares from 0 to 1. With no pair on a side, precision or recall is 1."""

    precision: float
    recall: float
    f1: float
    true_pairs: int
    found_pairs: int
    wrong: tuple[tuple[str, str], ...]
    missed: tuple[tuple[str, str], ...]


def pairwise(found: Mapping[str, Hashable], truth: Mapping[str, Hashable]) -> Quality:
    """Compare two partitions of the same few records, given as record -> group, and name every pair that differs."""
    links, facts = set(_listed(found)), set(_listed(truth))
    wrong, missed = tuple(sorted(links - facts)), tuple(sorted(facts - links))
    shares = _agreement(len(links & facts), len(links), len(facts))
    return Quality(shares.precision, shares.recall, shares.f1, len(facts), len(links), wrong, missed)


def _listed(partition: Mapping[str, Hashable]) -> list[tuple[str, str]]:
    groups: dict[Hashable, list[str]] = {}
    for record, group in partition.items():
        groups.setdefault(group, []).append(record)
    return [p for members in groups.values() for p in combinations(sorted(members), 2)]


def agreement(found: Linkage, truth: Linkage) -> Agreement:
    """Pairwise: of the pairs found, how many are true; of the true ones, how many were found."""
    return _agreement(_common(found, truth), count_pairs(found), count_pairs(truth))


def blocking_recall(candidates: Pairs, truth: Linkage) -> float:
    """The share of the true pairs that were compared at all: no model can find more."""
    return agreement(candidates, truth).recall


def reduction_ratio(candidates: int, *sizes: int) -> float:
    """The share of all possible pairs (within one file of that size, or across two) that needed no comparison."""
    return float(recordlinkage.reduction_ratio(candidates, *sizes))


def b_cubed(found: Rows, truth: Rows) -> Agreement:
    """Per record, how much of its group is right and how much of its entity is there; the mean over all records."""
    together = _sizes(found, truth)
    precision = float(np.mean(together / _sizes(found)))
    recall = float(np.mean(together / _sizes(truth)))
    return Agreement(precision, recall, _f1(precision, recall))


def macro_f1(confusion: Sequence[Sequence[int]]) -> float:
    """The mean F1 of the classes that occur; rows are labels, columns outcomes, both in the same order. At least one pair was labelled."""
    table = np.asarray(confusion, dtype=np.float64)
    either = table.sum(axis=0) + table.sum(axis=1)
    occurs = either > 0
    return float(np.mean(2 * np.diagonal(table)[occurs] / either[occurs]))


def pairs_of(left: Iterable[int] | Rows, right: Iterable[int] | Rows) -> Pairs:
    """Pairs in any order, with repetitions, made distinct. Both sides have the same length; no row is paired with itself."""
    ends = np.asarray([left, right], dtype=np.int64)
    low, high = ends.min(axis=0), ends.max(axis=0)
    size = int(high.max(initial=0)) + 1
    codes = np.sort(low * size + high)
    codes = codes[np.diff(codes, prepend=-1) > 0]  # np.unique takes seventy times as long for millions
    return Pairs(codes // size, codes % size)


def pairs_across(groups: Rows, second: int) -> Pairs:
    """The pairs of one group whose sides lie before and from row `second` on: two files, one numbering."""
    rows = pd.DataFrame({"group": groups, "row": np.arange(len(groups))})
    both = rows[:second].merge(rows[second:], on="group", suffixes=("_left", "_right"))
    return pairs_of(both["row_left"].to_numpy(), both["row_right"].to_numpy())


def are_true(pairs: Pairs, truth: Linkage) -> NDArray[np.bool_]:
    """Which of the pairs are true ones."""
    if isinstance(truth, Pairs):
        asked, true = _codes(pairs, truth)
        return np.isin(asked, true, assume_unique=True)
    return np.asarray(truth[pairs.left] == truth[pairs.right], dtype=np.bool_)


def count_pairs(linkage: Linkage) -> int:
    """How many pairs there are, or how many the groups contain."""
    if isinstance(linkage, Pairs):
        return len(linkage.left)
    return _pairs_within(np.unique(linkage, return_counts=True)[1])


def _common(one: Linkage, other: Linkage) -> int:
    if isinstance(one, Pairs):
        return int(are_true(one, other).sum())
    if isinstance(other, Pairs):
        return _common(other, one)
    return _pairs_within(np.unique(_cells(one, other), return_counts=True)[1])


def _pairs_within(sizes: Rows) -> int:
    return int((sizes * (sizes - 1) // 2).sum())


def _sizes(*groupings: Rows) -> Rows:
    """Per row, how many rows share its group in every grouping."""
    _, place, counts = np.unique(_cells(*groupings), return_inverse=True, return_counts=True)
    return np.asarray(counts[place], dtype=np.int64)


def _cells(*groupings: Rows) -> Rows:
    """Per row, one number for its groups in all groupings."""
    cells = np.zeros(len(groupings[0]), dtype=np.int64)
    for groups in groupings:
        names, place = np.unique(groups, return_inverse=True)
        cells = cells * len(names) + place
    return cells


def _codes(one: Pairs, other: Pairs) -> tuple[Rows, Rows]:
    size = max(int(side.right.max(initial=0)) for side in (one, other)) + 1
    return one.left * size + one.right, other.left * size + other.right


def _agreement(common: int, found: int, true: int) -> Agreement:
    confusion = np.array([[common, true - common], [found - common, 0]])
    precision = float(recordlinkage.precision(confusion)) if found else 1.0
    recall = float(recordlinkage.recall(confusion)) if true else 1.0
    return Agreement(precision, recall, _f1(precision, recall))


def _f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0
