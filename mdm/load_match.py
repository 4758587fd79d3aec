"""Who is who among the rows of a file and what is stored, found beside the database. Changes nothing.

Pairs come from who compares them: the bulk executor all of them (`mdm/load_bulk.py`), or those near a few rows (`mdm/load_near.py`).

It decides as a delivery does: the machine joins, it never parts what is published, and what people have said of pairs counts.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from matching.arrays import Bits, Flags, Rows, Weighed
from matching.cluster import limits_of
from matching.components import cluster_all, components
from matching.model import Model
from mdm.load_exclusive import Holders, shared
from mdm.load_verdicts import LINKED, NEW, REVIEW, UPDATED, Matched, Neighbours, Verdicts
from mdm.load_world import Entries, Others, World
from mdm.pile import NOBODY, Held, places_among
from mdm.stock import Told, told_among


class Pairs(Protocol):
    """The pairs that blocking found in a world, and the scores of any others."""

    def weigh(self, model: Model, floor: float) -> Weighed: ...

    def score(self, model: Model, left: Rows, right: Rows) -> Weighed:
        """Distinct pairs in ascending order, the smaller row left; the answer is in that order."""
        ...


Compare = Callable[[World], AbstractContextManager[Pairs]]


def match(model: Model, others: Others, entries: Entries, compare: Compare) -> Matched:
    """What every entry becomes, in the order of the file."""
    world = World.of(others.stock, entries)
    with compare(world) as pairs:
        weighed = pairs.weigh(model, model.thresholds.review)
        told = told_among(world.ids, others.judged)
        parts = _parts(world, weighed, told, model)
        units = _units(pairs, model, world, _near(world, weighed, parts), told)
    return _matched(world, weighed, told, _Grouped(units, parts), others.holders)


@dataclass(frozen=True, slots=True)
class _Grouped:
    """Of every record and row: which golden record, and which part, it belongs to."""

    units: Rows
    parts: Rows


def _parts(world: World, weighed: Weighed, told: Told, model: Model) -> Rows:
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


def _units(compared: Pairs, model: Model, world: World, near: Weighed, told: Told) -> Rows:
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
    named[met] = met[pc.sort_indices(world.names.take(pa.array(met))).to_numpy()]
    ranked[named] = np.arange(world.size, dtype=np.int64)
    return ranked, named


def _score_named(compared: Pairs, model: Model, named: Rows, left: Rows, right: Rows) -> Weighed:
    """Pairs by their other numbers, scored, in the order given."""
    low, high = np.minimum(named[left], named[right]), np.maximum(named[left], named[right])
    order = np.lexsort((high, low))
    found = compared.score(model, low[order], high[order])
    back = np.argsort(order)
    return Weighed(left, right, found.weights[back], found.vetoed[back])


def _with_said(pairs: Weighed, told: Told, world: World, clip: float) -> Weighed:
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


def _published(world: World, groups: Rows, told: Told) -> Rows:
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


def _matched(world: World, weighed: Weighed, told: Told, grouped: _Grouped, holders: Mapping[str, Holders]) -> Matched:
    units = grouped.units
    count = int(units.max(initial=-1)) + 1
    rows = world.entries.rows
    keeps = _keeps(world, units, count)
    crowded = _crowded(world, weighed, units, count)
    stands, known = rows.ids.is_valid().to_numpy(zero_copy_only=False), rows.golden_ids.is_valid().to_numpy(zero_copy_only=False)
    mine = units[world.places]
    goldens = keeps[mine]
    outcomes = np.where(stands & known, UPDATED, LINKED)
    founders = _founders(mine, (goldens == NOBODY) & (outcomes != UPDATED))
    outcomes[founders] = np.where(_open(weighed, told, units, count)[mine[founders]], REVIEW, NEW)
    alone = (goldens == NOBODY) & ~stands & ~crowded[mine] & ~world.entries.stripped
    weights = _best(world, weighed)[world.places]
    beside = np.where(outcomes == REVIEW, _beside(world, weighed, units, keeps), NOBODY)
    verdicts = Verdicts(world, outcomes, mine, grouped.parts[world.places], goldens, beside, weights, alone)
    claimed = {column: _shared(world, held, units, holders[column]) for column, held in world.entries.exclusive.items()}
    neighbours, false_links = Neighbours.of(world, weighed), _false_links(world, weighed, units)
    return Matched(verdicts, _merges(world, units), _pairs_of_rows(world, weighed), ~known, false_links, claimed, neighbours)


def _pairs_of_rows(world: World, weighed: Weighed) -> int:
    is_row = np.zeros(world.size, dtype=np.bool_)
    is_row[world.places] = True
    return int(np.count_nonzero(is_row[weighed.left] | is_row[weighed.right]))


def _founders(units: Rows, chosen: Flags) -> Rows:
    """Of each unit the first of the chosen rows."""
    rows = np.flatnonzero(chosen)
    return rows[np.unique(units[rows], return_index=True)[1]]


def _false_links(world: World, weighed: Weighed, units: Rows) -> float:
    mine = np.isin(units[weighed.left], units[world.places]) & (units[weighed.left] == units[weighed.right])
    return round(float((1 / (1 + np.exp2(weighed.weights[mine]))).sum()), 2)


def _keeps(world: World, units: Rows, count: int) -> Rows:
    """The oldest golden record of each unit."""
    keeps = np.full(count, len(world.golden_ids), dtype=np.int64)
    held = np.flatnonzero(world.goldens >= 0)
    np.minimum.at(keeps, units[held], world.goldens[held])
    keeps[keeps == len(world.golden_ids)] = NOBODY
    return keeps


def _open(weighed: Weighed, told: Told, units: Rows, count: int) -> Flags:
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


def _beside(world: World, weighed: Weighed, units: Rows, keeps: Rows) -> Rows:
    """Of each entry the golden record that is nearest to it, of those that it does not join."""
    mine, other = np.concatenate([weighed.left, weighed.right]), units[np.concatenate([weighed.right, weighed.left])]
    outside = (units[mine] != other) & (keeps[other] != NOBODY)
    order = np.argsort(np.concatenate([weighed.weights, weighed.weights])[outside], kind="stable")
    found = np.full(world.size, NOBODY, dtype=np.int64)
    found[mine[outside][order]] = keeps[other[outside][order]]  # the heaviest pair comes last
    return found[world.places]


def _crowded(world: World, weighed: Weighed, units: Rows, count: int) -> Flags:
    """Units that have a pair outside themselves, or a stripped row: what they are depends on others."""
    crowded = np.zeros(count, dtype=np.bool_)
    one, other = units[weighed.left], units[weighed.right]
    outside = one != other
    crowded[one[outside]] = crowded[other[outside]] = True
    crowded[units[world.places[world.entries.stripped]]] = True
    return crowded


def _merges(world: World, units: Rows) -> list[tuple[UUID, ...]]:
    """Stored golden records that come together because of rows of the file."""
    held = np.flatnonzero(world.goldens >= 0)
    touched = np.isin(units[held], units[world.places])
    both = np.unique(np.stack((units[held[touched]], world.goldens[held[touched]])), axis=1)
    several = both[:, np.bincount(both[0])[both[0]] > 1]
    found: dict[int, list[UUID]] = {}
    for unit, golden in zip(several[0].tolist(), world.goldens_of(several[1]), strict=True):
        if golden is not None:
            found.setdefault(unit, []).append(golden)
    return [tuple(goldens) for goldens in found.values()]


def _shared(world: World, held: Held, units: Rows, stored: Holders) -> Rows:
    """The rows that claim what somebody else has.

    Of a record for which a row stands, the row says what it has; one that is not in this world is of another unit than any row.
    """
    places = places_among(stored.ids, world.ids)
    is_far = places == NOBODY
    others = np.where(is_far, int(units.max(initial=-1)) + 1, units[np.maximum(places, 0)])
    stays = is_far | world.stays[np.maximum(places, 0)]
    kept = Holders(stored.ids.filter(pa.array(stays)), stored.values.filter(pa.array(stays)))
    return shared(held, units[world.places], kept, others[stays])
