"""Very many records as arrays, piece by piece as they come: an object for each would take four times the memory."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from matching.arrays import Flags, Rows
from matching.compare import Value
from matching.model import Columns, Model
from matching.table import Chunk, Records, Texts, chunk_of, chunk_of_columns, put_together

NOBODY = -1
Ids = Any  # an Arrow array of ids, 16 bytes each


@dataclass(frozen=True, slots=True)
class Held:
    """Who holds the values of a column: rows and values, one beside the other."""

    rows: Rows
    values: Any  # an Arrow array of texts


class Pile:
    """Records by row number: ids, golden records, names (system/key) and comparison columns; only columns called `names` are kept."""

    def __init__(self, names: Collection[str]) -> None:
        self.size = 0
        self._columns = sorted(names)
        self._chunks: list[Chunk] = []
        self._ids: list[Ids] = [ids_of(())]
        self._golden_ids: list[Ids] = [ids_of(())]
        self._names: list[Any] = []

    def add(self, ids: Iterable[UUID | None], columns: Sequence[Columns], golden_ids: Iterable[UUID | None], names: Sequence[str]) -> None:
        self.add_chunk(ids, chunk_of(self._columns, columns), golden_ids, names)

    def add_columns(
        self,
        ids: Iterable[UUID | None],
        columns: Mapping[str, Sequence[Value | None]],
        golden_ids: Iterable[UUID | None],
        names: Sequence[str],
    ) -> None:
        """The same of records that lie column by column."""
        mine = {name: columns[name] for name in self._columns if name in columns}
        self.add_chunk(ids, chunk_of_columns(len(names), mine), golden_ids, names)

    def add_chunk(self, ids: Iterable[UUID | None], chunk: Chunk, golden_ids: Iterable[UUID | None], names: Sequence[str]) -> None:
        """The same of records that are arrays already."""
        self.size += chunk.size
        self._chunks.append(chunk)
        self._ids.append(ids_of(ids))
        self._golden_ids.append(ids_of(golden_ids))
        self._names.append(pa.array(names, pa.string()))

    @property
    def ids(self) -> Ids:
        return pa.concat_arrays(self._ids)

    @property
    def golden_ids(self) -> Ids:
        return pa.concat_arrays(self._golden_ids)

    @property
    def names(self) -> Any:
        """An Arrow array of texts."""
        return pa.chunked_array(self._names, pa.string())

    def held(self, column: str) -> Held:
        rows, values, start = [np.zeros(0, dtype=np.int64)], [], 0
        for chunk in self._chunks:
            array = chunk.arrays.get(column)
            if array is not None:
                rows.append(start + _holders(array))
                values.append(_values(array))
            start += chunk.size
        return Held(np.concatenate(rows), pa.chunked_array(values, pa.string()))

    def strip(self, over: Mapping[str, Collection[str]]) -> Flags:
        """Take these values out; which records had one."""
        stripped = [np.zeros(0, dtype=np.bool_)]
        for place, chunk in enumerate(self._chunks):
            lost, arrays = np.zeros(chunk.size, dtype=np.bool_), dict(chunk.arrays)
            for column in over.keys() & arrays.keys():
                arrays[column], mine = _without(arrays[column], over[column])
                lost |= mine
            self._chunks[place] = Chunk(chunk.size, arrays, chunk.listed)
            stripped.append(lost)
        return np.concatenate(stripped)

    def records(self, model: Model) -> Records:
        """All of them for a model, by row number. The columns are gone from here."""
        return put_together(model, self.hand_over(), np.arange(self.size, dtype=np.int64))

    def hand_over(self, chosen: Flags | None = None) -> list[Chunk]:
        """The columns, of the chosen records where not of all. They are gone from here: whoever compares them holds them too."""
        chunks, self._chunks = self._chunks, []
        if chosen is None or chosen.all():
            return chunks
        ends = np.cumsum([chunk.size for chunk in chunks])[:-1]
        return [_chosen(chunk, mine) for chunk, mine in zip(chunks, np.split(chosen, ends), strict=True)]


def ids_of(ids: Iterable[UUID | None]) -> Ids:
    return pa.array([None if each is None else each.bytes for each in ids], pa.binary(16))


def as_uuid(id_: bytes) -> UUID:
    return UUID(bytes=id_)


def ids_from(packed: bytes) -> Ids:
    """The same of ids that lie one behind the other."""
    return pa.Array.from_buffers(pa.binary(16), len(packed) // 16, [None, pa.py_buffer(packed)])


def places_among(ids: Ids, among: Ids) -> Rows:
    """Where each id stands among others; NOBODY for one that does not, and for none."""
    return np.array(pc.index_in(ids, value_set=among).fill_null(NOBODY).to_numpy(), dtype=np.int64)


def _chosen(chunk: Chunk, mine: Flags) -> Chunk:
    mask = pa.array(mine)
    return Chunk(int(np.count_nonzero(mine)), {name: array.filter(mask) for name, array in chunk.arrays.items()}, chunk.listed)


def _holders(array: Texts) -> Rows:
    if pa.types.is_list(array.type):
        return np.asarray(pc.list_parent_indices(array).to_numpy(), dtype=np.int64)
    return np.flatnonzero(array.is_valid().to_numpy(zero_copy_only=False))


def _values(array: Texts) -> Any:
    return array.flatten() if pa.types.is_list(array.type) else array.drop_null()


def _without(array: Texts, over: Collection[str]) -> tuple[Texts, Flags]:
    """The column without these values, and who had one."""
    hit = pc.is_in(_values(array), value_set=pa.array(sorted(over), pa.string())).to_numpy(zero_copy_only=False)
    lost = np.zeros(len(array), dtype=np.bool_)
    lost[_holders(array)[hit]] = True
    if not pa.types.is_list(array.type):
        return pc.if_else(pa.array(lost), pa.scalar(None, pa.string()), array), lost
    if not lost.any():
        return array, lost
    kept = [[each for each in value if each not in over] if value else None for value in array.to_pylist()]
    return pa.array([value or None for value in kept], array.type), lost
