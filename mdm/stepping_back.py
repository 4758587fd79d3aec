"""Work that steps back: what takes minutes runs at a lower priority than lookups and decisions, which take milliseconds.

On Linux every thread has a priority of its own, and what it starts inherits it: threads, processes, and by `mdm.db` the sessions of a
database server on this machine. A lower one cannot be raised again without privilege, so thread and connections end with the work.

A lower priority does not help against all that work of two processes keeps busy: the disk, the server's log, memory. Whoever has several
asks whether anybody `is_asked` at the moment, and does with one of them until nobody is.
"""

import gc
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from contextvars import copy_context
from dataclasses import dataclass
from typing import LiteralString, TypeVar

from mdm.db import Database, fetch

T = TypeVar("T")
WEB = "concord-web"  # the name of the sessions in which requests are answered
NICE = 10  # a tenth of the share of others while these want the core, all of it while they do not
_RARELY = (200_000, 20, 100)
_LATELY = 0.25  # seconds


def stepping_back(url: str, work: Callable[[Database], T]) -> T:
    """Do `work` in a thread and with connections of its own. Raises what it raises."""
    with ThreadPoolExecutor(1, "stepping back") as thread:
        return thread.submit(copy_context().run, _do, url, work).result()


def _do(url: str, work: Callable[[Database], T]) -> T:
    if sys.platform == "linux":  # elsewhere it would be the whole process
        os.nice(NICE)
    usual = gc.get_threshold()
    collect_rarely()
    try:
        with closing(Database(url)) as database:
            return work(database)
    finally:
        gc.set_threshold(*usual)


def collect_rarely() -> None:
    """Rows by the thousand hold no cycles: to look for some among them takes half of the time in which they are read and written."""
    gc.set_threshold(*_RARELY)


def is_asked(database: Database) -> bool:
    """Whether requests come so often that one was answered in the last quarter of a second; a page that follows a job asks less often."""
    return bool(database.run(lambda session: fetch(session, _IS_ASKED, (WEB,))[0][0]))


@dataclass(slots=True)
class Watch:
    """Whether anybody `is_asked`, for who wants to know it a hundred times a second."""

    database: Database
    _said: bool = False
    _until: float = 0.0

    def __call__(self) -> bool:
        if time.monotonic() >= self._until:
            self._said = is_asked(self.database)
            self._until = time.monotonic() + _LATELY
        return self._said


# Without the server's leave to see what sessions of another role do: no
_IS_ASKED: LiteralString = (
    "select exists (select 1 from pg_stat_activity where datname = current_database() and application_name = %s"
    f" and state_change > clock_timestamp() - interval '{_LATELY} seconds')"
)
