"""Clusters and the present golden records -> what to do. Pure.

The machine joins; it never parts what is published. Where the clusters would part the records of one golden record, it proposes the cut and
leaves that golden record as it is until a person decides.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from matching.cluster import Clustering, Pair


class Outcome(StrEnum):
    """What became of a delivered record."""

    NEW = "new"
    LINKED = "linked"
    REVIEW = "review"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    QUARANTINED = "quarantined"
    INACTIVE = "inactive"


@dataclass(frozen=True, slots=True)
class Group:
    """Records that shall share one golden record: the one they keep (None: a new one) and those merged into it."""

    members: frozenset[str]
    keeps: UUID | None
    absorbs: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class Cut:
    """A published golden record whose records the evidence would part."""

    golden_id: UUID
    parts: tuple[frozenset[str], ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """Another group that may be the same entity."""

    members: frozenset[str]
    weight: float
    reason: str


@dataclass(frozen=True, slots=True)
class Review:
    """A group a person should look at, with every candidate."""

    subject: frozenset[str]
    candidates: tuple[Candidate, ...]


def groups_and_cuts(
    clustering: Clustering, golden_of: Mapping[str, UUID], *, may_part: frozenset[UUID] = frozenset()
) -> tuple[list[Group], list[Cut]]:
    """Turn clusters into golden records, joining only; goldens of `may_part` are parted, because a person accepted it."""
    homes = _homes(golden_of)
    torn = {g for g, members in homes.items() if g not in may_part and not any(members <= c for c in clustering.clusters)}
    groups = [Group(frozenset(homes[g]), g) for g in sorted(torn)]
    taken: set[UUID] = set(torn)
    for members in clustering.clusters:
        free = frozenset(m for m in members if golden_of.get(m) not in torn)
        if free:
            groups.append(_group(free, golden_of, taken))
    cuts = [Cut(g, _parts(homes[g], clustering)) for g in sorted(torn)]
    return groups, cuts


def _group(members: frozenset[str], golden_of: Mapping[str, UUID], taken: set[UUID]) -> Group:
    """The oldest golden record survives (UUIDv7: the smallest id). A parted one stays with the first part that asks."""
    present = sorted({golden_of[m] for m in members if m in golden_of} - taken)
    taken.update(present)
    return Group(members, present[0] if present else None, tuple(present[1:]))


def _homes(golden_of: Mapping[str, UUID]) -> dict[UUID, set[str]]:
    homes: dict[UUID, set[str]] = {}
    for member, golden in golden_of.items():
        homes.setdefault(golden, set()).add(member)
    return homes


def _parts(members: Iterable[str], clustering: Clustering) -> tuple[frozenset[str], ...]:
    wanted = frozenset(members)
    return tuple(part for c in clustering.clusters if (part := c & wanted))


def reviews(
    groups: Sequence[frozenset[str]], weights: Mapping[Pair, float], settled: frozenset[Pair], reasons: Mapping[Pair, str]
) -> list[Review]:
    """One review per group that has candidates, asked of the group whose first record sorts last, so that each pair is asked once.

    `weights` holds the pairs at or above `review`; a pair between two groups that a person has settled asks nothing more.
    """
    group_of = {member: group for group in groups for member in group}
    closed = {_between(group_of, p) for p in settled}
    best: dict[tuple[frozenset[str], frozenset[str]], tuple[float, str]] = {}
    for p, weight in weights.items():
        between = _between(group_of, p)
        if between is None or between in closed:
            continue
        best[between] = max(best.get(between, (weight, reasons.get(p, "weight"))), (weight, reasons.get(p, "weight")))
    found: dict[frozenset[str], list[Candidate]] = {}
    for (first, last), (weight, reason) in best.items():
        found.setdefault(last, []).append(Candidate(first, weight, reason))
    return [
        Review(subject, tuple(sorted(candidates, key=lambda c: (-c.weight, min(c.members)))))
        for subject, candidates in sorted(found.items(), key=lambda item: min(item[0]))
    ]


def _between(group_of: Mapping[str, frozenset[str]], p: Pair) -> tuple[frozenset[str], frozenset[str]] | None:
    a, b = group_of.get(p[0]), group_of.get(p[1])
    if a is None or b is None or a == b:
        return None
    return (a, b) if min(a) < min(b) else (b, a)
