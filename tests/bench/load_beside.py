"""Lookups and stewards' decisions while a load is applied: how long they take idle and beside it, and whether any was refused.

    python -m tests.bench.load_beside [--rows 100000] [--stored 50000] [--lookups 50] [--decisions 2] [--idle 20] [--out result.json]

Goal (the issue of loads): p99 of lookups <= 2 x idle, no errors, every decision succeeds. `--lookups`: so many a second, of patients, each
audited, in open loop over HTTP; `--decisions`: so many a second. The questions that stewards decide are about records of the store, some of
which rows of the file join. A steward who is told that the question has changed since they read it reads it again, as the page does; that
is counted apart.
"""

import argparse
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import psycopg

from mdm import loads, tasks
from mdm.access import SYSTEM_ACTOR
from mdm.db import Database, DatabaseError, fetch
from mdm.entities import ENTITY_TYPES
from mdm.errors import ConcordError, Stale
from mdm.ingest import deliver_all
from mdm.systems import put_system
from mdm.tasks import Ruling
from tests.bench import clients
from tests.bench.fill import hospital
from tests.bench.load import look, run_job, uploaded, write_file
from tests.bench.people import ELSEWHERE, HOME, delivered
from tests.bench.result import save
from tests.bench.world import server

PATIENT = ENTITY_TYPES["patient"]
ROOT = Path(__file__).parents[2]
_SAMPLE = 20_000
_DESK = "registry-south"  # two records each of some persons: a father and a son, of whom nobody knows which one the store has


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--stored", type=int, default=50_000)
    parser.add_argument("--known", type=float, default=0.02)
    parser.add_argument("--lookups", type=float, default=50.0)
    parser.add_argument("--decisions", type=float, default=2.0)
    parser.add_argument("--idle", type=float, default=20.0)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    with hospital(asked.stored) as made, server("tests.bench.servers:ours", made) as port:
        figures = _measure(asked, Beside(Database(made.url), made.home, port, made.key))
    for name, value in figures.items():
        print(f"{name:<24} {value}")
    save(asked.out, "load_beside", {name: value for name, value in vars(asked).items() if name != "out"}, figures)


@dataclass(frozen=True, slots=True)
class Beside:
    """The service under measurement."""

    database: Database
    home: Path
    port: int
    key: str


def _measure(asked: argparse.Namespace, at: Beside) -> dict[str, Any]:
    file = at.home / "file.csv"
    write_file(argparse.Namespace(**vars(asked), rejects=0.0), file, 0.0)
    view = uploaded(at.database, at.home, file)
    questions = _questions(at.database, asked, seconds=asked.idle + asked.rows / 1_000)
    requests = _lookups(asked.stored, at.key)
    with psycopg.connect(at.database.url, autocommit=True) as connection:
        connection.execute("vacuum (analyze)")  # else the server tidies up what was just filled while it is called idle
    clients.open_loop(at.port, requests, 2.0, asked.lookups)
    idle = _during(at, asked, (requests, questions), lambda since: time.monotonic() - since < asked.idle)
    planned = run_job(at.database, at.home, at.database.run(lambda session: loads.ask_plan(session, SYSTEM_ACTOR, view.id, "bench")))
    how = loads.Applying(10**9, despite=("many_rejects", "volume_off"), reason="bench")
    plan_id = look(at.database, view.id).plan_id or view.id
    applying = at.database.run(lambda session: loads.ask_apply(session, SYSTEM_ACTOR, plan_id, how, "bench"))
    command = [sys.executable, "-m", "tests.bench.load_job", at.database.url, str(at.home), str(applying.job_id)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as job:
        beside = _during(at, asked, (requests, questions), lambda _: job.poll() is None)
    ended = look(at.database, view.id)
    at.database.close()
    return {
        "plan": planned,
        "status": ended.status,
        "apply_seconds": ended.seconds.get("apply"),
        "idle": idle.told(),
        "beside": beside.told(),
        "lookup_p99_ratio": round(beside.p99_ms / idle.p99_ms, 2),
        "planned": ended.counts,
        "applied": ended.applied,
    }


@dataclass(slots=True)
class Measured:
    """What clients and stewards met."""

    lookups: list[float] = field(default_factory=list)
    errors: int = 0
    decisions: list[float] = field(default_factory=list)
    changed: int = 0
    refused: list[str] = field(default_factory=list)

    @property
    def p99_ms(self) -> float:
        return _percentile_ms(self.lookups, 0.99)

    def told(self) -> dict[str, Any]:
        return {
            "lookups": len(self.lookups),
            "p50_ms": _percentile_ms(self.lookups, 0.5),
            "p99_ms": self.p99_ms,
            "errors": self.errors,
            "decisions": len(self.decisions),
            "decision_p95_ms": _percentile_ms(self.decisions, 0.95),
            "changed": self.changed,
            "refused": self.refused,
        }


def _percentile_ms(seconds: Sequence[float], share: float) -> float:
    ordered = sorted(seconds)
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000, 2) if ordered else 0.0


