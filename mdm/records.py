"""Source records as rows: read for comparison, written with their versions, blocking keys and edges."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from matching.compare import Value
from matching.model import Columns
from matching.score import Score, Scorer, Total
from mdm.db import array, execute, fetch, write, write_all
from mdm.entity import EntityType
from mdm.errors import NotFound
from mdm.jsonio import dumps
from mdm.members import Member
from mdm.standardise import Delivery, Standard
from mdm.statements import Assertion, read_assertions


@dataclass(frozen=True, slots=True)
class Stored:
    """The current state of a source record, as far as a delivery needs it. Without a golden record: the load that brought it was undone.

    `has_waiting`: a later version is held back until a person decides (`mdm.overlay`).
    """

    id: UUID
    hash: str
    keys: tuple[int, ...]
    columns: Columns
    golden_id: UUID | None
    relationships: tuple[Assertion, ...] | None = None
    has_waiting: bool = False


@dataclass(frozen=True, slots=True)
class Incoming:
    """A delivery on its way: its record (new or known), its columns after the frequency guard, its blocking keys by rule."""

    record_id: UUID
    standard: Standard
    stored: Stored | None
    columns: Mapping[str, Value]
    keys: Mapping[int, str]

    @property
    def is_change(self) -> bool:
        """A source that says again what stood before takes back what it said meanwhile."""
        return self.stored is None or self.stored.hash != self.standard.hash or self.stored.has_waiting

    def as_member(self) -> Member:
        """What `read_members` would read, once this is written."""
        standard, delivery = self.standard, self.standard.delivery
        return Member(
            self.record_id,
            delivery.system,
            delivery.key,
            delivery.status,
            standard.attributes,
            standard.identifiers,
            self.columns,
            delivery.valid_from,
            delivery.valid_to,
            self.stored.golden_id if self.stored else None,
        )


def read_stored(session: Session, entity: EntityType, places: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Stored]:
    """The records at these places, by (system, key). Call it after the source locks are taken."""
    rows = fetch(
        session,
        # Key by key, whatever the planner believes of the tables: it would walk all records to find a few.
        "select r.system, r.key, r.id, r.hash, r.keys, r.columns, l.golden_id, r.clean -> 'relationships', exists (select 1"
        " from task t where t.dedupe_key = 'overlay:' || r.domain || ':' || r.id and t.status = 'open')"
        " from unnest(%s::text[], %s::text[]) w(system, key) cross join lateral (select * from source_record s"
        " where s.domain = %s and s.system = w.system and s.key = w.key offset 0) r left join lateral (select golden_id from link"
        " where record_id = r.id and recorded_to is null offset 0) l on true",
        ([system for system, _ in places], [key for _, key in places], entity.name),
    )
    return {(row[0], row[1]): Stored(row[2], row[3], tuple(row[4]), row[5], row[6], read_assertions(row[7]), row[8]) for row in rows}


def read_columns(session: Session, records: Iterable[UUID]) -> dict[UUID, Columns]:
    wanted = list(records)
    if not wanted:
        return {}
    return {row[0]: row[1] for row in fetch(session, "select id, columns from source_record where id = any(%s)", (array(wanted),))}


def write_records(session: Session, entity: EntityType, incoming: Sequence[Incoming], *, versioned: bool = False) -> None:
    """Insert new records and versions, replace changed ones; their match keys follow."""
    if not incoming:
        return
    rows = [row_of(i) for i in incoming]
    new = [row for row, i in zip(rows, incoming, strict=True) if i.stored is None]
    old = [row for row, i in zip(rows, incoming, strict=True) if i.stored is not None]
    if new:
        write_all(session, "select f.*" + _GIVEN, _INSERT, (dumps(new).decode(), entity.name))
    if old:
        execute(session, _REPLACE_VERSIONED if versioned else _REPLACE, (dumps(old).decode(),))


_GIVEN: LiteralString = (
    " from jsonb_to_recordset(%s::jsonb) as f(id uuid, system text, key text, status text, hash text, raw jsonb, clean jsonb,"
    " columns jsonb, keys bigint[], notes jsonb, valid_from date, valid_to date)"
)
_INSERT_RECORDS: LiteralString = (
    "insert into source_record (id, domain, system, key, status, version, hash, clean, columns, keys, valid_from, valid_to)"
    " select id, %s, system, key, status, 1, hash, clean, columns, keys, valid_from, valid_to from {rows}"
)
_INSERT_FIRST_VERSIONS: LiteralString = (
    "insert into source_record_version (record_id, version, state, raw, clean, notes, hash, status, valid_from, valid_to, recorded_at)"
    " select id, 1, 'applied', raw, clean, notes, hash, status, valid_from, valid_to, statement_timestamp() from {rows}"
)
# In the order of their index
_INSERT_KEYS: LiteralString = "insert into match_key (key, record_id) select k, id from {rows}, unnest(keys) k order by k"
_INSERT = (_INSERT_RECORDS, _INSERT_FIRST_VERSIONS, _INSERT_KEYS)
_NEXT: LiteralString = "(select max(v.version) + 1 from source_record_version v where v.record_id = f.id) as version"
_LAST_APPLIED: LiteralString = (
    "(select max(v.version) from source_record_version v where v.record_id = f.id and v.state = 'applied') as version"
)
_APPEND: LiteralString = (
    "insert into source_record_version (record_id, version, state, raw, clean, notes, hash, status, valid_from, valid_to)"
    " select id, version, '{state}', raw, clean, notes, hash, status, valid_from, valid_to from x"
)
# As the record is once nobody else writes it: of its match keys only those are touched that come or go.
_KNOWN: LiteralString = ", r.keys as former" + _GIVEN + " join source_record r on r.id = f.id for no key update of r)"
_FOLLOWED: LiteralString = (
    # Key by key: an index by record would be as large as the table
    ", gone as (delete from match_key m using x, unnest(x.former) k where k <> all(x.keys) and m.key = k and m.record_id = x.id)"
    ", come as (insert into match_key (key, record_id) select k, x.id from x, unnest(x.keys) k where k <> all(x.former))"
    " update source_record r set status = x.status, hash = x.hash, clean = x.clean, columns = x.columns, keys = x.keys,"
    " valid_from = x.valid_from, valid_to = x.valid_to, updated_at = now(), version = x.version from x where r.id = x.id"
)
_REPLACE: LiteralString = (
    "with x as materialized (select f.*, " + _NEXT + _KNOWN + ", said as (" + _APPEND.replace("{state}", "applied") + ")" + _FOLLOWED
)
_REPLACE_VERSIONED: LiteralString = "with x as materialized (select f.*, " + _LAST_APPLIED + _KNOWN + _FOLLOWED
_HOLD: LiteralString = "with x as (select f.*, " + _NEXT + _GIVEN + ") " + _APPEND.replace("{state}", "quarantined")


def row_of(incoming: Incoming) -> dict[str, Any]:
    """A delivery as the tables hold it."""
    standard, delivery = incoming.standard, incoming.standard.delivery
    raw: dict[str, Any] = {"attributes": delivery.attributes, "identifiers": [list(pair) for pair in delivery.identifiers]}
    clean: dict[str, Any] = {"attributes": standard.attributes, "identifiers": standard.identifiers}
    if delivery.relationships is not None and standard.relationships is not None:
        raw["relationships"] = [each.as_json() for each in delivery.relationships]
        clean["relationships"] = [each.as_json() for each in standard.relationships]
    return {
        "id": incoming.record_id,
        "system": delivery.system,
        "key": delivery.key,
        "status": delivery.status,
        "hash": standard.hash,
        "raw": raw,
        "clean": clean,
        "columns": incoming.columns,
        "keys": list(incoming.keys),
        "notes": [{"code": note.code, "pointer": note.pointer} for note in standard.notes],
        "valid_from": delivery.valid_from,
        "valid_to": delivery.valid_to,
    }


def quarantine(session: Session, incoming: Incoming) -> None:
    """Keep the delivery as a version that was never current."""
    execute(session, _HOLD, (dumps([row_of(incoming)]).decode(),))


def as_delivered(session: Session, entity: EntityType, system: str, key: str) -> Delivery:
    """The current version of a record in its sender's own words."""
    rows = fetch(
        session,
        "select v.raw, v.status, v.valid_from, v.valid_to from source_record r join source_record_version v on v.record_id = r.id"
        " and v.version = r.version where r.domain = %s and r.system = %s and r.key = %s",
        (entity.name, system, key),
    )
    if not rows:
        raise NotFound("this system has no such record")
    return delivery_of(system, key, *rows[0])


