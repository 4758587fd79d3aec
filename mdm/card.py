"""What stands around one golden record: the ids it had before, decisions about it, its tasks. For somebody who reads, as any read is."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import audit, policy
from mdm.access import Verb
from mdm.db import array, fetch
from mdm.decisions import DecisionView, about
from mdm.entity import EntityType
from mdm.reading import Reader

TASKS_MAX = 100
_RECORDS = "select record_id from link where golden_id = %s"


@dataclass(frozen=True, slots=True)
class Former:
    """An id that answers with this golden record since a moment."""

    id: UUID
    since: datetime


@dataclass(frozen=True, slots=True)
class TaskLine:
    """A task that names the golden record."""

    id: UUID
    kind: str
    status: str
    impact: float
    created_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Card:
    """The surroundings of one golden record; `pinned`: attribute -> the standing decision that pins it."""

    former: tuple[Former, ...]
    decisions: tuple[DecisionView, ...]
    tasks: tuple[TaskLine, ...]

    @property
    def pinned(self) -> dict[str, DecisionView]:
        standing = [each for each in self.decisions if each.kind == "pin" and each.revoked_by is None]
        return {each.detail["attribute"]: each for each in reversed(standing)}

    @property
    def open_tasks(self) -> tuple[TaskLine, ...]:
        return tuple(task for task in self.tasks if task.status == "open")


def card(session: Session, entity: EntityType, reader: Reader, golden_id: UUID) -> Card:
    """The surroundings of a golden record that the reader has just been shown. What names others is told to who sees all systems only."""
    policy.check(reader.actor, Verb.READ, entity.name)
    policy.check_visible(session, reader.actor, [golden_id])
    if entity.phi:
        audit.record(session, reader.actor, "decision:list", domain=entity.name, subjects=[golden_id], request_id=reader.request_id)
    if reader.actor.systems is not None:
        return Card((), (), tuple(_tasks(session, reader, golden_id)))
    former = fetch(
        session,
        "select g.id, max(r.recorded_from) from golden_record g join golden_redirect r on r.golden_id = g.id and r.recorded_to is null"
        " where g.merged_into = %s group by g.id order by 2",
        (golden_id,),
    )
    records = [row[0] for row in fetch(session, _RECORDS, (golden_id,))]
    return Card(tuple(Former(*row) for row in former), tuple(about(session, records)), tuple(_tasks(session, reader, golden_id)))


def _tasks(session: Session, reader: Reader, golden_id: UUID) -> Iterable[TaskLine]:
    rows = fetch(
        session,
        "select id, kind, status, impact, created_at, closed_at, goldens from task where goldens @> %s::uuid[]"
        " order by status <> 'open', coalesce(closed_at, created_at) desc limit %s",
        (array([golden_id]), TASKS_MAX),
    )
    seen = policy.visible(session, reader.actor, {golden for row in rows for golden in row[6]})
    return [TaskLine(*row[:6]) for row in rows if seen.issuperset(row[6])]
