"""Files whose truth is known -> records ready to compare, and beside them the truth. Pure but for reading the files.

The truth (entity column, file of pairs) is never among what matching gets, which sees clean values and row numbers only.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from matching.arrays import Rows
from matching.compare import Value
from matching.evaluate import Linkage, Pairs, pairs_across, pairs_of
from mdm.entity import EntityType
from mdm.errors import InvalidRecord, UnusableInput
from mdm.files import Table, read_table
from mdm.identifier_systems import BY_CODE
from mdm.standardise import Delivery, Standard, standardise
from mdm.values.kind import ValueType

_SOURCE = "file"
_ROW = re.compile("row_?(a|b|1|2|left|right)", re.IGNORECASE)
Notes = Counter[tuple[str, str]]  # code, attribute


@dataclass(frozen=True, slots=True)
class Question:
    """What to measure: one file, or two to link, and where the truth stands: in a column (`entity`) or in a file of pairs (`truth`).

    columns  attribute or identifier -> the files' column; empty: columns named like them
    many     two files that may hold duplicates themselves
    spark_url  where Spark matches one file; it trains nothing
    """

    domain: EntityType
    files: tuple[Path, ...]
    id: str
    entity: str | None = None
    truth: Path | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    many: bool = False
    train: bool = True
    spark_url: str | None = None


@dataclass(frozen=True, slots=True)
class Labelled:
    """The files' records, ready to compare, under one numbering, the second file's after the first's."""

    records: Sequence[Mapping[str, Value]]
    sizes: tuple[int, ...]
    notes: Notes
    truth: Linkage


def read_labelled(question: Question) -> Labelled:
    """Records and truth of the files asked about. Raises UnusableInput."""
    tables = tuple(read_table(path) for path in question.files)
    if sum(len(table.rows) for table in tables) == 1:
        raise UnusableInput(f"{tables[0].name} has one row: there is nothing to compare it with")
    ids = [_ids(table, question.id) for table in tables]
    truth = _truth(question, tables, ids)
    columns = _columns(question, tables)
    notes: Notes = Counter()
    if not question.columns:
        notes.update(_not_compared(question, tables, columns))
    records = [record for table in tables for record in read_records(question.domain, table, columns, notes)]
    return Labelled(records, tuple(len(table.rows) for table in tables), notes, truth)


def _ids(table: Table, column: str) -> dict[str, int]:
    """Id -> row number."""
    cells = table.column(column)
    rows = {cell: row for row, cell in enumerate(cells)}
    if "" in rows:
        raise UnusableInput(f"{table.name}, row {cells.index('') + 1}: no id in column {column!r}")
    if len(rows) < len(cells):
        first = next(row for row, cell in enumerate(cells) if rows[cell] != row)
        raise UnusableInput(f"{table.name}: {len(cells) - len(rows)} ids in column {column!r} are not unique (first: row {first + 1})")
    return rows


def _truth(question: Question, tables: Sequence[Table], ids: Sequence[Mapping[str, int]]) -> Linkage:
    if question.truth is not None:
        return _listed_pairs(read_table(question.truth), ids)
    groups = _entities([cell for table in tables for cell in table.column(question.entity or "")])
    return groups if len(tables) == 1 else pairs_across(groups, len(tables[0].rows))


def _entities(cells: Iterable[str]) -> Rows:
    """One number per entity; a record without a value is an entity of its own."""
    numbers: dict[str | int, int] = {}
    return np.array([numbers.setdefault(cell or row, len(numbers)) for row, cell in enumerate(cells)], dtype=np.int64)


def _listed_pairs(table: Table, ids: Sequence[Mapping[str, int]]) -> Pairs:
    """Two columns of ids, or of row numbers from zero where the header says row_a, row_b; for two files the left one first."""
    if len(table.header) != 2:
        raise UnusableInput(f"{table.name} has {len(table.header)} columns; true pairs stand in two")
    numbered = all(_ROW.fullmatch(name) for name in table.header)
    known = [{str(row): row for row in names.values()} if numbered else names for names in ids]
    left = _rows_named(table, 0, known[0])
    right = _rows_named(table, 1, known[-1]) + (len(ids[0]) if len(ids) == 2 else 0)
    if (left == right).any():
        raise UnusableInput(f"{table.name}, row {int((left == right).argmax()) + 1}: a record paired with itself")
    return pairs_of(left, right)


