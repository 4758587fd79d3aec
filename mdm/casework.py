"""A pair of golden records as a steward decides on it: evidence, difference and resulting golden value in one row.

Weights are in bits and add up: prior + rows + what the cap takes = total. The preview is derived by the function that derives golden
values, over the records of both. Every value leaves masked as the reader sees it; of patients the pair is audited as read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from matching.explain import Explanation, Flip, Silent, explain
from matching.model import Thresholds
from mdm import audit, mask, policy
from mdm.access import Verb
from mdm.consumers import Affected, affected
from mdm.db import array, fetch
from mdm.derive import golden_values
from mdm.entity import EntityType
from mdm.errors import NotFound
from mdm.evidence import Row, Sides, as_masked, by_weight, rows_of, visible
from mdm.members import Member, members_of
from mdm.models import scorer
from mdm.reading import Reader
from mdm.systems import registry


@dataclass(frozen=True, slots=True)
class Column:
    """One side: its golden record, the line by which people know it, its systems and how many records it has."""

    golden_id: UUID
    line: str
    systems: tuple[str, ...]
    records: int
    version: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Earlier:
    """What was decided of these records before: by whom, when, why, and whether it still stands."""

    id: UUID
    kind: str
    actor: str
    at: datetime
    reason: str
    stands: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a merge would do: who survives, who answers with it, what moves, who is told."""

    survivor: UUID
    redirected: UUID
    records: int
    identifiers: int
    consumers: tuple[Affected, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """A pair with all that a decision needs."""

    left: Column
    right: Column
    rows: tuple[Row, ...]
    prior: float
    cap: float
    held: str | None
    total: float
    thresholds: Thresholds
    vetoes: tuple[str, ...]
    flips: tuple[Flip, ...]
    silent: tuple[Silent, ...]
    model: str
    outcome: Outcome
    earlier: tuple[Earlier, ...]

    @property
    def open_rows(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if not row.is_folded)

    @property
    def folded(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.is_folded)

    @property
    def probability(self) -> float:
        """Of being the same, as the weight says it."""
        return float(1 / (1 + 2.0 ** -max(min(self.total, 60.0), -60.0)))


def pair(session: Session, entity: EntityType, reader: Reader, left: UUID, right: UUID, *, fixed: bool = False) -> Case:
    """Two golden records side by side. Raises NotFound where one of them is not there for this reader."""
    policy.check(reader.actor, Verb.READ, entity.name)
    found = members_of(session, [left, right])
    goldens = {row[0]: row for row in fetch(session, _GOLDENS, (array([left, right]), entity.name))}
    if not {left, right} <= goldens.keys():
        raise NotFound
    systems = registry(session)
    seen = [[m for m in found.get(golden, ()) if policy.in_scope(reader.actor, m.system)] for golden in (left, right)]
    if not all(seen):
        raise NotFound
    whole = [found[golden] for golden in (left, right)]
    names = {m.id: f"{m.system} {m.key}" for members in whole for m in members}
    values = (golden_values(entity, whole[0], systems), golden_values(entity, whole[1], systems))
    merged = golden_values(entity, [*whole[0], *whole[1]], systems)
    sides = Sides(entity, reader, systems, (seen[0], seen[1]), values, merged, names)
    explanation = _strongest(session, entity, whole[0], whole[1])
    rows = rows_of(sides, explanation, scorer(session, entity).model)
    _audit(session, entity, reader, (left, right), rows)
    return Case(
        left=_column(sides, 0, goldens[left]),
        right=_column(sides, 1, goldens[right]),
        rows=tuple(rows if fixed else by_weight(rows)),
        prior=explanation.start,
        cap=explanation.cap,
        held=explanation.held,
        total=explanation.total,
        thresholds=explanation.thresholds,
        vetoes=tuple(veto.name for veto in explanation.vetoes),
        flips=explanation.flips,
        silent=explanation.silent,
        model=explanation.version,
        outcome=_outcome(session, entity, (left, right), whole),
        earlier=tuple(_earlier(session, whole)),
    )


_GOLDENS: LiteralString = (
    "select id, version, created_at, status from golden_record where id = any(%s) and domain = %s and status <> 'merged'"
)


def _column(sides: Sides, place: int, golden: Sequence[Any]) -> Column:
    shown = {name: as_masked(sides, sides.entity.attribute(name), each) for name, each in visible(sides, place).items()}
    members = sides.members[place]
    return Column(
        golden[0],
        mask.line(sides.entity, shown),
        tuple(sorted({m.system for m in members})),
        len(members),
        golden[1],
        golden[2],
    )


def _strongest(session: Session, entity: EntityType, mine: Sequence[Member], others: Sequence[Member]) -> Explanation:
    """The weightiest pair of source records between the sides, taken apart by today's model."""
    rows = fetch(session, _EDGE, {"mine": array(m.id for m in mine), "others": array(m.id for m in others)})
    columns = {m.id: m.columns for m in (*mine, *others)}
    weigher = scorer(session, entity)
    if rows:
        low, high = rows[0]
        one, other = (low, high) if low in {m.id for m in mine} else (high, low)
        return explain(weigher, columns[one], columns[other])
    best = max(((a, b) for a in mine for b in others), key=lambda p: weigher.score(p[0].columns, p[1].columns).weight)
    return explain(weigher, best[0].columns, best[1].columns)


_EDGE: LiteralString = (
    "select low, high from edge where (low = any(%(mine)s::uuid[]) and high = any(%(others)s::uuid[]))"
    " or (low = any(%(others)s::uuid[]) and high = any(%(mine)s::uuid[])) order by weight desc, low, high limit 1"
)


def _outcome(session: Session, entity: EntityType, goldens: tuple[UUID, UUID], whole: Sequence[Sequence[Member]]) -> Outcome:
    survivor, redirected = min(goldens), max(goldens)
    held = {(system, value) for members in whole for m in members for system, values in m.identifiers.items() for value in values}
    keys = {(m.system, m.key) for members in whole for m in members}
    consumers = affected(session, entity.name, goldens)
    return Outcome(survivor, redirected, sum(map(len, whole)), len(held | keys), consumers)


def _earlier(session: Session, whole: Sequence[Sequence[Member]]) -> list[Earlier]:
    """Decisions that parted records of one side from records of the other, the latest first; those taken back included."""
    rows = fetch(session, _EARLIER, {"a": array(m.id for m in whole[0]), "b": array(m.id for m in whole[1])})
    return [Earlier(*row) for row in rows]


_EARLIER: LiteralString = (
    "select d.id, d.kind, d.actor, d.created_at, d.reason, not exists (select 1 from decision r where r.revokes = d.id)"
    " from decision d where d.id in (select j.decision_id from judgement j where j.verdict = 'different'"
    " and ((j.low = any(%(a)s::uuid[]) and j.high = any(%(b)s::uuid[])) or (j.low = any(%(b)s::uuid[]) and j.high = any(%(a)s::uuid[]))))"
    " order by d.created_at desc, d.id desc limit 5"
)


def _audit(session: Session, entity: EntityType, reader: Reader, goldens: tuple[UUID, UUID], rows: Sequence[Row]) -> None:
    if entity.phi:
        fields = sorted({row.name for row in rows if row.name})
        audit.record(
            session,
            reader.actor,
            "pair:read",
            domain=entity.name,
            subjects=list(goldens),
            fields=fields,
            request_id=reader.request_id,
            outcome="answered",
        )
