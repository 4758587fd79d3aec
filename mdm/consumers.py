"""Registered consumers: who keeps a copy of what, how far they have read, whom a merge concerns, and which of their keys moved.

A consumer's position is what it acknowledged itself; nothing is deleted or sent by it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from mdm.changes import Position
from mdm.db import Row, array, fetch
from mdm.errors import FieldProblem, Invalid, NotFound, Stale
from mdm.systems import registry

REKEY_PAGE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class NewConsumer:
    """A consumer as it is to be; `client` is the name of the API client that may act as it."""

    code: str
    name: str
    contact: str
    client: str | None
    domains: tuple[str, ...]
    systems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConsumerView:
    """A consumer, with the position that it acknowledged last."""

    code: str
    name: str
    contact: str
    client: str | None
    domains: tuple[str, ...]
    systems: tuple[str, ...]
    acknowledged: str | None
    acknowledged_at: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Affected:
    """A consumer that a change of some golden records concerns: how many identifiers of each of its systems they hold."""

    code: str
    name: str
    contact: str
    identifiers: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Moved:
    """A local key that belongs to another golden record than it did."""

    n: int
    domain: str
    golden_id: UUID
    survivor: UUID
    system: str
    value: str


_COLUMNS: LiteralString = "code, name, contact, client, domains, systems, epoch, position, acknowledged_at, version, created_at, updated_at"


def _view(row: Row) -> ConsumerView:
    acknowledged = None if row[6] is None else str(Position(row[6], row[7]))
    return ConsumerView(row[0], row[1], row[2], row[3], tuple(row[4]), tuple(row[5]), acknowledged, *row[8:])


def register(session: Session, new: NewConsumer) -> ConsumerView:
    """A consumer that is new; raises Stale when it has been registered meanwhile."""
    rows = fetch(
        session,
        "insert into consumer (code, name, contact, client, domains, systems) values (%s, %s, %s, %s, %s, %s)"
        f" on conflict (code) do nothing returning {_COLUMNS}",
        (new.code, new.name, new.contact, new.client, list(new.domains), list(new.systems)),
    )
    if not rows:
        raise Stale("somebody else has registered this consumer")
    return _view(rows[0])


def change(session: Session, new: NewConsumer, if_match: int) -> ConsumerView:
    """Change a consumer at the version that was read, else Stale."""
    rows = fetch(
        session,
        "update consumer set name = %s, contact = %s, client = %s, domains = %s, systems = %s, version = version + 1, updated_at = now()"
        f" where code = %s and version = %s returning {_COLUMNS}",
        (new.name, new.contact, new.client, list(new.domains), list(new.systems), new.code, if_match),
    )
    if not rows:
        raise Stale(f"this consumer is now at version {get(session, new.code).version}")
    return _view(rows[0])


def find(session: Session, code: str) -> ConsumerView | None:
    rows = fetch(session, f"select {_COLUMNS} from consumer where code = %s", (code,))
    return _view(rows[0]) if rows else None


def get(session: Session, code: str) -> ConsumerView:
    found = find(session, code)
    if found is None:
        raise NotFound("there is no such consumer")
    return found


def list_consumers(session: Session) -> list[ConsumerView]:
    return [_view(row) for row in fetch(session, f"select {_COLUMNS} from consumer order by code")]


def acknowledge(session: Session, code: str, position: Position) -> ConsumerView:
    """The consumer has stored everything up to here. An older position than it acknowledged changes nothing."""
    rows = fetch(
        session,
        "update consumer set position = case when epoch = %(epoch)s then greatest(position, %(seq)s) else %(seq)s end, epoch = %(epoch)s,"
        f" acknowledged_at = now() where code = %(code)s returning {_COLUMNS}",
        {"epoch": position.epoch, "seq": position.seq, "code": code},
    )
    if not rows:
        raise NotFound("there is no such consumer")
    return _view(rows[0])


def affected(session: Session, domain: str, golden_ids: Sequence[UUID]) -> tuple[Affected, ...]:
    """The consumers of this domain that know these golden records.

    One without systems works with golden ids alone and is always concerned; another where one of its systems has a key of theirs.
    """
    rows = fetch(
        session,
        "select c.code, c.name, c.contact, cardinality(c.systems) = 0, coalesce(h.held, '{}') from consumer c left join lateral ("
        " select jsonb_object_agg(k.code, k.keys) as held from (select s.code, count(*) as keys from xref x"
        " join identifier_system s on s.id = x.system_id where x.golden_id = any(%s) and x.recorded_to is null"
        " and s.code = any(c.systems) group by s.code) k) h on true where %s = any(c.domains) order by c.code",
        (array(golden_ids), domain),
    )
    return tuple(Affected(row[0], row[1], row[2], row[4]) for row in rows if row[3] or row[4])


_MOVED: LiteralString = (
    "select x.id, x.domain, x.golden_id, o.golden_id, s.code, x.value from xref x join identifier_system s on s.id = x.system_id"
    " join xref o on o.domain = x.domain and o.system_id = x.system_id and o.value = x.value and o.recorded_to is null and o.own"
    " where x.id > %(after)s and x.own and x.recorded_to is not null and x.golden_id <> o.golden_id and s.code = any(%(systems)s)"
    " and x.golden_id in (select e.golden_id from event e where e.seq > %(since)s and e.domain = any(%(domains)s))"
    # Every change of a golden record's keys has an event of that record: this row ended after the last one that the consumer has read.
    " and x.recorded_to > coalesce((select max(e.known_at) from event e where e.golden_id = x.golden_id and e.seq <= %(since)s),"
    " '-infinity')"
    " order by x.id limit %(limit)s"
)


def moved(session: Session, consumer: ConsumerView, since: Position, after: int = 0) -> tuple[Moved, ...]:
    """The next local keys of its systems that went from one golden record to another since a position; `after` is the last one's `n`."""
    params = {
        "after": after,
        "since": since.seq,
        "systems": list(consumer.systems),
        "domains": list(consumer.domains),
        "limit": REKEY_PAGE,
    }
    return tuple(Moved(*row) for row in fetch(session, _MOVED, params))


def check(session: Session, new: NewConsumer, domains: frozenset[str]) -> None:
    """Raise Invalid for a domain or system that there is not: a mistyped one would be a consumer that is never told."""
    sources = registry(session)
    problems = [FieldProblem("unknown_domain", "/domains", "there is no such domain") for name in new.domains if name not in domains]
    problems += [
        FieldProblem("unknown_system", "/systems", "there is no such source system")
        for name in new.systems
        if name not in sources.ids or not sources.is_source(name)
    ]
    if problems:
        raise Invalid(problems=tuple(problems))
