"""Many pairs at once: which of them can come to a floor. Below it a pair is worth nothing, and most pairs that share a key stay far below.

It asks what the online scorer asks, in its order and by its measures, but of all pairs together: a value has a number, equal values have
one, and a measure that tells more than that is taken once of two values, however many pairs have them. Whoever wants weights asks the
scorer about the pairs that are left.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from math import inf
from typing import cast

import numpy as np

from matching.arrays import Bits, Flags, Rows
from matching.compare import MEASURES, Value
from matching.frequency import Frequency
from matching.model import Columns, Test
from matching.score import Met, Scorer, Step, of_values

_ABSENT, _UNREAD = -1, -2
_SAME_OR_NOT = {"exact", "shared", "jaccard", "containment"}  # of one value on each side they say no more
_ROUNDING = 1e-8  # bits; more than the scorer allows for sums in another order
_HALF = 32  # bits of each of two numbers in one
Of = Callable[[Value, Value], float]


class Sieve:
    """A scorer made ready to look through many pairs."""

    def __init__(self, scorer: Scorer) -> None:
        self._steps, self._prior = scorer.steps, scorer.model.prior
        self._of = _measures(self._steps, scorer.model.frequencies)
        self._heard = {met for step in self._steps if step.unless is not None for met in (step.unless, *step.along_with)}

    def within_reach(self, records: Sequence[Columns], left: Rows, right: Rows, floor: float) -> Flags:
        """Which of these pairs of records, by number, can come to `floor` bits: all that do, and some that do not."""
        speak = list(_speak(self._steps, records, left, right))
        reach = np.full(len(left), self._prior + _ROUNDING)
        for step, mine in zip(self._steps, speak, strict=True):
            reach += step.best * mine
        pairs = _Pairs(_Values(records, self._of), np.arange(len(left)), left, right, reach)
        for step, mine in zip(self._steps, speak, strict=True):
            pairs.keep(floor)
            pairs.ask(step, mine[pairs.places], self._heard)
        pairs.keep(floor)
        found = np.zeros(len(left), dtype=np.bool_)
        found[pairs.places] = True
        return found


def _measures(steps: Sequence[Step], frequencies: Mapping[str, Frequency]) -> dict[tuple[Test, bool], Of]:
    """The measure of each test, of two texts (False) and where one of them may be a list."""
    found: dict[tuple[Test, bool], Of] = {}
    for test in {test for step in steps for test in step.asked}:
        measure, of = MEASURES[test.measure], of_values(test, frequencies)
        found[test, True] = of
        found[test, False] = of if measure.by_rarity or measure.on_lists else cast("Of", measure.of)
    return found


def _speak(steps: Sequence[Step], records: Sequence[Columns], left: Rows, right: Rows) -> Iterator[Flags]:
    """Step by step which pairs have on both sides what it needs; most records have the same columns as others."""
    kinds: dict[frozenset[str], int] = {}
    kind = np.array([kinds.setdefault(frozenset(record), len(kinds)) for record in records], dtype=np.int64)
    one, other = kind[left], kind[right]
    for step in steps:
        known = np.array([step.needs <= columns for columns in kinds], dtype=np.bool_)
        yield known[one] & known[other]


class _Values:
    """What records have in their columns, as numbers. One value in a list is that value."""

    def __init__(self, records: Sequence[Columns], of: Mapping[tuple[Test, bool], Of]) -> None:
        self.records = records
        self._of = of
        self._numbers = _Numbers()
        self._columns: dict[str, Rows] = {}  # by record

    def taken(self, test: Test, least: float, left: Rows, right: Rows) -> Bits:
        """The measure of a test for pairs; minus infinity where a side is absent. Below `least` it may be less than what is told."""
        first, second = test.columns[0], test.columns[-1]
        one = self._measured(test, self._of_column(first, left), self._of_column(second, right))
        if len(test.columns) == 1:
            return one
        if not test.both:
            return np.maximum(one, self._measured(test, self._of_column(second, left), self._of_column(first, right)))
        rest = np.flatnonzero(one >= least)
        other = self._measured(test, self._of_column(second, left[rest]), self._of_column(first, right[rest]))
        one[rest] = np.minimum(one[rest], other)
        return one

    def _measured(self, test: Test, left: Rows, right: Rows) -> Bits:
        """The same for values by their numbers."""
        found = np.full(len(left), -inf)
        known = np.flatnonzero((left != _ABSENT) & (right != _ABSENT))
        several = np.frombuffer(bytes(self._numbers.several), dtype=np.bool_)
        lists = several[left[known]] | several[right[known]]
        if test.measure in _SAME_OR_NOT:
            found[known] = left[known] == right[known]
            known = known[lists]
        both, back = np.unique(left[known] << _HALF | right[known], return_inverse=True)
        of, values = self._of[test, bool(lists.any())], self._numbers.values_by_number
        told = [of(values[a], values[b]) for a, b in zip((both >> _HALF).tolist(), (both & (1 << _HALF) - 1).tolist(), strict=True)]
        found[known] = np.array(told, dtype=np.float64)[back]
        return found

    def _of_column(self, name: str, rows: Rows) -> Rows:
        """The numbers of these records' values; a record is looked at when it is first asked about."""
        known = self._columns.get(name)
        if known is None:
            known = self._columns[name] = np.full(len(self.records), _UNREAD, dtype=np.int64)
        unread = np.unique(rows[known[rows] == _UNREAD])
        values = [self.records[row].get(name) for row in unread.tolist()]
        numbers = self._numbers
        known[unread] = [numbers[value] if value.__class__ is str else self._of_list(value) for value in values]
        found: Rows = known[rows]
        return found

    def _of_list(self, value: Value | None) -> int:
        if value is None:
            return _ABSENT
        return self._numbers[value[0] if len(value) == 1 else tuple(value)]


