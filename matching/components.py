"""Clusters of many records at once: connected components, each clustered by average linkage over all its pairs.

Records are row numbers from 0. A component that has nothing to decide is settled with all others of its size in one step; only those with a
weak pair, a veto or too many records are walked one by one (`matching.cluster.Linkage`). Both give the same result, that of `cluster`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from matching.arrays import Bits, Flags, Rows, Weighed
from matching.cluster import Limits, Linkage

ScoreMissing = Callable[[Rows, Rows], Weighed]

COMPONENT_MAX = 400


@dataclass(frozen=True, slots=True)
class HeldGroups:
    """Two groups whose mean weight (bits) reached `link` and yet stay apart, and why: "veto", "margin" or "size"."""

    left: int
    right: int
    weight: float
    reason: str


@dataclass(frozen=True, slots=True)
class Clusters:
    """`groups` has one number per row, the smallest row of its group.

    `components`: those of two rows and more. `narrowed`: those that were too large and fell apart into parts joined by heavier pairs.
    `scored`: pairs inside components that blocking had not met.
    """

    groups: Rows
    held: tuple[HeldGroups, ...]
    components: int
    narrowed: int
    scored: int


def components(left: Rows, right: Rows, size: int) -> Rows:
    """One number per row from 0 to size - 1, the same for rows that a path of pairs connects."""
    graph = coo_array((np.ones(len(left), dtype=np.int8), (left, right)), shape=(size, size))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def cluster_all(count: int, pairs: Weighed, limits: Limits, score_missing: ScoreMissing) -> Clusters:
    """Partition rows 0 to count - 1. Each pair stands once, in any order, with a finite weight; those below `link` may be left out.

    Vetoed pairs connect too: they never join, yet a rival may be one of them, as it is online. `score_missing` is asked once, for distinct
    pairs in ascending order, the smaller row left, and answers in that order.
    """
    low, high = np.minimum(pairs.left, pairs.right), np.maximum(pairs.left, pairs.right)
    part, narrowed = _parts(count, low, high, pairs.weights, limits.link)
    inside = _Inside(part)
    scored = inside.fill(Weighed(low, high, pairs.weights, pairs.vetoed), score_missing)
    groups = np.arange(count, dtype=np.int64)
    held: list[HeldGroups] = []
    for block in inside.blocks():
        whole = block.settled(limits)
        groups[block.rows[whole]] = block.rows[whole, :1]
        for rows, linkage in block.linkages(~whole, limits):
            held += _walk(rows, linkage, groups)
    return Clusters(groups, tuple(held), inside.components, narrowed, scored)


def _parts(count: int, low: Rows, high: Rows, weights: Bits, link: float) -> tuple[Rows, int]:
    """Components by pairs of `link` and more; one that is too large falls apart by pairs of a bit more, as often as it takes."""
    near = weights >= link
    low, high, weights = low[near], high[near], weights[near]
    part = components(low, high, count)
    narrowed = int(np.count_nonzero(np.bincount(part, minlength=1) > COMPONENT_MAX))
    large, cut = _rows_of_large(part), link
    while len(large):
        cut += 1.0  # all that are still too large were so from the start: one cut serves them
        number = np.full(count, -1, dtype=np.int64)
        number[large] = np.arange(len(large))
        near = (weights >= cut) & (number[low] >= 0)
        low, high, weights = low[near], high[near], weights[near]
        part[large] = part.max() + 1 + components(number[low], number[high], len(large))
        large = _rows_of_large(part)
    return part, narrowed


def _rows_of_large(part: Rows) -> Rows:
    return np.flatnonzero(np.bincount(part, minlength=1)[part] > COMPONENT_MAX)


@dataclass(frozen=True, slots=True)
class _Block:
    """Components of one size: rows [components, size], ascending; weights and vetoes [components, pairs] in the order of `triu_indices`."""

    rows: Rows
    weights: Bits
    vetoed: Flags

    def settled(self, limits: Limits) -> Flags:
        """Which components are one cluster, whatever the order of joining."""
        near = np.clip(self.weights, -limits.clip, limits.clip) >= limits.link
        settled: Flags = (near & ~self.vetoed).all(axis=1) & (self.rows.shape[1] <= limits.max_size)
        return settled

    def linkages(self, chosen: Flags, limits: Limits) -> Iterator[tuple[Rows, Linkage]]:
        size = self.rows.shape[1]
        one, other = np.triu_indices(size, k=1)
        for place in np.flatnonzero(chosen).tolist():
            sums = np.zeros((size, size))
            sums[one, other] = sums[other, one] = np.clip(self.weights[place], -limits.clip, limits.clip)
            yield self.rows[place], Linkage(sums.tolist(), [1] * size, _barred(size, one, other, self.vetoed[place]), limits)


class _Inside:
    """All pairs within components of two rows and more, known or not, laid out block by block."""

    def __init__(self, part: Rows) -> None:
        sizes = np.bincount(part, minlength=1)
        rows = np.flatnonzero(sizes[part] > 1)
        self._rows = rows[np.lexsort((part[rows], sizes[part[rows]]))]
        self._part = part
        self._size = sizes[part]  # of the row's component
        self._extents = _extents(sizes)
        self.components = sum(extent.components for extent in self._extents)
        self._position = np.zeros(len(part), dtype=np.int64)  # of the row in its component
        self._start = np.zeros(len(part), dtype=np.int64)  # where the pairs of its component begin
        for extent in self._extents:
            rows = self._block_rows(extent)
            self._position[rows] = np.arange(extent.size)
            self._start[rows] = extent.pairs.start + np.arange(extent.components)[:, None] * extent.pairs_each
        total = self._extents[-1].pairs.stop if self._extents else 0
        self._weights, self._vetoed = np.zeros(total), np.zeros(total, dtype=np.bool_)

    def fill(self, known: Weighed, score_missing: ScoreMissing) -> int:
        """Take what is known, ask for the rest; returns how many had to be asked for."""
        known = known.where(self._part[known.left] == self._part[known.right])
        slots = self._slots(known.left, known.right)
        self._weights[slots], self._vetoed[slots] = known.weights, known.vetoed
        unknown = np.ones(len(self._weights), dtype=np.bool_)
        unknown[slots] = False
        low, high = self._missing(unknown)
        if len(low):
            slots = self._slots(low, high)
            found = score_missing(low, high)
            self._weights[slots], self._vetoed[slots] = found.weights, found.vetoed
        return len(low)

    def blocks(self) -> Iterator[_Block]:
        for extent in self._extents:
            shape = (extent.components, extent.pairs_each)
            yield _Block(self._block_rows(extent), self._weights[extent.pairs].reshape(shape), self._vetoed[extent.pairs].reshape(shape))

    def _slots(self, low: Rows, high: Rows) -> Rows:
        """Where a pair of one component stands: rows of the upper triangle, one after the other."""
        i, j, size = self._position[low], self._position[high], self._size[low]
        slots: Rows = self._start[low] + i * size - i * (i + 1) // 2 + j - i - 1
        return slots

    def _missing(self, unknown: Flags) -> tuple[Rows, Rows]:
        lows, highs = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
        for extent in self._extents:
            rows = self._block_rows(extent)
            one, other = np.triu_indices(extent.size, k=1)
            component, pair = np.nonzero(unknown[extent.pairs].reshape(extent.components, extent.pairs_each))
            lows.append(rows[component, one[pair]])
            highs.append(rows[component, other[pair]])
        low, high = np.concatenate(lows), np.concatenate(highs)
        order = np.lexsort((high, low))
        return low[order], high[order]

    def _block_rows(self, extent: "_Extent") -> Rows:
        return self._rows[extent.rows].reshape(extent.components, extent.size)


@dataclass(frozen=True, slots=True)
class _Extent:
    """Where the components of one size lie among all rows and all pairs."""

    size: int
    components: int
    pairs_each: int
    rows: slice
    pairs: slice


def _extents(sizes: Rows) -> list[_Extent]:
    extents: list[_Extent] = []
    row = pair = 0
    for size, number in enumerate(np.bincount(sizes).tolist()):
        if size > 1 and number > 0:
            each = size * (size - 1) // 2
            extents.append(_Extent(size, number, each, slice(row, row + number * size), slice(pair, pair + number * each)))
            row, pair = row + number * size, pair + number * each
    return extents


def _barred(size: int, one: Rows, other: Rows, vetoed: Flags) -> list[set[int]]:
    barred: list[set[int]] = [set() for _ in range(size)]
    for a, b in zip(one[vetoed].tolist(), other[vetoed].tolist(), strict=True):
        barred[a].add(b)
        barred[b].add(a)
    return barred


def _walk(rows: Rows, linkage: Linkage, groups: Rows) -> list[HeldGroups]:
    """Join what may join and write it into `groups`; the first row of a cluster is its smallest, and its number."""
    while linkage.join_best():
        pass
    for number in linkage.alive:
        groups[rows[linkage.members[number]]] = rows[number]
    return [HeldGroups(int(rows[a]), int(rows[b]), weight, reason) for a, b, weight, reason in linkage.held()]
