"""Extracts for flows that work offline: the crosswalk of a domain, or its golden records; whole, or what changed since a feed position.

An extract is checked, cut to the reader's systems, masked and audited as every other read is. It streams through a server-side cursor, out
of one snapshot. `version` is a hash of its rows: the same rows have the same version, in whichever file format, on whichever day.

Its position is read before its rows: who asks again from there gets every later change, some perhaps twice, none never. A change is the
present state of whatever was touched, and the identifiers that it lost; applying it twice changes nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from typing import Any, LiteralString

from sqlalchemy.orm import Session

from mdm import audit, changes, mask, policy, reading
from mdm.access import Verb
from mdm.changes import Position
from mdm.db import Row, connection, translated
from mdm.entity import EntityType
from mdm.errors import FieldProblem, Invalid
from mdm.identifier_systems import BY_CODE
from mdm.jsonio import dumps
from mdm.reading import Own, Reader
from mdm.systems import GOLDEN, registry

CHUNK_ROWS = 5_000
GONE, HELD = "gone", "held"

Cell = str | int | bool | date | datetime | None | list[str]
Record = tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of an extract and the kind of its cells: text, texts, number, flag, date or time."""

    name: str
    kind: str = "text"


CROSSWALK = (
    Column("system"),
    Column("value"),
    Column("golden_id"),
    Column("change"),
    Column("status"),
    Column("own", "flag"),
    Column("pending", "flag"),
    Column("valid_from", "date"),
    Column("valid_to", "date"),
)
_GOLDEN_FIRST = (Column("golden_id"), Column("status"), Column("merged_into"), Column("version", "number"), Column("updated_at", "time"))


@dataclass(slots=True)
class Extract:
    """Columns, position, and rows in chunks. Exhausting `chunks` completes `rows` and `version`, and writes the audit row."""

    kind: str
    domain: str
    columns: tuple[Column, ...]
    since: Position | None
    position: Position
    chunks: Iterator[list[Record]]
    rows: int = 0
    version: str = ""


def crosswalk(session: Session, entity: EntityType, reader: Reader, systems: Sequence[str], since: str | None) -> Extract:
    """Identifiers of a domain, by system and value; without `systems` those of all that the reader may see.

    Raises Forbidden, Invalid for an unknown system or position, EpochOver.
    """
    policy.check(reader.actor, Verb.EXPORT, entity.name)
    after = None if since is None else changes.parse(session, since, "/since")
    params = {"domain": entity.name, "systems": _systems(session, reader, systems), **_scope(reader), **_after(after)}
    statement = _HELD_ONLY if after is None else _TOUCHED
    found = Extract("crosswalk", entity.name, CROSSWALK, after, changes.here(session), iter(()))
    found.chunks = _audited(session, reader, found, systems, ([_held(row) for row in rows] for rows in _stream(session, statement, params)))
    return found


def golden(session: Session, entity: EntityType, reader: Reader, since: str | None) -> Extract:
    """Golden records of a domain by id, merged ones with their survivor. Raises Forbidden, Invalid for an unknown position, EpochOver."""
    policy.check(reader.actor, Verb.EXPORT, entity.name)
    after = None if since is None else changes.parse(session, since, "/since")
    columns = (*_GOLDEN_FIRST, *(Column(a.name, "texts" if a.many else "text") for a in entity.attributes))
    found = Extract("golden", entity.name, columns, after, changes.here(session), iter(()))
    params = {"domain": entity.name, **_scope(reader), **_after(after)}
    chunks = ([_record(entity, reader, row) for row in rows] for rows in _stream(session, _GOLDEN, params))
    found.chunks = _audited(session, reader, found, (), chunks)
    return found


def _systems(session: Session, reader: Reader, asked: Sequence[str]) -> list[str]:
    """The codes of the systems that were asked for, or of all, without those whose values this reader never sees plain."""
    known = registry(session)
    codes = {name: known.resolve(name) for name in asked or known.ids}
    problems = [
        FieldProblem("unknown_system", "/systems", f"no identifier system is called {name}") for name in codes if codes[name] is None
    ]
    if problems:
        raise Invalid(problems=tuple(problems))
    return sorted({code for code in codes.values() if code is not None and code != GOLDEN and _is_open(reader, code)})


def _is_open(reader: Reader, code: str) -> bool:
    declared = BY_CODE.get(code)
    return declared is None or mask.sees(reader.actor, declared.sensitivity)


def _scope(reader: Reader) -> dict[str, object]:
    systems = reader.actor.systems
    return {"scope": None if systems is None else sorted(systems)}


def _after(since: Position | None) -> dict[str, object]:
    return {"since": None if since is None else since.seq}


