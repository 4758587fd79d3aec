"""What speaks against a set of mapping rules. Pure: rules in, conflicts out.

Two rules with equal conditions that are valid on one day overlap: never both in force. Two rules that some inputs meet with equal right,
and that answer differently, tie: nobody would answer.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from mdm.mapping_choice import Index, Rule, Shape, Values, can_tie, overlap, rank, tied_on

PAIRS_MAX = 200_000  # pairs looked at in one report; beyond, it says that it was cut


@dataclass(frozen=True, slots=True)
class Clash:
    """Two rules that cannot both be in force; `day` is the first on which they clash, None for any day."""

    kind: Literal["overlap", "tie"]
    rule: Rule
    against: Rule
    day: date | None


class Standing:
    """The rules as they would stand, ready to be asked who clashes with whom."""

    def __init__(self, rules: Iterable[Rule], tie_break: Sequence[str]) -> None:
        self._index = Index(rules)
        self._tie_break = tie_break
        self._by_shape: dict[Shape, list[Rule]] = {}
        for rule in self._index.rules:
            self._by_shape.setdefault(rule.shape, []).append(rule)
        self._shared: dict[tuple[Shape, Shape], dict[Values, list[Rule]]] = {}
        self.pairs = 0

    @property
    def was_cut(self) -> bool:
        return self.pairs >= PAIRS_MAX

    def clashes(self, rule: Rule) -> Iterator[Clash]:
        """Everything that clashes with this rule; what it is to replace, or what is to replace it, does not."""
        yield from self._overlaps(rule)
        for other in self._rivals(rule):
            self.pairs += 1
            if self.was_cut:
                return
            if (
                other.id != rule.replaces
                and rule.id != other.replaces
                and can_tie(rule, other, self._tie_break)
                and (day := tied_on(self._index, self._tie_break, rule, other)) is not None
            ):
                yield Clash("tie", rule, other, None if day == date.min else day)

    def _overlaps(self, rule: Rule) -> Iterator[Clash]:
        for other in self._index.met(rule.conditions):
            apart = rule.id in (other.id, other.replaces) or other.id == rule.replaces
            if not apart and other.shape == rule.shape and (days := overlap(rule, other)) is not None:
                yield Clash("overlap", rule, other, days[0])

    def _rivals(self, rule: Rule) -> Iterator[Rule]:
        """Rules as specific as this one that ask for other inputs, and for the same values where they ask for the same."""
        for shape, rules in self._by_shape.items():
            if shape == rule.shape or rank(rules[0], self._tie_break) != rank(rule, self._tie_break):
                continue
            common = tuple(name for name in shape if name in rule.conditions)
            yield from self._with_values(rule.shape, shape, common).get(tuple(rule.conditions[name] for name in common), ())

    def _with_values(self, mine: Shape, theirs: Shape, common: Shape) -> Mapping[Values, list[Rule]]:
        known = self._shared.get((mine, theirs))
        if known is None:
            known = self._shared[mine, theirs] = {}
            for rule in self._by_shape[theirs]:
                known.setdefault(tuple(rule.conditions[name] for name in common), []).append(rule)
        return known
