"""Spark finds the pairs that DuckDB finds, and gives them the same weights. Needs the extra `spark` and Java 17; else skipped."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matching.arrays import Rows
from matching.bulk import Room, bulk
from matching.counting import with_frequencies
from matching.drawn import random_pairs
from matching.model import Columns, Model
from matching.score import Scorer
from matching.table import lay_out
from mdm.entities import ENTITY_TYPES
from mdm.entity import EntityType
from tests.bench.people import delivered, known, person
from tests.entities.test_every_domain import SOURCES, deliveries, standard
from tests.matching.real_records import real_sets
from tests.matching.test_parity import LAW, domains, some_pairs

pytest.importorskip("pyspark", reason="the extra `spark` is not installed")
if shutil.which("java") is None:
    pytest.skip("Spark needs Java 17, and there is no `java` here", allow_module_level=True)

from matching.spark import SparkBulk, records_frame, spark_session

PERSONS = 120
PAIRS = int(os.environ.get("CONCORD_PARITY_PAIRS", "100"))  # of each real set; 10000 is the whole measurement
DIFFERENCE_MAX = 1e-6  # bits
MEASURED = {"seconds", "peak_mb"}
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
    there = SparkBulk(spark, model, records_frame(spark, records), second).weigh(model)
    assert len(here.left) > PERSONS // 3
    assert np.array_equal(here.left, there.left)
    assert np.array_equal(here.right, there.right)
    assert np.allclose(here.weights, there.weights, rtol=0, atol=1e-6)
    assert np.array_equal(here.vetoed, there.vetoed)


def test_what_was_too_common_is_told_as_on_duckdb(spark: Any) -> None:
    records = persons()
    model = crowded(with_frequencies(ENTITY_TYPES["patient"].model, records))
    with bulk(model, lay_out(model, records), room=Room(memory="500MB", threads=1)) as executor:
        here = executor.block()
    there = SparkBulk(spark, model, records_frame(spark, records)).block()
    assert (here.pairs, here.over_full) == (there.pairs, there.over_full)
    assert sum(here.left_out.values()) == sum(there.left_out.values())


def test_the_command_line_groups_a_file_on_spark_as_it_does_here(tmp_path: Path) -> None:
    file = tmp_path / "persons.csv"
    rows = [f"{row},{n},{p['given_name']},{p['family_name']},{p['birth_date']}" for row, (n, p) in enumerate(told())]
    file.write_text("\n".join(["id,person,given_name,family_name,birth_date", *rows]))
    asked = [sys.executable, "-m", "mdm.cli", "match", "evaluate", "--domain", "patient", "--records", str(file)]
    asked += ["--id", "id", "--entity", "person", "--no-train", "--json"]
    environment = {**os.environ, "PYSPARK_PYTHON": sys.executable}
    here, there = (
        json.loads(subprocess.run([*asked, *more], check=True, capture_output=True, env=environment).stdout)
        for more in ((), ("--spark-url", "local[1]"))
    )
    assert here["recall"] > 0
    assert {k: v for k, v in here.items() if k not in MEASURED} == {k: v for k, v in there.items() if k not in MEASURED}


def told() -> list[tuple[int, dict[str, str]]]:
    return [(n, person(n)) for n in range(40)] + [(n, person(n)) for n in range(0, 40, 2)]


def test_a_floor_leaves_out_what_does_not_reach_it_and_any_pair_can_be_scored(spark: Any) -> None:
    records = persons()
    model = with_frequencies(ENTITY_TYPES["patient"].model, records)
    there = SparkBulk(spark, model, records_frame(spark, records))
    everything, near = there.weigh(model), there.weigh(model, model.thresholds.review)
    assert np.array_equal(near.weights, everything.weights[everything.weights >= model.thresholds.review])
    again = there.score(model, everything.right[:50], everything.left[:50])
    assert np.array_equal(again.weights, everything.weights[:50])


def assert_one_weight(spark: Any, model: Model, records: list[Columns], left: Rows, right: Rows) -> float:
    """Spark, DuckDB and the online scorer say the same of every pair; by how many bits they differ at most."""
    with bulk(model, lay_out(model, records), room=Room(memory="500MB", threads=1)) as executor:
        here = executor.score(model, left, right)
    there = SparkBulk(spark, model, records_frame(spark, records)).score(model, left, right)
    scorer = Scorer(model)
    online = [scorer.score(records[low], records[high]) for low, high in zip(here.left, here.right, strict=True)]
    assert np.array_equal(here.left, there.left)
    assert np.array_equal(here.right, there.right)
    assert here.vetoed.tolist() == there.vetoed.tolist() == [bool(score.vetoes) for score in online]
    differences = (np.abs(there.weights - other).max() for other in (here.weights, [score.weight for score in online]))
    greatest = float(max(differences))
    assert greatest <= DIFFERENCE_MAX
    return greatest


@domains
@settings(LAW, max_examples=1)
@given(data=st.data())
def test_every_pair_of_any_records_weighs_alike(spark: Any, entity: EntityType, data: st.DataObject) -> None:
    rows = data.draw(st.lists(deliveries(entity), min_size=20, max_size=40))
    records = [standard(entity, row).columns for row in rows]
    assert_one_weight(spark, with_frequencies(entity.model, records), records, *random_pairs(len(records), None, 1_000))


@domains
def test_pairs_of_real_sets_weigh_alike(spark: Any, entity: EntityType, record_testsuite_property: Callable[[str, object], None]) -> None:
    greatest = 0.0
    for records in real_sets(entity.name, most=max(100, PAIRS // 5)):
        model = with_frequencies(entity.model, records)
        with bulk(model, lay_out(model, records), room=Room(memory="500MB", threads=1)) as executor:
            executor.block()
            asked = some_pairs(executor.levels()[:2], len(records), PAIRS)
        greatest = max(greatest, assert_one_weight(spark, model, records, *asked))
    record_testsuite_property(f"parity on Spark {entity.name}", f"greatest difference {greatest:.1e} bits")
