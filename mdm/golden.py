"""Reading golden records and their sources: now, as of a date, as known at a moment. Merged ids answer with their survivor and say so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from mdm.db import Row, array, fetch, give_up_after, without
from mdm.decisions import pins_then
from mdm.derive import as_json, pins, shown_provenance
from mdm.entity import EntityType
from mdm.errors import FieldProblem, Invalid, NotFound
from mdm.question import SURVIVORS_THEN
from mdm.standardise import Note, local_key
from mdm.survive import Contribution, survive
from mdm.systems import SystemRegistry, registry
from mdm.words import as_tsquery

SEARCH_SECONDS = 8
RARE = 2_000  # golden records that a search finds: all of them are put in order; of more, a page is found by reading on


@dataclass(frozen=True, slots=True)
class Held:
    """An identifier of a golden record."""

    system: str
    value: str
    status: str
    valid_from: date | None
    valid_to: date | None


@dataclass(frozen=True, slots=True)
class GoldenView:
    """A golden record as asked for: `as_of` a date in the world, `known_at` a moment of ours."""

    id: UUID
    domain: str
    redirected_from: UUID | None
    status: str
    version: int
    values: Mapping[str, Any]
    provenance: Mapping[str, Any]
    identifiers: tuple[Held, ...]
    records: tuple[UUID, ...]
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class SourceView:
    """One source record as its system delivered it last."""

    record_id: UUID
    golden_id: UUID
    system: str
    key: str
    status: str
    version: int
    attributes: Mapping[str, Any]
    identifiers: tuple[tuple[str, str], ...]
    valid_from: date | None
    valid_to: date | None
    notes: tuple[Note, ...]
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class GoldenVersionView:
    """What a golden record said from one moment to another."""

    version: int
    values: Mapping[str, Any]
    provenance: Mapping[str, Any]
    recorded_from: datetime
    recorded_to: datetime | None


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A golden record found, with the line by which people know it."""

    id: UUID
    display: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SearchPage:
    items: tuple[SearchHit, ...]
    next: str | None


def locate(session: Session, entity: EntityType, golden_id: UUID) -> tuple[UUID, UUID | None]:
    """The surviving id, and the id asked for where that one was merged. Raises NotFound."""
    rows = fetch(session, "select coalesce(merged_into, id) from golden_record where id = %s and domain = %s", (golden_id, entity.name))
    if not rows:
        raise NotFound("there is no such golden record")
    survivor: UUID = rows[0][0]
    return survivor, golden_id if survivor != golden_id else None


def read(
    session: Session, entity: EntityType, golden_id: UUID, *, as_of: date | None = None, known_at: datetime | None = None
) -> GoldenView:
    """One golden record, now or at a moment.

    With `known_at`, it is what was published at that moment; with `as_of`, values are derived from what its sources, as far as known by
    then, said to be true on that date. Raises NotFound, also for a moment before the record was known.
    """
    if known_at is not None and known_at.tzinfo is None:
        raise Invalid(problems=(FieldProblem("naive_timestamp", "/known_at", "give the offset from UTC, such as Z"),))
    survivor, asked = locate_at(session, entity, golden_id, known_at)
    if as_of is None and known_at is None:
        return _present(session, survivor, asked)
    if as_of is None and known_at is not None:
        return _as_stored_then(session, survivor, asked, known_at)
    return _at(session, entity, survivor, asked, _Moment(as_of, known_at))


