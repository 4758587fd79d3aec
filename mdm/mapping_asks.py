"""Which combinations of inputs are asked for, and how often: counted as misses are, in memory and written together.

Inputs stand here in normal form. A set cannot declare an input of a domain of patients, so none of theirs ever does.
"""

from collections import Counter
from collections.abc import Iterable

import structlog

from mdm.batched import Batched
from mdm.db import Database, DatabaseError, execute
from mdm.errors import Busy, Unavailable
from mdm.jsonio import canonical, dumps, loads
from mdm.mapping import conditions_hash
from mdm.mapping_choice import Inputs

DISTINCT_MAX = 10_000  # beyond this, combinations not yet seen go uncounted until the next write


class Asks(Batched):
    """The combinations of one process."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self._database = database
        self._counts: Counter[tuple[str, str]] = Counter()

    def asked(self, code: str, combinations: Iterable[Inputs]) -> None:
        """Add one for each combination."""
        with self.lock:
            for inputs in combinations:
                place = (code, canonical(dict(inputs)).decode())
                if place in self._counts or len(self._counts) < DISTINCT_MAX:
                    self._counts[place] += 1
            if self._counts:
                self.begin()

    def write(self) -> None:
        with self.lock:
            counts, self._counts = self._counts, Counter()
        if not counts:
            return
        try:
            self._add(counts)
        except (Busy, Unavailable, DatabaseError):
            with self.lock:
                self._counts.update(counts)
            structlog.get_logger("concord").warning("asks_not_written", values=len(counts))

    def _add(self, counts: Counter[tuple[str, str]]) -> None:
        # Sorted, so that two processes that write the same combinations lock their rows in one order.
        rows = sorted(
            ({"s": code, "h": conditions_hash(code, inputs := loads(text)), "i": inputs, "n": n} for (code, text), n in counts.items()),
            key=lambda row: (row["s"], row["h"]),
        )
        self._database.run(
            lambda session: execute(
                session,
                "insert into mapping_ask as m (set_code, inputs_hash, inputs, count)"
                " select x.s, x.h, x.i, x.n from jsonb_to_recordset(%s::jsonb) as x(s text, h bigint, i jsonb, n bigint)"
                " on conflict (set_code, inputs_hash) do update set count = m.count + excluded.count, last_seen = now()",
                (dumps(rows).decode(),),
            )
        )
