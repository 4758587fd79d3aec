"""What becomes of the rows of a file, as arrays: a million of them are asked about piece by piece."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
import pyarrow as pa

from matching.arrays import Bits, Flags, Rows, Weighed
from mdm.load_rows import Near
from mdm.load_world import World
from mdm.pile import NOBODY

DECIDED = ("new", "linked", "review", "updated")
NEW, LINKED, REVIEW, UPDATED = range(len(DECIDED))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a row. `unit`: rows of one number become, or join, one golden record. `alone`: nothing stored is near it.

    `part`: rows of one number are joined by pairs of `link` and more, vetoed or not, or by golden records: each has a say about the others.
    `beside`: of a row that a person is asked about, the nearest golden record that it does not join.
    """

    outcome: str
    unit: int
    part: int
    golden_id: UUID | None
    beside: UUID | None
    weight: float | None
    alone: bool


@dataclass(frozen=True, slots=True, eq=False)
class Verdicts(Mapping[int, Verdict]):
    """The verdicts by the number of the row in its file; in the arrays they stand in the order of the world's entries.

    `outcomes`: places in `DECIDED`. `goldens`, `beside`: of the world, or NOBODY. `weights`: minus infinity where a row has no pair.
    """

    world: World
    outcomes: Rows
    units: Rows
    parts: Rows
    goldens: Rows
    beside: Rows
    weights: Bits
    alone: Flags

    def __getitem__(self, number: int) -> Verdict:
        rows = self.rows_of([number])
        if rows[0] == NOBODY:
            raise KeyError(number)
        row, ((golden, weight),) = int(rows[0]), self.near(rows)
        return Verdict(
            DECIDED[self.outcomes[row]],
            int(self.units[row]),
            int(self.parts[row]),
            golden,
            self.world.goldens_of(self.beside[rows])[0],
            None if weight == -np.inf else weight,
            bool(self.alone[row]),
        )

    def __iter__(self) -> Iterator[int]:
        return iter(self.world.entries.numbers.tolist())

    def __len__(self) -> int:
        return len(self.outcomes)

    def rows_of(self, numbers: Sequence[int]) -> Rows:
        """Where the verdicts on these rows of the file stand; NOBODY where there is none."""
        known = self.world.entries.numbers
        found = np.searchsorted(known, numbers)
        rows = np.minimum(found, len(known) - 1)
        return np.where(known[rows] == numbers, rows, NOBODY) if len(known) else np.full(len(numbers), NOBODY)

    def near(self, rows: Rows) -> Iterator[tuple[UUID | None, float]]:
        """The golden record that each row joins, and its greatest weight."""
        return zip(self.world.goldens_of(self.goldens[rows]), self.weights[rows].tolist(), strict=True)


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """Whoever may be one with a row, by a pair that a person would be asked about or a heavier one.

    `places`: in the world, those of the first entry, of the second ... `ends`: where each entry's end. `entries`: who stands in a place.
    """

    world: World
    places: Rows
    ends: Rows
    entries: Rows

    @classmethod
    def of(cls, world: World, weighed: Weighed) -> "Neighbours":
        entries = np.full(world.size, NOBODY, dtype=np.int64)
        entries[world.places] = np.arange(len(world.places))
        mine, other = np.concatenate([weighed.left, weighed.right]), np.concatenate([weighed.right, weighed.left])
        rows = entries[mine]
        order = np.argsort(rows, kind="stable")[np.count_nonzero(rows == NOBODY) :]
        ends = np.searchsorted(rows[order], np.arange(len(world.places)), side="right")
        return cls(world, other[order], ends, entries)

    def near(self, row: int) -> Near | None:
        """Of one entry; None where it is not known: a row of which too many hold a value is delivered with that value."""
        if row == NOBODY or self.world.entries.stripped[row]:
            return None
        found = self.places[self.ends[row - 1] if row else 0 : self.ends[row]]
        is_stored = found < len(self.world.ids)
        records = self.world.ids.take(pa.array(found[is_stored])).to_pylist()
        return Near([UUID(bytes=each) for each in records], self.world.entries.numbers[self.entries[found[~is_stored]]].tolist())


@dataclass(frozen=True, slots=True)
class Matched:
    """What becomes of the rows.

    `merges`: stored golden records that rows bring together. `pairs`: how many of `review` bits and more rows of the file have. `fresh`:
    which verdicts are of rows that no golden record knew. `shared`: per column, the rows (as the verdicts stand) that claim an exclusive
    identifier of somebody else, who is in the file or stored.
    """

    verdicts: Verdicts
    merges: Sequence[tuple[UUID, ...]]
    pairs: int
    fresh: Flags
    expected_false_links: float
    shared: Mapping[str, Rows]
    neighbours: Neighbours
