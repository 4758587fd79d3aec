"""The relationships of one golden record, from it and to it, with who says so; and what is said but not in force, with the reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import audit, policy
from mdm.access import Actor, Verb
from mdm.db import Row, array, fetch
from mdm.entities import ENTITY_TYPES
from mdm.entity import EntityType
from mdm.golden import displays, locate_at
from mdm.reading import Reader


class Direction(StrEnum):
    """From the golden record, to it, or both."""

    OUT = "out"
    IN = "in"
    BOTH = "both"


class State(StrEnum):
    """Why something that is said is in force nowhere."""

    PENDING = "pending"  # nobody knows the key at the other end yet
    OVERRULED = "overruled"  # somebody says otherwise who is trusted more, or later
    LOOPED = "looped"  # it would close a loop
    SAME_RECORD = "same_record"  # both ends have become one golden record


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which relationships; without a day those of all days, without a moment those of now."""

    as_of: date | None = None
    known_at: datetime | None = None
    direction: Direction = Direction.BOTH
    limit: int = 200
    cursor: int | None = None


@dataclass(frozen=True, slots=True)
class EdgeView:
    """An edge seen from one of its ends: `golden_id` and `domain` are the other one. `id` is the claim's that gave it."""

    id: UUID
    type: str
    tree: str | None
    direction: str
    domain: str
    golden_id: UUID
    display: str | None
    valid_from: date | None
    valid_to: date | None
    recorded_from: datetime
    recorded_to: datetime | None
    system: str | None
    key: str | None
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class IdleClaim:
    """What is said of the golden record and in force nowhere."""

    id: UUID
    type: str
    tree: str | None
    state: str
    system: str | None
    value: str | None
    golden_id: UUID | None
    valid_from: date | None
    valid_to: date | None
    said_by: str


@dataclass(frozen=True, slots=True)
class Related:
    """One page of edges; the claims that are not in force stand on the first page of the present."""

    golden_id: UUID
    items: tuple[EdgeView, ...]
    idle: tuple[IdleClaim, ...]
    next: int | None


def related(session: Session, entity: EntityType, reader: Reader, golden_id: UUID, asked: Asked) -> Related:
    """The edges of a golden record, in the order in which they were recorded."""
    policy.check(reader.actor, Verb.READ, entity.name)
    found, _ = locate_at(session, entity, golden_id, asked.known_at)
    policy.check_visible(session, reader.actor, [found])
    rows = _rows(session, found, asked)
    kept = rows[: asked.limit]
    items = _views(session, reader.actor, kept)
    first = asked.known_at is None and asked.cursor is None and asked.direction is not Direction.IN
    idle = _idle(session, reader.actor, found) if first else ()
    if entity.phi:
        audit.record(session, reader.actor, "relationship:list", domain=entity.name, subjects=[found], request_id=reader.request_id)
    return Related(found, items, idle, kept[-1][0] if len(rows) > asked.limit else None)


_NOW: LiteralString = " and r.recorded_to is null"
_THEN: LiteralString = " and r.recorded_from <= %(known)s and (r.recorded_to is null or r.recorded_to > %(known)s)"
_COLUMNS: LiteralString = (
    " r.valid_from, r.valid_to, r.recorded_from, r.recorded_to, s.system, s.key, c.actor, c.reason from relationship r"
    " join relationship_claim c on c.id = r.claim_id left join source_record s on s.id = c.record_id"
)
_ON: LiteralString = (
    " and not r.looped and (%(day)s::date is null or ((r.valid_from is null or r.valid_from <= %(day)s)"
    " and (r.valid_to is null or r.valid_to >= %(day)s))) and (%(after)s::bigint is null or r.id > %(after)s::bigint)"
)


