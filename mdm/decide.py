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
    """Records that shall share one golden record, and the one they keep (None: a new one)."""

    members: frozenset[str]
    keeps: UUID | None


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


def groups_and_cuts(clustering: Clustering, golden_of: Mapping[str, UUID], together: Iterable[Pair] = ()) -> tuple[list[Group], list[Cut]]:
    """Turn clusters into golden records, joining only. `together`: pairs that a person joined, which no open cut keeps apart."""
    homes = _homes(golden_of)
    torn = {g for g, members in homes.items() if not any(members <= c for c in clustering.clusters)}
    units = [frozenset(homes[g]) for g in sorted(torn)]
    units += [free for c in clustering.clusters if (free := frozenset(m for m in c if golden_of.get(m) not in torn))]
    groups = [_group(members, golden_of) for members in _joined(units, together if torn else ())]
    whole = set(clustering.clusters)
    cuts = [Cut(g.keeps, parts) for g in groups if g.keeps and g.members not in whole and len(parts := _parts(g.members, clustering)) > 1]
    return groups, cuts


def _group(members: frozenset[str], golden_of: Mapping[str, UUID]) -> Group:
    """The oldest golden record survives (UUIDv7: the smallest id)."""
    present = sorted({golden_of[m] for m in members if m in golden_of})
    return Group(members, present[0] if present else None)


def _joined(units: Sequence[frozenset[str]], together: Iterable[Pair]) -> list[frozenset[str]]:
    """Units that a pair joins become one."""
    unit_of = {member: number for number, unit in enumerate(units) for member in unit}
    found = list(units)
    for a, b in sorted(together):
        if a in unit_of and b in unit_of and unit_of[a] != unit_of[b]:
            kept, gone = sorted((unit_of[a], unit_of[b]))
            found[kept] |= found[gone]
            unit_of.update(dict.fromkeys(found[gone], kept))
            found[gone] = frozenset()
    return [unit for unit in found if unit]


def _homes(golden_of: Mapping[str, UUID]) -> dict[UUID, set[str]]:
    homes: dict[UUID, set[str]] = {}
    for member, golden in golden_of.items():
        homes.setdefault(golden, set()).add(member)
    return homes


def _parts(members: Iterable[str], clustering: Clustering) -> tuple[frozenset[str], ...]:
    wanted = frozenset(members)
    return tuple(part for c in clustering.clusters if (part := c & wanted))


def claims(parts: Sequence[frozenset[UUID]], founders: Mapping[UUID, UUID], survivors: Mapping[UUID, UUID]) -> list[UUID | None]:
    """The golden id that each part of a parted golden record takes: ids come back to the records that founded them.

    `founders`: golden id -> the record it was made for, of the parted golden record and all that were merged into it; `survivors`: merged
    id -> what it was merged into, directly. A part that founded several takes the one that the others were merged into; None: a new id.
    """
    found: list[UUID | None] = []
    for part in parts:
        own = {golden for golden, record in founders.items() if record in part}
        found.append(min((golden for golden in own if survivors.get(golden) not in own), default=None))
    return found


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
