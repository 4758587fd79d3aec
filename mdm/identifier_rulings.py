"""What stewards ruled about single identifier values, and what follows for records that carry them.

`void`: this record's claim to the value is wrong; it neither answers lookups with it nor is compared by it. `placeholder`: the value is
nobody's evidence, whoever carries it. `shared`: these records carry it rightly; nothing follows but that nobody is asked again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from matching.compare import Value
from mdm.db import array, execute, fetch
from mdm.entity import EntityType
from mdm.records import Incoming
from mdm.standardise import Note, Standard, compared_identifier
from mdm.systems import SystemRegistry

VOID, PLACEHOLDER, SHARED = "void", "placeholder", "shared"


def add(session: Session, decision_id: UUID, place: tuple[str, str, str], what: str, records: Sequence[UUID | None]) -> None:
    """Note a ruling on a value (domain, system, value) for these records (None: for whoever carries it)."""
    execute(
        session,
        "insert into identifier_ruling (decision_id, domain, system, value, what, record_id)"
        " select %s, %s, %s, %s, %s, r from unnest(%s::uuid[]) r",
        (decision_id, *place, what, list(records)),
    )


def end(session: Session, decision_id: UUID) -> list[UUID]:
    """The rulings of a decision hold no longer; the records whose claims or evidence come back."""
    rows = fetch(
        session,
        "update identifier_ruling set recorded_to = clock_timestamp() where decision_id = %s and recorded_to is null"
        " returning domain, system, value, what, record_id",
        (decision_id,),
    )
    found = [row[4] for row in rows if row[3] == VOID]
    for domain, system, value, what, _ in rows:
        if what == PLACEHOLDER:
            found += carriers(session, domain, system, value)
    return sorted(found)


def carriers(session: Session, domain: str, system: str, value: str) -> list[UUID]:
    """The active records that carry a value, as their golden records hold it."""
    rows = fetch(session, _CARRIERS, {"domain": domain, "system": system, "value": value})
    return [row[0] for row in rows]


_CARRIERS: LiteralString = (
    "select r.id from identifier_system s join xref x on x.domain = %(domain)s and x.system_id = s.id and x.value = %(value)s"
    " and x.recorded_to is null and not x.own join link l on l.golden_id = x.golden_id and l.recorded_to is null"
    " join source_record r on r.id = l.record_id where s.code = %(system)s"
    " and r.clean -> 'identifiers' -> %(system)s ? %(value)s order by r.id"
)


def apply(session: Session, entity: EntityType, registry: SystemRegistry, incoming: Sequence[Incoming]) -> list[Incoming]:
    """These deliveries without what was ruled of them."""
    carried = {(code, value) for i in incoming for code, values in i.standard.identifiers.items() for value in values}
    if not carried:
        return list(incoming)
    rows = fetch(
        session,
        "select i.system, i.value, i.what, i.record_id from unnest(%s::text[], %s::text[]) c(system, value) join identifier_ruling i"
        " on i.domain = %s and i.system = c.system and i.value = c.value and i.recorded_to is null and i.what <> 'shared'"
        " and (i.record_id is null or i.record_id = any(%s::uuid[]))",
        ([code for code, _ in carried], [value for _, value in carried], entity.name, array(i.record_id for i in incoming)),
    )
    if not rows:
        return list(incoming)
    ruled = {i.record_id: [(s, v, what) for s, v, what, record in rows if record in {None, i.record_id}] for i in incoming}
    return [_without(entity, registry, i, ruled[i.record_id]) for i in incoming]


def _without(entity: EntityType, registry: SystemRegistry, incoming: Incoming, rulings: Sequence[tuple[str, str, str]]) -> Incoming:
    rules = {rule.system: rule.name for rule in entity.identifiers}
    standard, columns = incoming.standard, dict(incoming.columns)
    for system, value, what in rulings:
        if value not in standard.identifiers.get(system, ()):
            continue
        if system in rules:
            _take(columns, rules[system], compared_identifier(registry.value_type(system), value))
        notes = (*standard.notes, Note(f"{what}_by_ruling", f"/identifiers/{system}"))
        standard = replace(standard, notes=notes, identifiers=_claims(standard, system, value) if what == VOID else standard.identifiers)
    return replace(incoming, standard=standard, columns=columns)


def _claims(standard: Standard, system: str, value: str) -> dict[str, tuple[str, ...]]:
    kept = {code: tuple(v for v in values if (code, v) != (system, value)) for code, values in standard.identifiers.items()}
    return {code: values for code, values in kept.items() if values}


def _take(columns: dict[str, Value], column: str, compared: str) -> None:
    held = columns.get(column, ())
    left = tuple(v for v in ((held,) if isinstance(held, str) else held) if v != compared)
    if left:
        columns[column] = left
    else:
        columns.pop(column, None)


def placeholders(session: Session, entity: EntityType, registry: SystemRegistry) -> set[tuple[str, str]]:
    """Columns and values that are nobody's evidence by a ruling; for those who compare many records at once."""
    rules = {rule.system: rule.name for rule in entity.identifiers}
    rows = fetch(
        session,
        "select distinct system, value from identifier_ruling where domain = %s and what = 'placeholder' and recorded_to is null"
        " and system = any(%s)",
        (entity.name, sorted(rules)),
    )
    return {(rules[system], compared_identifier(registry.value_type(system), value)) for system, value in rows}


def ruled(session: Session, domain: str, places: Iterable[tuple[str, str]]) -> dict[tuple[str, str], set[UUID | None]]:
    """Of values (system, value): the records that carry them rightly by a ruling; with None for a placeholder."""
    wanted = list(places)
    rows = fetch(
        session,
        "select i.system, i.value, i.record_id from unnest(%s::text[], %s::text[]) c(system, value) join identifier_ruling i"
        " on i.domain = %s and i.system = c.system and i.value = c.value and i.recorded_to is null and i.what <> 'void'",
        ([system for system, _ in wanted], [value for _, value in wanted], domain),
    )
    found: dict[tuple[str, str], set[UUID | None]] = {}
    for system, value, record in rows:
        found.setdefault((system, value), set()).add(record)
    return found
