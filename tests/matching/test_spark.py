"""Spark finds the pairs that DuckDB finds, and gives them the same weights. Needs the extra `spark` and Java 17; else skipped."""

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from matching.bulk import Room, bulk
from matching.counting import with_frequencies
from matching.model import Columns, Model
from matching.table import lay_out
from mdm.entities import ENTITY_TYPES
from tests.bench.people import delivered, known
from tests.entities.test_every_domain import SOURCES, standard

pytest.importorskip("pyspark", reason="the extra `spark` is not installed")
if shutil.which("java") is None:
    pytest.skip("Spark needs Java 17, and there is no `java` here", allow_module_level=True)

from matching.spark import SparkBulk, records_frame, spark_session

PERSONS = 120
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # py4j leaves its sockets to the collector


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYSPARK_PYTHON", sys.executable)  # the executors' Python: the one that has this package
        with spark_session("local[2]") as session:
            session.conf.set("spark.sql.shuffle.partitions", 4)
            yield session


def persons() -> list[Columns]:
    patient = ENTITY_TYPES["patient"]
    rows = [delivered(number) for number in range(PERSONS)] + [known(number, 1) for number in range(0, PERSONS, 3)]
    return [standard(patient, replace(row, system=SOURCES[0])).columns for row in rows]


def crowded(model: Model) -> Model:
    """Every key is soon too common, so that narrowing has its say."""
    return replace(model, blocking=tuple(replace(rule, holders_max=4) for rule in model.blocking))


@pytest.mark.parametrize("second", [None, PERSONS], ids=["one set", "two sets"])
@pytest.mark.parametrize("change", [lambda model: model, crowded], ids=["as declared", "narrowed"])
def test_spark_and_duckdb_find_the_same_pairs_and_weights(spark: Any, second: int | None, change: Callable[[Model], Model]) -> None:
    records = persons()
    model = change(with_frequencies(ENTITY_TYPES["patient"].model, records))
    with bulk(model, lay_out(model, records), second=second, room=Room(memory="500MB", threads=1)) as executor:
        executor.block()
        here = executor.weigh(model)
    there = SparkBulk(spark, model, records_frame(spark, records), second).weighed(model)
    assert len(here.left) > PERSONS // 3
    assert np.array_equal(here.left, there.left)
    assert np.array_equal(here.right, there.right)
    assert np.allclose(here.weights, there.weights, rtol=0, atol=1e-6)
    assert np.array_equal(here.vetoed, there.vetoed)


def test_a_floor_leaves_out_what_does_not_reach_it_and_any_pair_can_be_scored(spark: Any) -> None:
    records = persons()
    model = with_frequencies(ENTITY_TYPES["patient"].model, records)
    there = SparkBulk(spark, model, records_frame(spark, records))
    everything, near = there.weighed(model), there.weighed(model, model.thresholds.review)
    assert np.array_equal(near.weights, everything.weights[everything.weights >= model.thresholds.review])
    again = there.score(model, everything.right[:50], everything.left[:50])
    assert np.array_equal(again.weights, everything.weights[:50])
