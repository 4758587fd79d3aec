"""One pair -> weight and evidence: the online executor.

The score is symmetric, repeatable, and a sum: prior + one weight per comparison that both sides can speak to. An absent value is no
evidence, neither for nor against. Evidence *is* the explanation: what is stored and shown is what decided.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import inf, log2
from operator import attrgetter, itemgetter

from matching.compare import MEASURES, Measure, Value, uniform
from matching.frequency import Frequency
from matching.model import Columns, Comparison, Level, Model, Test, Veto

Met = tuple[str, str]  # a comparison and the label of the level that holds
Take = Callable[[Columns, Columns], float]
_ABSENT = float("-inf")
_PLANS_MAX = 4_096
_RARITIES_MAX = 65_536  # words of a column whose rarity is remembered: a description is compared with hundreds of others
_ROUNDING = 1e-9  # what sums of weights in another order may differ by, and more


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one comparison said about a pair. `adjustment` is the part of `weight` that the rarity of the shared value adds or takes."""

    comparison: str
    level: str
    weight: float
    group: str
    adjustment: float = 0.0


@dataclass(frozen=True, slots=True)
class Total:
    """A pair's total in bits: what is kept of it.

    `vetoes` name rules that forbid an automatic link; `capped` says that one kind of evidence alone is not enough for one.
    """

    weight: float
    vetoes: tuple[str, ...] = ()
    capped: bool = False


@dataclass(frozen=True, slots=True)
class Score(Total):
    """The same with what it is made of."""

    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class WeighedLevel:
    """A level made ready: its weight, and what the value's frequency adds."""

    label: str
    weight: float
    column: str | None = None
    frequency: Frequency | None = None
    u_bits: float = 0.0

    def adjustment(self, left: Columns, right: Columns) -> float:
        """What the rarity of the shared value adds (or takes, for a common one), in bits."""
        if self.frequency is None or self.column is None:
            return 0.0
        shares = [self.frequency.share(value) for side in (left, right) if isinstance(value := side.get(self.column), str)]
        # No side has the value only where a level is weighed that was not met.
        return self.u_bits - log2(max(shares)) if shares else 0.0

    @property
    def best(self) -> float:
        return self.weight if self.frequency is None else self.weight + max(0.0, self.u_bits + log2(self.frequency.total + 1))


@dataclass(frozen=True, slots=True)
class Step:
    """A comparison made ready."""

    place: int
    name: str
    group: str
    needs: frozenset[str]
    levels: tuple[WeighedLevel, ...]  # the last one holds where no other does
    tests: tuple[tuple[int, float, WeighedLevel], ...]  # slot of the measure, value to reach, the level that then holds; in order
    asked: tuple[Test, ...]  # by slot
    measures: tuple[Take, ...]
    best: float
    takes: float  # from the best, on average of pairs that are no match
    unless: tuple[str, str] | None
    along_with: frozenset[tuple[str, str]]

    def met(self, left: Columns, right: Columns) -> WeighedLevel:
        """The first level that holds."""
        taken: list[float | None] = [None] * len(self.measures)
        for slot, at_least, level in self.tests:
            value = taken[slot]
            if value is None:
                value = taken[slot] = self.measures[slot](left, right)
            if value >= at_least:
                return level
        return self.levels[-1]

    def evidence(self, level: WeighedLevel, left: Columns, right: Columns) -> Evidence:
        """What this level counts for these two."""
        adjustment = level.adjustment(left, right)
        return Evidence(self.name, level.label, level.weight + adjustment, self.group, adjustment)

    def is_silenced(self, met: Sequence[Met]) -> bool:
        return self.unless is not None and self.unless in met and not (self.along_with and self.along_with.isdisjoint(met))


_Reached = tuple[Step, WeighedLevel, float]  # what a step met, and its bits
_Bits = tuple[str, float, str, str]  # kind of evidence, bits, and what was met


@dataclass(frozen=True, slots=True)
class _Plan:
    """What can be asked of two records: the steps, the most that these can come to, and the vetoes."""

    steps: tuple[Step, ...]
    reach: float
    vetoes: tuple[Veto, ...]


