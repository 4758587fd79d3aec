"""The frequencies that a model asks for, counted over a set of records and frozen into it."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from matching.compare import MEASURES, Value
from matching.frequency import Frequency, count_values
from matching.model import Columns, Model

_SMALLEST_SET = 2


def with_frequencies(model: Model, records: Sequence[Columns]) -> Model:
    """The model with frequencies counted over these records, for every column whose rarity it asks for."""
    return with_counted(model, lambda column: [value for record in records if (value := record.get(column)) is not None])


def with_counted(model: Model, values_of: Callable[[str], Sequence[Value]]) -> Model:
    """The same where the values that records have are told column by column.

    Words are counted over distinct lists of words: ten copies of one name must not make its rare word look common.
    """
    counted: dict[str, Frequency] = {}
    for column in sorted(_counted_columns(model)):
        found = values_of(column)
        values = found if any(isinstance(value, str) for value in found) else sorted({tuple(value) for value in found})
        if len(values) >= _SMALLEST_SET:
            counted[column] = count_values(values)
    return replace(model, frequencies=counted)


def _counted_columns(model: Model) -> set[str]:
    levels = [level for comparison in model.comparisons for level in comparison.levels]
    words = {column for level in levels for test in level.any_of if MEASURES[test.measure].by_rarity for column in test.columns}
    return words | {level.frequency for level in levels if level.frequency is not None}
