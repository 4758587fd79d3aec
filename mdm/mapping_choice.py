"""Which rule of a mapping set answers, and why no other does. Pure: rules, inputs and a moment in, a choice out.

A rule asks for some inputs and lets the others be anything. Among the rules whose conditions are met and which are in force, the one with
the most conditions answers; among equals, the one that names an earlier input of the set's tie-break. Equals that are left over answer
only if they say the same, else nobody answers: a program must never be given one of two amounts by chance.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import product
from types import MappingProxyType

OTHERS_MAX = 5  # of the rules that did not answer, so many are named
Inputs = Mapping[str, str]
Shape = tuple[str, ...]  # the names of the inputs that a rule asks for
Values = tuple[str, ...]
Rank = tuple[int, tuple[bool, ...]]
Also = Mapping[str, Values]  # other names of a value
NOTHING: Also = MappingProxyType({})


class Why(StrEnum):
    """Why a rule did not answer."""

    LESS_SPECIFIC = "less_specific"
    TIE_BREAK = "tie_break"
    SAME_ANSWER = "same_answer"
    TIED = "tied"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    DRAFT = "draft"
    NOT_YET_APPROVED = "not_yet_approved"
    RETIRED = "retired"
    CONDITION_DIFFERS = "condition_differs"
    INPUT_MISSING = "input_missing"


@dataclass(frozen=True, slots=True)
class Split:
    """One row of an answer: its share of the whole in per cent, as decimal text, and the values."""

    share: str
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule with its life. `spans`: from when to when it was approved, half open; dates are inclusive, None is open."""

    id: str
    conditions: Inputs
    splits: tuple[Split, ...]
    status: str
    valid_from: date | None = None
    valid_to: date | None = None
    spans: tuple[tuple[datetime, datetime | None], ...] = ()
    replaces: str | None = None

    @property
    def shape(self) -> Shape:
        return tuple(sorted(self.conditions))


@dataclass(frozen=True, slots=True)
class Moment:
    """A date in the world, and what Concord knew: `known_at` None is now."""

    as_of: date
    known_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Other:
    """A rule that did not answer, and why; `input` is the one that differs or is missing."""

    rule: Rule
    why: Why
    input: str | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """The rule that answers, or none; `tied` are several that say different things with equal right."""

    rule: Rule | None
    tied: tuple[Rule, ...] = ()
    others: tuple[Other, ...] = ()


def choose(met: Iterable[Rule], tie_break: Sequence[str], moment: Moment) -> Choice:
    """The choice among rules whose conditions are met; the others best first, not cut."""
    standing: list[tuple[Rank, Rule]] = []
    out: list[Other] = []
    for rule in met:
        why = obstacle(rule, moment)
        if why is None:
            standing.append((rank(rule, tie_break), rule))
        else:
            out.append(Other(rule, why))
    if not standing:
        return Choice(None, (), tuple(out))
    if len(standing) == 1:  # nearly every question
        return Choice(standing[0][1], (), tuple(out))
    return _among(standing, out)


def _among(standing: list[tuple[Rank, Rule]], out: list[Other]) -> Choice:
    best = max(ranked for ranked, _ in standing)
    top = sorted((rule for ranked, rule in standing if ranked == best), key=lambda rule: rule.id)
    beaten = sorted((each for each in standing if each[0] != best), key=lambda each: (each[0], each[1].id), reverse=True)
    below = [Other(rule, Why.TIE_BREAK if ranked[0] == best[0] else Why.LESS_SPECIFIC) for ranked, rule in beaten]
    if any(rule.splits != top[0].splits for rule in top):
        return Choice(None, tuple(top), (*(Other(rule, Why.TIED) for rule in top), *below, *out))
    return Choice(top[0], (), (*(Other(rule, Why.SAME_ANSWER) for rule in top[1:]), *below, *out))


def rank(rule: Rule, tie_break: Sequence[str]) -> Rank:
    """How specific a rule is; the greater answers."""
    return len(rule.conditions), tuple(name in rule.conditions for name in tie_break)


def obstacle(rule: Rule, moment: Moment) -> Why | None:
    """Why a rule cannot answer at this moment at all, whatever the inputs."""
    known = _unknown_then(rule, moment.known_at) if moment.known_at is not None else _NOT_APPROVED.get(rule.status)
    if known is not None:
        return known
    if rule.valid_from is not None and moment.as_of < rule.valid_from:
        return Why.NOT_YET_VALID
    if rule.valid_to is not None and moment.as_of > rule.valid_to:
        return Why.EXPIRED
    return None


_NOT_APPROVED: Mapping[str, Why] = {"draft": Why.DRAFT, "retired": Why.RETIRED}


def _unknown_then(rule: Rule, known_at: datetime) -> Why | None:
    if any(begin <= known_at and (end is None or known_at < end) for begin, end in rule.spans):
        return None
    if not rule.spans:
        return _NOT_APPROVED.get(rule.status)
    return Why.NOT_YET_APPROVED if known_at < rule.spans[0][0] else Why.RETIRED


def as_approved(rule: Rule, valid_to: date | None, now: Mapping[str, str]) -> Rule:
    """The rule as it would stand once approved, until that day; `now` says which golden ids stand for others today."""
    conditions = {name: now.get(value, value) for name, value in rule.conditions.items()}
    return replace(rule, conditions=conditions, status="approved", valid_to=valid_to)


