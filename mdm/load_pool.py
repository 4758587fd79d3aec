"""Further processes for a large file: cleaning is most of the work of a plan, and one process has one core.

Each does whole pieces, in transactions of the job's own fence, so that a process which outlives the job can change nothing. Small files are
done in the process that reads them.
"""

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from mdm.db import Database
from mdm.jobs import Claim
from mdm.load_source import Source, source_of
from mdm.running import Run

LARGE_BYTES = 4_000_000
PROCESSES_MAX = 2
_WAITING_MAX = 6  # pieces in memory

Do = Callable[[Run, Source, Any], None]  # a function of a module, so that another process finds it


@dataclass(frozen=True, slots=True)
class Place:
    """What another process has to know: the database, the job in our hands, and where the load's files lie."""

    url: str
    mine: Claim
    load_id: UUID
    home: Path


class _Here:
    """What a further process has."""

    run: Run
    source: Source


@contextmanager
def pieces(run: Run, source: Source, place: Place, do: Do) -> Iterator[Callable[[Any], None]]:
    """A function that has a piece done, here or elsewhere; at the end all are. Raises what a piece raised."""
    cores = min(PROCESSES_MAX, os.cpu_count() or 1)
    if source.path.stat().st_size < LARGE_BYTES or cores < 2 or multiprocessing.current_process().daemon:
        yield lambda piece: do(run, source, piece)
        return
    waiting: list[Future[None]] = []
    with ProcessPoolExecutor(cores, multiprocessing.get_context("spawn"), _begin, (place, os.getpid())) as pool:

        def give(piece: Any) -> None:
            waiting.append(pool.submit(_do, do, piece))
            if len(waiting) > _WAITING_MAX:
                waiting.pop(0).result()

        try:
            yield give
            _all_done(waiting)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _all_done(waiting: Sequence[Future[None]]) -> None:
    for each in waiting:
        each.result()


def _begin(place: Place, parent: int) -> None:
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    database = Database(place.url, pool_size=1)
    _Here.run = Run(database, place.mine, lambda: False)
    with database.unit_of_work() as session:
        found = source_of(session, place.load_id, place.home)
    if found is None:
        raise LookupError("the load is gone")
    _Here.source = found


def _end_with(parent: int) -> None:
    """A process whose parent was killed has nobody left to work for."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _do(do: Do, piece: Any) -> None:
    do(_Here.run, _Here.source, piece)
