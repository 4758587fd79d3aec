"""Records as a table: one column of texts or of lists per comparison column, and a row number that stands for the record."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from matching.compare import Value
from matching.model import Columns, Model


@dataclass(frozen=True, slots=True)
class Layout:
    """Which columns the table has (one that no record fills is absent), and which of them hold lists."""

    columns: frozenset[str]
    lists: frozenset[str]


@dataclass(frozen=True, slots=True)
class Records:
    """The records of one run, by row number: as a table `n, column, column ...`, and as they came, for measures without a form in SQL."""

    table: pa.Table
    layout: Layout
    columns: Sequence[Columns]


def field(column: str) -> str:
    """A comparison column's name in the table."""
    return column.replace(".", "__")


def lay_out(model: Model, records: Sequence[Columns]) -> Records:
    """The model's columns as a table.

    A column of lists none of which has two values is laid out as texts: they compare many times faster.
    """
    arrays: dict[str, Any] = {"n": pa.array(np.arange(len(records), dtype=np.int64))}
    columns, lists = set(), set()
    for column in sorted(model.columns):
        values = [record.get(column) for record in records]
        if all(value is None for value in values):
            continue
        columns.add(column)
        if any(not isinstance(value, str) and len(value) > 1 for value in values if value is not None):
            lists.add(column)
            arrays[field(column)] = pa.array([_as_list(value) for value in values], pa.list_(pa.string()))
        else:
            arrays[field(column)] = pa.array([_as_text(value) for value in values], pa.string())
    return Records(pa.table(arrays), Layout(frozenset(columns), frozenset(lists)), records)


def _as_list(value: Value | None) -> list[str] | None:
    return None if value is None else [value] if isinstance(value, str) else list(value)


def _as_text(value: Value | None) -> str | None:
    return value if value is None or isinstance(value, str) else value[0]