def delivery_of(system: str, key: str, raw: Mapping[str, Any], status: str, valid_from: Any, valid_to: Any) -> Delivery:
    identifiers = [(s, v) for s, v in raw["identifiers"]]
    said = read_assertions(raw.get("relationships"))
    return Delivery(system, key, raw["attributes"], identifiers, status, valid_from, valid_to, said)


def write_edges(session: Session, scorer: Scorer, pairs: Mapping[tuple[UUID, UUID], Total], updated: frozenset[UUID]) -> frozenset[UUID]:
    """Store what was scored; the edges of updated records that were not met again go, unless a person judged the pair.

    The answer: the records at the other ends of what stood there. They may have been kept apart, or together, by what is gone.
    """
    beside: frozenset[UUID] = frozenset()
    if updated:
        rows = fetch(
            session,
            "with judged as (update edge set met = false where verdict is not null"
            " and (low = any(%(r)s::uuid[]) or high = any(%(r)s::uuid[])))"
            " delete from edge where verdict is null and (low = any(%(r)s::uuid[]) or high = any(%(r)s::uuid[])) returning low, high",
            {"r": array(updated)},
        )
        beside = frozenset(record for row in rows for record in row) - updated
    if not pairs:
        return beside
    stored = [{"low": low, "high": high, "weight": s.weight, "vetoes": s.vetoes} for (low, high), s in pairs.items()]
    write(
        session,
        "insert into edge (low, high, weight, vetoes, model_version) select x.low, x.high, x.weight, x.vetoes, %s"
        " from jsonb_to_recordset(%s::jsonb) as x(low uuid, high uuid, weight float8, vetoes text[]) on conflict (low, high) do update"
        " set weight = excluded.weight, vetoes = excluded.vetoes, model_version = excluded.model_version, met = true",
        (scorer.model.version, dumps(stored).decode()),
    )
    return beside


def evidence_json(score: Score) -> dict[str, Any]:
    """The evidence as it is stored and shown: what each comparison said, in bits."""
    items = [
        {"comparison": e.comparison, "level": e.level, "weight": e.weight, "group": e.group, "adjustment": e.adjustment}
        for e in score.evidence
    ]
    return {"items": items, "vetoes": list(score.vetoes), "capped": score.capped}
