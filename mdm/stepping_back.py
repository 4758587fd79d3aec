"""Work that steps back: what takes minutes runs at a lower priority than lookups and decisions, which take milliseconds.

On Linux every thread has a priority of its own, and what it starts inherits it: threads, processes, and by `mdm.db` the sessions of a
database server on this machine. A lower one cannot be raised again without privilege, so thread and connections end with the work.
"""

import gc
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from contextvars import copy_context
from typing import TypeVar

from mdm.db import Database

T = TypeVar("T")
NICE = 10  # a tenth of the share of others while these want the core, all of it while they do not
_RARELY = (200_000, 20, 100)


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
