"""Who is who among the rows of a file and what is stored, found beside the database. Changes nothing.

Pairs come from who compares them: the bulk executor all of them (`mdm/load_bulk.py`), or those near a few rows (`mdm/load_near.py`).

It decides as a delivery does: the machine joins, it never parts what is published, and what people have said of pairs counts. Rows are
numbers from 0: first the stored records, then the rows that no stored record stands for.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol
from uuid import UUID

import numpy as np

from matching.arrays import Bits, Flags, Rows, Weighed
from matching.cluster import limits_of
from matching.components import cluster_all, components
from matching.model import Columns, Model
from mdm.stock import Stock, StoredPair

NOBODY = -1


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the file as matching sees it; `stands_for`: the stored record whose next version it is, with its golden record.

    `name`: system/key, by which ties are broken as in a delivery.
    """

    no: int
    name: str
    columns: Columns
    stands_for: UUID | None = None
    golden_id: UUID | None = None
    stripped: bool = False  # a value of it is held by too many


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a row. `unit`: rows of one number become, or join, one golden record. `alone`: nothing stored is near it.

    `part`: rows of one number are joined by pairs of `link` and more, vetoed or not, or by golden records: each has a say about the others.
    """

    outcome: str
    unit: int
    part: int
    golden_id: UUID | None
    weight: float | None
    alone: bool


@dataclass(frozen=True, slots=True)
class Matched:
    """What becomes of the rows, by their number in the file.

    `merges`: stored golden records that rows bring together. `fresh`: the verdicts of rows that no golden record knew. `shared`: per
    column, rows of different entities that claim one exclusive identifier.
    """

    verdicts: Mapping[int, Verdict]
    merges: Sequence[tuple[UUID, ...]]
    pairs: int
    fresh: Sequence[Verdict]
    expected_false_links: float
    shared: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Others:
    """What is stored: the records, and the pairs of them that people have judged."""

    stock: Stock
    judged: Sequence[StoredPair]


class Pairs(Protocol):
    """The pairs that blocking found in a world, and the scores of any others."""

    def weigh(self, model: Model, floor: float) -> Weighed: ...

    def score(self, model: Model, left: Rows, right: Rows) -> Weighed:
        """Distinct pairs in ascending order, the smaller row left; the answer is in that order."""
        ...


Compare = Callable[["World"], AbstractContextManager[Pairs]]


def match(model: Model, others: Others, entries: Sequence[Entry], exclusive: Sequence[str], compare: Compare) -> Matched:
    """What every entry becomes, in the order of the file; `exclusive`: columns of identifiers that one entity has alone."""
    world = World.of(others.stock, entries)
    with compare(world) as pairs:
        weighed = pairs.weigh(model, model.thresholds.review)
        told = _told(world, others.judged)
        parts = _parts(world, weighed, told, model)
        units = _units(pairs, model, world, _near(world, weighed, parts), told)
    return _matched(world, weighed, told, _Grouped(units, parts), exclusive)


@dataclass(frozen=True, slots=True)
class _Grouped:
    """Of every record and row: which golden record, and which part, it belongs to."""

    units: Rows
    parts: Rows


@dataclass(frozen=True, slots=True)
class World:
    """Stored records and rows together: columns and golden record (a number, or NOBODY) of each, and where each entry stands."""

    columns: Sequence[Columns]
    goldens: Rows
    golden_ids: Sequence[UUID]
    entries: Sequence[Entry]
    places: Rows
    rows: Mapping[UUID, int]
    names: Sequence[str]

    @classmethod
    def of(cls, stock: Stock, entries: Sequence[Entry]) -> "World":
        """The rows that stand for a stored record in its place, the others behind."""
        columns, rows, names = list(stock.columns), dict(stock.rows()), list(stock.names)
        # Sorted, so that the smallest number is the oldest golden record
        golden_ids = sorted({*stock.golden_ids, *(e.golden_id for e in entries if e.golden_id is not None)})
        number = {golden: n for n, golden in enumerate(golden_ids)}
        goldens = [number[golden] for golden in stock.golden_ids]
        places = []
        for entry in entries:
            place = None if entry.stands_for is None else rows.get(entry.stands_for)
            if place is None:
                place = len(columns)
                columns.append(entry.columns)
                names.append(entry.name)
                goldens.append(NOBODY if entry.golden_id is None else number[entry.golden_id])
            columns[place] = entry.columns
            places.append(place)
        return cls(columns, np.array(goldens, dtype=np.int64), golden_ids, entries, np.array(places, dtype=np.int64), rows, names)

    @property
    def size(self) -> int:
        """Records and rows together."""
        return len(self.columns)


@dataclass(frozen=True, slots=True)
class _Told:
    """Pairs that people have judged, of which both records are here."""

    left: Rows
    right: Rows
    same: Flags

    def of(self, weighed: Weighed, size: int) -> tuple[Flags, Flags]:
        """Which of these pairs people called the same, which different."""
        codes = weighed.left * size + weighed.right
        mine = self.left * size + self.right
        return np.isin(codes, mine[self.same]), np.isin(codes, mine[~self.same])


def _told(world: World, judged: Sequence[StoredPair]) -> _Told:
    known = [
        (*sorted((world.rows[p.low], world.rows[p.high])), p.verdict == "same")
        for p in judged
        if p.verdict is not None and p.low in world.rows and p.high in world.rows
    ]
    left, right, same = zip(*known, strict=True) if known else ((), (), ())
    return _Told(np.array(left, dtype=np.int64), np.array(right, dtype=np.int64), np.array(same, dtype=np.bool_))


def _parts(world: World, weighed: Weighed, told: _Told, model: Model) -> Rows:
    """One number per row, the same for rows that a pair of `link` and more, a person's *same* or a golden record joins, by any steps."""
    link = weighed.weights >= model.thresholds.link
    first_of_golden = np.full(len(world.golden_ids) + 1, NOBODY, dtype=np.int64)
    held = np.flatnonzero(world.goldens >= 0)
    first_of_golden[world.goldens[held][::-1]] = held[::-1]
    left = np.concatenate([weighed.left[link], told.left[told.same], held])
    right = np.concatenate([weighed.right[link], told.right[told.same], first_of_golden[world.goldens[held]]])
    return components(left, right, world.size)