class _Numbers(dict[Value, int]):
    """A number for each value that is asked about, from 0; `values_by_number`, and which of them are a list."""

    def __init__(self) -> None:
        super().__init__()
        self.values_by_number: list[Value] = []
        self.several = bytearray()

    def __missing__(self, value: Value) -> int:
        number = self[value] = len(self.several)
        self.values_by_number.append(value)
        self.several.append(value.__class__ is not str)
        return number


class _Pairs:
    """The pairs within reach so far: their places among all, who they are, and the most (bits) that each can come to."""

    def __init__(self, values: _Values, places: Rows, left: Rows, right: Rows, reach: Bits) -> None:
        self._values = values
        self.places, self._left, self._right, self._reach = places, left, right, reach
        self._said: dict[Met, Flags] = {}

    def keep(self, floor: float) -> None:
        """Only those that can come to so much."""
        near = self._reach >= floor
        if near.all():
            return
        self.places, self._left, self._right, self._reach = self.places[near], self._left[near], self._right[near], self._reach[near]
        self._said = {met: flags[near] for met, flags in self._said.items()}

    def ask(self, step: Step, speaks: Flags, heard: Collection[Met]) -> None:
        """What a step says of those that it can speak of, instead of the best that it could. `heard`: levels that others ask about."""
        self._reach -= step.best * speaks
        asked = np.flatnonzero(speaks & ~self._silenced(step))
        left, right = self._left[asked], self._right[asked]
        levels = self._levels(step, left, right)
        for number, level in enumerate(step.levels):
            mine = levels == number
            rows = asked[mine]
            self._reach[rows] += level.weight
            if level.frequency is not None:
                self._reach[rows] += self._adjustments(level.adjustment, left[mine], right[mine])
            if (step.name, level.label) in heard:
                self._said[step.name, level.label] = flags = np.zeros(len(speaks), dtype=np.bool_)
                flags[rows] = True

    def _silenced(self, step: Step) -> Flags:
        nobody = np.zeros(len(self.places), dtype=np.bool_)
        if step.unless is None:
            return nobody
        along = [self._said.get(met, nobody) for met in step.along_with]
        silent = self._said.get(step.unless, nobody)
        return silent & np.any(along, axis=0) if along else silent

    def _levels(self, step: Step, left: Rows, right: Rows) -> Rows:
        """The number of the first level that holds."""
        least = [min(at_least for other, at_least, _ in step.tests if other == slot) for slot in range(len(step.asked))]
        levels = np.full(len(left), len(step.levels) - 1, dtype=np.int64)
        taken: dict[int, Bits] = {}
        rest = np.arange(len(left))
        for slot, at_least, level in step.tests:
            if slot not in taken:
                taken[slot] = np.full(len(left), -inf)
                taken[slot][rest] = self._values.taken(step.asked[slot], least[slot], left[rest], right[rest])
            holds = taken[slot][rest] >= at_least
            levels[rest[holds]] = next(number for number, each in enumerate(step.levels) if each is level)
            rest = rest[~holds]
        return levels

    def _adjustments(self, of: Callable[[Columns, Columns], float], left: Rows, right: Rows) -> Bits:
        records = self._values.records
        found = [of(records[a], records[b]) for a, b in zip(left.tolist(), right.tolist(), strict=True)]
        return np.array(found, dtype=np.float64)
