"""One pair -> weight and evidence: the online executor.

The score is symmetric, repeatable, and a sum: prior + one weight per comparison that both sides can speak to. An absent value is no
evidence, neither for nor against. Evidence *is* the explanation: what is stored and shown is what decided.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter

from matching.compare import MEASURES, Value
from matching.model import Columns, Comparison, Model, Test, Veto

Take = Callable[[Columns, Columns], float]
_ABSENT = float("-inf")
_ROUNDING = 1e-9  # what sums of weights in another order may differ by, and more


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one comparison said about a pair."""

    comparison: str
    level: str
    weight: float
    group: str


@dataclass(frozen=True, slots=True)
class Score:
    """A pair's total in bits with what it is made of.

    `vetoes` name rules that forbid an automatic link; `capped` says that one kind of evidence alone is not enough for one.
    """

    weight: float
    evidence: tuple[Evidence, ...]
    vetoes: tuple[str, ...] = ()
    capped: bool = False


@dataclass(frozen=True, slots=True)
class _Step:
    place: int
    name: str
    group: str
    needs: frozenset[str]
    levels: tuple[tuple[str, float, tuple[tuple[int, float], ...]], ...]
    measures: tuple[Take, ...]
    best: float
    unless: tuple[str, str] | None

    def met(self, left: Columns, right: Columns) -> tuple[str, float]:
        """The first level that holds, with its weight."""
        taken: dict[int, float] = {}
        for label, weight, tests in self.levels:
            if not tests:
                return label, weight
            for slot, at_least in tests:
                value = taken.get(slot)
                if value is None:
                    value = taken[slot] = self.measures[slot](left, right)
                if value >= at_least:
                    return label, weight
        raise AssertionError("the last level always holds")


class Scorer:
    """A model made ready to score many pairs: levels become closures, and the best that the rest could add is known at each step."""

    def __init__(self, model: Model) -> None:
        self.model = model
        steps = [_step(place, comparison) for place, comparison in enumerate(model.comparisons)]
        self._steps = tuple(sorted(steps, key=_turn))

    def score(self, left: Columns, right: Columns) -> Score:
        """Everything about one pair, vetoes included."""
        evidence = self._evidence(left, right, floor=None) or ()
        return self._total(left, right, evidence)

    def score_from(self, left: Columns, right: Columns, floor: float) -> Score | None:
        """The same, or None as soon as `floor` (bits) is out of reach."""
        evidence = self._evidence(left, right, floor)
        if evidence is None:
            return None
        score = self._total(left, right, evidence)
        return score if score.weight >= floor else None

    def _evidence(self, left: Columns, right: Columns, floor: float | None) -> tuple[Evidence, ...] | None:
        both = left.keys() & right.keys()
        steps = [step for step in self._steps if step.needs <= both]
        reach = self.model.prior + sum(step.best for step in steps) + _ROUNDING
        found: list[tuple[int, Evidence]] = []
        for step in steps:
            if floor is not None and reach < floor:
                return None
            reach -= step.best
            if step.unless is not None and any((e.comparison, e.level) == step.unless for _, e in found):
                continue
            label, weight = step.met(left, right)
            found.append((step.place, Evidence(step.name, label, weight, step.group)))
            reach += weight
        return tuple(evidence for _, evidence in sorted(found, key=itemgetter(0)))

    def _total(self, left: Columns, right: Columns, evidence: tuple[Evidence, ...]) -> Score:
        weight = self.model.prior + sum(e.weight for e in evidence)
        vetoes = tuple(veto.name for veto in self.model.vetoes if speaks_against(veto, left, right))
        capped = weight >= self.model.thresholds.link and self._needs_more_groups(evidence)
        if capped:
            # Just below link: a person decides. One address or one phone, however often it is counted, is no identity.
            weight = self.model.thresholds.link - 0.01
        return Score(weight, evidence, vetoes, capped)

    def _needs_more_groups(self, evidence: tuple[Evidence, ...]) -> bool:
        if self.model.groups_needed == 0:
            return False
        sums: dict[str, float] = {}
        for e in evidence:
            sums[e.group] = sums.get(e.group, 0.0) + e.weight
        agreeing = sum(total > 0 for total in sums.values())
        return len(sums) >= self.model.groups_needed and agreeing < self.model.groups_needed


def speaks_against(veto: Veto, left: Columns, right: Columns) -> bool:
    return all(_disjoint(left, right, c) for c in veto.conflict) and all(_common(left, right, c) for c in veto.agree)


def _disjoint(left: Columns, right: Columns, column: str) -> bool:
    return column in left and column in right and not _common(left, right, column)


def _common(left: Columns, right: Columns, column: str) -> bool:
    if column not in left or column not in right:
        return False
    return not set(_as_list(left[column])).isdisjoint(_as_list(right[column]))


def _as_list(value: Value) -> Sequence[str]:
    return (value,) if isinstance(value, str) else value


def _turn(step: _Step) -> tuple[bool, int, float]:
    """Cheap questions with most to say come first, so that most pairs are soon out of reach; who waits for another's level comes last."""
    return (False, len(step.measures), -step.best) if step.unless is None else (True, step.place, 0.0)


def _step(place: int, comparison: Comparison) -> _Step:
    """Levels as (label, weight, tests); a measure that several levels ask about is taken once per pair."""
    slots: dict[tuple[str, tuple[str, ...], bool], int] = {}
    measures: list[Take] = []
    levels = []
    for level in comparison.levels:
        tests = []
        for test in level.any_of:
            slot = slots.setdefault((test.measure, test.columns, test.both), len(measures))
            if slot == len(measures):
                measures.append(_take(test))
            tests.append((slot, test.at_least))
        levels.append((level.label, level.weight, tuple(tests)))
    best = max(0.0, *(weight for _, weight, _ in levels))
    needs = frozenset(comparison.needs)
    return _Step(place, comparison.name, comparison.group, needs, tuple(levels), tuple(measures), best, comparison.unless)


def _take(test: Test) -> Take:
    """The measure of one test for a pair; minus infinity where a side is absent."""
    of = _best_pair(test)
    if len(test.columns) == 1:
        column = test.columns[0]
        return lambda left, right: of(left[column], right[column]) if column in left and column in right else _ABSENT
    first, second = test.columns
    join = min if test.both else max

    def crosswise(left: Columns, right: Columns) -> float:
        one = of(left[first], right[second]) if first in left and second in right else _ABSENT
        other = of(left[second], right[first]) if second in left and first in right else _ABSENT
        return join(one, other)

    return crosswise


def _best_pair(test: Test) -> Callable[[Value, Value], float]:
    measure = MEASURES[test.measure]
    of: Callable[..., float] = measure.of
    if measure.on_lists:
        return lambda a, b: of(_as_list(a), _as_list(b))

    def best(a: Value, b: Value) -> float:
        if isinstance(a, str) and isinstance(b, str):
            return of(a, b)
        return max(of(x, y) for x in _as_list(a) for y in _as_list(b))

    return best
