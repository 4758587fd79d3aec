"""How common is a value? Frozen counts per column, so that the same pair scores the same tomorrow."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import log2

from matching.compare import Value

KEPT_MAX = 50_000  # the most common values of a column; rarer ones count as seen once


@dataclass(frozen=True, slots=True)
class Frequency:
    """Over `total` records: how many have a value. Only values that two or more have are kept, any other one counts as one record's."""

    total: int
    counts: Mapping[str, int]

    def share(self, value: str) -> float:
        """The share of records that have the value, above 0 and below 1: a record more that has another one is thought of."""
        return self.counts.get(value, 1) / (self.total + 1)

    def rarity(self, value: str) -> float:
        """What it is worth to share this value, in bits: 1 where half of all records have it, 10 where one of 1,024 has."""
        return -log2(self.share(value))


def count_values(values: Iterable[Value]) -> Frequency:
    """The frequency table of one column; a list's values count once per record. At least one record is needed."""
    counts: Counter[str] = Counter()
    total = 0
    for value in values:
        total += 1
        counts.update((value,) if isinstance(value, str) else set(value))
    kept = sorted((entry for entry in counts.items() if entry[1] > 1), key=lambda entry: (-entry[1], entry[0]))
    return Frequency(max(total, 1), dict(kept[:KEPT_MAX]))