# Whatever a system in the reader's scope says, or ever said: its own keys, and the identifiers that its records mention.
_IN_SCOPE: LiteralString = (
    " and (%(scope)s::text[] is null or exists (select 1 from link l join source_record r on r.id = l.record_id"
    " where l.golden_id = x.golden_id and r.system = any(%(scope)s) and ((r.system = s.code and btrim(r.key) = x.value)"
    " or r.clean -> 'identifiers' -> s.code ? x.value)))"
)
_XREF: LiteralString = (
    "select s.code, x.value, x.golden_id, x.recorded_to is null, x.status, x.own, x.pending, x.valid_from, x.valid_to"
    " from xref x join identifier_system s on s.id = x.system_id where x.domain = %(domain)s and s.code = any(%(systems)s)"
)
_IN_ORDER: LiteralString = " order by x.system_id, x.value, x.golden_id"
_HELD_ONLY: LiteralString = _XREF + " and x.recorded_to is null" + _IN_SCOPE + _IN_ORDER
# Of what was touched: identifiers that are held, and those that ended after the last event up to the position and are not held again.
_TOUCHED: LiteralString = (
    _XREF.replace("select ", "select distinct on (x.system_id, x.value, x.golden_id) ", 1)
    + " and x.golden_id in (select e.golden_id from event e where e.domain = %(domain)s and e.seq > %(since)s)"
    " and (x.recorded_to is null or x.recorded_to > coalesce((select max(e.known_at) from event e where e.golden_id = x.golden_id"
    " and e.seq <= %(since)s), '-infinity'))" + _IN_SCOPE + _IN_ORDER + ", x.recorded_to desc nulls first"
)
_GOLDEN: LiteralString = (
    "select g.id, g.status, g.merged_into, g.version, g.updated_at, v.values, own.said from golden_record g"
    " left join golden_version v on v.golden_id = g.id and v.recorded_to is null and g.status <> 'merged'"
    " left join lateral (select jsonb_agg(r.clean -> 'attributes') as said from link l join source_record r on r.id = l.record_id"
    " where l.golden_id = g.id and r.system = any(%(scope)s) and (l.recorded_to is null or g.status = 'merged')) own"
    " on %(scope)s::text[] is not null"
    " where g.domain = %(domain)s and (%(scope)s::text[] is null or own.said is not null)"
    " and (%(since)s::bigint is null or g.id in (select e.golden_id from event e where e.domain = %(domain)s and e.seq > %(since)s))"
    " order by g.id"
)


def _stream(session: Session, statement: LiteralString, params: dict[str, object]) -> Iterator[list[Row]]:
    with translated(), connection(session).cursor("extract") as cursor:
        cursor.execute(statement, params)
        while rows := cursor.fetchmany(CHUNK_ROWS):
            yield rows


def _held(row: Row) -> Record:
    system, value, golden_id, is_held, *rest = row
    return (system, value, str(golden_id), HELD if is_held else GONE, *rest)


def _record(entity: EntityType, reader: Reader, row: Row) -> Record:
    golden_id, status, merged_into, version, updated_at, values, said = row
    shown = reading.shown_values(entity, reader.actor, values or {}, None if said is None else _own(said))
    cells = (list(found) if isinstance(found := shown.get(a.name), list | tuple) else found for a in entity.attributes)
    return (str(golden_id), status, None if merged_into is None else str(merged_into), version, updated_at, *cells)


def _own(said: Sequence[dict[str, Any]]) -> Own:
    """What the records in scope say, as their normal forms."""
    values: dict[str, set[str]] = {}
    for attributes in said:
        for name, found in attributes.items():
            values.setdefault(name, set()).update([found] if isinstance(found, str) else found)
    return Own(frozenset(), {name: frozenset(found) for name, found in values.items()}, frozenset())


def _audited(
    session: Session, reader: Reader, extract: Extract, systems: Sequence[str], chunks: Iterator[list[Record]]
) -> Iterator[list[Record]]:
    """The chunks, counted and hashed on their way; the audit row says what went out, in the transaction that read it."""
    digest = sha256(dumps([column.name for column in extract.columns]))
    for chunk in chunks:
        for record in chunk:
            digest.update(dumps(record))
        extract.rows += len(chunk)
        yield chunk
    extract.version = digest.hexdigest()
    detail = {"rows": extract.rows, "version": extract.version, "systems": list(systems), "since": str(extract.since or "")}
    fields = [column.name for column in extract.columns]
    audit.record(
        session, reader.actor, f"export:{extract.kind}", domain=extract.domain, fields=fields, request_id=reader.request_id, detail=detail
    )
