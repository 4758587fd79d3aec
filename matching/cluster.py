"""Edges -> clusters, by average linkage over all pairs of a component.

The result is a function of the set of nodes, weights and constraints alone: ties are broken by the nodes' own names, so the order of
arrival never matters. Weights are clipped; two clusters join when the mean weight over all their pairs reaches `link`, unless a constraint
forbids it, the result would be too large, or a rival that may not join them too lies within `margin` (then a person decides).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Pair = tuple[str, str]


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
    state = _State(sorted(nodes), weights, together=together, apart=apart, limits=limits)
    while state.join_best():
        pass
    return state.result()


class _State:
    """The clusters so far, with the sum of clipped weights between any two of them."""

    def __init__(
        self, nodes: list[str], weights: Mapping[Pair, float], *, together: frozenset[Pair], apart: frozenset[Pair], limits: Limits
    ) -> None:
        self.limits = limits
        self.apart = apart
        self.members = {root: frozenset(group) for root, group in _components(nodes, together).items()}
        self.sums = {
            (a, b): sum(self._clipped(weights.get(pair(x, y))) for x in self.members[a] for y in self.members[b])
            for a in self.members
            for b in self.members
            if a < b
        }
        self.held: dict[Pair, str] = {}

    def _clipped(self, weight: float | None) -> float:
        clip = self.limits.clip
        return -clip if weight is None else max(-clip, min(clip, weight))

    def mean(self, a: str, b: str) -> float:
        return self.sums[pair(a, b)] / (len(self.members[a]) * len(self.members[b]))

    def join_best(self) -> bool:
        """Join the best pair of clusters that may join; False when none is left."""
        ranked = sorted((-round(self.mean(a, b), 9), a, b) for a, b in self.sums if self.mean(a, b) >= self.limits.link)
        for _, a, b in ranked:
            reason = self._obstacle(a, b, [(x, y) for _, x, y in ranked])
            if reason is None:
                self._join(a, b)
                return True
            self.held[a, b] = reason
        return False

    def _obstacle(self, a: str, b: str, ranked: list[Pair]) -> str | None:
        if self._forbidden(a, b):
            return "veto"
        if len(self.members[a]) + len(self.members[b]) > self.limits.max_size:
            return "size"
        return "margin" if self._has_rival(a, b, ranked) else None

    def _forbidden(self, a: str, b: str) -> bool:
        return any(pair(x, y) in self.apart for x in self.members[a] for y in self.members[b])

    def _has_rival(self, a: str, b: str, ranked: list[Pair]) -> bool:
        """A third cluster, about as close to one of the two as they are to each other, that may not join the other."""
        nearly = self.mean(a, b) - self.limits.margin
        for x, y in ranked:
            shared = {x, y} & {a, b}
            if len(shared) != 1:
                continue
            third = y if x in shared else x
            other = b if a in shared else a
            if self.mean(x, y) > nearly and self._forbidden(third, other):
                return True
        return False

    def _join(self, a: str, b: str) -> None:
        """`b` goes into `a`; names stay the smallest node, so that ties break alike in every order."""
        self.members[a] |= self.members.pop(b)
        del self.sums[a, b]
        for c in self.members:
            if c != a:
                self.sums[pair(a, c)] += self.sums.pop(pair(b, c))
        self.held = {key: reason for key, reason in self.held.items() if b not in key and a not in key}

    def result(self) -> Clustering:
        clusters = tuple(sorted(self.members.values(), key=min))
        held = tuple(Held(self.members[a], self.members[b], self.mean(a, b), reason) for (a, b), reason in sorted(self.held.items()))
        return Clustering(clusters, held)


def _components(nodes: list[str], together: frozenset[Pair]) -> dict[str, list[str]]:
    root = {node: node for node in nodes}

    def find(node: str) -> str:
        while root[node] != node:
            root[node] = root[root[node]]
            node = root[node]
        return node

    for a, b in sorted(together):
        if a in root and b in root:
            low, high = pair(find(a), find(b))
            root[high] = low
    groups: dict[str, list[str]] = {}
    for node in nodes:
        groups.setdefault(find(node), []).append(node)
    return groups


def connected(edges: Iterable[Pair], start: Iterable[str]) -> set[str]:
    """Every node that a path of edges joins to one of `start`, those included."""
    neighbours: dict[str, set[str]] = {}
    for a, b in edges:
        neighbours.setdefault(a, set()).add(b)
        neighbours.setdefault(b, set()).add(a)
    seen, front = set(start), list(start)
    while front:
        for other in neighbours.get(front.pop(), set()) - seen:
            seen.add(other)
            front.append(other)
    return seen