def _present(session: Session, golden_id: UUID, asked: UUID | None) -> GoldenView:
    row = fetch(
        session,
        "select g.id, g.domain, g.status, g.version, v.values, v.provenance, g.updated_at from golden_record g"
        " join golden_version v on v.golden_id = g.id and v.recorded_to is null where g.id = %s",
        (golden_id,),
    )[0]
    held = fetch(
        session,
        "select s.code, x.value, x.status, x.valid_from, x.valid_to from xref x join identifier_system s on s.id = x.system_id"
        " where x.golden_id = %s and x.recorded_to is null order by s.code, x.value",
        (golden_id,),
    )
    links = fetch(session, "select record_id from link where golden_id = %s and recorded_to is null order by record_id", (golden_id,))
    records = tuple(link[0] for link in links)
    values, why = row[4], shown_provenance(row[5])
    return GoldenView(row[0], row[1], asked, row[2], row[3], values, why, tuple(Held(*h) for h in held), records, row[6])


@dataclass(frozen=True, slots=True)
class _Moment:
    as_of: date | None
    known_at: datetime | None


def locate_at(session: Session, entity: EntityType, golden_id: UUID, known_at: datetime | None) -> tuple[UUID, UUID | None]:
    """As `locate`, at a moment (None: now): the id itself while it had records of its own then, else the survivor of then."""
    now = locate(session, entity, golden_id)
    if known_at is None:
        return now
    rows = fetch(session, _SURVIVOR_THEN, {"ids": [golden_id], "then": known_at})
    if not rows:
        raise NotFound("this golden record was not known then")
    survivor: UUID = rows[0][1]
    return survivor, golden_id if survivor != golden_id else None


_SURVIVOR_THEN = SURVIVORS_THEN.format(ids="%(ids)s", then="%(then)s")


def _as_stored_then(session: Session, golden_id: UUID, asked: UUID | None, known_at: datetime) -> GoldenView:
    """What was published at that moment, to the letter; only `updated_at` is the moment at which it had begun to be true."""
    rows = fetch(
        session,
        "select g.id, g.domain, v.status, v.version, v.values, v.provenance, v.recorded_from from golden_record g"
        " join golden_version v on v.golden_id = g.id where g.id = %(id)s and v.recorded_from <= %(then)s"
        " and (v.recorded_to is null or v.recorded_to > %(then)s)",
        {"id": golden_id, "then": known_at},
    )
    if not rows:
        raise NotFound("this golden record was not known then")
    links = fetch(
        session,
        "select record_id from link where golden_id = %(id)s and recorded_from <= %(then)s"
        " and (recorded_to is null or recorded_to > %(then)s) order by record_id",
        {"id": golden_id, "then": known_at},
    )
    row, held, why = rows[0], _held_then(session, golden_id, _Moment(None, known_at)), shown_provenance(rows[0][5])
    return GoldenView(row[0], row[1], asked, row[2], row[3], row[4], why, held, tuple(link[0] for link in links), row[6])


def _at(session: Session, entity: EntityType, golden_id: UUID, asked: UUID | None, moment: _Moment) -> GoldenView:
    rows = fetch(
        session,
        "select distinct on (r.id) r.id, r.system, r.key, v.status, v.clean, v.valid_from, v.valid_to, v.recorded_at"
        " from link l join source_record r on r.id = l.record_id join source_record_version v on v.record_id = r.id and v.state = 'applied'"
        " where l.golden_id = %(id)s and l.recorded_from <= coalesce(%(known)s, now())"
        " and (l.recorded_to is null or l.recorded_to > coalesce(%(known)s, now())) and v.recorded_at <= coalesce(%(known)s, now())"
        " and (%(on)s::date is null or v.valid_from is null or v.valid_from <= %(on)s)"
        # The latest statement about that date: by the source's own date first, then by when it was said.
        " order by r.id, v.valid_from desc nulls last, v.version desc",
        {"id": golden_id, "known": moment.known_at, "on": moment.as_of},
    )
    if not rows:
        raise NotFound("this golden record was not known then")
    systems = registry(session)
    pinned = pins_then(session, [row[0] for row in rows], moment.known_at)
    contributions = [replace(_contribution(row, systems, moment.as_of), pins=pins(pinned.get(row[0]))) for row in rows]
    values, why = as_json(survive(entity, contributions))
    status = "active" if any(c.active for c in contributions) else "retired"
    version = _version_then(session, golden_id, moment.known_at)
    held = _held_then(session, golden_id, moment)
    records, at = tuple(row[0] for row in rows), max(row[7] for row in rows)
    return GoldenView(golden_id, entity.name, asked, status, version, values, shown_provenance(why), held, records, at)