def _during(at: Beside, asked: argparse.Namespace, work: tuple[Sequence[bytes], list[UUID]], goes_on: Any) -> Measured:
    """Lookups and decisions for as long as it goes on."""
    requests, questions = work
    found, ended, since = Measured(), threading.Event(), time.monotonic()
    steward = threading.Thread(target=_decide, args=(at.database, questions, 1 / asked.decisions, ended, found))
    steward.start()
    measured = clients.until(at.port, requests, asked.lookups, lambda: not goes_on(since))
    found.lookups, found.errors = measured.seconds, measured.errors
    ended.set()
    steward.join()
    return found


def _decide(database: Database, questions: list[UUID], every_seconds: float, ended: threading.Event, found: Measured) -> None:
    """One question after the other, each as it is read at that moment."""
    while questions and not ended.wait(every_seconds):
        task_id, began = questions.pop(), time.perf_counter()
        try:
            _settle(database, task_id, found)
        except (ConcordError, DatabaseError) as error:
            found.refused.append(f"{type(error).__name__}: {error}")
        found.decisions.append(time.perf_counter() - began)


def _settle(database: Database, task_id: UUID, found: Measured) -> None:
    for _ in range(3):
        task = database.run(lambda session: tasks.get(session, task_id))
        ruling = Ruling("different", task.version)
        try:
            database.run(lambda session, ruling=ruling: tasks.decide(session, PATIENT, task_id, SYSTEM_ACTOR, ruling, "bench"))
        except Stale:
            found.changed += 1
        else:
            return
    raise Stale


def _lookups(stored: int, key: str) -> list[bytes]:
    chance = Random(1)
    bodies = ({"domain": "patient", "system": HOME, "value": f"{chance.randrange(stored):08d}", "to": [ELSEWHERE]} for _ in range(_SAMPLE))
    return [clients.post("/v1/crosswalk/lookup", body, key) for body in bodies]


def _questions(database: Database, asked: argparse.Namespace, *, seconds: float) -> list[UUID]:
    """Reviews of the store's persons, as many as may be decided in so many seconds."""
    with database.unit_of_work() as session:
        put_system(session, _DESK, name=_DESK, kind="ehr", organization="Northfield")
    wanted = int(seconds * asked.decisions) + 10
    people = [number * asked.stored // wanted for number in range(wanted)]
    rows = [
        replace(person, system=_DESK, key=f"{person.key}{suffix}", attributes={**person.attributes, "suffix": suffix})
        for person in map(delivered, people)
        for suffix in ("JR", "SR")
    ]
    deliver_all(database, PATIENT, SYSTEM_ACTOR, rows, "bench")
    return [row[0] for row in database.run(lambda session: fetch(session, _ONE_EACH))]


# Whoever says of the father that he is somebody else has answered who the son is
_ONE_EACH = (
    "select id from (select distinct on (least(goldens[1], goldens[2])) id from task where kind = 'review' and status = 'open'"
    " and cardinality(goldens) = 2 order by least(goldens[1], goldens[2]), id) t order by id"
)


if __name__ == "__main__":
    main()
