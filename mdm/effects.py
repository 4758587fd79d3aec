"""What an act changed, or would change, for somebody who reads: golden records, relationships, tasks, and which consumers it concerns."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.orm import Session

from mdm.consumers import Affected, affected
from mdm.db import fetch
from mdm.entity import EntityType
from mdm.errors import NotFound
from mdm.golden import GoldenView
from mdm.reading import Reader, read_golden


@dataclass(frozen=True, slots=True)
class Changed:
    """One golden record before and after; None: there was none, or there is none any more. `merged_into` says where it answers then."""

    id: UUID
    before: GoldenView | None
    after: GoldenView | None
    merged_into: UUID | None


@dataclass(frozen=True, slots=True)
class TaskChange:
    """A task that the act opened, changed or closed."""

    id: UUID
    kind: str
    status: str


@dataclass(frozen=True, slots=True)
class EdgeChange:
    """A relationship that the act ended, or that it began."""

    type: str
    tree: str
    subject_id: UUID
    target_id: UUID
    valid_from: date | None
    valid_to: date | None
    ended: bool


@dataclass(frozen=True, slots=True)
class Effect:
    """All of it, masked as any read is, and which consumers know the golden records."""

    golden_records: tuple[Changed, ...]
    tasks: tuple[TaskChange, ...]
    relationships: tuple[EdgeChange, ...]
    consumers: tuple[Affected, ...]


def effect(session: Session, entity: EntityType, reader: Reader, goldens: Sequence[UUID], began: datetime) -> Effect:
    """What this very transaction changed of these golden records since `began`. Ask before it ends."""
    changed = [_changed(session, entity, reader, golden, began) for golden in sorted(goldens)]
    rows = fetch(
        session,
        "select id, kind, status from task where goldens && %s and xmin = pg_current_xact_id()::xid order by created_at, id",
        (list(goldens),),
    )
    edges = fetch(
        session,
        "select type, tree, subject_id, target_id, valid_from, valid_to, recorded_to is not null from relationship"
        " where (subject_id = any(%(g)s) or target_id = any(%(g)s)) and xmin = pg_current_xact_id()::xid order by type, tree, id",
        {"g": list(goldens)},
    )
    return Effect(
        tuple(c for c in changed if c.before != c.after),
        tuple(TaskChange(*row) for row in rows),
        tuple(EdgeChange(*row) for row in edges),
        affected(session, entity.name, goldens),
    )


def _changed(session: Session, entity: EntityType, reader: Reader, golden_id: UUID, began: datetime) -> Changed:
    before = _view(session, entity, reader, golden_id, began)
    after = _view(session, entity, reader, golden_id, None)
    merged_into = after.id if after is not None and after.redirected_from is not None else None
    return Changed(golden_id, before, None if merged_into else after, merged_into)


def _view(session: Session, entity: EntityType, reader: Reader, golden_id: UUID, known_at: datetime | None) -> GoldenView | None:
    try:
        view = read_golden(session, entity, reader, golden_id, known_at=known_at)
    except NotFound:
        return None
    return None if known_at is not None and view.redirected_from is not None else view