def _contribution(row: Row, systems: SystemRegistry, as_of: date | None) -> Contribution:
    record_id, system, key, status, clean, valid_from, valid_to, _ = row
    ended = as_of is not None and valid_to is not None and valid_to < as_of
    # A record that was closed later was in force on a date before its end.
    active = not ended if as_of is not None and valid_to is not None else status == "active"
    values = {k: v if isinstance(v, str) else tuple(v) for k, v in clean["attributes"].items()}
    return Contribution(record_id, system, systems.kind(system), key, active, valid_from, values)


def _version_then(session: Session, golden_id: UUID, known_at: datetime | None) -> int:
    rows = fetch(
        session,
        "select max(version) from golden_version where golden_id = %s and recorded_from <= coalesce(%s, now())",
        (golden_id, known_at),
    )
    return int(rows[0][0] or 1)


def _held_then(session: Session, golden_id: UUID, moment: _Moment) -> tuple[Held, ...]:
    rows = fetch(
        session,
        "select s.code, x.value, x.status, x.valid_from, x.valid_to from xref x join identifier_system s on s.id = x.system_id"
        " where x.golden_id = %(id)s and x.recorded_from <= coalesce(%(known)s, now())"
        " and (x.recorded_to is null or x.recorded_to > coalesce(%(known)s, now()))"
        " and (%(on)s::date is null or ((x.valid_from is null or x.valid_from <= %(on)s) and (x.valid_to is null or x.valid_to >= %(on)s)))"
        " order by s.code, x.value",
        {"id": golden_id, "known": moment.known_at, "on": moment.as_of},
    )
    return tuple(Held(*row) for row in rows)


_SOURCE = (
    "select r.id, l.golden_id, r.system, r.key, r.status, r.version, v.raw, r.valid_from, r.valid_to, v.notes, r.updated_at"
    " from source_record r join link l on l.record_id = r.id and l.recorded_to is null"
    " join source_record_version v on v.record_id = r.id and v.version = r.version"
)


def _source_view(row: Row) -> SourceView:
    raw, notes = row[6], tuple(Note(n["code"], n["pointer"]) for n in row[9])
    identifiers = tuple((system, value) for system, value in raw["identifiers"])
    return SourceView(row[0], row[1], row[2], row[3], row[4], row[5], raw["attributes"], identifiers, row[7], row[8], notes, row[10])


def source(session: Session, entity: EntityType, system: str, key: str) -> SourceView:
    rows = fetch(session, _SOURCE + " where r.domain = %s and r.system = %s and r.key = %s", (entity.name, system, local_key(key)))
    if not rows:
        raise NotFound("this system has no such record")
    return _source_view(rows[0])


def sources(session: Session, entity: EntityType, golden_id: UUID) -> list[SourceView]:
    survivor, _ = locate(session, entity, golden_id)
    return [_source_view(row) for row in fetch(session, _SOURCE + " where l.golden_id = %s order by r.system, r.key", (survivor,))]


def sources_of(session: Session, goldens: Sequence[UUID]) -> dict[UUID, list[SourceView]]:
    """The source records of several golden records that are not merged away, in one statement."""
    found: dict[UUID, list[SourceView]] = {}
    for row in fetch(session, _SOURCE + " where l.golden_id = any(%s::uuid[]) order by r.system, r.key", (array(goldens),)):
        view = _source_view(row)
        found.setdefault(view.golden_id, []).append(view)
    return found


