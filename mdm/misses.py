"""Questions that lookups asked in vain: counted in memory, written together, never in a reader's way.

A count is work for stewards, not a fact of record: a killed process loses at most the last second of them, an orderly end none.

A value may become known while its miss is being written: a delivery that looked for misses before this one was committed did not see it.
So each written miss is looked at once more when every transaction that ran at that moment has ended; then nobody can have overlooked it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import LiteralString
from uuid import UUID

import structlog

from mdm import misswork
from mdm.batched import Batched
from mdm.db import Database, DatabaseError, fetch
from mdm.errors import Busy, Unavailable
from mdm.misswork import Counted, Miss

DISTINCT_MAX = 10_000  # beyond this, questions not yet seen go uncounted until the next write
WRITE_AT = 1_000
_PIECE = 500  # misses written in one transaction


@dataclass(frozen=True, slots=True)
class _Unverified:
    """Misses that were committed before the transaction `until` began."""

    ids: Sequence[UUID]
    until: int


class Misses(Batched):
    """The misses of one process."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self._database = database
        self._counts: dict[Miss, Counted] = {}
        self._unverified: list[_Unverified] = []

    def count(self, missed: Iterable[Miss], client: str, targets: Iterable[str] = ()) -> None:
        """Add one miss per question, asked by this client for these target systems."""
        asked = tuple(targets)
        with self.lock:
            for miss in missed:
                self._add(Counted(miss, 1, {client}, set(asked)))
            if self._counts:
                self.begin()
        if len(self._counts) >= WRITE_AT:
            self.hurry()

    def _add(self, counted: Counted) -> None:
        known = self._counts.get(counted.miss)
        if known is not None:
            known.add(counted)
        elif len(self._counts) < DISTINCT_MAX:
            self._counts[counted.miss] = counted

    def write(self) -> None:
        """Write what was counted, now; what cannot be written is kept for the next time."""
        with self.lock:
            counts, self._counts = self._counts, {}
        # Sorted, so that two processes that write the same questions lock their rows in one order.
        left = [counts[miss] for miss in sorted(counts)]
        try:
            while left:
                self._write_piece(left[:_PIECE])
                del left[:_PIECE]
            self._verify()
        except (Busy, Unavailable, DatabaseError):
            self._keep(left)
            structlog.get_logger("concord").warning("misses_not_written", values=len(left))

    def _write_piece(self, piece: Sequence[Counted]) -> None:
        self.watch(self._database.run(lambda session: misswork.record(session, piece)))

    def watch(self, written: Sequence[misswork.Written]) -> None:
        """Look at these committed misses again, once nobody can still be making their values known without having seen them."""
        ids = [row.id for row in written if row.status == "open"]
        if not ids:
            return
        until = self._ask("select pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
        with self.lock:
            self._unverified.append(_Unverified(ids, until))
            self.begin()

    def _verify(self) -> None:
        with self.lock:
            waiting = list(self._unverified)
        if not waiting:
            return
        oldest = self._ask("select pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        for batch in waiting:
            if batch.until <= oldest:
                self._database.run(partial(misswork.close_known, ids=batch.ids))
                with self.lock:
                    self._unverified = [other for other in self._unverified if other is not batch]

    def _ask(self, statement: LiteralString) -> int:
        return int(self._database.run(lambda session: fetch(session, statement))[0][0])

    def _keep(self, left: Sequence[Counted]) -> None:
        with self.lock:
            for counted in left:
                self._add(counted)