class Scorer:
    """A model made ready to score many pairs: levels become closures, and the best that the rest could add is known at each step."""

    def __init__(self, model: Model) -> None:
        self.model = model
        steps = [_step(place, comparison, model.frequencies) for place, comparison in enumerate(model.comparisons)]
        self.steps = tuple(sorted(steps, key=_turn))
        self._plans: dict[frozenset[str], _Plan] = {}

    def score(self, left: Columns, right: Columns) -> Score:
        """Everything about one pair, vetoes included."""
        return self._score(left, right, self._reached(left, right, -inf) or ())

    def score_from(self, left: Columns, right: Columns, floor: float) -> Score | None:
        """The same, or None as soon as `floor` (bits) is out of reach, which most pairs show in a few sums."""
        reached = self._reached(left, right, floor)
        if reached is None:
            return None
        score = self._score(left, right, reached)
        return score if score.weight >= floor else None

    def total_from(self, left: Columns, right: Columns, floor: float) -> Total | None:
        """What `score_from` says without its evidence, which is half of the work."""
        reached = self._reached(left, right, floor)
        if reached is None:
            return None
        total = self._total(left, right, _bits(reached))
        return total if total.weight >= floor else None

    def total(self, left: Columns, right: Columns) -> Total:
        """What `score` says without its evidence."""
        return self._total(left, right, _bits(self._reached(left, right, -inf) or ()))

    def _plan(self, left: Columns, right: Columns) -> _Plan:
        """What both sides can speak to: worked out once for each pattern of absence."""
        both = frozenset(left.keys() & right.keys())
        known = self._plans.get(both)
        if known is None:
            if len(self._plans) >= _PLANS_MAX:
                self._plans.clear()
            steps = tuple(step for step in self.steps if step.needs <= both)
            vetoes = tuple(veto for veto in self.model.vetoes if both.issuperset((*veto.conflict, *veto.agree)))
            known = self._plans[both] = _Plan(steps, self.model.prior + sum(step.best for step in steps) + _ROUNDING, vetoes)
        return known

    def _reached(self, left: Columns, right: Columns, floor: float) -> list[_Reached] | None:
        """The levels met with their bits, in the model's order, or None as soon as `floor` is out of reach."""
        plan = self._plan(left, right)
        reach = plan.reach
        met: list[Met] = []
        found: list[_Reached] = []
        for step in plan.steps:
            if reach < floor:
                return None
            reach -= step.best
            if not step.is_silenced(met):
                level = step.met(left, right)
                met.append((step.name, level.label))
                bits = level.weight if level.frequency is None else level.weight + level.adjustment(left, right)
                found.append((step, level, bits))
                reach += bits
        return sorted(found, key=_place) if reach >= floor else None

    def said(self, left: Columns, right: Columns) -> dict[str, Evidence]:
        """What each comparison that both sides can speak to says by itself; what `unless` leaves out is left to `weigh`."""
        both = left.keys() & right.keys()
        return {step.name: step.evidence(step.met(left, right), left, right) for step in self.steps if step.needs <= both}

    def worth(self, left: Columns, right: Columns) -> dict[str, tuple[Evidence, ...]]:
        """What each level of each comparison would count for these two, whether it is met or not, in the model's order."""
        in_order = sorted(self.steps, key=attrgetter("place"))
        return {step.name: tuple(step.evidence(level, left, right) for level in step.levels) for step in in_order}

    def weigh(self, left: Columns, right: Columns, said: Mapping[str, Evidence]) -> Score:
        """The score if the comparisons said this: `score`, where it is what they did say."""
        found: list[tuple[int, Evidence]] = []
        for step in self.steps:
            if step.name in said and not step.is_silenced([(e.comparison, e.level) for _, e in found]):
                found.append((step.place, said[step.name]))
        return self._explained(left, right, tuple(evidence for _, evidence in sorted(found, key=itemgetter(0))))

    def _score(self, left: Columns, right: Columns, reached: Sequence[_Reached]) -> Score:
        return self._explained(left, right, tuple([step.evidence(level, left, right) for step, level, _ in reached]))

    def _explained(self, left: Columns, right: Columns, evidence: tuple[Evidence, ...]) -> Score:
        total = self._total(left, right, [(e.group, e.weight, e.comparison, e.level) for e in evidence])
        return Score(total.weight, total.vetoes, total.capped, evidence)

    def _total(self, left: Columns, right: Columns, said: Sequence[_Bits]) -> Total:
        """What kinds of evidence with their bits, in the model's order, come to."""
        weight = self.model.prior + sum([bits for _, bits, _, _ in said])
        vetoes = tuple([veto.name for veto in self._plan(left, right).vetoes if speaks_against(veto, left, right)])
        capped = weight >= self.model.thresholds.link and self.one_sided(said) is not None
        if capped:
            # Just below link: a person decides. One address or one phone, however often it is counted, is no identity.
            weight = self.model.thresholds.link - 0.01
        return Total(weight, vetoes, capped)

    def one_sided(self, said: Sequence[tuple[str, float, str, str]]) -> str | None:
        """Why this evidence links nobody by itself, in words: too few kinds of it agree, or none of those that the model asks for.

        `said`: of each comparison its kind of evidence, its bits, its name and its level.
        """
        model, backing = self.model, self.model.wants_backing
        if model.groups_needed == 0 and not model.groups_required and backing is None:
            return None
        sums: dict[str, float] = {}
        for group, bits, _, _ in said:
            sums[group] = sums.get(group, 0.0) + bits
        agreeing = {group for group, total in sums.items() if total > 0}
        if len(sums) >= model.groups_needed > len(agreeing):
            return f"fewer than {model.groups_needed} kinds of evidence agree"
        if model.groups_required and agreeing.isdisjoint(model.groups_required):
            return f"no {_one_of(model.groups_required)} agrees"
        if backing is not None and agreeing.isdisjoint(backing.groups) and all(each[2:] != backing.met for each in said):
            return f"{backing.met[0]} is not '{backing.met[1]}' and no {_one_of(backing.groups)} agrees"
        return None


