"""The bulk executor: many records at once, by Splink on DuckDB, from the same model as the online scorer.

Records -> blocking keys -> distinct pairs, chunk by chunk -> the level every comparison meets -> weights. Compared once, the pairs can be
weighed again and again (training changes weights, never levels). Memory is bounded: pairs are compared in chunks, tables spill to disk.
Who names a floor when blocking has only those pairs compared that may reach it (`matching.reach`), and no others are kept. Who knows what
is to be known of most records already says so (`Settled`): a file among many stored ones costs what its own pairs cost.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from duckdb.func import ARROW

from matching.arrays import Flags, Levels, Rows, Weighed
from matching.comparer import Comparer, comparer
from matching.drawn import random_pairs
from matching.frequency import Frequency
from matching.keys import keys_sql
from matching.model import HOLDERS_MAX, Columns, Model, Test
from matching.patterns import Patterns
from matching.reach import quick_settings, reach_sql
from matching.score import take
from matching.sql import function, is_native, level_columns, levels_settings, packed_sql, vetoed_sql, weight_sql
from matching.table import Records, field

CHUNK_PAIRS = 5_000_000
QUICK_FROM = 100_000  # keys held; below, all tests take less time than a second comparer takes to make
RANDOM_PAIRS = 1_000_000
RANDOM_PAIRS_SLOW = 100_000  # where a measure runs in Python
_MEMO_MAX = 65_536  # pairs: DuckDB asks for all levels of some thousand pairs before it goes on
_ROUNDING = 1e-9  # bits; sums in another order differ by far less


@dataclass(frozen=True, slots=True)
class Room:
    """What the executor may use: memory as DuckDB writes it ("4GB"), beyond which it spills to disk, and threads."""

    memory: str = "4GB"
    threads: int = 2


@dataclass(frozen=True, slots=True)
class Blocked:
    """What blocking found: distinct pairs, and per rule how many keys had too many holders and were narrowed or, `left_out`, given up."""

    pairs: int
    over_full: Mapping[str, int]
    left_out: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Settled:
    """Records among which nothing is to be found any more, and the pairs of them that count: distinct, the smaller row left."""

    records: Flags
    left: Rows
    right: Rows


@contextmanager
def bulk(model: Model, records: Records, *, second: int | None = None, settled: Settled | None = None, room: Room) -> Iterator["Bulk"]:
    """Records made ready to compare, by row number.

    With `second` the records from that row on are another set, and only pairs across the two count. Raises Full.
    """
    with _said_full(), TemporaryDirectory(prefix="concord-bulk-") as spill, duckdb.connect() as connection:
        connection.execute(f"set memory_limit = '{room.memory}'")
        connection.execute(f"set threads = {room.threads}")
        connection.execute(f"set temp_directory = '{spill}'")
        connection.execute("set preserve_insertion_order = false")
        made = Bulk(connection, model, records, second)
        if settled is not None:
            made.settle(settled)
        del records  # their table is in the database now; of a million it takes a third of a gigabyte
        pa.default_memory_pool().release_unused()
        yield made


class Full(OSError):
    """The disk has no room for what memory cannot hold."""


@contextmanager
def _said_full() -> Iterator[None]:
    try:
        yield
    except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
        if "No space left" in str(error) or "max_temp_directory_size" in str(error):
            raise Full from error
        raise


class Bulk:
    """One set of records in DuckDB, or two, with the pairs compared so far."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, model: Model, records: Records, second: int | None) -> None:
        self._db = connection
        self.model = model
        self.size = records.table.num_rows
        self._layout = replace(records.layout, packed=records.layout.lists)
        self._second = second
        self._db.register("incoming", records.table)
        packed = "".join(f", {packed_sql(column)}" for column in sorted(self._layout.packed))
        self._db.execute(f"create table record as select *{packed} from incoming")
        self._db.unregister("incoming")
        self._register_measures(records.columns)
        self._levels_of = comparer(self._db, levels_settings(model, self._layout))
        self._floor = -inf  # whoever cannot reach it was left out
        self._is_settled = False
        self._make("pair")

    @property
    def possible(self) -> float:
        """How many pairs there could be."""
        if self._second is None:
            return float(self.size * (self.size - 1) // 2)
        return float(self._second * (self.size - self._second))

    def _levels(self, suffix: str = "") -> str:
        return ", ".join(f"c{place} {suffix}".strip() for place in range(len(self.model.comparisons)))

    def _make(self, table: str) -> None:
        """An empty table of compared pairs, in the place of one of that name."""
        self._db.execute(f"create or replace table {table} (l bigint, r bigint, vetoed boolean, {self._levels('tinyint')})")

    def _register_measures(self, records: Sequence[Columns]) -> None:
        """The online scorer's own functions, for measures without a form in SQL."""
        tests = {
            function(test): test
            for comparison in self.model.comparisons
            for level in comparison.levels
            for test in level.any_of
            if not is_native(test)
        }
        for name, test in tests.items():
            measure = _measure(self.model, test, records)
            self._db.create_function(name, measure, ["BIGINT", "BIGINT"], "DOUBLE", type=ARROW)
        self._is_native = not tests

    def settle(self, settled: Settled) -> None:
        """Have only those pairs found that have a record which is not among these; called before `block`."""
        self._is_settled = True
        self._db.register("said", pa.table({"n": np.flatnonzero(~settled.records)}))
        self._db.execute("create table fresh as select n from said")
        self._db.register("said", pa.table({"join_key_l": settled.left, "join_key_r": settled.right}))
        self._db.execute("create table settled as select * from said")
        self._db.unregister("said")

    def block(self, floor: float = -inf) -> Blocked:
        """Find the pairs to compare and compare them; called once.

        Whoever will ask for weights by this very model from a floor on, and for nothing else, says so: most pairs soon cannot reach it.
        """
        self._db.execute("create table held as " + keys_sql(self.model, self._layout))
        self._db.execute(
            "create table block as select key, any_value(rule) rule, least(any_value(most), ?) most, count(*) holders from held"
            " group by key having count(*) > 1",
            [HOLDERS_MAX],
        )
        self._narrow()
        over = self._counts("select [rule], count(*) from block where holders > most group by all")
        left_out = self._counts("select [rule, other], count(*) from block_narrow where holders > most group by all")
        self._db.execute(
            f"create table follow as select key, n, {'n in (select n from fresh)' if self._is_settled else 'true'} as fresh from ("
            "select h.key, h.n from held h join block b using (key) where b.holders <= b.most"
            " union all select h.key, h.n from held_narrow h join block_narrow b using (key) where b.holders between 2 and b.most)"
        )
        for done in ("held", "block", "crowd", "held_narrow", "block_narrow"):
            self._db.execute(f"drop table {done}")  # nobody asks for it again, and the pairs need the room
        if self._is_settled:
            self._db.execute("create or replace table follow as select * from follow where key in (select key from follow where fresh)")
        chunks = self._chunks()
        if floor > -inf and (len(chunks) > 1 or self._one("select count(*) from follow") >= QUICK_FROM):
            self._floor = floor
            found = self._compare_within_reach(chunks)
        else:
            found = sum(self._compare(self._pairs_between(low, high)) for low, high in chunks)
            if self._is_settled:
                self._compare("from settled")
        return Blocked(found, over, left_out)

    def _narrow(self) -> None:
        """Two keys that are too common each may be rare together."""
        self._db.execute(
            "create table crowd as select h.key, h.n, h.rule, least(h.together, b.most) as together"
            " from held h join block b using (key) where b.holders > b.most"
        )
        self._db.execute(
            "create table held_narrow as select hash(a.key, b.key) as key, a.n, a.rule, b.rule as other,"
            " least(a.together, b.together) as most from crowd a join crowd b on a.n = b.n and a.key < b.key"
        )
        self._db.execute(
            "create table block_narrow as select key, any_value(rule) rule, any_value(other) other, any_value(most) most, count(*) holders"
            " from held_narrow group by key"
        )

    def _chunks(self) -> list[tuple[int, int]]:
        """Ranges of row numbers whose pairs are about CHUNK_PAIRS, repetitions counted: with rows before them, or settled ones."""
        work = self._db.execute(
            "select n, sum(others) as others from (select n, fresh, count(*) over (partition by key)"
            " - (count_if(fresh) over (partition by key) + 1) / 2 as others from follow) where fresh group by n order by n"
        ).fetchnumpy()
        rows, sums = work["n"], np.cumsum(np.asarray(work["others"], dtype=np.float64))
        if len(rows) == 0:
            return []
        edges = np.searchsorted(sums, np.arange(CHUNK_PAIRS, sums[-1], CHUNK_PAIRS))
        bounds = [0, *(int(rows[edge]) for edge in np.unique(edges)), self.size]
        return [(low, high) for low, high in pairwise(bounds) if low < high]

    def _pairs_between(self, low: int, high: int) -> str:
        across = "" if self._second is None else f" and a.n < {self._second} and b.n >= {self._second}"
        before = "a.n <> b.n and (a.n < b.n or not a.fresh)" if self._is_settled else "a.n < b.n"  # which alone is quicker
        return (
            "select distinct least(a.n, b.n) as join_key_l, greatest(a.n, b.n) as join_key_r from follow a join follow b"
            f" on a.key = b.key and {before}{across} where b.fresh and b.n >= {low} and b.n < {high}"
        )

    def _compare_within_reach(self, chunks: Sequence[tuple[int, int]]) -> int:
        """Compare the pairs that may reach the floor; returns how many blocking found."""
        quick = comparer(self._db, quick_settings(self.model, self._layout))
        self._share(self.model)
        self._db.execute("create table likely (join_key_l bigint, join_key_r bigint)")
        found = 0
        for low, high in chunks:
            found += self._ask(quick, self._pairs_between(low, high))
            self._db.execute(
                f"insert into likely select n_l, n_r from {quick.told} {_shares_of(self.model, 'n_l', 'n_r')}"
                f" where {reach_sql(self.model)} >= {self._floor - _ROUNDING!r}"
            )
        if self._is_settled:
            self._db.execute("insert into likely from settled")
        self._compare("from likely")  # all at once: each time, every record is made ready to be looked up
        return found

    def _compare(self, pairs: str, into: str = "pair") -> int:
        """Let Splink say which levels the pairs meet; returns how many there are."""
        number = self._ask(self._levels_of, pairs)
        columns = ", ".join(level_columns(self.model))
        self._db.execute(f"insert into {into} select n_l, n_r, {vetoed_sql(self.model)}, {columns} from {self._levels_of.told}")
        return number

    def _ask(self, comparer: Comparer, pairs: str) -> int:
        return self._one(f"create or replace table {comparer.asked} as select '0' as match_key, join_key_l, join_key_r from ({pairs})")

    def patterns(self) -> Patterns:
        """The level vectors of the compared pairs, with their numbers.

        Without those under a veto: siblings that agree on all but the pack would pass for matches, and outnumber them.
        """
        self._check_kept()
        return self._patterns("(select * from pair where not vetoed)")

    def _patterns(self, table: str) -> Patterns:
        found = self._db.execute(f"select {self._levels()}, count(*) as pairs from {table} group by all order by all").fetchnumpy()
        return Patterns(self._stacked(found), np.asarray(found["pairs"], dtype=np.float64))

    def _stacked(self, found: Mapping[str, Any]) -> Levels:
        return np.stack([np.asarray(found[f"c{place}"], dtype=np.int16) for place in range(len(self.model.comparisons))], axis=1)

    def random_patterns(self) -> Patterns:
        """The level vectors of pairs drawn at random, always the same ones: what agreement is worth nothing."""
        pairs = RANDOM_PAIRS if self._is_native else RANDOM_PAIRS_SLOW
        return self.patterns_of(*random_pairs(self.size, self._second, pairs))

    def patterns_of(self, left: Rows, right: Rows) -> Patterns:
        """The level vectors of given pairs."""
        self._compare_extra(left, right)
        return self._patterns("extra")

    def levels(self) -> tuple[Rows, Rows, Levels]:
        """Every compared pair with the level of each comparison: rows left, rows right, [pairs, comparisons]."""
        self._check_kept()
        found = self._db.execute(f"select l, r, {self._levels()} from pair order by l, r").fetchnumpy()
        return np.asarray(found["l"]), np.asarray(found["r"]), self._stacked(found)

    def weigh(self, model: Model, floor: float | None = None) -> Weighed:
        """The compared pairs at or above `floor` bits by a model of the same comparisons."""
        if model != self.model or floor is None or floor < self._floor:
            self._check_kept()
        return self._weighed(model, "pair", floor)

    def _check_kept(self) -> None:
        if self._floor > -inf:
            raise ValueError("pairs that cannot reach the floor by this model were left out when blocking")

    def score(self, model: Model, left: Rows, right: Rows) -> Weighed:
        """Compare and weigh any pairs, whether blocking met them or not; the answer is in ascending order, the smaller row left."""
        self._compare_extra(left, right)
        return self._weighed(model, "extra", None)

    def _compare_extra(self, left: Rows, right: Rows) -> None:
        self._make("extra")
        low, high = np.minimum(left, right), np.maximum(left, right)
        for start in range(0, len(low), CHUNK_PAIRS):
            chunk = slice(start, start + CHUNK_PAIRS)
            self._db.register("given", pa.table({"join_key_l": low[chunk], "join_key_r": high[chunk]}))
            self._compare("select distinct join_key_l, join_key_r from given", into="extra")

    def _weighed(self, model: Model, table: str, floor: float | None) -> Weighed:
        self._share(model)
        where = "" if floor is None else f" where weight >= {floor!r}"
        found = self._db.execute(
            f"select * from (select p.l, p.r, p.vetoed, {weight_sql(model)} as weight from {table} p"
            f" {_shares_of(model, 'p.l', 'p.r')}){where} order by l, r"
        ).fetchnumpy()
        return Weighed(*(np.asarray(found[name]) for name in ("l", "r", "weight", "vetoed")))

    def _share(self, model: Model) -> None:
        """Per record, the share of records that have its value of each counted column."""
        columns, joins = ["t.n"], []
        for column in sorted(rarity_columns(model)):
            name, counted = field(column), model.frequencies[column]
            if column not in self._layout.columns:  # nobody has a value, so no level asks for its rarity
                columns.append(f'1.0 as "{name}"')
                continue
            self._db.register(f"count_{name}", _counts(counted))
            columns.append(f'coalesce(count_{name}.count, 1) / {counted.total + 1}.0 as "{name}"')
            joins.append(f'left join count_{name} on count_{name}.value = t."{name}"')
        self._db.execute(f"create or replace table share as select {', '.join(columns)} from record t {' '.join(joins)}")

    def _counts(self, statement: str) -> dict[str, int]:
        """Numbers per rule, or two rules together, by name."""
        found = self._db.execute(statement).fetchall()
        return {" + ".join(self.model.blocking[place].name for place in places): int(count) for places, count in found}

    def _one(self, statement: str) -> int:
        rows = self._db.execute(statement).fetchall()  # to its end: a result half read would bar whatever comes next
        return int(rows[0][0]) if rows else 0


def rarity_columns(model: Model) -> set[str]:
    """Columns whose frequencies change the weight of a level."""
    named = {level.frequency for comparison in model.comparisons for level in comparison.levels if level.frequency}
    return named & model.frequencies.keys()


def _shares_of(model: Model, left: str, right: str) -> str:
    """SQL: the shares of both sides, where a weight asks for them."""
    return f"join share l on l.n = {left} join share r on r.n = {right}" if rarity_columns(model) else ""


def _counts(counted: Frequency) -> pa.Table:
    return pa.table({"value": pa.array(list(counted.counts), pa.string()), "count": pa.array(list(counted.counts.values()), pa.int64())})


def _measure(model: Model, test: Test, records: Sequence[Columns]) -> Any:
    """The scorer's measure over arrays of row numbers; a pair asked about again (once per level) is remembered."""
    of = take(test, model.frequencies)
    memo: dict[tuple[int, int], float] = {}

    def measure(left: pa.ChunkedArray, right: pa.ChunkedArray) -> pa.Array:
        if len(memo) > _MEMO_MAX:
            memo.clear()
        answers = []
        for pair in zip(left.to_pylist(), right.to_pylist(), strict=True):
            answer = memo.get(pair)
            if answer is None:
                answer = memo[pair] = of(records[pair[0]], records[pair[1]])
            answers.append(answer)
        return pa.array(answers, pa.float64())

    return measure
