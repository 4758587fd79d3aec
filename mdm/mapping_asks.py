"""Which combinations of inputs are asked for, and how often: counted as misses are, in memory and written together.

Inputs stand here in normal form. A set cannot declare an input of a domain of patients, so none of theirs ever does.
"""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache

import structlog

from mdm.batched import Batched
from mdm.db import Database, DatabaseError, execute
from mdm.errors import Busy, Unavailable
from mdm.jsonio import canonical, loads
from mdm.mapping import conditions_hash
from mdm.mapping_choice import Inputs

_PIECE = 500  # combinations written in one transaction
_REST_SECONDS = 0.02
DISTINCT_MAX = 10_000  # beyond this, combinations not yet seen go uncounted until the next write


class Asks(Batched):
    """The combinations of one process."""

    seconds = 5.0  # the same few thousand come again and again

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
        # Sorted, so that two processes that write the same combinations lock their rows in one order; in pieces, so that those who ask
        # meanwhile hardly wait.
        left = sorted((code, _hash(code, inputs), inputs, count) for (code, inputs), count in counts.items())
        try:
            while left:
                self._write_piece(left[:_PIECE])
                del left[:_PIECE]
                time.sleep(_REST_SECONDS if left else 0)
        except (Busy, Unavailable, DatabaseError):
            with self.lock:
                self._counts.update({(code, inputs): count for code, _, inputs, count in left})
            structlog.get_logger("concord").warning("asks_not_written", values=len(left))

    def _write_piece(self, piece: Sequence[tuple[str, int, str, int]]) -> None:
        self._database.run(
            lambda session: execute(
                session,
                "insert into mapping_ask as m (set_code, inputs_hash, inputs, count)"
                " select x.s, x.h, x.i, x.n from unnest(%s::text[], %s::bigint[], %s::jsonb[], %s::bigint[]) as x(s, h, i, n)"
                " on conflict (set_code, inputs_hash) do update set count = m.count + excluded.count, last_seen = now()",
                tuple(map(list, zip(*piece, strict=True))),
            )
        )


@lru_cache(DISTINCT_MAX)
def _hash(code: str, inputs: str) -> int:
    return conditions_hash(code, loads(inputs))