def _rows(session: Session, golden_id: UUID, asked: Asked) -> list[Row]:
    recorded = _NOW if asked.known_at is None else _THEN
    out = "(select r.id, r.claim_id, r.type, r.tree, 'out', o.domain, o.id," + _COLUMNS + " join golden_record o on o.id = r.target_id"
    into = "(select r.id, r.claim_id, r.type, r.tree, 'in', o.domain, o.id," + _COLUMNS + " join golden_record o on o.id = r.subject_id"
    return fetch(
        session,
        out
        + " where %(out)s and r.subject_id = %(id)s"
        + recorded
        + _ON
        + " order by r.id limit %(limit)s) union all "
        + into
        + " where %(in)s and r.target_id = %(id)s"
        + recorded
        + _ON
        + " order by r.id limit %(limit)s) order by 1 limit %(limit)s",
        {
            "id": golden_id,
            "day": asked.as_of,
            "known": asked.known_at,
            "after": asked.cursor,
            "out": asked.direction is not Direction.IN,
            "in": asked.direction is not Direction.OUT,
            "limit": asked.limit + 1,
        },
    )


def _views(session: Session, actor: Actor, rows: Sequence[Row]) -> tuple[EdgeView, ...]:
    """The edges whose other end exists for the reader, with its name; who says so only where that system is theirs to see."""
    seen = policy.visible(session, actor, {row[6] for row in rows})
    open_domains = policy.domains(actor, Verb.READ)
    shown = [row for row in rows if row[6] in seen and row[5] in open_domains]
    names = _names(session, shown)
    return tuple(_view(actor, row, names.get(row[6])) for row in shown)


def _view(actor: Actor, row: Row, name: str | None) -> EdgeView:
    system, key, said_by, reason = row[11:15]
    if system is not None and not policy.in_scope(actor, system):
        system, key, said_by, reason = None, None, "another system", ""
    start, end, since, until = row[7:11]
    return EdgeView(row[1], row[2], row[3] or None, row[4], row[5], row[6], name, start, end, since, until, system, key, said_by, reason)


def _names(session: Session, rows: Sequence[Row]) -> Mapping[UUID, str]:
    names: dict[UUID, str] = {}
    for domain in {row[5] for row in rows}:
        names |= displays(session, ENTITY_TYPES[domain], [row[6] for row in rows if row[5] == domain])
    return names


def _idle(session: Session, actor: Actor, golden_id: UUID) -> tuple[IdleClaim, ...]:
    rows = fetch(session, _IDLE, {"ids": array([golden_id])})
    return tuple(_idle_claim(golden_id, row) for row in rows if row[10] is None or policy.in_scope(actor, row[10]))


def _idle_claim(golden_id: UUID, row: Row) -> IdleClaim:
    claim, name, tree, system, key, target, start, end, looped, actor = row[:10]
    return IdleClaim(claim, name, tree or None, _state(golden_id, target, looped=looped), system, key, target, start, end, actor)


def _state(golden_id: UUID, target: UUID | None, *, looped: bool) -> State:
    if target is None:
        return State.PENDING
    if target == golden_id:
        return State.SAME_RECORD
    return State.LOOPED if looped else State.OVERRULED


_IDLE: LiteralString = (
    "with claims(id) as ("
    " select c.id from link l join relationship_claim c on c.record_id = l.record_id and c.recorded_to is null"
    "  where l.golden_id = any(%(ids)s::uuid[]) and l.recorded_to is null"
    " union all select c.id from golden_record g join relationship_claim c on c.subject_id = g.id and c.recorded_to is null"
    "  where g.id = any(%(ids)s::uuid[]) or g.merged_into = any(%(ids)s::uuid[]))"
    " select c.id, c.type, c.tree, c.target_system, c.target_key, coalesce(l.golden_id, t.merged_into, t.id), c.valid_from, c.valid_to,"
    " exists (select 1 from relationship r where r.claim_id = c.id and r.recorded_to is null and r.looped), c.actor, s.system"
    " from claims join relationship_claim c on c.id = claims.id left join source_record s on s.id = c.record_id"
    " left join source_record r on r.domain = c.target_domain and r.system = c.target_system and r.key = c.target_key"
    " left join link l on l.record_id = r.id and l.recorded_to is null left join golden_record t on t.id = c.target_id"
    " where not exists (select 1 from relationship r where r.claim_id = c.id and r.recorded_to is null and not r.looped) order by c.id"
)
