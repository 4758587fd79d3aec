"""Stored records and the rows of a file together, by number from 0: first the stored ones, then the rows that none of them stands for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from matching.arrays import Flags, Rows
from matching.model import Columns
from mdm.load_exclusive import Holders
from mdm.pile import NOBODY, Held, Ids, Pile, places_among
from mdm.stock import StoredPair


@dataclass(frozen=True, slots=True)
class Others:
    """What is stored: the records, the pairs of them that people have judged, and per column who holds what rows claim for themselves."""

    stock: Pile
    judged: Sequence[StoredPair]
    holders: Mapping[str, Holders]


@dataclass(frozen=True, slots=True)
class Entries:
    """The rows of a file as matching sees them.

    `ids` and `golden_ids` of the pile: the stored record whose next version a row is, with its golden record. `numbers`: in the file.
    `stripped`: a value of the row is held by too many. `exclusive`: who holds which identifiers that one entity has alone.
    """

    rows: Pile
    numbers: Rows
    stripped: Flags
    exclusive: Mapping[str, Held]


@dataclass(frozen=True, slots=True)
class World:
    """All records and rows: the golden record (a number, or NOBODY) and the name of each, by which ties are broken as in a delivery.

    `places`: where each entry stands. `golden_ids` by number: the smallest number is the oldest golden record.
    """

    entries: Entries
    places: Rows
    goldens: Rows
    golden_ids: Ids
    names: Any  # an Arrow array of texts
    ids: Ids  # of the stored records

    @classmethod
    def of(cls, stock: Pile, entries: Entries) -> "World":
        """The rows that stand for a stored record in its place, the others behind."""
        ids, rows = stock.ids, entries.rows
        places = places_among(rows.ids, ids)
        own = places == NOBODY
        places[own] = stock.size + np.arange(np.count_nonzero(own))
        golden_ids = pa.concat_arrays([stock.golden_ids, rows.golden_ids]).unique().drop_null()
        golden_ids = golden_ids.take(pc.sort_indices(golden_ids))
        goldens = np.concatenate([places_among(stock.golden_ids, golden_ids), places_among(rows.golden_ids, golden_ids)[own]])
        names = pa.chunked_array([*stock.names.chunks, *rows.names.filter(pa.array(own)).chunks], pa.string())
        return cls(entries, places, goldens, golden_ids, names, ids)

    @property
    def size(self) -> int:
        """Records and rows together."""
        return len(self.goldens)

    @property
    def stays(self) -> Flags:
        """Stored records for which no row of the file stands."""
        found = np.ones(self.size, dtype=np.bool_)
        found[self.places] = False
        return found

    def goldens_of(self, numbers: Rows) -> list[UUID | None]:
        """Golden records by their numbers; None for NOBODY."""
        found = self.golden_ids.take(pa.array(numbers, mask=numbers == NOBODY))
        return [None if each is None else UUID(bytes=each) for each in found.to_pylist()]

    def columns(self, stock: Sequence[Columns], rows: Sequence[Columns]) -> list[Columns]:
        """Everybody's columns in their places, where there are so few that they lie here one by one."""
        found = [*stock, *({} for _ in range(self.size - len(stock)))]
        for place, columns in zip(self.places.tolist(), rows, strict=True):
            found[place] = columns
        return found