def _near(world: World, weighed: Weighed, parts: Rows) -> Weighed:
    """The pairs of those parts that a row of the file belongs to; the others are as they were."""
    mine = np.zeros(int(parts.max(initial=-1)) + 1, dtype=np.bool_)
    mine[parts[world.places]] = True
    return weighed.where(mine[parts[weighed.left]] & mine[parts[weighed.right]])


def _units(compared: Pairs, model: Model, world: World, near: Weighed, told: _Told) -> Rows:
    """One number per row, the same for rows that share a golden record in the end."""
    same, different = told.of(near, world.size)
    weights = np.where(same, model.clip, near.weights)
    vetoed = (near.vetoed & ~same) | different
    pairs = _with_said(replace(near, weights=weights, vetoed=vetoed), told, world, model.clip)
    ranked, named = _by_name(world, pairs)
    score = partial(_score_named, compared, model, named)
    groups = cluster_all(world.size, replace(pairs, left=ranked[pairs.left], right=ranked[pairs.right]), limits_of(model), score).groups
    return _published(world, groups[ranked], told)


def _by_name(world: World, pairs: Weighed) -> tuple[Rows, Rows]:
    """Another number for every row that a pair has, so that these stand in the order of their names; and the way back."""
    met = np.union1d(pairs.left, pairs.right)
    ranked = np.arange(world.size, dtype=np.int64)
    named = ranked.copy()
    named[met] = np.array(sorted(met.tolist(), key=world.names.__getitem__), dtype=np.int64)
    ranked[named] = np.arange(world.size, dtype=np.int64)
    return ranked, named


def _score_named(compared: Pairs, model: Model, named: Rows, left: Rows, right: Rows) -> Weighed:
    """Pairs by their other numbers, scored, in the order given."""
    low, high = np.minimum(named[left], named[right]), np.maximum(named[left], named[right])
    order = np.lexsort((high, low))
    found = compared.score(model, low[order], high[order])
    back = np.argsort(order)
    return Weighed(left, right, found.weights[back], found.vetoed[back])


def _with_said(pairs: Weighed, told: _Told, world: World, clip: float) -> Weighed:
    """With the pairs that people called the same and that the evidence never met."""
    codes = pairs.left * world.size + pairs.right
    unmet = told.same & ~np.isin(told.left * world.size + told.right, codes)
    if not unmet.any():
        return pairs
    count = int(unmet.sum())
    return Weighed(
        np.concatenate([pairs.left, told.left[unmet]]),
        np.concatenate([pairs.right, told.right[unmet]]),
        np.concatenate([pairs.weights, np.full(count, clip)]),
        np.concatenate([pairs.vetoed, np.zeros(count, dtype=np.bool_)]),
    )


def _published(world: World, groups: Rows, told: _Told) -> Rows:
    """Golden records that the clusters would part stay whole, by themselves; a person is asked about the cut."""
    held = np.flatnonzero(world.goldens >= 0)
    both = np.unique(np.stack((world.goldens[held], groups[held])), axis=1)
    torn = np.bincount(both[0], minlength=len(world.golden_ids) + 1) > 1
    whole = np.zeros(world.size, dtype=np.bool_)
    whole[held] = torn[world.goldens[held]]
    units = groups.copy()
    units[whole] = world.size + world.goldens[whole]
    again = told.same & (whole[told.left] | whole[told.right])
    if again.any():
        joined = components(units[told.left[again]], units[told.right[again]], int(units.max()) + 1)
        units = joined[units]
    return np.asarray(np.unique(units, return_inverse=True)[1], dtype=np.int64)


