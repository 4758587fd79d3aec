"""Values of a file that too many would hold: they are nobody's evidence, and the plan leaves them out before it compares."""

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mdm.entity import EntityType
from mdm.guard import guard_key, guards
from mdm.pile import Pile

_TEXTS = 10_000


def overshared(entity: EntityType, stock: Pile, fresh: Pile, heavy: Mapping[int, int]) -> set[tuple[str, str]]:
    """Values of `fresh` records that too many would hold: counted with those of `stock`, or under a key that is too heavy already."""
    over: set[tuple[str, str]] = set()
    for column, limit in guards(entity).items():
        values, before = fresh.held(column).values, stock.held(column).values
        distinct = values.unique()
        counts = pa.chunked_array([*values.chunks, *before.chunks], pa.string()).value_counts()
        many = counts.field(0).filter(pc.greater(counts.field(1), limit))
        over |= {(column, value) for value in many.filter(pc.is_in(many, value_set=distinct)).to_pylist()}
        if heavy:
            key = guard_key(entity, column)
            over |= {(column, value) for value in _one_by_one(distinct) if heavy.get(key(value), 0) > limit}
    return over


def overshared_with(entity: EntityType, fresh: Pile, holders: Mapping[int, int]) -> set[tuple[str, str]]:
    """Values that too many would hold, where it is known how many stored records hold the key of each (absent: nobody does)."""
    over: set[tuple[str, str]] = set()
    for column, limit in guards(entity).items():
        key = guard_key(entity, column)
        counts = fresh.held(column).values.value_counts().to_pylist()
        over |= {(column, each["values"]) for each in counts if each["counts"] + holders.get(key(each["values"]), 0) > limit}
    return over


def _one_by_one(values: Any) -> Iterator[str]:
    """A million texts of Python at once would take the room that the comparison needs."""
    for start in range(0, len(values), _TEXTS):
        yield from values[start : start + _TEXTS].to_pylist()
