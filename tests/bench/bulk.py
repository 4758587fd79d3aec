"""Matching persons (70 % unique) in bulk, against plain Splink with the same model and blocking rules.

    python -m tests.bench.bulk [--persons 20000] [--rounds 1] [--alone] [--store] [--out result.json]

Splink has no cap on the records that share a key, so that its pairs grow with the square of the set: beyond some 50,000 persons let ours
run `--alone`.

Each contender runs in a process of its own over the same file, one after the other, round by round; seconds and peak memory are of the
whole process from the file to the groups. Standardising the persons is neither's work and is not counted. Quality is measured on both.
With `--store` our groups become records, links and golden records in a fresh database.
"""

import argparse
import json
import multiprocessing
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from pyarrow import feather

from matching.arrays import Weighed
from matching.bulk import Room, bulk
from matching.cluster import limits_of
from matching.components import cluster_all
from matching.model import BlockingRule, KeyPart, Model
from matching.sql import plain_settings
from matching.table import Layout, Records, field, lay_out
from mdm.entities import ENTITY_TYPES
from mdm.identifier_systems import BY_CODE
from mdm.standardise import standardise
from mdm.values.text import TEXT
from tests.bench.people import ELSEWHERE, HOME
from tests.bench.result import save
from tests.bench.stored import person_of, stored

MODEL = ENTITY_TYPES["patient"].model
MEMORY = "3GB"
_UNIQUE = 0.7
_BLOCK = 10_000


class _Registry:
    def resolve(self, name: str) -> str | None:
        return name if name in BY_CODE or self.is_source(name) else None

    def value_type(self, code: str) -> Any:
        return BY_CODE[code].type if code in BY_CODE else TEXT

    def is_source(self, code: str) -> bool:
        return code in {HOME, ELSEWHERE}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--persons", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--alone", action="store_true", help="leave Splink out")
    parser.add_argument("--store", action="store_true", help="store our groups")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--contender", choices=("ours", "splink"), help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.contender:
        print(json.dumps(_contend(arguments.contender, arguments.file)))
        return
    with tempfile.TemporaryDirectory(prefix="bench-bulk") as folder:
        file = Path(folder, "persons.feather")
        made = write_persons(file, arguments.persons)
        print(f"{arguments.persons:,} persons standardised in {made:.0f} s", flush=True)
        found = {
            name: [_run(name, file) for _ in range(arguments.rounds)] for name in (("ours",) if arguments.alone else ("ours", "splink"))
        }
        groups = np.load(_groups_file(file)) if arguments.store else None
    figures = {name: {key: statistics.median(run[key] for run in runs) for key in runs[0]} for name, runs in found.items()}
    if groups is not None:
        figures["stored"] = stored(groups, int(arguments.persons * _UNIQUE))
        figures["stored"]["whole_s"] = figures["ours"]["seconds"] + figures["stored"]["store_s"]
    for name, row in figures.items():
        print(name, " ".join(f"{key} {value:,.4g}" for key, value in row.items()))
    ratios = {} if arguments.alone else {key: figures["ours"][key] / figures["splink"][key] for key in ("seconds", "peak_mb")}
    if ratios:
        print(f"ours against Splink: {ratios['seconds']:.2f} x the time (goal 1.1), {ratios['peak_mb']:.2f} x the memory (goal 1.2)")
    save(arguments.out, "bulk", {"persons": arguments.persons, "rounds": arguments.rounds}, {**figures, "ratios": ratios})


def write_persons(file: Path, persons: int) -> float:
    """Write the comparison columns of so many persons, the true entity beside them; the seconds it took."""
    started = time.perf_counter()
    unique = int(persons * _UNIQUE)
    ranges = [(low, min(low + _BLOCK, persons), unique) for low in range(0, persons, _BLOCK)]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        tables = pool.map(_columns, ranges)
    table = pa.concat_tables(tables, promote_options="permissive")
    feather.write_feather(table, file, compression="uncompressed")
    return time.perf_counter() - started


def _columns(block: tuple[int, int, int]) -> pa.Table:
    low, high, unique = block
    entity, registry = ENTITY_TYPES["patient"], _Registry()
    numbers = [n if n < unique else (n - unique) * 7 % unique for n in range(low, high)]
    rows = [person_of(n, unique) for n in range(low, high)]
    laid = lay_out(MODEL, [standardise(entity, row, registry).columns for row in rows])
    table = laid.table.set_column(0, "n", pa.array(np.arange(low, high, dtype=np.int64)))
    return table.append_column("entity", pa.array(numbers, pa.int64()))


def _run(contender: str, file: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.bench.bulk", "--contender", contender, "--file", str(file)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found: dict[str, float] = json.loads(answer.strip().splitlines()[-1])
    print(contender, found, flush=True)
    return found


def _contend(contender: str, file: Path) -> dict[str, float]:
    started = time.perf_counter()
    table = feather.read_table(file)
    truth = table["entity"].to_numpy()
    records = _records(table.drop_columns(["entity"]))
    pairs, groups, parts = _ours(records) if contender == "ours" else _splink(records)
    seconds = time.perf_counter() - started
    if contender == "ours":
        np.save(_groups_file(file), groups)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "peak_mb": peak, "pairs": pairs, **parts, **_quality(groups, truth)}