def _matched(world: World, weighed: Weighed, told: _Told, grouped: _Grouped, exclusive: Sequence[str]) -> Matched:
    units = grouped.units
    count = int(units.max(initial=-1)) + 1
    keeps = _keeps(world, units, count)
    is_open = _open(weighed, told, units, count)
    best = _best(world, weighed)
    crowded = _crowded(world, weighed, units, count)
    verdicts: dict[int, Verdict] = {}
    founded: set[int] = set()
    for entry, place in zip(world.entries, world.places.tolist(), strict=True):
        unit = int(units[place])
        golden = None if keeps[unit] == NOBODY else world.golden_ids[keeps[unit]]
        weight = None if best[place] == -np.inf else float(best[place])
        if entry.stands_for is not None and entry.golden_id is not None:
            outcome = "updated"
        elif golden is not None or unit in founded:
            outcome = "linked"
        else:
            founded.add(unit)
            outcome = "review" if is_open[unit] else "new"
        alone = golden is None and entry.stands_for is None and not crowded[unit] and not entry.stripped
        verdicts[entry.no] = Verdict(outcome, unit, int(grouped.parts[place]), golden, weight, alone)
    fresh = [verdicts[entry.no] for entry in world.entries if entry.golden_id is None]
    mine = np.isin(units[weighed.left], units[world.places]) & (units[weighed.left] == units[weighed.right])
    false_links = float((1 / (1 + np.exp2(weighed.weights[mine]))).sum())
    shared = {column: _shared(world, units, column) for column in exclusive}
    return Matched(verdicts, _merges(world, units), len(weighed.left), fresh, round(false_links, 2), shared)


def _keeps(world: World, units: Rows, count: int) -> Rows:
    """The oldest golden record of each unit."""
    keeps = np.full(count, len(world.golden_ids), dtype=np.int64)
    held = np.flatnonzero(world.goldens >= 0)
    np.minimum.at(keeps, units[held], world.goldens[held])
    keeps[keeps == len(world.golden_ids)] = NOBODY
    return keeps


def _open(weighed: Weighed, told: _Told, units: Rows, count: int) -> Flags:
    """Units about which a person will be asked: a pair of theirs leads to another unit, and nobody has judged between the two."""
    one, other = units[weighed.left], units[weighed.right]
    between = one != other
    low, high = np.minimum(one, other), np.maximum(one, other)
    said = np.minimum(units[told.left], units[told.right]) * count + np.maximum(units[told.left], units[told.right])
    asked = between & ~np.isin(low * count + high, said)
    is_open = np.zeros(count, dtype=np.bool_)
    is_open[one[asked]] = is_open[other[asked]] = True
    return is_open


def _best(world: World, weighed: Weighed) -> Bits:
    best = np.full(world.size, -np.inf)
    np.maximum.at(best, weighed.left, weighed.weights)
    np.maximum.at(best, weighed.right, weighed.weights)
    return best


def _crowded(world: World, weighed: Weighed, units: Rows, count: int) -> Flags:
    """Units that have a pair outside themselves, or a stripped row: what they are depends on others."""
    crowded = np.zeros(count, dtype=np.bool_)
    one, other = units[weighed.left], units[weighed.right]
    outside = one != other
    crowded[one[outside]] = crowded[other[outside]] = True
    stripped = [place for entry, place in zip(world.entries, world.places.tolist(), strict=True) if entry.stripped]
    crowded[units[stripped]] = True
    return crowded


def _merges(world: World, units: Rows) -> list[tuple[UUID, ...]]:
    """Stored golden records that come together because of rows of the file."""
    held = np.flatnonzero(world.goldens >= 0)
    touched = np.isin(units[held], units[world.places])
    both = np.unique(np.stack((units[held[touched]], world.goldens[held[touched]])), axis=1)
    found: dict[int, list[UUID]] = {}
    for unit, golden in both.T.tolist():
        found.setdefault(unit, []).append(world.golden_ids[golden])
    return [tuple(goldens) for goldens in found.values() if len(goldens) > 1]


def _shared(world: World, units: Rows, column: str) -> int:
    """Rows of the file whose value of this column a row of another unit has too."""
    holders: dict[str, set[int]] = {}
    held: list[str] = []
    for entry, place in zip(world.entries, world.places.tolist(), strict=True):
        value = entry.columns.get(column, ())
        for text in (value,) if isinstance(value, str) else value:
            holders.setdefault(text, set()).add(int(units[place]))
            held.append(text)
    return sum(len(holders[text]) > 1 for text in held)
