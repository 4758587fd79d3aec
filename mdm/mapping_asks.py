"""Which combinations of inputs are asked for, and how often: counted as misses are, in memory and written together.

Inputs stand here in normal form. A set cannot declare an input of a domain of patients, so none of theirs ever does.
"""

from collections import Counter
from collections.abc import Iterable

from mdm.db import execute
from mdm.jsonio import canonical, dumps, loads
from mdm.mapping import conditions_hash
from mdm.mapping_choice import Inputs
from mdm.misses import Missed, Misses


class Asks(Misses):
    """Counts of one process, written like those of misses; a combination stands in the place of the value that nobody knew."""

    def asked(self, code: str, combinations: Iterable[Inputs]) -> None:
        """Add one for each combination."""
        self.count(code, "", [canonical(dict(inputs)).decode() for inputs in combinations])

    def _add(self, counts: Counter[Missed]) -> None:
        # Sorted, so that two processes that write the same combinations lock their rows in one order.
        rows = sorted(
            ({"s": code, "h": conditions_hash(code, inputs := loads(text)), "i": inputs, "n": n} for (code, _, text), n in counts.items()),
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