def _groups_file(file: Path) -> Path:
    return file.with_suffix(".npy")


def _records(table: pa.Table) -> Records:
    names = {field(column): column for column in MODEL.columns}
    present = {names[name]: table.schema.field(name).type for name in table.column_names if name != "n"}
    lists = frozenset(column for column, kind in present.items() if pa.types.is_list(kind))
    return Records(table, Layout(frozenset(present), lists), ())


def _ours(records: Records) -> tuple[int, Any, dict[str, float]]:
    marks = [time.perf_counter()]
    with bulk(MODEL, records, room=Room(MEMORY)) as executor:
        blocked = executor.block(MODEL.thresholds.review)
        marks.append(time.perf_counter())
        weighed = executor.weigh(MODEL, MODEL.thresholds.review)
        marks.append(time.perf_counter())
        groups = _grouped(executor, weighed)
        marks.append(time.perf_counter())
    names = ("compare_s", "weigh_s", "cluster_s")
    return blocked.pairs, groups, {name: after - before for name, before, after in zip(names, marks, marks[1:], strict=False)}


def _grouped(executor: Any, weighed: Weighed) -> Any:
    return cluster_all(executor.size, weighed, limits_of(MODEL), partial(executor.score, MODEL)).groups


def _splink(records: Records) -> tuple[int, Any, dict[str, float]]:
    """Splink by itself: its blocking, its prediction, its connected components at the model's link threshold."""
    from splink import DuckDBAPI, Linker

    settings = plain_settings(MODEL, records.layout)
    settings["blocking_rules_to_generate_predictions"] = [_rule(rule, records.layout) for rule in _present(MODEL, records.layout)]
    settings["retain_intermediate_calculation_columns"] = False
    with tempfile.TemporaryDirectory(prefix="bench-splink") as spill, duckdb.connect() as connection:
        connection.execute(f"set memory_limit = '{MEMORY}'")
        connection.execute(f"set temp_directory = '{spill}'")  # else it spills gigabytes into the folder in which we were started
        connection.execute("set threads = 2")
        connection.register("incoming", records.table)
        connection.execute("create table record as select * from incoming")
        linker = Linker(DuckDBAPI(connection=connection).register("record"), settings)
        marks = [time.perf_counter()]
        predictions = linker.inference.predict(threshold_match_weight=MODEL.thresholds.review, warning_mode="never")
        marks.append(time.perf_counter())
        clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(predictions, threshold_match_weight=MODEL.thresholds.link)
        rows = connection.execute(f"select n, cluster_id from {clusters.physical_name} order by n").fetchnumpy()
        pairs = connection.execute(f"select count(*) from {predictions.physical_name}").fetchone()
        marks.append(time.perf_counter())
    groups = np.unique(rows["cluster_id"], return_inverse=True)[1]
    return int(pairs[0]) if pairs else 0, groups, {"predict_s": marks[1] - marks[0], "cluster_s": marks[2] - marks[1]}


def _present(model: Model, layout: Layout) -> list[BlockingRule]:
    return [rule for rule in model.blocking if {part.column for part in rule.parts} <= layout.columns]


def _rule(rule: BlockingRule, layout: Layout) -> dict[str, Any]:
    if rule.crossed:
        sides = [f"list_sort([{', '.join(_piece(part, side) for part in rule.parts)}])" for side in "lr"]
        text = f"{sides[0]} = {sides[1]}"
    else:
        text = " and ".join(f"{_piece(part, 'l')} = {_piece(part, 'r')}" for part in rule.parts)
    exploded = [field(part.column) for part in rule.parts if part.column in layout.lists]
    return {"blocking_rule": text, "sql_dialect": "duckdb", **({"arrays_to_explode": exploded} if exploded else {})}


def _piece(part: KeyPart, side: str) -> str:
    value = f'{side}."{field(part.column)}"'
    if part.start is None and part.stop is None:
        return value
    if (part.start or 0) < 0:
        return f"right({value}, {-(part.start or 0)})"
    return f"substr({value}, {(part.start or 0) + 1}, {(part.stop or 0) - (part.start or 0)})"


def _quality(groups: Any, truth: Any) -> dict[str, float]:
    """Pairwise precision, recall and F1 of a partition, counted by groups."""
    both = np.unique(np.stack((np.asarray(groups, dtype=np.int64), truth)), axis=1, return_counts=True)[1]
    right, found, true = (
        _pairs(sizes) for sizes in (both, np.unique(groups, return_counts=True)[1], np.unique(truth, return_counts=True)[1])
    )
    precision, recall = right / max(found, 1), right / max(true, 1)
    return {"precision": precision, "recall": recall, "f1": 2 * precision * recall / max(precision + recall, 1e-9)}


def _pairs(sizes: Any) -> float:
    return float((sizes.astype(np.float64) * (sizes - 1) / 2).sum())


if __name__ == "__main__":
    main()
