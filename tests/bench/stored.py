"""Groups that bulk matching found, stored: two processes write a thousand rows per transaction into a fresh database, beside each other.

What the processes do before (making and standardising persons) is told apart from storing, which is COPY, survivorship and commits.
"""

import multiprocessing
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from mdm.access import SYSTEM_ACTOR
from mdm.bulk_store import ROWS_MAX, store
from mdm.db import Database, fetch
from mdm.embedded import ensure_postgres, stop
from mdm.guard import record_keys
from mdm.ids import new_record_id
from mdm.invariants import violations
from mdm.migrate import migrate
from mdm.models import scorer
from mdm.records import Incoming
from mdm.settings import Settings
from mdm.standardise import Delivery, standardise
from mdm.stepping_back import collect_rarely
from mdm.systems import SystemRegistry, read_registry
from tests.bench.fill import PATIENT, register_systems
from tests.bench.people import delivered, known

_PROCESSES = 2
_CHECKED_MAX = 20_000  # what is stored is derived again up to here


def person_of(row: int, unique: int) -> Delivery:
    """Row of the file of `tests.bench.bulk`, as it was delivered."""
    return delivered(row) if row < unique else known((row - unique) * 7 % unique, row)


def stored(groups: Any, unique: int) -> dict[str, float]:
    """Seconds of storing, rows per second, and how many seconds of its processes' time the rows had cost before."""
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        settings = Settings.from_env({"MDM_HOME": folder, "MDM_PROFILE": "test"})
        try:
            return _stored(ensure_postgres(settings), groups, unique)
        finally:
            stop(settings)


def _stored(url: str, groups: Any, unique: int) -> dict[str, float]:
    database = Database(url)
    migrate(database)
    register_systems(url)
    work = [(chunk, unique) for chunk in chunks(groups)]
    with multiprocessing.get_context("spawn").Pool(_PROCESSES, initializer=_begin, initargs=(url,)) as pool:
        found = pool.starmap(_store, work, chunksize=1)
    seconds = [sum(spent for process, spent, _ in found if process == mine) for mine in {process for process, _, _ in found}]
    with database.unit_of_work() as session:
        counted = fetch(session, _COUNTED)
        wrong = violations(session, deep=len(groups) <= _CHECKED_MAX)
    database.close()
    rows, goldens, size = counted[0]
    if wrong or rows != len(groups):
        raise SystemExit(f"{rows} of {len(groups)} rows stored; {wrong}")
    before = sum(spent for _, _, spent in found) / _PROCESSES
    return {
        "store_s": max(seconds),
        "rows_per_s": rows / max(seconds),
        "goldens": goldens,
        "standardise_s": before,
        "database_mb": size / 2**20,
    }


_COUNTED = "select (select count(*) from link), (select count(*) from golden_record), pg_database_size(current_database())"


def chunks(groups: Any) -> Iterator[list[list[int]]]:
    """Rows group by group, at most ROWS_MAX at a time."""
    order = np.argsort(groups, kind="stable")
    chunk: list[list[int]] = []
    size = 0
    for group in np.split(order, np.flatnonzero(np.diff(groups[order])) + 1):
        if size + len(group) > ROWS_MAX:
            yield chunk
            chunk, size = [], 0
        chunk.append(group.tolist())
        size += len(group)
    yield chunk


class _Here:
    """What a process has."""

    database: Database
    systems: SystemRegistry


def _begin(url: str) -> None:
    collect_rarely()  # as the processes of a load do
    _Here.database = Database(url, pool_size=1)
    with _Here.database.unit_of_work() as session:
        _Here.systems = read_registry(session)


def _store(rows: Sequence[Sequence[int]], unique: int) -> tuple[str, float, float]:
    persons = [[person_of(row, unique) for row in group] for group in rows]
    began = time.perf_counter()
    with _Here.database.unit_of_work() as session:
        model = scorer(session, PATIENT).model
    groups = [[_incoming(person, model) for person in group] for group in persons]
    ready = time.perf_counter()
    _Here.database.run(lambda session: store(session, PATIENT, SYSTEM_ACTOR, groups, "bench"))
    return multiprocessing.current_process().name, time.perf_counter() - ready, ready - began


def _incoming(person: Delivery, model: Any) -> Incoming:
    standard = standardise(PATIENT, person, _Here.systems)
    return Incoming(new_record_id(), standard, None, standard.columns, record_keys(PATIENT, model, standard.columns))