def _rows_named(table: Table, place: int, known: Mapping[str, int]) -> Rows:
    rows = np.array([known.get(row[place], -1) for row in table.rows], dtype=np.int64)
    unknown = rows < 0
    if unknown.any():
        column = table.header[place]
        raise UnusableInput(
            f"{table.name}: {int(unknown.sum())} rows name no known record in column {column!r} (first: row {int(unknown.argmax()) + 1})"
        )
    return rows


def _columns(question: Question, tables: Sequence[Table]) -> dict[str, str]:
    """Attribute or identifier -> column, checked against declaration and files."""
    known = fields(question.domain)
    asked = question.columns
    if not asked:
        withheld = {question.id, question.entity}
        asked = {name: name for name in known if name not in withheld and all(name in table.header for table in tables)}
        if not asked:
            raise UnusableInput(f"no column is named like an attribute of {question.domain.name}: say --columns attribute=column,...")
    for name, column in asked.items():
        if name not in known:
            raise UnusableInput(f"{question.domain.name} has no attribute called {name!r}; there are {', '.join(known)}")
        if column == question.entity:
            raise UnusableInput(f"column {column!r} is the truth: it cannot be compared as {name}")
        for table in tables:
            table.column(column)
    return dict(asked)


def _not_compared(question: Question, tables: Sequence[Table], columns: Mapping[str, str]) -> Notes:
    """Columns that are named like nothing in the domain: whoever meant them must say what they are."""
    known = {question.id, question.entity, *columns.values()}
    return Counter({("not_compared", name): len(table.rows) for table in tables for name in table.header if name not in known})


def by_code(notes: Notes) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for (code, name), count in sorted(notes.items()):
        counts.setdefault(code, {})[name] = count
    return counts


def fields(domain: EntityType) -> list[str]:
    """What a column may be read as: the names of attributes, then of identifiers."""
    return [attribute.name for attribute in domain.attributes] + [rule.name for rule in domain.identifiers]


def read_records(domain: EntityType, table: Table, columns: Mapping[str, str], notes: Notes) -> list[dict[str, Value]]:
    """Per row what matching compares. What does not clean is absent and counted in `notes`."""
    cells = {name: table.column(column) for name, column in columns.items()}
    notes.update(("empty_column", name) for name, values in cells.items() if not any(values))
    rows = zip(*cells.values(), strict=True)
    return [_record(domain, {name: cell for name, cell in zip(cells, row, strict=True) if cell}, notes) for row in rows]


def _record(domain: EntityType, values: Mapping[str, str], notes: Notes) -> dict[str, Value]:
    """What matching compares; `keys` go, because rows of a file have no key that another system could mention."""
    standard = _standard(domain, values, notes)
    return {column: value for column, value in standard.columns.items() if column != "keys"}


def _standard(domain: EntityType, values: Mapping[str, str], notes: Notes) -> Standard:
    """Clean the values. One overlong cell must not stop a measurement: what is refused becomes absent."""
    systems = {rule.name: rule.system for rule in domain.identifiers}
    attributes = {name: value for name, value in values.items() if name not in systems}
    identifiers = [name for name in values if name in systems]
    delivery = Delivery(_SOURCE, "row", attributes, [(systems[name], values[name]) for name in identifiers])
    try:
        standard = standardise(domain, delivery, _DECLARED, complete=False)
    except InvalidRecord as error:
        refused = [(problem.code, _name(problem.pointer, identifiers)) for problem in error.problems]
        notes.update(refused)
        names = {name for _, name in refused}
        return _standard(domain, {name: value for name, value in values.items() if name not in names}, notes)
    notes.update((note.code, _name(note.pointer, identifiers)) for note in standard.notes)
    return standard


def _name(pointer: str, identifiers: Sequence[str]) -> str:
    """The attribute or identifier that a pointer into a delivery means."""
    _, part, step, *_ = pointer.split("/")
    return step if part == "attributes" else identifiers[int(step)]


class _Declared:
    """The identifier systems as declared, and one source of records: the file."""

    def resolve(self, name: str) -> str | None:
        return name if name in BY_CODE else None

    def value_type(self, code: str) -> ValueType:
        return BY_CODE[code].type

    def is_source(self, code: str) -> bool:
        return code == _SOURCE


_DECLARED = _Declared()
