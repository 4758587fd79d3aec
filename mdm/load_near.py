"""What stands near a few rows of a file, read from the database: with it alone they are matched as if everything were at hand.

A file of which little is new asks for candidates as a delivery does, and compares those that can come to `review` with the scorer of
deliveries. What can change who is who among its rows: these candidates, whoever shares a golden record with them or is joined to them by a
pair of `link` and more, and so on.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, LiteralString, TypeVar
from uuid import UUID

import numpy as np
from sqlalchemy.orm import Session

from matching.arrays import Rows, Weighed
from matching.model import Columns, Model
from matching.score import Scorer
from matching.sieve import Sieve
from mdm.candidates import limits, read_blocks
from mdm.db import array, fetch
from mdm.entity import EntityType
from mdm.guard import Shared, counted, without
from mdm.running import Run
from mdm.stock import StoredPair

FEW_MAX = 20_000
STOCK_PER_ROW = 20  # fewer stored records for each row, and comparing all of them in bulk is the quicker way
_ROWS = 500  # whose candidates are asked for at once
_RECORDS = 20_000  # stored ones, or keys, that one statement asks about

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entry:
    """A row on its way to matching, with its keys by rule; `stands_for`: the stored record whose next version it is."""

    no: int
    name: str
    columns: Columns
    keys: Mapping[int, str]
    identifiers: Mapping[str, Sequence[str]]
    stands_for: UUID | None
    golden_id: UUID | None


@dataclass(frozen=True, slots=True)
class Stock:
    """Active records, by row number: their ids, comparison columns, golden records, and names (system/key)."""

    ids: Sequence[UUID]
    columns: Sequence[Columns]
    golden_ids: Sequence[UUID]
    names: Sequence[str]

    def rows(self) -> Mapping[UUID, int]:
        return {record: row for row, record in enumerate(self.ids)}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """`candidates`: of each row, by its number, the stored records that may be one with it. `pairs`: stored ones, judged or not."""

    stock: Stock
    pairs: Sequence[StoredPair]
    candidates: Mapping[int, Sequence[UUID]]

    @property
    def judged(self) -> list[StoredPair]:
        return [pair for pair in self.pairs if pair.verdict is not None]


def few_max(session: Session, entity: EntityType) -> int:
    """So many rows at most are few: asking the database about them is quicker than comparing everything."""
    stored = fetch(session, "select count(*) from source_record where domain = %s and status = 'active'", (entity.name,))[0][0]
    return min(FEW_MAX, int(stored) // STOCK_PER_ROW)


def read_near(run: Run, entity: EntityType, scorer: Scorer, rows: Sequence[Entry], over: Shared) -> Surroundings:
    """Everything that may have a say about these rows, piece by piece: of ten thousand rows one transaction would outlast an effect.

    `over`: values that are nobody's evidence. The columns of the rows are without them.
    """
    candidates = _likely(run, entity, scorer, rows, over)
    standing = {row.stands_for for row in rows if row.stands_for is not None}
    found = _joined(run, {record for near in candidates.values() for record in near} | standing, scorer.model.thresholds.link)
    parts = [run.effect(partial(_stock, entity=entity, records=some)) for some in _pieces(sorted(found), _RECORDS)]
    stock = Stock(*([value for part in parts for value in part[place]] for place in range(4)))
    known = set(stock.ids)
    edges = (run.effect(partial(_edges, records=some)) for some in _pieces(stock.ids, _RECORDS))
    return Surroundings(stock, [pair for some in edges for pair in some if pair.high in known], candidates)


def _pieces(all_of_them: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (all_of_them[start : start + size] for start in range(0, len(all_of_them), size))


def _likely(run: Run, entity: EntityType, scorer: Scorer, rows: Sequence[Entry], over: Shared) -> dict[int, list[UUID]]:
    """Of the stored records that share a key with a row those that can be one with it, some in a hundred. Each is read once.

    A record for which a row stands is what that row says.
    """
    sharing = _sharing(run, scorer.model, rows)
    sieve, mine = Sieve(scorer), [row.columns for row in rows]
    anew = {row.stands_for.bytes: row.columns for row in rows if row.stands_for is not None}
    found: dict[int, list[UUID]] = {}
    for some in _pieces(sorted(sharing), _RECORDS):
        read = run.effect(partial(_columns, entity=entity, records=some))
        stored = [anew[some[place]] if some[place] in anew else without(each, over)[0] for place, each in read]
        pairs = [(row, len(mine) + number) for number, (place, _) in enumerate(read) for row in sharing[some[place]]]
        left, right = _as_pairs(pairs).T
        near = sieve.within_reach([*mine, *stored], left, right, scorer.model.thresholds.review)
        for row, number in zip(left[near].tolist(), right[near].tolist(), strict=True):
            found.setdefault(rows[row].no, []).append(UUID(bytes=some[read[number - len(mine)][0]]))
    return found


def _sharing(run: Run, model: Model, rows: Sequence[Entry]) -> dict[bytes, list[int]]:
    """The ids of stored records, as bytes, with the places of the rows that share a key with each."""
    found: dict[bytes, list[int]] = {}
    for start in range(0, len(rows), _ROWS):
        met = run.effect(partial(_candidates, model=model, rows=rows[start : start + _ROWS]))
        for row, records in enumerate(met, start):
            for record in records:
                found.setdefault(record, []).append(row)
    return found


def _candidates(session: Session, *, model: Model, rows: Sequence[Entry]) -> list[list[bytes]]:
    keys = {key: rule for row in rows for key, rule in row.keys.items()}
    blocks = read_blocks(session, keys, limits(model, keys))
    return [blocks.ranked(tuple(row.keys))[0] for row in rows]


def _columns(session: Session, *, entity: EntityType, records: Sequence[bytes]) -> list[tuple[int, Columns]]:
    """The columns of those records that are active, with the places of these among all."""
    return fetch(
        session,
        "select (w.n - 1)::int, r.columns from unnest(%s::uuid[]) with ordinality w(id, n) cross join lateral"
        " (select columns from source_record where id = w.id and domain = %s and status = 'active' offset 0) r",
        (array(each.hex() for each in records), entity.name),
    )


def _joined(run: Run, start: Collection[UUID], link: float) -> set[UUID]:
    """With all who share a golden record with them, or are joined to them, by any number of steps."""
    found: set[UUID] = set()
    fresh = set(start)
    while fresh:
        found |= fresh
        beside = (run.effect(partial(_beside, records=some, link=link)) for some in _pieces(sorted(fresh), _RECORDS))
        fresh = {record for some in beside for record in some} - found
    return found


def _beside(session: Session, *, records: Sequence[UUID], link: float) -> list[UUID]:
    return [row[0] for row in fetch(session, _BESIDE, {"records": array(records), "link": link})]


_BESIDE: LiteralString = (
    "with mine as materialized (select unnest(%(records)s::uuid[]) as id)"
    " select o.record_id from mine cross join lateral (select golden_id from link where record_id = mine.id and recorded_to is null"
    " offset 0) l cross join lateral (select record_id from link where golden_id = l.golden_id and recorded_to is null offset 0) o"
    " union select e.high from mine cross join lateral (select high from edge where low = mine.id and (weight >= %(link)s"
    " or verdict = 'same') offset 0) e"
    " union select e.low from mine cross join lateral (select low from edge where high = mine.id and (weight >= %(link)s"
    " or verdict = 'same') offset 0) e"
)


def _stock(session: Session, *, entity: EntityType, records: Sequence[UUID]) -> list[list[Any]]:
    """Ids, columns, golden records and names of active records, in the order of the ids."""
    rows = fetch(
        session,
        "select r.id, r.columns, l.golden_id, r.system || '/' || r.key from unnest(%s::uuid[]) w(id)"
        " cross join lateral (select id, columns, system, key from source_record"
        " where id = w.id and domain = %s and status = 'active' offset 0) r cross join lateral (select golden_id from link"
        " where record_id = r.id and recorded_to is null offset 0) l order by r.id",
        (array(records), entity.name),
    )
    return [[row[place] for row in rows] for place in range(4)]


def _edges(session: Session, *, records: Sequence[UUID]) -> list[StoredPair]:
    rows = fetch(
        session,
        "select e.low, e.high, e.weight, e.model_version, e.verdict from unnest(%s::uuid[]) w(id)"
        " cross join lateral (select * from edge where low = w.id offset 0) e",
        (array(records),),
    )
    return [StoredPair(*row) for row in rows]


def key_counts(run: Run, rows: Sequence[Entry]) -> dict[int, int]:
    """Of the keys by which guarded values of these rows are counted, those that stored records hold, and how many do."""
    keys = sorted({key for row in rows for key in counted(row.keys)})
    return {key: holders for some in _pieces(keys, _RECORDS) for key, holders in run.effect(partial(_counts, keys=some))}


def _counts(session: Session, *, keys: Sequence[int]) -> list[tuple[int, int]]:
    rows = fetch(
        session,
        "select k.key, m.holders from unnest(%s::bigint[]) k(key)"
        " cross join lateral (select count(*) as holders from match_key where key = k.key) m where m.holders > 0",
        (array(keys),),
    )
    return [(row[0], row[1]) for row in rows]


class Few:
    """The pairs of a small world, compared one by one with the scorer of deliveries."""

    def __init__(self, scorer: Scorer, columns: Sequence[Columns], left: Rows, right: Rows) -> None:
        self._scorer, self._columns, self._left, self._right = scorer, columns, left, right

    @classmethod
    def of(cls, scorer: Scorer, columns: Sequence[Columns], places: Rows, rows: Sequence[Entry], near: Surroundings) -> "Few":
        """Which pairs there are: each row with its candidates and with the other rows that share a key, and stored ones."""
        stored, is_row = near.stock.rows(), np.zeros(len(columns), dtype=np.bool_)
        is_row[places] = True
        known = _as_pairs([(stored[p.low], stored[p.high]) for p in near.pairs if p.low in stored and p.high in stored])
        met = ((place, near.candidates.get(row.no, ())) for row, place in zip(rows, places.tolist(), strict=True))
        candidates = _as_pairs([(place, stored[other]) for place, others in met for other in others if other in stored])
        pairs = np.concatenate([known[~is_row[known].any(axis=1)], candidates, _sharing_a_key(rows, places)])
        low, high = pairs.min(axis=1), pairs.max(axis=1)
        distinct = np.unique((low * len(columns) + high)[low != high])
        return cls(scorer, columns, *np.divmod(distinct, max(1, len(columns))))

    def weigh(self, _model: Model, floor: float) -> Weighed:
        """The pairs at or above `floor` bits."""
        near = Sieve(self._scorer).within_reach(self._columns, self._left, self._right, floor)
        found = [(a, b, self._scorer.total_from(*self._both(a, b), floor)) for a, b in self._each(self._left[near], self._right[near])]
        told = [(a, b, score.weight, bool(score.vetoes)) for a, b, score in found if score is not None]
        left, right, weights, vetoed = zip(*told, strict=True) if told else ((), (), (), ())
        return Weighed(
            np.array(left, dtype=np.int64),
            np.array(right, dtype=np.int64),
            np.array(weights, dtype=np.float64),
            np.array(vetoed, dtype=np.bool_),
        )

    def score(self, _model: Model, left: Rows, right: Rows) -> Weighed:
        """Any pairs, in the order given."""
        found = [self._scorer.score(*self._both(a, b)) for a, b in self._each(left, right)]
        weights = np.array([each.weight for each in found], dtype=np.float64)
        return Weighed(left, right, weights, np.array([bool(each.vetoes) for each in found], dtype=np.bool_))

    def _both(self, left: int, right: int) -> tuple[Columns, Columns]:
        return self._columns[left], self._columns[right]

    @staticmethod
    def _each(left: Rows, right: Rows) -> Sequence[tuple[int, int]]:
        return list(zip(left.tolist(), right.tolist(), strict=True))


def _as_pairs(found: Sequence[tuple[int, int]]) -> Rows:
    """An array [pairs, 2]."""
    return np.array(found, dtype=np.int64).reshape(-1, 2)


def _sharing_a_key(rows: Sequence[Entry], places: Rows) -> Rows:
    """[pairs, 2]: the places of rows two of which share a key, once for each that they share."""
    keys = np.array([key for row in rows for key in row.keys], dtype=np.int64)
    holders = np.repeat(places, [len(row.keys) for row in rows])
    order = np.argsort(keys, kind="stable")
    keys, holders = keys[order], holders[order]
    found, first, apart = [np.zeros((0, 2), dtype=np.int64)], np.arange(len(keys)), 1
    while len(first):  # each with the next one that holds its key, the next but one ...
        first = first[first + apart < len(keys)]
        first = first[keys[first] == keys[first + apart]]
        found.append(np.stack((holders[first], holders[first + apart]), axis=1))
        apart += 1
    return np.concatenate(found)
