"""The frequency guard: a value that too many records hold is nobody's evidence.

No list of placeholders is ever complete: a clinic's front desk phone, a guarantor's SSN. When a value is found over-shared, it leaves the
comparison columns of all its holders, those already stored included, and their pairs are scored again; so the order of arrival does not
matter.
"""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from uuid import UUID

from sqlalchemy.orm import Session

from matching.blocking import Keys, text_key
from matching.compare import Value
from matching.model import BlockingRule, Columns, KeyPart, Model
from mdm.candidates import Blocks
from mdm.db import execute, fetch
from mdm.entity import EntityType
from mdm.jsonio import dumps
from mdm.records import Incoming
from mdm.running import Run
from mdm.standardise import Note

_KEY_PARTS = 16
Shared = Mapping[str, Container[str]]  # column -> the values that too many hold


@dataclass(frozen=True, slots=True)
class Demoted:
    """A stored record that lost a value as evidence and must be scored again."""

    record_id: UUID
    columns: Columns
    keys: tuple[int, ...]


@cache
def guards(entity: EntityType) -> Mapping[str, int]:
    """Column -> how many records may hold one value of it."""
    identifiers = {rule.name: rule.max_holders for rule in entity.identifiers if rule.max_holders is not None}
    return {**dict(entity.guarded), **identifiers}


def record_keys(entity: EntityType, model: Model, columns: Columns) -> dict[int, str]:
    """All keys under which a record is found: those of the blocking rules, and one per guarded value, by which its holders are counted."""
    return _keys(entity, model).of(columns)


def counted(keys: Mapping[int, str]) -> dict[int, str]:
    """Of a record's keys, with the names of their rules, those by which the holders of its guarded values are counted."""
    return {key: rule for key, rule in keys.items() if rule.startswith(_GUARD)}


_GUARD = "guard "
_made: dict[str, tuple[Model, Keys]] = {}  # domain -> the model that was asked for last, with its keys: a run asks for one again and again


def _keys(entity: EntityType, model: Model) -> Keys:
    known = _made.get(entity.name)
    if known is None or known[0] is not model:
        known = _made[entity.name] = model, Keys(entity.name, (*model.blocking, *_guard_rules(entity).values()))
    return known[1]


@cache
def _guard_rules(entity: EntityType) -> Mapping[str, BlockingRule]:
    return {column: BlockingRule(_GUARD + column, (KeyPart(column),)) for column in guards(entity)}


@cache
def guard_key(entity: EntityType, column: str) -> Callable[[str], int]:
    """The key by which the holders of a value of this column are counted."""
    return text_key(entity.name, _guard_rules(entity)[column])


def demote_overshared(
    session: Session, entity: EntityType, blocks: Blocks, incoming: Sequence[Incoming]
) -> tuple[list[Incoming], list[Demoted]]:
    """Take over-shared values out of the columns of these deliveries and of the stored records that hold them too."""
    limits = guards(entity)
    values = _guarded_values(entity, incoming)
    over: dict[tuple[str, str], set[UUID]] = {}
    for (column, value), (key, here) in values.items():
        holders = blocks.held_by(key) | here
        if len(holders) > limits[column]:
            over[column, value] = holders - here
    if not over:
        return list(incoming), []
    shared = by_column(over)
    holders = {record for records in over.values() for record in records} - {i.record_id for i in incoming}
    return [_strip_incoming(i, shared) for i in incoming], _strip_stored(session, shared, holders)


def evidence(entity: EntityType, blocks: Blocks, record: UUID, columns: Columns) -> Columns:
    """The columns of a stored record without what too many hold by now."""
    limits, over = guards(entity), set()
    for column in limits:
        for value in as_tuple(columns.get(column, ())):
            key = guard_key(entity, column)(value)
            if len({*blocks.held_by(key), record}) > limits[column]:
                over.add((column, value))
    return without(columns, by_column(over))[0]


def by_column(over: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    """Over-shared values, found by their column: the long lists of words that no guard watches need not be looked through."""
    found: dict[str, set[str]] = {}
    for column, value in over:
        found.setdefault(column, set()).add(value)
    return found


def without(columns: Columns, over: Shared) -> tuple[Columns, bool]:
    """The columns without over-shared values, and whether any was there."""
    kept, lost = _strip(columns, over)
    return (kept, True) if lost else (columns, False)


def heavy_keys(run: Run, entity: EntityType) -> dict[int, int]:
    """Keys that more records hold than the strictest guard allows, and how many do: a value that was taken out is still counted there.

    Part by part (keys are hashes): counting those of a million records at once would outlast an effect.
    """
    limits = guards(entity)
    if not limits:
        return {}
    parts = (run.effect(partial(_heavy, part=part, least=min(limits.values()))) for part in range(_KEY_PARTS))
    return {key: holders for part in parts for key, holders in part}


def _heavy(session: Session, *, part: int, least: int) -> list[tuple[int, int]]:
    size = 2**64 // _KEY_PARTS
    low = part * size - 2**63
    asked = (low, low + size - 1, least)
    rows = fetch(session, "select key, count(*) from match_key where key between %s and %s group by key having count(*) > %s", asked)
    return [(row[0], row[1]) for row in rows]


def _guarded_values(entity: EntityType, incoming: Sequence[Incoming]) -> dict[tuple[str, str], tuple[int, set[UUID]]]:
    found: dict[tuple[str, str], tuple[int, set[UUID]]] = {}
    for i in incoming:
        for column in guards(entity):
            for value in as_tuple(i.columns.get(column, ())):
                found.setdefault((column, value), (guard_key(entity, column)(value), set()))[1].add(i.record_id)
    return found


def as_tuple(value: Value) -> tuple[str, ...]:
    """The values of a column, of which one alone stands as itself."""
    return (value,) if isinstance(value, str) else tuple(value)


def _strip(columns: Columns, over: Shared) -> tuple[dict[str, Value], list[str]]:
    kept, lost = dict(columns), []
    for column in [each for each in columns if each in over]:
        value = columns[column]
        left = tuple(each for each in as_tuple(value) if each not in over[column])
        if len(left) == len(as_tuple(value)):
            continue
        lost.append(column)
        if left:
            kept[column] = left
        else:
            del kept[column]
    return kept, lost


def _strip_incoming(incoming: Incoming, over: Shared) -> Incoming:
    columns, lost = _strip(incoming.columns, over)
    notes = (*incoming.standard.notes, *(Note("over_shared", f"/{column}") for column in lost))
    return replace(incoming, columns=columns, standard=replace(incoming.standard, notes=notes)) if lost else incoming


def _strip_stored(session: Session, over: Shared, holders: set[UUID]) -> list[Demoted]:
    rows = fetch(session, "select id, columns, keys from source_record where id = any(%s) order by id for update", (list(holders),))
    demoted = []
    for record, columns, keys in rows:
        kept, lost = _strip(columns, over)
        if lost:
            demoted.append(Demoted(record, kept, tuple(keys)))
    if demoted:
        changed = [{"id": d.record_id, "columns": d.columns} for d in demoted]
        execute(
            session,
            "update source_record r set columns = x.columns"
            " from jsonb_to_recordset(%s::jsonb) as x(id uuid, columns jsonb) where r.id = x.id",
            (dumps(changed).decode(),),
        )
    return demoted