def history(session: Session, entity: EntityType, golden_id: UUID) -> list[GoldenVersionView]:
    """Every version, the newest first; of a merged id its own, up to the merge."""
    locate(session, entity, golden_id)
    rows = fetch(
        session,
        "select version, values, provenance, recorded_from, recorded_to from golden_version where golden_id = %s order by version desc",
        (golden_id,),
    )
    return [GoldenVersionView(version, values, shown_provenance(why), *span) for version, values, why, *span in rows]


def display(entity: EntityType, values: Mapping[str, Any]) -> str:
    """The line by which people recognise a record."""
    shown = (values.get(name) for name in entity.display)
    return ", ".join(value if isinstance(value, str) else ", ".join(value) for value in shown if value)


def search(
    session: Session,
    entity: EntityType,
    *,
    text: str | None = None,
    attributes: Mapping[str, str] | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> SearchPage:
    """Golden records of whose searchable values some word begins with each word of the text, and likewise by attribute; in order of id.

    It may find more than answers the question; `mdm.words.answers` says of one.

    Raises Invalid for an attribute that cannot be searched, TooBroad for a search that goes on for longer than SEARCH_SECONDS.
    """
    wanted = {name: value for name, value in (attributes or {}).items() if value.strip()}
    searchable = [a.name for a in entity.attributes if a.searchable]
    refused = [name for name in wanted if name not in searchable]
    if refused or (not wanted and not (text or "").strip()):
        pointers = [f"/attributes/{name}" for name in refused] or ["/text"]
        raise Invalid(problems=tuple(FieldProblem("not_searchable", p, f"searchable: {', '.join(searchable)}") for p in pointers))
    give_up_after(session, SEARCH_SECONDS)
    query = as_tsquery(entity, (text or "").strip(), {name: value.strip() for name, value in wanted.items()})
    rows = _found(session, {"query": query, "after": _cursor(cursor), "limit": limit + 1, "rare": RARE}) if query else []
    hits = tuple(SearchHit(row[0], display(entity, row[1]), row[1]) for row in rows[:limit])
    return SearchPage(hits, str(hits[-1].id) if len(rows) > limit else None)


def _found(session: Session, params: Mapping[str, object]) -> list[Row]:
    """PostgreSQL takes a rare word for a common one, and would read all golden records in order until it has a page of them."""
    with without(session, "seqscan", "indexscan"):
        rows = fetch(session, _RARE, params)
    if rows[0][0]:
        return [row[1:] for row in rows if row[1] is not None]
    with without(session, "seqscan", "bitmapscan"):
        return fetch(session, _COMMON, params)


# A golden record that was merged away has no open version, and each word says of which domain it is: nothing else need be asked.
_OF_WORDS: LiteralString = "from golden_version where recorded_to is null and words @@ %(query)s::tsquery"
_AFTER: LiteralString = "(%(after)s::uuid is null or golden_id > %(after)s::uuid) order by golden_id limit %(limit)s"
_RARE: LiteralString = (
    'with found as materialized (select golden_id, "values" ' + _OF_WORDS + " limit %(rare)s + 1)"
    " select n.few, h.* from (select count(*) <= %(rare)s as few from found) n"
    " left join lateral (select * from found where n.few and " + _AFTER + ") h on true order by h.golden_id"
)
_COMMON: LiteralString = 'select golden_id, "values" ' + _OF_WORDS + " and " + _AFTER


def _cursor(cursor: str | None) -> UUID | None:
    if cursor is None:
        return None
    try:
        return UUID(cursor)
    except ValueError:
        raise Invalid(problems=(FieldProblem("bad_cursor", "/cursor", "pass `next` of the page before, unchanged"),)) from None


def displays(session: Session, entity: EntityType, goldens: Sequence[UUID]) -> dict[UUID, str]:
    """The display lines of several golden records in one query."""
    rows = fetch(
        session, "select golden_id, values from golden_version where golden_id = any(%s) and recorded_to is null", (list(goldens),)
    )
    return {row[0]: display(entity, row[1]) for row in rows}
