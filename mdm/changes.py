"""Reading the change feed: pages of CloudEvents after a position, cut to what the reader may know.

A position is an epoch and a number. A restore begins a new epoch, because the tail that it lost may have been read: positions of a former
epoch are refused. The numbers go on, so that the feed from its beginning is always the whole history of what is stored.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from mdm import audit
from mdm.audit import Named
from mdm.db import Row, fetch
from mdm.entities import ENTITY_TYPES
from mdm.errors import FieldProblem, Gone, Invalid
from mdm.event_types import ABOUT_GOLDEN, EVENT_TYPES, spoken

WINDOW = 50_000  # numbers that one page looks at: a reader of a rare domain gets an empty page and a further position, not a slow one
_CURSOR = re.compile(r"([0-9a-f]{32})-([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the feed: everything up to this number has been read."""

    epoch: UUID
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch.hex}-{self.seq}"


@dataclass(frozen=True, slots=True)
class Interest:
    """Which events a reader gets. None: all types; golden records of all systems."""

    domains: frozenset[str]
    types: frozenset[str] | None = None
    systems: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class FeedEvent:
    """A numbered event."""

    event_id: UUID
    seq: int
    golden_id: UUID
    cloud_event: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """Events in order, and the position after the last one looked at."""

    events: tuple[FeedEvent, ...]
    next: Position


class EpochOver(Gone):
    """This position is of a former epoch: the database was restored, and what was read after that moment may never have been."""

    code = "epoch_over"


def here(session: Session) -> Position:
    """The position after the last numbered event."""
    epoch, last = fetch(session, "select epoch, last_seq from feed_position")[0]
    return Position(epoch, last)


def parse(session: Session, cursor: str | None, pointer: str = "/after") -> Position:
    """The position that a cursor names, the beginning for None. Raises EpochOver, and Invalid for what is no cursor of ours."""
    now = here(session)
    if cursor is None:
        return Position(now.epoch, 0)
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        given = "the position that an earlier answer gave" if pointer == "/since" else "`next` of an earlier page"
        raise Invalid(problems=(FieldProblem("bad_cursor", pointer, f"pass {given}, unchanged"),))
    position = Position(UUID(found[1]), int(found[2]))
    _check_epoch(position, now, pointer)
    if position.seq > now.seq:
        raise Invalid(problems=(FieldProblem("bad_cursor", pointer, "the feed has not come that far"),))
    return position


def _check_epoch(position: Position, now: Position, pointer: str) -> None:
    if position.epoch != now.epoch:
        remedy = f"the present epoch is {now.epoch}: forget the copy, read again without a position, and look up local keys anew"
        raise EpochOver(problems=(FieldProblem("epoch_over", pointer, remedy),))


_PAGE: LiteralString = (
    "select e.event_id, e.domain, e.golden_id, e.type, e.data, e.known_at, e.epoch, e.seq from event e"
    " where e.seq > %(after)s and e.seq <= %(upto)s and e.domain = any(%(domains)s)"
    " and (%(types)s::text[] is null or e.type = any(%(types)s))"
    # Whoever knew a golden record is told of its end: links of the past count as those of today.
    # What names a system is for the readers of that system, what is of no golden record and names none for everybody.
    " and (%(systems)s::text[] is null or coalesce(e.data ->> 'system' = any(%(systems)s), e.type <> all(%(about_golden)s))"
    " or exists (select 1 from link l"
    " join source_record r on r.id = l.record_id where l.golden_id = e.golden_id and r.system = any(%(systems)s)))"
    " order by e.seq limit %(limit)s"
)


def read(session: Session, interest: Interest, after: Position, limit: int) -> Page:
    """The next events, and where to go on. An empty page whose position moved on is not yet the end. Raises EpochOver."""
    now = here(session)
    _check_epoch(after, now, "/after")
    upto = min(now.seq, after.seq + WINDOW)
    rows = fetch(
        session,
        _PAGE,
        {
            "after": after.seq,
            "upto": upto,
            "domains": sorted(interest.domains),
            "types": None if interest.types is None else sorted(interest.types),
            "systems": None if interest.systems is None else sorted(interest.systems),
            "about_golden": list(ABOUT_GOLDEN),
            "limit": limit,
        },
    )
    events = tuple(_event(row) for row in rows)
    return Page(events, Position(now.epoch, events[-1].seq if len(events) == limit else upto))


def _event(row: Row) -> FeedEvent:
    return FeedEvent(row[0], row[7], row[2], cloud_event(row))


def cloud_event(row: Sequence[Any]) -> dict[str, Any]:
    """CloudEvents 1.0 in structured form: `sequence` orders, `href` is where to read the golden record as it is now."""
    event_id, domain, golden_id, name, data, known_at, epoch, seq = row
    made = {
        "specversion": "1.0",
        "id": str(event_id),
        "source": f"urn:uuid:{epoch}",
        "type": spoken(name),
        "subject": str(golden_id),
        "time": known_at.isoformat(),
        "datacontenttype": "application/json",
        "domain": domain,
        "sequence": f"{seq:020d}",
        "partitionkey": str(golden_id),
        "data": data,
    }
    kind = EVENT_TYPES.get(name)
    if domain in ENTITY_TYPES and (kind is None or kind.of_golden):
        made["href"] = f"/v1/{ENTITY_TYPES[domain].path}/golden/{golden_id}"
    return made


def new_epoch(session: Session, actor: Named) -> UUID:
    """After a restore: every position that a consumer holds is refused from now on, and every copy is made anew."""
    # uuid4: nothing about an epoch may be guessed or repeat, not even from a clock that was set back.
    made: UUID = fetch(session, "update feed_position set epoch = %s returning epoch", (uuid4(),))[0][0]
    audit.record(session, actor, "feed:new_epoch", detail={"epoch": str(made)})
    return made
