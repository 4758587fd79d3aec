"""Source records as the derivation sees them, and the component of records that a change may touch."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from matching.model import Columns
from mdm.db import array, fetch

COMPONENT_MAX = 300


@dataclass(frozen=True, slots=True)
class Member:
    """A current source record with the golden record it belongs to. `name` is the same in every installation and order of arrival."""

    id: UUID
    system: str
    key: str
    status: str
    attributes: Mapping[str, Any]
    identifiers: Mapping[str, Sequence[str]]
    columns: Columns
    valid_from: date | None
    valid_to: date | None
    golden_id: UUID | None
    pins: Mapping[str, Any] | None = None
    asserted: Sequence[tuple[str, str]] = ()  # identifiers that a steward said belong to its golden record: system, value

    @property
    def name(self) -> str:
        return f"{self.system}/{self.key}"


# The golden id as a subquery, and members by arrays of ids: joined, a table that grew since its statistics were taken would be read whole.
_MEMBERS: LiteralString = (
    "select r.id, r.system, r.key, r.status, r.clean -> 'attributes', r.clean -> 'identifiers', r.columns, r.valid_from, r.valid_to,"
    " (select l.golden_id from link l where l.record_id = r.id and l.recorded_to is null), r.pins,"
    " coalesce((select jsonb_agg(jsonb_build_array(a.system, a.value) order by a.system, a.value)"
    " from identifier_assertion a where a.record_id = r.id and a.recorded_to is null), '[]')"
    " from source_record r where r.id = any("
)


def read_members(session: Session, records: Iterable[UUID]) -> dict[UUID, Member]:
    rows = fetch(session, _MEMBERS + "%s)", (array(records),))
    return {row[0]: Member(*row) for row in rows}


def members_of(session: Session, goldens: Iterable[UUID]) -> dict[UUID, list[Member]]:
    """Every record of some golden records."""
    there: LiteralString = "array(select record_id from link where golden_id = any(%s) and recorded_to is null)) order by r.system, r.key"
    rows = fetch(session, _MEMBERS + there, (array(goldens),))
    found: dict[UUID, list[Member]] = {}
    for row in rows:
        member = Member(*row)
        if member.golden_id is not None:
            found.setdefault(member.golden_id, []).append(member)
    return found


def component(session: Session, start: Sequence[UUID], link: float) -> dict[UUID, Member]:
    """The records joined to `start` by edges of `link` and more, by a person's *same*, or by sharing a golden record."""
    rows = fetch(session, _REACH + _MEMBERS + "array(select id from reach))", {"start": array(start), "link": link})
    return {row[0]: Member(*row) for row in rows}


def company(session: Session, records: Iterable[UUID]) -> dict[UUID, Member]:
    """These records, and whoever shares a golden record with one of them."""
    rows = fetch(session, _MEMBERS + _COMPANY, {"records": array(records)})
    return {row[0]: Member(*row) for row in rows}


@dataclass(frozen=True, slots=True)
class Held:
    """The golden records that are locked, and the component as it was before they were."""

    goldens: frozenset[UUID]
    records: frozenset[UUID]


def hold(session: Session, start: Sequence[UUID], link: float, goldens: Collection[UUID], kinds: Sequence[str]) -> Held:
    """Lock `goldens`, the golden records of the component of `start`, and those that an edge or an open task of these kinds joins to it.

    In order. The neighbours, too: their tasks name the component, and somebody else may be writing what the same task names besides.
    """
    asked = {"start": array(start), "link": link, "goldens": array(goldens), "kinds": list(kinds)}
    locked, records = fetch(session, _HOLD, asked)[0]
    return Held(frozenset(locked), frozenset(records))


def homes(session: Session, records: Iterable[UUID]) -> list[UUID]:
    """The golden records that hold these records now."""
    rows = fetch(session, "select distinct golden_id from link where record_id = any(%s) and recorded_to is null", (array(records),))
    return [row[0] for row in rows]


_REACH: LiteralString = (
    "with recursive reach(id) as (select unnest(%(start)s::uuid[]) union select step.id from reach cross join lateral ("
    " select e.high from edge e where e.low = reach.id and (e.weight >= %(link)s or e.verdict = 'same')"
    " union all select e.low from edge e where e.high = reach.id and (e.weight >= %(link)s or e.verdict = 'same')"
    " union all select o.record_id from link m join link o on o.golden_id = m.golden_id and o.recorded_to is null"
    "   where m.record_id = reach.id and m.recorded_to is null) step(id)) "
)
_COMPANY: LiteralString = (
    "array(select unnest(%(records)s::uuid[]) union select record_id from link where recorded_to is null"
    " and golden_id = any(array(select golden_id from link where record_id = any(%(records)s::uuid[]) and recorded_to is null))))"
)
_HOLD: LiteralString = (
    # As arrays, and not joined: the planner thinks a recursion thousands of rows long, and would read whole tables to meet it.
    _REACH + ", near(ids) as (select array(select id from reach)), home(ids) as (select array("
    "select golden_id from link where record_id = any((select ids from near)::uuid[]) and recorded_to is null"
    " union select unnest(%(goldens)s::uuid[]))), beside(ids) as (select array("
    "select high from edge where low = any((select ids from near)::uuid[])"
    " union select low from edge where high = any((select ids from near)::uuid[])))"
    " select array(select id from (select g.id from golden_record g where g.id = any(array(select unnest(ids) from home"
    " union select golden_id from link where record_id = any((select ids from beside)::uuid[]) and recorded_to is null"
    " union select unnest(t.goldens) from task t where t.status = 'open' and t.goldens && (select ids from home)"
    " and t.kind = any(%(kinds)s))) order by g.id for update) locked), (select ids from near)"
)


@dataclass(frozen=True, slots=True)
class StoredEdge:
    """An edge row: the pair, its weight, who vetoes it, what a person said of it."""

    low: UUID
    high: UUID
    weight: float
    vetoes: tuple[str, ...]
    verdict: str | None


def edges_at(session: Session, records: Iterable[UUID]) -> list[StoredEdge]:
    """Every edge with at least one end among `records`."""
    wanted = array(records)
    rows = fetch(
        session,
        "select low, high, weight, vetoes, verdict from edge where low = any(%s)"
        " union select low, high, weight, vetoes, verdict from edge where high = any(%s)",
        (wanted, wanted),
    )
    return [StoredEdge(low, high, weight, tuple(vetoes), verdict) for low, high, weight, vetoes, verdict in rows]
