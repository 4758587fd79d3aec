"""Findings as a steward decides on them: who carries an identifier, what drifted from what.

Every value leaves masked; of patients every read is audited.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import audit, drift, mask, policy, shared_identifiers
from mdm.access import Verb
from mdm.db import fetch
from mdm.difference import difference
from mdm.entity import EntityType
from mdm.errors import NotFound
from mdm.identifier_systems import BY_CODE
from mdm.members import Member, members_of
from mdm.models import scorer
from mdm.reading import Reader
from mdm.tasks import TaskView


@dataclass(frozen=True, slots=True)
class Holder:
    """A golden record that carries the identifier: the line by which people know it, how many records it has, and which carry the value."""

    golden_id: UUID
    line: str
    records: int
    carrying: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shared:
    """An identifier, masked, with those who carry it. `more`: beyond those that are named."""

    system: str
    value: str
    over: bool
    limit: int
    more: bool
    holders: tuple[Holder, ...]


def shared(session: Session, entity: EntityType, reader: Reader, task: TaskView) -> Shared:
    """Who carries the identifier that a task is about. Raises NotFound out of scope."""
    place = shared_identifiers.value_of(session, entity, task.id)
    members = _members(session, entity, reader, task)
    carriers = shared_identifiers.carriers_of(session, task.goldens, place)
    _audit(session, entity, reader, task, entity.display)
    return Shared(
        BY_CODE[place[0]].label,
        mask.identifier(reader.actor, *place),
        task.detail["rule"] == shared_identifiers.OVER_SHARED,
        task.detail["limit"],
        task.detail["more"],
        tuple(
            _holder(entity, reader, golden, members[golden], carriers.get(golden, set())) for golden in task.goldens if golden in members
        ),
    )


def _holder(entity: EntityType, reader: Reader, golden_id: UUID, members: Sequence[Member], carrying: set[UUID]) -> Holder:
    first = min((m for m in members if m.id in carrying), key=lambda m: m.name, default=members[0])
    line = mask.line(entity, mask.values(entity, reader.actor, first.attributes)) or first.name
    return Holder(golden_id, line, len(members), tuple(sorted(f"{m.system} {m.key}" for m in members if m.id in carrying)))


@dataclass(frozen=True, slots=True)
class Drifted:
    """One attribute of one record: what a person's word rests on, what the record said then and says now, and how these two differ."""

    title: str
    record: str
    beside: tuple[str, ...]
    then: tuple[str, ...]
    now: tuple[str, ...]
    kind: str


@dataclass(frozen=True, slots=True)
class Drift:
    """What drifted under a pin or a link: since when, by whose word, why, and what the pair weighs now, of a link."""

    rule: str
    line: str
    by: str
    at: datetime
    reason: str
    rows: tuple[Drifted, ...]
    weight: float | None
    review: float


def drifted(session: Session, entity: EntityType, reader: Reader, task: TaskView) -> Drift:
    """Then and now beside what was decided. Raises NotFound out of scope."""
    members = _members(session, entity, reader, task)[task.goldens[0]]
    said = "select actor, created_at, reason, detail from decision where id = %s"
    by, at, reason, detail = fetch(session, said, (task.detail["decision"],))[0]
    about = [m for m in members if m.id in task.records]
    changed = {UUID(record) for record in task.detail.get("changed", ())} or set(task.records)
    then = drift.versions_then(session, sorted(changed), at, "clean")
    names = [task.detail["attribute"]] if task.detail["rule"] == drift.PIN else [a.name for a in entity.attributes]
    rows: list[Drifted] = []
    for member in (m for m in about if m.id in changed):
        other = {names[0]: detail["value"]} if task.detail["rule"] == drift.PIN else _other(about, member)
        rows += _rows(entity, reader, member, names, (other, then.get(member.id, {}).get("attributes", {})))
    _audit(session, entity, reader, task, names)
    line = mask.line(entity, mask.values(entity, reader.actor, about[0].attributes))
    weigher = scorer(session, entity)
    weight = weigher.score(about[0].columns, about[1].columns).weight if task.detail["rule"] == drift.LINK else None
    return Drift(task.detail["rule"], line, by, at, reason, tuple(rows), weight, weigher.model.thresholds.review)


def _other(about: Sequence[Member], member: Member) -> Mapping[str, Any]:
    return next((m.attributes for m in about if m.id != member.id), {})


def _rows(
    entity: EntityType, reader: Reader, member: Member, names: Sequence[str], sides: tuple[Mapping[str, Any], Mapping[str, Any]]
) -> Iterable[Drifted]:
    """The attributes that changed, each masked by itself; how they differ is told of the values as they are."""
    beside, then = sides
    for name in names:
        before, after = then.get(name), member.attributes.get(name)
        if before == after:
            continue
        attribute = entity.attribute(name)
        told = [tuple(_texts(mask.value(reader.actor, attribute, each))) for each in (beside.get(name), before, after)]
        kind = difference(" ".join(_texts(before)), " ".join(_texts(after)), None).kind
        yield Drifted(attribute.title, f"{member.system} {member.key}", told[0], told[1], told[2], kind)


def _texts(value: object) -> list[str]:
    return [value] if isinstance(value, str) else [str(each) for each in value] if isinstance(value, list | tuple) else []


def _members(session: Session, entity: EntityType, reader: Reader, task: TaskView) -> Mapping[UUID, Sequence[Member]]:
    policy.check(reader.actor, Verb.READ, entity.name)
    found = members_of(session, task.goldens)
    if not found or not all(policy.in_scope(reader.actor, m.system) for members in found.values() for m in members):
        raise NotFound
    return found


def _audit(session: Session, entity: EntityType, reader: Reader, task: TaskView, fields: Sequence[str]) -> None:
    if entity.phi:
        audit.record(
            session,
            reader.actor,
            "finding:read",
            domain=entity.name,
            subjects=list(task.goldens),
            fields=sorted(fields),
            request_id=reader.request_id,
        )
