"""Blocking keys -> candidates, bounded, and never cut in silence.

A key held by more than BLOCK_MAX records is not followed by itself; its records still count where they share a second such key (the block
narrowed). What had to be left out is reported to the sender.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from mdm.db import fetch

BLOCK_MAX = 200
CANDIDATES_MAX = 200


@dataclass(frozen=True, slots=True)
class Blocks:
    """Which stored records hold which key; `over_full` keys are known only up to the cap."""

    holders: Mapping[int, frozenset[UUID]]
    over_full: frozenset[int]

    def and_also(self, other: "Blocks") -> "Blocks":
        return Blocks({**self.holders, **other.holders}, self.over_full | other.over_full)

    def candidates(self, keys: Sequence[int]) -> tuple[list[UUID], bool]:
        """The records that share most keys first, and whether some had to be left out."""
        shared = Counter(record for key in keys if key not in self.over_full for record in self.holders.get(key, ()))
        narrowed = Counter(record for key in keys if key in self.over_full for record in self.holders[key])
        shared.update({record: count for record, count in narrowed.items() if count > 1 or record in shared})
        ranked = sorted(shared, key=lambda record: (-shared[record], record))
        return ranked[:CANDIDATES_MAX], len(ranked) > CANDIDATES_MAX


def read_blocks(session: Session, keys: Sequence[int]) -> Blocks:
    """Read the holders of many keys in one statement, at most BLOCK_MAX + 1 of each. Call it after the locks are taken."""
    if not keys:
        return Blocks({}, frozenset())
    rows = fetch(
        session,
        "select k.key, array_agg(m.record_id) from unnest(%s::bigint[]) k(key)"
        " cross join lateral (select record_id from match_key where key = k.key limit %s) m group by k.key",
        (list(keys), BLOCK_MAX + 1),
    )
    holders = {key: frozenset(records) for key, records in rows}
    return Blocks(holders, frozenset(key for key, records in holders.items() if len(records) > BLOCK_MAX))
