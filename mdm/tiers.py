"""How grave a decision is: T1 decides, T2 wants a reason, T3 is a proposal that a second person answers without knowing it.

The service works the tier out and enforces it; a page only shows it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from mdm.db import array, fetch
from mdm.entity import EntityType
from mdm.errors import Conflict
from mdm.models import scorer
from mdm.tasks import TaskView

LINKS_MAX = 25  # downstream identifiers and relationships from which on a second person decides
REASONS: Mapping[str, str] = {
    "1": "I compared with the source system",
    "2": "The conflict is a typing error",
    "3": "A document proves it",
    "4": "The person or partner confirmed it",
    "5": "The system's owner confirmed it",
}


@dataclass(frozen=True, slots=True)
class Tier:
    """1, 2 or 3, and why it is not 1."""

    level: int
    reasons: tuple[str, ...]


def tier(session: Session, entity: EntityType, task: TaskView, candidate: UUID | None = None) -> Tier:
    """The tier of deciding a task, for a review of one candidate (None: the first)."""
    return tiers(session, entity, [(task, candidate)])[0]


class SecondPerson(Conflict):
    """A second person decides this too. Propose it on its page; somebody else then decides without knowing what you said."""

    code = "second_person"


def check_alone(session: Session, entity: EntityType, task: TaskView, candidate: UUID | None) -> None:
    """Raise SecondPerson where one person alone may not decide."""
    found = tier(session, entity, task, candidate)
    if found.level == 3:
        raise SecondPerson(f"a second person decides this too: {'; '.join(found.reasons)}")


def tiers(session: Session, entity: EntityType, asked: Sequence[tuple[TaskView, UUID | None]]) -> list[Tier]:
    """The same for several tasks of a domain at once."""
    pairs = [_goldens(task, candidate) for task, candidate in asked]
    facts = {row[0]: row[1:] for row in fetch(session, _FACTS, {"ids": array({g for pair in pairs for g in pair})})}
    bound = scorer(session, entity).model.max_cluster
    return [_judged(task, pair, facts, _objections(session, task, pair), bound) for (task, _), pair in zip(asked, pairs, strict=True)]


def _goldens(task: TaskView, candidate: UUID | None) -> tuple[UUID, ...]:
    if task.kind != "review" or len(task.goldens) < 2:
        return task.goldens
    return task.goldens[0], candidate or task.goldens[1]


# Of a golden record: what hangs on it downstream (keys of systems, relationships), its records, whether it has been known for long.
_FACTS: LiteralString = (
    "select g.id, (select count(*) from xref x where x.golden_id = g.id and x.recorded_to is null and x.own)"
    " + (select count(*) from relationship e where e.recorded_to is null and (e.subject_id = g.id or e.target_id = g.id)),"
    " (select count(*) from link l where l.golden_id = g.id and l.recorded_to is null), g.created_at < now() - interval '30 days'"
    " from golden_record g where g.id = any(%(ids)s::uuid[])"
)


def _objections(session: Session, task: TaskView, pair: Sequence[UUID]) -> list[str]:
    """Rules that speak against the strongest pair, and whether somebody once said that the sides are different."""
    if task.kind != "review" or len(pair) < 2:
        return []
    rows = fetch(session, _AGAINST, {"a": pair[0], "b": pair[1]})
    vetoes, parted = rows[0]
    return [*(vetoes or ()), *(["decided different before"] if parted else [])]


_AGAINST: LiteralString = (
    "with a as (select record_id as id from link where golden_id = %(a)s and recorded_to is null),"
    " b as (select record_id as id from link where golden_id = %(b)s and recorded_to is null), p as ("
    " select least(a.id, b.id) as low, greatest(a.id, b.id) as high from a cross join b)"
    " select (select e.evidence -> 'vetoes' from edge e join p on e.low = p.low and e.high = p.high order by e.weight desc limit 1),"
    " exists (select 1 from judgement j join p on j.low = p.low and j.high = p.high where j.verdict = 'different')"
)


def _judged(task: TaskView, pair: Sequence[UUID], facts: Mapping[UUID, Sequence[int]], against: Sequence[str], bound: int) -> Tier:
    known = [facts[golden] for golden in pair if golden in facts]
    links, records = sum(row[0] for row in known), sum(row[1] for row in known)
    grave = [f"{links} downstream links"] if links >= LINKS_MAX else []
    grave += [f"{records} records, above the bound of {bound}"] if records > bound else []
    grave += ["published for over 30 days"] if task.kind in {"cut", "split"} and any(row[2] for row in known) else []
    if grave:
        return Tier(3, tuple(grave))
    doubts = [*against, *(["a record may have turned into somebody else"] if task.kind == "overlay" else [])]
    return Tier(2, tuple(doubts)) if doubts else Tier(1, ())
