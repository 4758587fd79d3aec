"""What an act changed, or would change, for somebody who reads: golden records before and after, and the tasks it opens and closes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

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
class Effect:
    """All of it, masked as any read is."""

    golden_records: tuple[Changed, ...]
    tasks: tuple[TaskChange, ...]


def effect(session: Session, entity: EntityType, reader: Reader, goldens: Sequence[UUID], began: datetime) -> Effect:
    """What this very transaction changed of these golden records since `began`. Ask before it ends."""
    changed = [_changed(session, entity, reader, golden, began) for golden in sorted(goldens)]
    rows = fetch(
        session,
        "select id, kind, status from task where goldens && %s and xmin = pg_current_xact_id()::xid order by created_at, id",
        (list(goldens),),
    )
    return Effect(tuple(c for c in changed if c.before != c.after), tuple(TaskChange(*row) for row in rows))


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
