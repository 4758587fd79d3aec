"""Golden values, versions and crosswalk rows: what follows from links and records, written wherever it changed.

Nothing here decides anything. Deriving twice changes nothing, and deriving from scratch gives what is stored.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session

from mdm.db import array, execute, fetch, write
from mdm.entity import EntityType
from mdm.feed import Happening
from mdm.jsonio import dumps
from mdm.members import Member
from mdm.misswork import resolved_by
from mdm.standardise import compared_identifier, local_key
from mdm.survive import Contribution, Pin, Survivor, Values, survive
from mdm.systems import SystemRegistry
from mdm.words import lexemes

Place = tuple[UUID, int, str]  # golden record, identifier system, value


class Holding(NamedTuple):
    """One crosswalk row as it should be."""

    golden_id: UUID
    system_id: int
    value: str
    own: bool
    exclusive: bool
    status: str
    valid_from: date | None
    valid_to: date | None

    @property
    def place(self) -> Place:
        return self.golden_id, self.system_id, self.value


def contribution(member: Member, registry: SystemRegistry) -> Contribution:
    values = {k: v if isinstance(v, str) else tuple(v) for k, v in member.attributes.items()}
    kind = registry.kind(member.system)
    return Contribution(member.id, member.system, kind, member.key, member.status == "active", member.valid_from, values, pins(member.pins))


def pins(stored: Mapping[str, Any] | None) -> dict[str, Pin]:
    """The pins of a record as it holds them."""
    return {
        name: Pin(held["value"] if isinstance(held["value"], str) else tuple(held["value"]), held["decision"])
        for name, held in (stored or {}).items()
    }


def golden_values(entity: EntityType, members: Iterable[Member], registry: SystemRegistry) -> dict[str, Survivor]:
    return survive(entity, [contribution(member, registry) for member in members])


def derive(
    session: Session, entity: EntityType, registry: SystemRegistry, goldens: Mapping[UUID, Sequence[Member]], *, new: frozenset[UUID]
) -> list[Happening]:
    """Bring values, status and crosswalk of these golden records up to their records; `new` ones have nothing stored yet."""
    rows, released, touched = _close_xref(session, entity, registry, goldens, new)
    versions, happened = _close_versions(session, entity, registry, goldens, _Known(new, touched))
    if versions:
        write(session, _INSERT_VERSIONS, (dumps(versions).decode(),))
    if rows:
        write(session, _INSERT_XREF, (entity.name, dumps(rows).decode()))
    settle_contests(session, entity, released)
    return [*happened, *resolved_by(session, entity, rows)] if rows else happened


_INSERT_VERSIONS = (
    'insert into golden_version (golden_id, version, "values", provenance, status, recorded_from, words)'
    ' select x.golden_id, x.version, x."values", x.provenance, x.status, coalesce(x.at, statement_timestamp()), array_to_tsvector(x.words)'
    " from jsonb_to_recordset(%s::jsonb)"
    ' as x(golden_id uuid, version int, "values" jsonb, provenance jsonb, status text, at timestamptz, words text[])'
)
_INSERT_XREF = (
    "insert into xref (domain, system_id, value, golden_id, status, own, exclusive, pending, valid_from, valid_to, recorded_from)"
    " select %s, x.system_id, x.value, x.golden_id, x.status, x.own, x.exclusive, false, x.valid_from, x.valid_to,"
    " statement_timestamp() from jsonb_to_recordset(%s::jsonb)"
    " as x(system_id int, value text, golden_id uuid, status text, own bool, exclusive bool, valid_from date, valid_to date)"
)


@dataclass(frozen=True, slots=True)
class _Known:
    """Golden records without anything stored yet, and those whose crosswalk changed, which makes a version of its own."""

    new: frozenset[UUID]
    touched: frozenset[UUID]


def _close_versions(
    session: Session, entity: EntityType, registry: SystemRegistry, goldens: Mapping[UUID, Sequence[Member]], about: _Known
) -> tuple[list[dict[str, Any]], list[Happening]]:
    """Close the versions that are no longer true; answers the versions to insert, and what happened."""
    known = _open_versions(session, [g for g in goldens if g not in about.new], about.touched)
    fresh: list[dict[str, Any]] = []
    changed: list[dict[str, Any]] = []
    happened: list[Happening] = []
    for golden_id, members in goldens.items():
        survivors = golden_values(entity, members, registry)
        values, provenance = as_json(survivors)
        version, old_values, old_provenance, old_status = known.get(golden_id, (0, None, None, ""))
        status = "active" if any(m.status == "active" for m in members) else "retired"
        if (values, provenance, status) == (old_values, old_provenance, old_status) and golden_id not in about.touched:
            continue
        row = {"golden_id": golden_id, "version": version + 1, "values": values, "provenance": provenance, "status": status}
        row["words"] = lexemes(entity, values)
        (changed if version else fresh).append(row)
        what = "golden.created" if golden_id in about.new else "golden.retired" if status == "retired" != old_status else "golden.updated"
        happened.append(Happening(what, golden_id, {"version": version + 1, **({"before": version} if version else {})}))
    at = _close(session, changed)
    retired = [row["golden_id"] for row in fresh if row["status"] == "retired"]
    if retired:
        execute(session, "update golden_record set status = 'retired' where id = any(%s)", (retired,))
    return [*fresh, *({**row, "at": at} for row in changed)], happened


def _open_versions(session: Session, goldens: Sequence[UUID], touched: frozenset[UUID]) -> dict[UUID, tuple[int, Any, Any, str]]:
    """Their version and status; and what they say, but for those that are `touched`, of which nobody need compare it."""
    if not goldens:
        return {}
    rows = fetch(
        session,
        "select g.id, g.version, v.values, v.provenance, g.status from golden_record g"
        " left join golden_version v on v.golden_id = g.id and v.recorded_to is null and g.id <> all(%s) where g.id = any(%s)",
        (array(touched), array(goldens)),
    )
    return {row[0]: (row[1], row[2], row[3], row[4]) for row in rows}


def _close(session: Session, changed: list[dict[str, Any]]) -> datetime | None:
    """The former versions end at the very moment at which the new ones begin, which is the answer: no moment lies between them."""
    if not changed:
        return None
    slim = [{k: row[k] for k in ("golden_id", "version", "status")} for row in changed]
    at: datetime = fetch(session, _CLOSE_VERSIONS, (dumps(slim).decode(),))[0][0]
    return at


_CLOSE_VERSIONS = (
    "with x as materialized (select *, clock_timestamp() as at from jsonb_to_recordset(%s::jsonb) as x(golden_id uuid, version int,"
    " status text)), written as ("
    " update golden_record g set version = x.version, status = x.status, updated_at = now() from x where g.id = x.golden_id), closed as ("
    " update golden_version v set recorded_to = t.at from x, (select max(at) as at from x) t"
    " where v.golden_id = x.golden_id and v.recorded_to is null) select max(at) from x"
)


def as_json(survivors: Mapping[str, Survivor]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Golden values as they are stored and shown; their provenance as it is stored, each record written once (`shown_provenance`).

    {"records": [ids], "values": {attribute: [rule, place of its record] or [rule, place, [[place, value that lost], ...]]}}
    """
    values = {name: _as_list(s.value) for name, s in survivors.items()}
    records = sorted({record for s in survivors.values() for record in (s.record_id, *[lost for lost, _ in s.losing])})
    places = {record: place for place, record in enumerate(records)}
    found: dict[str, list[Any]] = {name: [s.rule, places[s.record_id]] for name, s in survivors.items()}
    for name, s in survivors.items():
        if s.losing:
            found[name].append([[places[record], _as_list(value)] for record, value in s.losing])
    return values, {"records": [str(record) for record in records], "values": found}