class Index:
    """The rules of one set by what they ask for: a look per combination of inputs that some rule names, never a walk over all rules.

    `also` gives the other names of a value: golden ids that were merged into it.
    """

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(sorted(rules, key=_usefulness))
        self._met: dict[Shape, dict[Values, list[Rule]]] = {}
        near: dict[tuple[Shape, int], dict[Values, list[Rule]]] = {}
        for rule in self.rules:
            self._add(rule, near)
        self._near = sorted(((shape, place, rules) for (shape, place), rules in near.items()), key=lambda each: (-len(each[0]), *each[:2]))

    def _add(self, rule: Rule, near: dict[tuple[Shape, int], dict[Values, list[Rule]]]) -> None:
        shape = rule.shape
        values = tuple(rule.conditions[name] for name in shape)
        self._met.setdefault(shape, {}).setdefault(values, []).append(rule)
        for place in range(len(shape)):
            alike = near.setdefault((shape, place), {}).setdefault(values[:place] + values[place + 1 :], [])
            if len(alike) < OTHERS_MAX:
                alike.append(rule)

    def met(self, inputs: Inputs, also: Also = NOTHING) -> Iterator[Rule]:
        """The rules whose conditions the inputs meet."""
        for shape, rules in self._met.items():
            for values in _keys(shape, inputs, also):
                yield from rules.get(values, ())

    def near(self, inputs: Inputs, also: Also = NOTHING, *, beyond: int = 0) -> Iterator[Other]:
        """Rules of more than `beyond` conditions that miss by one, a few of each kind; one that agrees in nothing is not near."""
        for shape, place, rules in self._near:
            if len(shape) <= beyond:
                continue
            name, rest = shape[place], shape[:place] + shape[place + 1 :]
            if not rest and name in inputs:
                continue
            for values in _keys(rest, inputs, also):
                for rule in rules.get(values, ()):
                    if name not in inputs:
                        yield Other(rule, Why.INPUT_MISSING, name)
                    elif rule.conditions[name] not in (inputs[name], *also.get(inputs[name], ())):
                        yield Other(rule, Why.CONDITION_DIFFERS, name)


def _usefulness(rule: Rule) -> tuple[int, str]:
    """Approved rules are named before drafts and retired ones."""
    return ("approved", "draft", "retired").index(rule.status), rule.id


def _keys(shape: Shape, inputs: Inputs, also: Also) -> Iterable[Values]:
    try:
        values = tuple([inputs[name] for name in shape])
    except KeyError:
        return ()
    if not also or not any(value in also for value in values):
        return (values,)
    return product(*((value, *also.get(value, ())) for value in values))


def answer(index: Index, tie_break: Sequence[str], inputs: Inputs, moment: Moment, also: Also = NOTHING) -> Choice:
    """What the set answers to the inputs, with at most OTHERS_MAX of the rules that did not.

    Of rules whose conditions are not met, those are named that would have answered before the one that did.
    """
    choice = choose(index.met(inputs, also), tie_break, moment)
    others = list(choice.others[:OTHERS_MAX])
    if len(others) < OTHERS_MAX:
        beyond = 0 if choice.rule is None else len(choice.rule.conditions)
        for other in index.near(inputs, also, beyond=beyond):
            others.append(other)
            if len(others) == OTHERS_MAX:
                break
    return Choice(choice.rule, choice.tied, tuple(others))


def turns(rules: Iterable[Rule]) -> tuple[date, ...]:
    """The days on which some rule begins or has just ended, sorted: between two of them the day makes no difference to an answer."""
    rules = tuple(rules)
    days = {rule.valid_from for rule in rules if rule.valid_from is not None}
    days |= {rule.valid_to + timedelta(days=1) for rule in rules if rule.valid_to is not None and rule.valid_to < date.max}
    return tuple(sorted(days))


def overlap(a: Rule, b: Rule) -> tuple[date | None, date | None] | None:
    """The days on which both are valid, None when there are none."""
    begins = [rule.valid_from for rule in (a, b) if rule.valid_from is not None]
    ends = [rule.valid_to for rule in (a, b) if rule.valid_to is not None]
    begin, end = max(begins, default=None), min(ends, default=None)
    return None if begin is not None and end is not None and end < begin else (begin, end)


def can_tie(a: Rule, b: Rule, tie_break: Sequence[str]) -> bool:
    """Whether some inputs meet both with equal right on some day, and they say different things."""
    return (
        rank(a, tie_break) == rank(b, tie_break)
        and a.splits != b.splits
        and all(b.conditions.get(name, value) == value for name, value in a.conditions.items())
        and overlap(a, b) is not None
    )


def tied_on(index: Index, tie_break: Sequence[str], a: Rule, b: Rule) -> date | None:
    """The first day on which nobody answers because of these two, None when a more specific rule answers on every day.

    `index` holds the rules as they would stand; the answer changes only on days when some rule begins or has just ended.
    """
    shared = overlap(a, b)
    if shared is None:
        return None
    begin, end = shared
    both = {**a.conditions, **b.conditions}
    rules = list(index.met(both))
    days = {begin or date.min, *turns(rules)}
    for day in sorted(day for day in days if (begin is None or begin <= day) and (end is None or day <= end)):
        tied = {rule.id for rule in choose(rules, tie_break, Moment(day)).tied}
        if {a.id, b.id} <= tied:
            return day
    return None
