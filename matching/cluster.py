"""Edges -> clusters, by average linkage over all pairs of a component.

The result is a function of the set of nodes, weights and constraints alone: ties are broken by the nodes' own names, so the order of
arrival never matters. Weights are clipped; two clusters join when the mean weight over all their pairs reaches `link`, unless a constraint
forbids it, the result would be too large, or a rival, which may join one of them only, lies within `margin` (then a person decides).
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import combinations
from typing import TypeVar

from matching.model import Model

Pair = tuple[str, str]
Node = TypeVar("Node", bound=Hashable)
_Waiting = tuple[float, int, int, int, int]  # minus the mean weight, two clusters, their sizes then: others by now, and the entry is stale


@dataclass(frozen=True, slots=True)
class Limits:
    link: float
    margin: float
    clip: float
    max_size: int


@dataclass(frozen=True, slots=True)
class Held:
    """Two clusters that reached `link` and yet stay apart, and why: "veto", "margin" or "size"."""

    left: frozenset[str]
    right: frozenset[str]
    weight: float
    reason: str


@dataclass(frozen=True, slots=True)
class Clustering:
    clusters: tuple[frozenset[str], ...]
    held: tuple[Held, ...]


def pair(a: str, b: str) -> Pair:
    return (a, b) if a < b else (b, a)


def cluster(
    nodes: Iterable[str], weights: Mapping[Pair, float], *, together: frozenset[Pair], apart: frozenset[Pair], limits: Limits
) -> Clustering:
    """Partition `nodes`, whose every pair stands in `weights` (missing: the strongest disagreement).

    `together` and `apart` are absolute, `together` (a person's word) before `apart`.
    """
    groups = parts(sorted(nodes), together)
    linkage = Linkage(_sums(groups, weights, limits.clip), [len(group) for group in groups], _barred(groups, apart), limits)
    while linkage.join_best():
        pass
    names = _names(groups, linkage)
    held = tuple(Held(names[a], names[b], weight, reason) for a, b, weight, reason in linkage.held())
    return Clustering(tuple(names.values()), held)


def limits_of(model: Model) -> Limits:
    """What the machine links by itself."""
    return Limits(model.thresholds.link, model.margin, model.clip, model.max_cluster)


class Linkage:
    """Clusters by number, and the sum of clipped weights between any two of them; the smaller number survives a join.

    `sums` is square and symmetric, `sizes` counts records, `barred` has per cluster those it may not join, both ways. All three are
    consumed. Pairs that may join wait in a queue, the best first. One that a rival holds back sleeps until that rival joins another:
    nothing else could free it.
    """

    def __init__(self, sums: list[list[float]], sizes: list[int], barred: list[set[int]], limits: Limits) -> None:
        self.alive = list(range(len(sizes)))
        self.members = [[number] for number in self.alive]
        self._sums, self._sizes, self._barred, self._limits = sums, sizes, barred, limits
        self._queue: list[_Waiting] = []
        self._sleeping: dict[int, list[_Waiting]] = {}
        self._reasons: dict[tuple[int, int], str] = {}
        for a, b in combinations(self.alive, 2):
            self._consider(a, b)

    def mean(self, a: int, b: int) -> float:
        return self._sums[a][b] / (self._sizes[a] * self._sizes[b])

    def join_best(self) -> bool:
        """Join the best pair of clusters that may join; False when none is left."""
        while self._queue:
            waiting = heappop(self._queue)
            _, a, b, size_a, size_b = waiting
            if self._sizes[a] != size_a or self._sizes[b] != size_b:
                continue
            rival = self._rival(a, b)
            if rival is None:
                self._join(a, b)
                return True
            self._reasons[a, b] = "margin"
            self._sleeping.setdefault(rival, []).append(waiting)
        return False

    def held(self) -> Iterator[tuple[int, int, float, str]]:
        """Once nothing joins any more: the pairs of clusters that reached `link`, their mean weight, and why they stay apart."""
        for a, b in combinations(self.alive, 2):
            if self.mean(a, b) >= self._limits.link:
                yield a, b, self.mean(a, b), self._reasons[a, b]

    def _consider(self, a: int, b: int) -> None:
        size_a, size_b = self._sizes[a], self._sizes[b]
        mean = self._sums[a][b] / (size_a * size_b)
        if mean < self._limits.link:
            return
        if b in self._barred[a]:
            self._reasons[a, b] = "veto"
        elif size_a + size_b > self._limits.max_size:
            self._reasons[a, b] = "size"
        else:
            heappush(self._queue, (-round(mean, 9), a, b, size_a, size_b))

    def _rival(self, a: int, b: int) -> int | None:
        """A third cluster, about as close to one of the two as they are to each other, that may join it and not the other.

        One that may join neither leaves no doubt about these two: whoever it is, it is somebody else.
        """
        nearly = self.mean(a, b) - self._limits.margin
        for one, other in ((a, b), (b, a)):
            for third in self._barred[other] - self._barred[one]:
                near = self.mean(one, third)
                if near >= self._limits.link and near > nearly:
                    return third
        return None

    def _join(self, a: int, b: int) -> None:
        """`b` goes into `a`, the smaller number, so that ties break alike in every order."""
        self.alive.remove(b)
        self.members[a] += self.members[b]
        self._sizes[a] += self._sizes[b]
        self._sizes[b] = 0
        self._bar(a, b)
        ours, theirs = self._sums[a], self._sums[b]
        for c in self.alive:
            if c != a:
                ours[c] += theirs[c]
                self._sums[c][a] = ours[c]
                self._consider(min(a, c), max(a, c))
        for waiting in (*self._sleeping.pop(a, ()), *self._sleeping.pop(b, ())):
            heappush(self._queue, waiting)

    def _bar(self, a: int, b: int) -> None:
        for c in self._barred[b]:
            self._barred[c].remove(b)
            self._barred[c].add(a)
        self._barred[a] |= self._barred[b]


def _sums(groups: Sequence[Sequence[str]], weights: Mapping[Pair, float], clip: float) -> list[list[float]]:
    """Of clipped weights between any two groups."""
    sums = [[0.0] * len(groups) for _ in groups]
    for a, b in combinations(range(len(groups)), 2):
        known = [weights.get((x, y) if x < y else (y, x), -clip) for x in groups[a] for y in groups[b]]
        sums[a][b] = sums[b][a] = sum([max(-clip, min(clip, weight)) for weight in known])
    return sums


def _barred(groups: Sequence[Sequence[str]], apart: frozenset[Pair]) -> list[set[int]]:
    number = {name: place for place, group in enumerate(groups) for name in group}
    barred: list[set[int]] = [set() for _ in groups]
    for x, y in apart:
        if x in number and y in number and number[x] != number[y]:
            barred[number[x]].add(number[y])
            barred[number[y]].add(number[x])
    return barred


def _names(groups: Sequence[Sequence[str]], linkage: Linkage) -> dict[int, frozenset[str]]:
    return {a: frozenset(name for place in linkage.members[a] for name in groups[place]) for a in linkage.alive}


def parts(nodes: Sequence[str], joins: Iterable[Pair]) -> list[list[str]]:
    """The nodes that paths of joins hold together, each part in the order of `nodes`, and the parts in that of their first ones."""
    root = {node: node for node in nodes}

    def find(node: str) -> str:
        while root[node] != node:
            root[node] = root[root[node]]
            node = root[node]
        return node

    for a, b in joins:
        if a in root and b in root:
            low, high = pair(find(a), find(b))
            root[high] = low
    groups: dict[str, list[str]] = {}
    for node in nodes:
        groups.setdefault(find(node), []).append(node)
    return list(groups.values())


def connected(edges: Iterable[tuple[Node, Node]], start: Iterable[Node]) -> set[Node]:
    """Every node that a path of edges joins to one of `start`, those included."""
    neighbours: dict[Node, set[Node]] = {}
    for a, b in edges:
        neighbours.setdefault(a, set()).add(b)
        neighbours.setdefault(b, set()).add(a)
    seen, front = set(start), list(start)
    while front:
        for other in neighbours.get(front.pop(), set()) - seen:
            seen.add(other)
            front.append(other)
    return seen