def _one_of(groups: Sequence[str]) -> str:
    return " or ".join([", ".join(groups[:-1]), groups[-1]] if len(groups) > 1 else groups)


def _place(reached: _Reached) -> int:
    return reached[0].place


def _bits(reached: Sequence[_Reached]) -> list[_Bits]:
    return [(step.group, bits, step.name, level.label) for step, level, bits in reached]


def speaks_against(veto: Veto, left: Columns, right: Columns) -> bool:
    for column in veto.conflict:  # loops: for every pair all vetoes are asked, and most end at the first column
        if not _disjoint(left, right, column):
            return False
    for column in veto.agree:
        if not _common(left, right, column):
            return False
    return not (
        any(_common(left, right, column) for column in veto.lifted_by) or any(_holds(test, left, right) for test in veto.lifted_where)
    )


def _holds(test: Test, left: Columns, right: Columns) -> bool:
    return take(test, {})(left, right) >= test.at_least


def _disjoint(left: Columns, right: Columns, column: str) -> bool:
    return column in left and column in right and not _common(left, right, column)


def _common(left: Columns, right: Columns, column: str) -> bool:
    a, b = left.get(column), right.get(column)
    if a is None or b is None:
        return False
    return a == b if isinstance(a, str) and isinstance(b, str) else not set(_as_list(a)).isdisjoint(_as_list(b))


def _as_list(value: Value) -> Sequence[str]:
    return (value,) if isinstance(value, str) else value


def _turn(step: Step) -> tuple[bool, float]:
    """Questions that take most from two strangers' reach for their cost come first, so that most pairs are soon out of it.

    Who waits for another's level comes last, in the model's order.
    """
    return (False, -step.takes / (1 + len(step.measures))) if step.unless is None else (True, step.place)


def _step(place: int, comparison: Comparison, frequencies: Mapping[str, Frequency]) -> Step:
    """A measure that several levels ask about is taken once per pair."""
    slots: dict[tuple[str, tuple[str, ...], bool], int] = {}
    asked: list[Test] = []
    levels = [_level(level, frequencies) for level in comparison.levels]
    tests = []
    for level, ready in zip(comparison.levels, levels, strict=True):
        for test in level.any_of:
            slot = slots.setdefault((test.measure, test.columns, test.both), len(asked))
            if slot == len(asked):
                asked.append(test)
            tests.append((slot, test.at_least, ready))
    best = max(0.0, *(level.best for level in levels))
    takes = sum(level.u * (best - level.weight) for level in comparison.levels)
    needs = frozenset(comparison.needs)
    return Step(
        place,
        comparison.name,
        comparison.group,
        needs,
        tuple(levels),
        tuple(tests),
        tuple(asked),
        tuple([take(test, frequencies) for test in asked]),
        best,
        takes,
        comparison.unless,
        frozenset(comparison.along_with),
    )


def _level(level: Level, frequencies: Mapping[str, Frequency]) -> WeighedLevel:
    counted = frequencies.get(level.frequency) if level.frequency else None
    return WeighedLevel(level.label, level.weight, level.frequency, counted, log2(level.u))


def take(test: Test, frequencies: Mapping[str, Frequency]) -> Take:
    """The measure of one test for a pair; minus infinity where a side is absent."""
    of = of_values(test, frequencies)
    if len(test.columns) == 1:
        return _of_one(test.columns[0], of, MEASURES[test.measure])
    first, second = test.columns
    join = min if test.both else max

    def crosswise(left: Columns, right: Columns) -> float:
        one = of(left[first], right[second]) if first in left and second in right else _ABSENT
        other = of(left[second], right[first]) if second in left and first in right else _ABSENT
        return join(one, other)

    return crosswise


def _of_one(column: str, of: Callable[[Value, Value], float], measure: Measure) -> Take:
    """The measure of one column. Two texts, or two lists, go to the measure directly: it is what a delivery does hundreds of times."""
    direct: Callable[..., float] = of if measure.by_rarity else measure.of
    takes_text = not (measure.by_rarity or measure.on_lists)

    def alike(left: Columns, right: Columns) -> float:
        a, b = left.get(column), right.get(column)
        if a is None or b is None:
            return _ABSENT
        is_fit = (a.__class__ is str) is takes_text and (b.__class__ is str) is takes_text
        return direct(a, b) if is_fit else of(a, b)

    return alike


def of_values(test: Test, frequencies: Mapping[str, Frequency]) -> Callable[[Value, Value], float]:
    """The measure of one test for two values, of which it may see several (two lists) or ask how rare they are."""
    measure = MEASURES[test.measure]
    of: Callable[..., float] = measure.of
    if measure.by_rarity:
        counted = frequencies.get(test.columns[0])
        rarity = lru_cache(maxsize=_RARITIES_MAX)(counted.rarity) if counted else uniform
        return lambda a, b: of(_as_list(a), _as_list(b), rarity)
    if measure.on_lists:
        return lambda a, b: of(_as_list(a), _as_list(b))

    def best(a: Value, b: Value) -> float:
        if isinstance(a, str) and isinstance(b, str):
            return of(a, b)
        return max(of(x, y) for x in _as_list(a) for y in _as_list(b))

    return best
