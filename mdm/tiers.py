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
from mdm.errors import Conflict, Invalid
from mdm.members import Member, members_of
from mdm.models import scorer
from mdm.tasks import TaskView

LINKS_MAX = 25  # downstream identifiers and relationships from which on a second person decides
# Kinds of task, by what deciding them may do
JOINING, PARTING = frozenset({"review", "shared_identifier", "merge", "move"}), frozenset({"cut", "split", "move"})
_OTHERS_MAX = 5  # of those who carry one identifier: how many are looked at for what speaks against their being one
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


class ReasonWanted(Invalid):
    """Something speaks against this. Say why it holds all the same: choose a reason."""

    code = "reason_wanted"


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
    found = []
    for (task, _), pair in zip(asked, pairs, strict=True):
        against = _against(session, entity, pair[: _OTHERS_MAX + 1]) if task.kind in JOINING else []
        found.append(_judged(task.kind, pair, facts, against, bound))
    return found


def of_merge(session: Session, entity: EntityType, goldens: Sequence[UUID]) -> Tier:
    """The tier of saying, without a task, that golden records are one: the first and each of the others."""
    return _of_act(session, entity, "review", goldens, _against(session, entity, goldens))


def _against(session: Session, entity: EntityType, goldens: Sequence[UUID]) -> list[str]:
    """Whatever speaks against the first being one with each of the others."""
    return list(dict.fromkeys(each for other in goldens[1:] for each in _objections(session, entity, (goldens[0], other))))


def of_split(session: Session, entity: EntityType, goldens: Sequence[UUID]) -> Tier:
    """The tier of parting golden records without a task."""
    return _of_act(session, entity, "split", goldens, [])


def of_move(session: Session, entity: EntityType, goldens: Sequence[UUID]) -> Tier:
    """The tier of parting records from the first and giving them to the second: the graver of the two."""
    return max(of_split(session, entity, goldens[:1]), of_merge(session, entity, goldens), key=lambda found: found.level)


def _of_act(session: Session, entity: EntityType, kind: str, goldens: Sequence[UUID], against: Sequence[str]) -> Tier:
    facts = {row[0]: row[1:] for row in fetch(session, _FACTS, {"ids": array(goldens)})}
    return _judged(kind, goldens, facts, against, scorer(session, entity).model.max_cluster)


def check_reason(found: Tier, reason: str) -> None:
    """Raise ReasonWanted where something speaks against it and no reason is given."""
    if found.level == 2 and not reason.strip():
        raise ReasonWanted("; ".join(found.reasons) + ". Give a reason.")


def _goldens(task: TaskView, candidate: UUID | None) -> tuple[UUID, ...]:
    if task.kind == "mapping" and candidate is not None:
        return *task.goldens, candidate  # of a golden record without a target: the two become one
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


def _objections(session: Session, entity: EntityType, pair: Sequence[UUID]) -> list[str]:
    """Rules and grave conflicts that speak against the sides being one, and whether somebody once said that they are different."""
    rows = fetch(session, _AGAINST, {"a": pair[0], "b": pair[1]})
    vetoes, parted, met = rows[0]
    members = members_of(session, pair)
    left, right = members.get(pair[0], []), members.get(pair[1], [])
    against = list(vetoes or ()) if met else _vetoes(session, entity, left, right)
    against += [f"{name} differs" for name in _conflicts(entity, left, right)]
    return [*against, *(["decided different before"] if parted else [])]


def _vetoes(session: Session, entity: EntityType, left: Sequence[Member], right: Sequence[Member]) -> list[str]:
    """What no blocking ever met is weighed now, the rules against it included."""
    weigher = scorer(session, entity)
    scores = [weigher.score(a.columns, b.columns) for a in left for b in right]
    return list(max(scores, key=lambda score: score.weight).vetoes) if scores else []


def _conflicts(entity: EntityType, left: Sequence[Member], right: Sequence[Member]) -> list[str]:
    """Grave columns and strong identifiers of which both sides say something and agree in nothing."""
    grave = dict.fromkeys((*entity.grave, *(rule.name for rule in entity.identifiers if rule.strong)))
    found = []
    for column in grave:
        one, other = (_said(members, column) for members in (left, right))
        if one and other and not one & other:
            found.append(column.replace(".", " ").replace("_", " "))
    return found


def _said(members: Sequence[Member], column: str) -> set[str]:
    values = [m.columns[column] for m in members if column in m.columns]
    return {text for value in values for text in ((value,) if isinstance(value, str) else value)}


_AGAINST: LiteralString = (
    "with a as (select record_id as id from link where golden_id = %(a)s and recorded_to is null),"
    " b as (select record_id as id from link where golden_id = %(b)s and recorded_to is null), p as ("
    " select least(a.id, b.id) as low, greatest(a.id, b.id) as high from a cross join b)"
    " select (select e.vetoes from edge e join p on e.low = p.low and e.high = p.high order by e.weight desc limit 1),"
    " exists (select 1 from judgement j join p on j.low = p.low and j.high = p.high where j.verdict = 'different'),"
    " exists (select 1 from edge e join p on e.low = p.low and e.high = p.high)"
)


def _judged(kind: str, pair: Sequence[UUID], facts: Mapping[UUID, Sequence[int]], against: Sequence[str], bound: int) -> Tier:
    known = [facts[golden] for golden in pair if golden in facts]
    links, records = sum(row[0] for row in known), sum(row[1] for row in known)
    grave = [f"{links} downstream links"] if links >= LINKS_MAX else []
    grave += [f"{records} records, above the bound of {bound}"] if records > bound else []
    grave += ["published for over 30 days"] if kind in PARTING and any(row[2] for row in known) else []
    if grave:
        return Tier(3, tuple(grave))
    doubts = [*against, *(["a record may have turned into somebody else"] if kind == "overlay" else [])]
    return Tier(2, tuple(doubts)) if doubts else Tier(1, ())
