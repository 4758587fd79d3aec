"""The bulk executor on Spark, for sets beyond one machine: the pairs of `matching.bulk`, weighed by the online scorer itself.

Keys, caps and narrowing are those of `matching.bulk`, so that both find the same pairs; the weights are the same because the scorer's are
(`tests/matching/test_parity.py`). Needs the extra `spark` and Java 17, and this package for the executors' Python (PYSPARK_PYTHON).
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from matching.arrays import Rows, Weighed
from matching.blocking import Keys
from matching.bulk import Blocked
from matching.compare import Value
from matching.model import HOLDERS_MAX, Columns, Model
from matching.score import Scorer

Batches = Iterator[pa.RecordBatch]
_HELD = pa.schema([("key", pa.int64()), ("n", pa.int64()), ("rule", pa.string()), ("most", pa.int32()), ("together", pa.int32())])
_WEIGHED = pa.schema([("l", pa.int64()), ("r", pa.int64()), ("weight", pa.float64()), ("vetoed", pa.bool_())])


@contextmanager
def spark_session(url: str) -> Iterator[SparkSession]:
    """A session by its URL: `local[2]`, `spark://host:7077`, or `sc://host` for Spark Connect; ended with the block."""
    builder = SparkSession.builder.appName("concord")
    session = (builder.remote(url) if url.startswith("sc://") else builder.master(url)).getOrCreate()
    try:
        yield session
    finally:
        session.stop()


class SparkBulk:
    """One set of records, or two (`second`: the first row of the other one), with the pairs that blocking finds.

    Records come as a DataFrame `n bigint, columns string`: the row number, and the comparison columns as a JSON object.
    """

    def __init__(self, session: SparkSession, model: Model, records: DataFrame, second: int | None = None) -> None:
        self._session = session
        self._records = records
        self._held = records.mapInArrow(_keying(model), "key bigint, n bigint, rule string, most int, together int").cache()
        across = "" if second is None else f" and a.n < {second} and b.n >= {second}"
        self._pairs = self._asked(_PAIRS + across).cache()
        self.size = records.count()

    def block(self) -> Blocked:
        """How many distinct pairs there are to compare, and which keys were too common."""
        return Blocked(self.pairs(), self._counts(_OVER_FULL), self._counts(_LEFT_OUT))

    def pairs(self) -> int:
        """How many distinct pairs there are to compare."""
        return int(self._pairs.count())

    def weighed(self, model: Model, floor: float | None = None) -> DataFrame:
        """The pairs at or above `floor` bits: l, r, weight, vetoed."""
        return self._scored(model, self._pairs, floor)

    def weigh(self, model: Model, floor: float | None = None) -> Weighed:
        """The same, brought here and in order of the rows."""
        return _brought(self.weighed(model, floor))

    def score(self, model: Model, left: Rows, right: Rows) -> Weighed:
        """Any pairs, whether blocking met them or not; the answer is in ascending order, the smaller row left."""
        asked = pa.table({"l": np.minimum(left, right), "r": np.maximum(left, right)})
        return _brought(self._scored(model, self._session.createDataFrame(asked).distinct(), None))

    def _scored(self, model: Model, pairs: DataFrame, floor: float | None) -> DataFrame:
        one = self._records.selectExpr("n as l", "columns as one")
        other = self._records.selectExpr("n as r", "columns as other")
        return pairs.join(one, "l").join(other, "r").mapInArrow(_scoring(model, floor), "l bigint, r bigint, weight double, vetoed boolean")

    def _asked(self, statement: str) -> DataFrame:
        return self._session.sql(_FOLLOWED + statement, held=self._held, holders=HOLDERS_MAX)

    def _counts(self, statement: str) -> dict[str, int]:
        return {str(row[0]): int(row[1]) for row in self._asked(statement).collect()}


@contextmanager
def spark_bulk(url: str, model: Model, records: Sequence[Columns]) -> Iterator[SparkBulk]:
    """Records of one set made ready to compare on a session of its own, as `matching.bulk.bulk` does it on this machine."""
    with spark_session(url) as session:
        yield SparkBulk(session, model, records_frame(session, records))


def records_frame(session: SparkSession, records: Sequence[Columns]) -> DataFrame:
    """Records by row number, as `SparkBulk` reads them."""
    rows = pa.table({"n": np.arange(len(records), dtype=np.int64), "columns": [json.dumps(record) for record in records]})
    return session.createDataFrame(rows)


def _brought(found: DataFrame) -> Weighed:
    table = found.toArrow().sort_by([("l", "ascending"), ("r", "ascending")])
    return Weighed(*(np.asarray(table[name].to_numpy()) for name in ("l", "r", "weight", "vetoed")))


# As in `matching.bulk`: a key that too many hold is followed only together with a second such key.
_FOLLOWED = """
with block as (
  select key, any_value(rule) as rule, least(any_value(most), {holders}) as most, count(*) as holders
  from {held} group by key having count(*) > 1
), crowd as (
  select h.key, h.n, h.rule, least(h.together, b.most) as together
  from {held} h join block b on h.key = b.key where b.holders > b.most
), narrow as (
  select a.key as one, b.key as other, a.n, a.rule || ' + ' || b.rule as rule, least(a.together, b.together) as most
  from crowd a join crowd b on a.n = b.n and a.key < b.key
), block_narrow as (
  select one, other, any_value(rule) as rule, any_value(most) as most, count(*) as holders from narrow group by one, other
), follow as (
  select h.key as one, cast(null as bigint) as other, h.n from {held} h join block b on h.key = b.key where b.holders <= b.most
  union all
  select h.one, h.other, h.n from narrow h join block_narrow b on h.one = b.one and h.other = b.other where b.holders between 2 and b.most
)
"""
_PAIRS = "select distinct a.n as l, b.n as r from follow a join follow b on a.one = b.one and a.other <=> b.other and a.n < b.n"
_OVER_FULL = "select rule, count(*) from block where holders > most group by rule"
_LEFT_OUT = "select rule, count(*) from block_narrow where holders > most group by rule"


def _keying(model: Model) -> Callable[[Batches], Batches]:
    limits = {rule.name: (rule.holders_max, rule.together_max) for rule in model.blocking}

    def keyed(batches: Batches) -> Batches:
        keys = Keys("", model.blocking)
        for batch in batches:
            rows = zip(batch["n"].to_pylist(), batch["columns"].to_pylist(), strict=True)
            found = [(key, n, rule, *limits[rule]) for n, text in rows for key, rule in keys.of(_columns(text)).items()]
            yield _batch(found, _HELD)

    return keyed


def _scoring(model: Model, floor: float | None) -> Callable[[Batches], Batches]:
    def scored(batches: Batches) -> Batches:
        scorer = Scorer(model)
        for batch in batches:
            rows = zip(*(batch[name].to_pylist() for name in ("l", "r", "one", "other")), strict=True)
            found = []
            for left, right, one, other in rows:
                sides = _columns(one), _columns(other)
                score = scorer.score(*sides) if floor is None else scorer.score_from(*sides, floor)
                if score is not None:
                    found.append((left, right, score.weight, bool(score.vetoes)))
            yield _batch(found, _WEIGHED)

    return scored


def _columns(text: str) -> Mapping[str, Value]:
    found: dict[str, Value] = json.loads(text)
    return found


def _batch(rows: Sequence[tuple[Any, ...]], schema: pa.Schema) -> pa.RecordBatch:
    columns = zip(*rows, strict=True) if rows else [()] * len(schema)
    return pa.record_batch([pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema=schema)
