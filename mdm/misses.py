"""Values that lookups asked for and nobody knows: counted in memory, written together, never in a reader's way.

A count is work for stewards, not a fact of record: a killed process loses at most the last second of them, an orderly end none.
"""

import atexit
import threading
from collections import Counter
from collections.abc import Iterable

import structlog

from mdm.db import Database, DatabaseError, execute
from mdm.errors import Busy, Unavailable

DISTINCT_MAX = 10_000  # beyond this, values not yet seen go uncounted until the next write
WRITE_AT = 1_000
WRITE_SECONDS = 1.0

Missed = tuple[str, str, str]  # domain, system, normal form


class Misses:
    """Counts of one process. Safe among threads; the writing thread starts with the first miss, hence after any fork."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counts: Counter[Missed] = Counter()
        self._lock = threading.Lock()
        self._full = threading.Event()
        self._writer: threading.Thread | None = None

    def count(self, domain: str, system: str, values: Iterable[str]) -> None:
        """Add one miss per value."""
        with self._lock:
            for value in values:
                missed = domain, system, value
                if missed in self._counts or len(self._counts) < DISTINCT_MAX:
                    self._counts[missed] += 1
            if self._writer is None and self._counts:
                self._start()
            if len(self._counts) >= WRITE_AT:
                self._full.set()

    def write(self) -> None:
        """Write what was counted, now; what cannot be written is kept for the next time."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        if not counts:
            return
        try:
            self._add(counts)
        except (Busy, Unavailable, DatabaseError):
            self._keep(counts)
            structlog.get_logger("concord").warning("misses_not_written", values=len(counts))

    def _add(self, counts: Counter[Missed]) -> None:
        # Sorted, so that two processes that write the same values lock their rows in one order.
        ordered = sorted(counts)
        columns = [list(column) for column in zip(*ordered, strict=True)]
        self._database.run(
            lambda session: execute(
                session,
                "insert into miss as m (domain, system, value, count)"
                " select * from unnest(%s::text[], %s::text[], %s::text[], %s::bigint[])"
                " on conflict (domain, system, value) do update set count = m.count + excluded.count, last_seen = now()",
                (*columns, [counts[missed] for missed in ordered]),
            )
        )

    def _keep(self, counts: Counter[Missed]) -> None:
        with self._lock:
            for missed, number in counts.items():
                if missed in self._counts or len(self._counts) < DISTINCT_MAX:
                    self._counts[missed] += number

    def _start(self) -> None:
        self._writer = threading.Thread(target=self._write_for_ever, name="misses", daemon=True)
        self._writer.start()
        atexit.register(self.write)

    def _write_for_ever(self) -> None:
        while True:
            self._full.wait(WRITE_SECONDS)
            self._full.clear()
            self.write()
