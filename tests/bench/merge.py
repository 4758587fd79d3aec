"""Merge and undo of golden records of 5 + 5 source records, against a bare transaction that writes the same rows.

    python -m tests.bench.merge [--rounds 3] [--pairs 60] [--out result.json]

Goal (performance.md section 4): p95 <= 3 x. Everything of an act is in it: locks, scores, clusters, values, crosswalk, tasks, event, audit,
one durable commit. The bare transaction writes the very rows that the act wrote, one insert per table, ready made.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from sqlalchemy.orm import Session

from mdm.access import SYSTEM_ACTOR
from mdm.db import Database, execute, fetch
from mdm.embedded import ensure_postgres, stop
from mdm.entities import ENTITY_TYPES
from mdm.identity import Act, Done, merge
from mdm.ingest import deliver_all
from mdm.migrate import migrate
from mdm.settings import Settings
from mdm.standardise import Delivery
from mdm.systems import put_system
from mdm.undo import undo
from tests.bench.people import delivered
from tests.bench.result import save

PATIENT = ENTITY_TYPES["patient"]
SYSTEMS = ("ehr-north", "ehr-mercy", "billing-north", "billing-mercy", "lab")
ACT = Act(actor=SYSTEM_ACTOR, reason="benchmark", request_id="bench")
_TABLES = (
    *("golden_record", "golden_version", "link", "xref", "edge", "task"),
    *("judgement", "golden_redirect", "decision", "event", "audit"),
)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    with _hospital(2 * arguments.pairs) as (database, goldens):
        figures = _measure(database, goldens, arguments.rounds)
    for act in ("merge", "undo"):
        mine, bare = (statistics.median(figures[f"{kind}_{act}_p95_ms"]) for kind in ("ours", "bare"))
        print(f"{act}: p95 {mine:.1f} ms, bare transaction {bare:.1f} ms, {mine / bare:.2f} x (goal 3)")
    save(arguments.out, "merge", {"rounds": arguments.rounds, "pairs": arguments.pairs}, figures)


@contextmanager
def _hospital(people: int) -> Iterator[tuple[Database, list[UUID]]]:
    """People of five records each, one per system: their golden ids."""
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        settings = Settings.from_env({"MDM_HOME": folder, "MDM_PROFILE": "test"})
        try:
            database = Database(ensure_postgres(settings))
            migrate(database)
            with database.unit_of_work() as session:
                for code in SYSTEMS:
                    put_system(session, code, name=code, kind="ehr", organization="Northfield")
            rows = [Delivery(system, f"M{n}", delivered(n).attributes, ()) for n in range(people) for system in SYSTEMS]
            results = deliver_all(database, PATIENT, SYSTEM_ACTOR, rows, "bench")
            found = {r.golden_id for r in results if r.golden_id is not None}
            if len(found) != people:
                raise ValueError(f"{len(found)} golden records of {people} people: the comparison would be of other rows")
            database.run(lambda session: execute(session, "analyze"))  # as autovacuum would within a minute
            yield database, sorted(found)
            database.close()
        finally:
            stop(settings)


def _measure(database: Database, goldens: list[UUID], rounds: int) -> dict[str, list[float]]:
    pairs = list(zip(goldens[::2], goldens[1::2], strict=True))
    figures: dict[str, list[float]] = {}
    with psycopg.connect(database.url, autocommit=True) as bare:
        for table in _TABLES:
            bare.execute(sql.SQL("create table {} (like {} including all)").format(_copy(table), sql.Identifier(table)))
        for _ in range(rounds):
            seconds: dict[str, list[float]] = {}
            for kept, gone in pairs:
                done = _beside(database, bare, seconds, "merge", partial(_merge, kept=kept, gone=gone))
                _beside(database, bare, seconds, "undo", partial(_undo, done=done))
            for name, found in seconds.items():
                figures.setdefault(f"{name}_p95_ms", []).append(sorted(found)[int(len(found) * 0.95)] * 1000)
    return figures


def _merge(session: Session, kept: UUID, gone: UUID) -> Done:
    return merge(session, PATIENT, kept, [gone], ACT)


def _undo(session: Session, done: Done) -> None:
    undo(session, PATIENT, done.decision_id, ACT)


def _beside(
    database: Database, bare: psycopg.Connection[Any], seconds: dict[str, list[float]], name: str, act: Callable[[Session], Any]
) -> Any:
    """Do the act; then write the very rows that it wrote, ready made, in a transaction of its own into tables alike."""

    def acting(session: Session) -> tuple[Any, int]:
        return act(session), fetch(session, "select pg_current_xact_id()::text::bigint")[0][0]

    begin = time.perf_counter()
    result, number = database.run(acting)
    seconds.setdefault(f"ours_{name}", []).append(time.perf_counter() - begin)
    ready = _rows(bare, number)
    begin = time.perf_counter()
    with bare.transaction():
        for statement, rows in ready:
            bare.execute(statement, (rows,))
    seconds.setdefault(f"bare_{name}", []).append(time.perf_counter() - begin)
    for table in _TABLES:
        bare.execute(sql.SQL("truncate {}").format(_copy(table)))
    return result


def _rows(bare: psycopg.Connection[Any], number: int) -> list[tuple[sql.Composed, str]]:
    """Per table the rows that a transaction wrote, as an insert takes them."""
    found = []
    for table in _TABLES:
        query = sql.SQL("select json_agg(t)::text from {} t where t.xmin::text::bigint = %s").format(sql.Identifier(table))
        [[rows]] = bare.execute(query, (number,)).fetchall()
        if rows is not None:
            columns = bare.execute(_COLUMNS, (table,)).fetchall()
            names = sql.SQL(", ").join(sql.Identifier(row[0]) for row in columns)
            statement = sql.SQL(
                "insert into {copy} ({names}) overriding system value select {names} from json_populate_recordset(null::{copy}, %s)"
            )
            found.append((statement.format(copy=_copy(table), names=names), rows))
    return found


_COLUMNS = "select column_name::text from information_schema.columns where table_name = %s and is_generated = 'NEVER'"


def _copy(table: str) -> sql.Identifier:
    return sql.Identifier(f"bare_{table}")


if __name__ == "__main__":
    main()
