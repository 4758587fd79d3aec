"""How good is a partition? Pairwise precision, recall and F1 against the truth, by recordlinkage's measures."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

import pandas as pd
import recordlinkage


@dataclass(frozen=True, slots=True)
class Quality:
    """Pairs found against pairs that are true; shares from 0 to 1. With no pair on a side, precision or recall is 1."""

    precision: float
    recall: float
    f1: float
    true_pairs: int
    found_pairs: int
    wrong: tuple[tuple[str, str], ...]
    missed: tuple[tuple[str, str], ...]


def pairwise(found: Mapping[str, Hashable], truth: Mapping[str, Hashable]) -> Quality:
    """Compare two partitions of the same records, given as record -> group."""
    links, facts = _pairs(found), _pairs(truth)
    wrong, missed = tuple(sorted(set(links) - set(facts))), tuple(sorted(set(facts) - set(links)))
    precision = float(recordlinkage.precision(_index(facts), _index(links))) if links else 1.0
    recall = float(recordlinkage.recall(_index(facts), _index(links))) if facts else 1.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0
    return Quality(precision, recall, f1, len(facts), len(links), wrong, missed)


def _pairs(partition: Mapping[str, Hashable]) -> list[tuple[str, str]]:
    groups: dict[Hashable, list[str]] = {}
    for record, group in partition.items():
        groups.setdefault(group, []).append(record)
    return [p for members in groups.values() for p in combinations(sorted(members), 2)]


def _index(pairs: Iterable[tuple[str, str]]) -> pd.MultiIndex:
    return pd.MultiIndex.from_tuples(list(pairs), names=["left", "right"])
