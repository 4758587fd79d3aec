"""Records as a table: one column of texts or of lists per comparison column, and a row number that stands for the record.

Very many records come chunk by chunk, and stay arrays from the first: an object for each takes four times the memory.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from matching.arrays import Rows
from matching.compare import Value
from matching.model import Columns, Model

Texts = Any  # an Arrow array of texts, or of lists of texts, null where a record has no value


@dataclass(frozen=True, slots=True)
class Layout:
    """Which columns the table has (one that no record fills is absent), and which of them hold lists, which ones also as a packed text.

    `listed`: those whose values came as lists, though perhaps none of two.
    """

    columns: frozenset[str]
    lists: frozenset[str]
    packed: frozenset[str] = frozenset()
    listed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Records:
    """The records of one run, by row number: as a table `n, column, column ...`, and one by one, for measures without a form in SQL."""

    table: pa.Table
    layout: Layout
    columns: Sequence[Columns]

    def values(self, column: str) -> Sequence[Value]:
        """The values that records have in a column, as they came."""
        if column not in self.layout.columns:
            return ()
        found = self.table[field(column)].drop_null().to_pylist()
        return [(value,) if isinstance(value, str) else tuple(value) for value in found] if column in self.layout.listed else found


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some records by column; one that none of them fills is absent. `listed`: columns whose values came as lists."""

    size: int
    arrays: Mapping[str, Texts]
    listed: frozenset[str] = frozenset()


def field(column: str) -> str:
    """A comparison column's name in the table."""
    return column.replace(".", "__")


def lay_out(model: Model, records: Sequence[Columns]) -> Records:
    """The model's columns as a table."""
    table, layout = _table(model, [chunk_of(model.columns, records)], np.arange(len(records), dtype=np.int64))
    return Records(table, layout, records)


def put_together(model: Model, chunks: Sequence[Chunk], numbers: Rows) -> Records:
    """The model's columns of all chunks as a table; `numbers`: the row number of each record."""
    table, layout = _table(model, chunks, numbers)
    return Records(table, layout, _OneByOne(table, layout.columns))


def chunk_of(names: Collection[str], records: Sequence[Columns]) -> Chunk:
    """These columns of some records."""
    return chunk_of_columns(len(records), {name: [record.get(name) for record in records] for name in names})


def chunk_of_columns(size: int, columns: Mapping[str, Sequence[Value | None]]) -> Chunk:
    """So many records that lie column by column.

    A column of lists none of which has two values is laid out as texts: they compare many times faster.
    """
    arrays, listed = {}, set()
    for name, values in columns.items():
        kinds = {*map(type, values)} - {NoneType}
        if kinds:
            arrays[name] = pa.array(values, pa.string()) if kinds == {str} else _listed(values)
        if kinds - {str}:
            listed.add(name)
    return Chunk(size, arrays, frozenset(listed))


def _listed(values: Sequence[Value | None]) -> Texts:
    lists = [_as_list(value) for value in values]
    if max(map(len, filter(None, lists))) > 1:
        return pa.array(lists, pa.list_(pa.string()))
    return pa.array([each and each[0] for each in lists], pa.string())


def compact(array: Texts) -> Texts:
    """The texts themselves, where no list has two."""
    return array if _has_lists(array) else _texts(array)


def _as_list(value: Value | None) -> Sequence[str] | None:
    return [value] if isinstance(value, str) else value


def _table(model: Model, chunks: Sequence[Chunk], numbers: Rows) -> tuple[pa.Table, Layout]:
    arrays: dict[str, Any] = {"n": pa.array(numbers)}
    columns, lists = set(), set()
    for column in sorted(model.columns):
        found = [chunk.arrays.get(column) for chunk in chunks]
        if all(array is None or array.null_count == len(array) for array in found):
            continue
        columns.add(column)
        if any(_has_lists(array) for array in found):
            lists.add(column)
        kind, cast = (pa.list_(pa.string()), _lists) if column in lists else (pa.string(), _texts)
        parts = [pa.nulls(chunk.size, kind) if array is None else cast(array) for chunk, array in zip(chunks, found, strict=True)]
        arrays[field(column)] = pa.chunked_array(parts, kind)
    listed = frozenset[str]().union(*(chunk.listed for chunk in chunks))
    return pa.table(arrays), Layout(frozenset(columns), frozenset(lists), listed=listed)


def _has_lists(array: Texts | None) -> bool:
    """Whether a record has two values."""
    return array is not None and pa.types.is_list(array.type) and (pc.max(pc.list_value_length(array)).as_py() or 0) > 1


def _lists(array: Texts) -> Texts:
    if pa.types.is_list(array.type):
        return array
    ends = np.concatenate(([0], np.cumsum(array.is_valid().to_numpy(zero_copy_only=False))))
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), array.drop_null(), mask=array.is_null())


def _texts(array: Texts) -> Texts:
    return pc.list_element(array, 0) if pa.types.is_list(array.type) else array


class _OneByOne(Sequence[Columns]):
    """The records of a table by row number. A column is read when somebody asks for it first: most are compared in SQL alone."""

    def __init__(self, table: pa.Table, names: Collection[str]) -> None:
        self.names = names
        self._table = table
        self._places = np.argsort(table["n"].to_numpy())
        self._read: dict[str, Sequence[Value | None]] = {}

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __getitem__(self, row: Any) -> Any:
        return _One(self, int(self._places[row]))

    def value(self, column: str, place: int) -> Value | None:
        found = self._read.get(column)
        if found is None:
            values = self._table[field(column)].to_pylist() if column in self.names else [None] * len(self)
            found = self._read[column] = [tuple(value) if value.__class__ is list else value for value in values]
        return found[place]


class _One(Mapping[str, Value]):
    """One record of a table; reads as the mapping that it was laid out from."""

    __slots__ = ("_place", "_records")

    def __init__(self, records: _OneByOne, place: int) -> None:
        self._records, self._place = records, place

    def __getitem__(self, name: str) -> Value:
        value = self._records.value(name, self._place)
        if value is None:
            raise KeyError(name)
        return value

    def get(self, name: str, default: Any = None) -> Any:
        """As of any mapping, and quicker than what a mapping does."""
        value = self._records.value(name, self._place)
        return default if value is None else value

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._records.names if self.get(name) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)