def _as_list(value: Values) -> str | list[str]:
    return value if isinstance(value, str) else list(value)


def shown_provenance(stored: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Per attribute: the record that its value comes from, the rule that chose it, and what others said."""
    records = stored["records"]
    return {
        name: {
            "record_id": records[place],
            "rule": rule,
            "losing": [{"record_id": records[other], "value": value} for other, value in (lost[0] if lost else ())],
        }
        for name, (rule, place, *lost) in stored["values"].items()
    }


def holdings(entity: EntityType, registry: SystemRegistry, golden_id: UUID, members: Iterable[Member]) -> dict[Place, Holding]:
    """The crosswalk rows that a golden record's members derive."""
    found: dict[Place, Holding] = {}
    members = list(members)
    for member in members:
        for system_id, value, own, exclusive in _identifiers(entity, registry, member):
            h = Holding(golden_id, system_id, value, own, exclusive, member.status, member.valid_from, member.valid_to)
            known = found.get(h.place)
            found[h.place] = h if known is None else _both(known, h)
    # What a steward said counts like a mention: it is of the golden record, whichever of its records it hangs on, and never exclusive.
    status = "active" if any(member.status == "active" for member in members) else "inactive"
    for system, value in (pair for member in members for pair in member.asserted):
        h = Holding(golden_id, registry.ids[system], value, own=False, exclusive=False, status=status, valid_from=None, valid_to=None)
        found[h.place] = h if h.place not in found else _both(found[h.place], h)
    return found


def _identifiers(entity: EntityType, registry: SystemRegistry, member: Member) -> Iterable[tuple[int, str, bool, bool]]:
    yield registry.ids[member.system], local_key(member.key), True, True
    rules = {rule.system: rule for rule in entity.identifiers}
    for code, values in member.identifiers.items():
        rule = rules.get(code)
        evidence = member.columns.get(rule.name, ()) if rule is not None and rule.exclusive else ()
        for value in values:
            if (code, value) != (member.system, local_key(member.key)):
                yield registry.ids[code], value, False, bool(evidence) and compared_identifier(registry.value_type(code), value) in evidence


def _both(a: Holding, b: Holding) -> Holding:
    """Two records of one golden record hold the value: the one that is active, or whose own key it is, speaks for its dates."""
    first, second = sorted((a, b), key=lambda h: (not h.own, h.status != "active"))
    starts = [h.valid_from for h in (a, b)]
    ends = [h.valid_to for h in (a, b)]
    return Holding(
        first.golden_id,
        first.system_id,
        first.value,
        first.own,
        a.exclusive or b.exclusive,
        "active" if "active" in (a.status, b.status) and not first.own else first.status,
        first.valid_from if first.own and not second.own else None if None in starts else min(s for s in starts if s),
        first.valid_to if first.own and not second.own else None if None in ends else max(e for e in ends if e),
    )


def _close_xref(
    session: Session, entity: EntityType, registry: SystemRegistry, goldens: Mapping[UUID, Sequence[Member]], new: frozenset[UUID]
) -> tuple[list[dict[str, Any]], set[tuple[int, str]], frozenset[UUID]]:
    """Close the crosswalk rows that are no longer true; answers what to insert, the values whose claim was given up, whose rows changed."""
    wanted: dict[Place, Holding] = {}
    for golden_id, members in goldens.items():
        wanted.update(holdings(entity, registry, golden_id, members))
    stored = _stored(session, [g for g in goldens if g not in new])
    gone = {place: row for place, row in stored.items() if place not in wanted or row[1] != _content(wanted[place])}
    fresh = [h for place, h in wanted.items() if place not in stored or place in gone]
    if gone:
        execute(
            session,
            "update xref set recorded_to = clock_timestamp(), exclusive = false where id = any(%s)",
            ([r[0] for r in gone.values()],),
        )
    taken = contested(session, entity, [h for h in fresh if h.exclusive and not h.own])
    touched = frozenset({place[0] for place in gone} | {h.golden_id for h in fresh})
    return rows_of(fresh, taken), {(p[1], p[2]) for p, row in gone.items() if row[2]}, touched


def _content(h: Holding) -> tuple[object, ...]:
    return h.own, h.status, h.valid_from, h.valid_to


def _stored(session: Session, goldens: Sequence[UUID]) -> dict[Place, tuple[int, tuple[object, ...], bool]]:
    if not goldens:
        return {}
    rows = fetch(
        session,
        "select golden_id, system_id, value, id, own, status, valid_from, valid_to from xref"
        " where golden_id = any(%s) and recorded_to is null",
        (array(goldens),),
    )
    return {(r[0], r[1], r[2]): (r[3], (r[4], r[5], r[6], r[7]), not r[4]) for r in rows}


def contested(session: Session, entity: EntityType, claims: Sequence[Holding]) -> set[tuple[int, str]]:
    """Of these new claims, the values that a second golden record claims; from now on they are exclusive to nobody."""
    if not claims:
        return set()
    counts: dict[tuple[int, str], set[UUID]] = {}
    for h in claims:
        counts.setdefault((h.system_id, h.value), set()).add(h.golden_id)
    rows = fetch(
        session,
        # Value by value, whatever the planner believes of the table
        "select c.system_id, c.value, x.golden_id from unnest(%s::int[], %s::text[]) c(system_id, value) cross join lateral"
        " (select golden_id from xref where domain = %s and system_id = c.system_id and value = c.value and recorded_to is null"
        " and not own offset 0) x",
        ([s for s, _ in counts], [v for _, v in counts], entity.name),
    )
    for system_id, value, golden_id in rows:
        counts[system_id, value].add(golden_id)
    taken = {place for place, holders in counts.items() if len(holders) > 1}
    if taken:
        execute(
            session,
            "update xref set exclusive = false where id = any(array(select x.id from unnest(%s::int[], %s::text[]) c(system_id, value)"
            " cross join lateral (select id from xref where domain = %s and system_id = c.system_id and value = c.value"
            " and recorded_to is null and exclusive offset 0) x))",
            ([s for s, _ in taken], [v for _, v in taken], entity.name),
        )
    return taken


def rows_of(fresh: Sequence[Holding], taken: set[tuple[int, str]]) -> list[dict[str, Any]]:
    return [
        {
            "system_id": h.system_id,
            "value": h.value,
            "golden_id": h.golden_id,
            "status": h.status,
            "own": h.own,
            "exclusive": h.exclusive and (h.system_id, h.value) not in taken,
            "valid_from": h.valid_from,
            "valid_to": h.valid_to,
        }
        for h in fresh
    ]


def settle_contests(session: Session, entity: EntityType, released: set[tuple[int, str]]) -> None:
    """A value that only one golden record still claims belongs to it again."""
    exclusive = {rule.system for rule in entity.identifiers if rule.exclusive}
    if not released or not exclusive:
        return
    execute(
        session,
        "update xref x set exclusive = true from identifier_system s, unnest(%s::int[], %s::text[]) c(system_id, value)"
        " where x.domain = %s and x.system_id = c.system_id and x.value = c.value and x.recorded_to is null and not x.exclusive"
        " and s.id = x.system_id and s.code = any(%s) and not exists (select 1 from xref y where y.domain = x.domain"
        " and y.system_id = x.system_id and y.value = x.value and y.recorded_to is null and y.id <> x.id)",
        ([s for s, _ in released], [v for _, v in released], entity.name, sorted(exclusive)),
    )
