"""Blocking keys -> candidates, bounded, and never cut in silence.

A key held by more than HOLDERS_MAX records is not followed by itself; its records still count where they share a second such key (the block
narrowed). What had to be left out is reported to the sender.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from types import MappingProxyType
from uuid import UUID

from sqlalchemy.orm import Session

from matching.model import HOLDERS_MAX, Model
from mdm.db import array, fetch

CANDIDATES_MAX = 200
_ID_BYTES = 16
Limits = tuple[int, int]  # holders of one key that are followed; of two that have more
_USUAL: Limits = (HOLDERS_MAX, HOLDERS_MAX)
ALL_USUAL: Mapping[int, Limits] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Blocks:
    """Which stored records hold which key, as the bytes of their ids: a delivery meets a thousand of them, and follows a few.

    Holders of `over_full` keys are known only up to the cap.

    `crowded` keys, the over-full ones among them, have more holders than their rule follows: they count only two together, and where not
    more than so many records hold both.
    """

    holders: Mapping[int, frozenset[bytes]]
    over_full: frozenset[int]
    crowded: Mapping[int, int]

    def and_also(self, other: "Blocks") -> "Blocks":
        """Both together. `other` may not know the rules of the keys that it shares with this one."""
        crowded = {key: most for key, most in other.crowded.items() if key not in self.holders}
        return Blocks({**self.holders, **other.holders}, self.over_full | other.over_full, {**self.crowded, **crowded})

    def candidates(self, keys: Sequence[int]) -> tuple[list[UUID], bool]:
        """The records that share most keys first, and whether some had to be left out."""
        ranked, was_cut = self.ranked(keys)
        return [UUID(bytes=record) for record in ranked], was_cut

    def ranked(self, keys: Sequence[int]) -> tuple[list[bytes], bool]:
        """The same as the bytes of their ids."""
        shared = Counter(record for key in keys if key not in self.crowded for record in self.holders.get(key, ()))
        for one, other in combinations([key for key in keys if key in self.crowded], 2):
            both = self.holders[one] & self.holders[other]
            if len(both) <= min(self.crowded[one], self.crowded[other]):
                shared.update(both)
        ranked = sorted(shared, key=lambda record: (-shared[record], record))
        return ranked[:CANDIDATES_MAX], len(ranked) > CANDIDATES_MAX

    def held_by(self, key: int) -> set[UUID]:
        """The records that hold a key, as far as they are known."""
        return {UUID(bytes=record) for record in self.holders.get(key, ())}


def read_blocks(session: Session, keys: Iterable[int], rules: Mapping[int, Limits] = ALL_USUAL) -> Blocks:
    """Read the holders of many keys in one statement, at most HOLDERS_MAX + 1 of each. Call it after the locks are taken.

    `rules`: what the rules of these keys follow, where it is less than usual; see `limits`.
    """
    wanted = sorted(set(keys))
    if not wanted:
        return Blocks({}, frozenset(), {})
    rows = fetch(
        session,
        "select k.key, m.ids from unnest(%s::bigint[]) k(key) cross join lateral (select string_agg(uuid_send(record_id), '') as ids"
        " from (select record_id from match_key where key = k.key limit %s) x) m where m.ids is not null",
        (array(wanted), HOLDERS_MAX + 1),
    )
    holders = {key: frozenset([ids[at : at + _ID_BYTES] for at in range(0, len(ids), _ID_BYTES)]) for key, ids in rows}
    crowded = {key: min(rules.get(key, _USUAL)) for key, records in holders.items() if len(records) > rules.get(key, _USUAL)[0]}
    return Blocks(holders, frozenset(key for key in crowded if len(holders[key]) > HOLDERS_MAX), crowded)


def limits(model: Model, keys: Mapping[int, str]) -> dict[int, Limits]:
    """Of keys with the names of their rules: how many holders are followed, where the rule says fewer than usual."""
    fewer = {rule.name: limit for rule in model.blocking if (limit := (rule.holders_max, rule.together_max)) != _USUAL}
    return {key: fewer[rule] for key, rule in keys.items() if rule in fewer} if fewer else {}
