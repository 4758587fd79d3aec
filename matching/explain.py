"""Why a pair scores what it scores, step by step, and what would turn the outcome.

Nothing is scored in another way here: the steps are the evidence of `score`, and what would be otherwise is weighed by the same scorer.
So start + steps + what the cap took = total, always. The outcome is that of the pair alone; clusters and people may decide otherwise.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from matching.compare import MEASURES
from matching.model import Columns, Comparison, Level, Thresholds, Veto
from matching.score import Evidence, Score, Scorer, speaks_against, take

FLIPS_MAX = 5
_AGREEMENT = frozenset({"exact", "shared"})


@dataclass(frozen=True, slots=True)
class Step:
    """One comparison that spoke: its level, why that level, what it counts (bits; `adjustment` is in `weight`), and the total so far.

    `left` and `right` hold each side's values of `columns`, as they were compared. Whoever shows them masks them.
    """

    comparison: str
    level: str
    reason: str
    group: str
    columns: tuple[str, ...]
    left: Columns
    right: Columns
    weight: float
    adjustment: float
    total: float


@dataclass(frozen=True, slots=True)
class Silent:
    """A comparison that counted nothing, why, and the least and the most (bits) that it could have counted.

    `absent` names the sides (left, right) without a value; none: another comparison's level, `unless`, leaves this one out. `outcomes`
    are those that the value, were it known, could bring about instead of the present one.
    """

    comparison: str
    group: str
    absent: tuple[str, ...]
    unless: tuple[str, str] | None
    least: float
    most: float
    outcomes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Objection:
    """A veto that speaks: the columns in conflict, and those whose agreement makes the conflict count."""

    name: str
    conflict: tuple[str, ...]
    agree: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Flip:
    """One change that alone would give another outcome: by how many bits the total moves, and what comes out.

    The subject is a comparison whose level is `now` and would be `instead` (None: no evidence), or a veto (`now` is empty) that would not
    speak, which moves nothing.
    """

    subject: str
    now: str
    instead: str | None
    change: float
    total: float
    outcome: str

    @property
    def words(self) -> str:
        """The change as a steward reads it."""
        if not self.now:
            return f"if the rule '{self.subject}' did not speak against it"
        if self.instead is None:
            return f"if {self.subject} said nothing instead of '{self.now}'"
        return f"if {self.subject} were '{self.instead}' instead of '{self.now}'"


@dataclass(frozen=True, slots=True)
class Explanation:
    """A pair's score taken apart, in bits. `cap` is what is taken (0 or less) where the evidence is one-sided, `held` why, in words.

    `groups` is what each kind of evidence adds up to. `outcome` is link, review or new.
    """

    version: str
    start: float
    steps: tuple[Step, ...]
    cap: float
    held: str | None
    total: float
    thresholds: Thresholds
    outcome: str
    groups: Mapping[str, float]
    groups_needed: int
    vetoes: tuple[Objection, ...]
    silent: tuple[Silent, ...]
    flips: tuple[Flip, ...]


def explain(scorer: Scorer, left: Columns, right: Columns) -> Explanation:
    """The score of a pair with every part of it."""
    return _Pair(scorer, left, right).explanation()


def outcome(weight: float, vetoes: Sequence[object], thresholds: Thresholds) -> str:
    """What becomes of a pair by itself: link, review or new. A veto forbids the link, not the review."""
    if weight >= thresholds.link and not vetoes:
        return "link"
    return "review" if weight >= thresholds.review else "new"


class _Pair:
    """Two records under one scorer, with all that their comparisons say and could say."""

    def __init__(self, scorer: Scorer, left: Columns, right: Columns) -> None:
        self.scorer, self.model, self.left, self.right = scorer, scorer.model, left, right
        self.said = scorer.said(left, right)
        self.worth = scorer.worth(left, right)
        self.score = scorer.weigh(left, right, self.said)
        self.vetoes = [veto for veto in self.model.vetoes if speaks_against(veto, left, right)]
        self.outcome = outcome(self.score.weight, self.vetoes, self.model.thresholds)

    def explanation(self) -> Explanation:
        steps, silent = tuple(self._steps()), tuple(self._silences())
        return Explanation(
            version=self.model.version,
            start=self.model.prior,
            steps=steps,
            cap=self.score.weight - (steps[-1].total if steps else self.model.prior) if self.score.capped else 0.0,
            held=self._held(),
            total=self.score.weight,
            thresholds=self.model.thresholds,
            outcome=self.outcome,
            groups=_groups(self.score),
            groups_needed=self.model.groups_needed,
            vetoes=tuple(Objection(veto.name, veto.conflict, veto.agree) for veto in self.vetoes),
            silent=silent,
            flips=self._flips(),
        )

    def _held(self) -> str | None:
        said = [(e.group, e.weight, e.comparison, e.level) for e in self.score.evidence]
        return self.scorer.one_sided(said) if self.score.capped else None

    def _steps(self) -> Iterator[Step]:
        comparisons = {comparison.name: comparison for comparison in self.model.comparisons}
        total = self.model.prior
        for evidence in self.score.evidence:
            total += evidence.weight
            yield self._step(comparisons[evidence.comparison], evidence, total)

    def _step(self, comparison: Comparison, evidence: Evidence, total: float) -> Step:
        columns = columns_of(comparison)
        return Step(
            comparison=comparison.name,
            level=evidence.level,
            reason=self._reason(next(level for level in comparison.levels if level.label == evidence.level)),
            group=comparison.group,
            columns=columns,
            left={column: self.left[column] for column in columns if column in self.left},
            right={column: self.right[column] for column in columns if column in self.right},
            weight=evidence.weight,
            adjustment=evidence.adjustment,
            total=total,
        )

    def _reason(self, level: Level) -> str:
        """What the measure that decided says of itself."""
        for test in level.any_of:
            if take(test, self.model.frequencies)(self.left, self.right) >= test.at_least:
                return MEASURES[test.measure].reason if len(test.columns) == 1 else f"Crosswise: {MEASURES[test.measure].reason}"
        return "No other level holds."

    def _silences(self) -> Iterator[Silent]:
        spoke = {evidence.comparison for evidence in self.score.evidence}
        for comparison in self.model.comparisons:
            if comparison.name not in spoke:
                weights = [evidence.weight for evidence in self.worth[comparison.name]]
                sides = {"left": self.left, "right": self.right}
                absent = tuple(side for side, held in sides.items() if not set(comparison.needs) <= held.keys())
                unless = None if absent else comparison.unless
                outcomes = tuple(sorted({then for _, _, then in self._turns(comparison)}))
                yield Silent(comparison.name, comparison.group, absent, unless, min(0.0, *weights), max(0.0, *weights), outcomes)

    def _flips(self) -> tuple[Flip, ...]:
        """The nearest change per comparison and outcome, the nearest of all first."""
        nearest: dict[tuple[str, str], Flip] = {}
        for flip in sorted([*self._without_the_veto(), *self._otherwise()], key=lambda flip: abs(flip.change)):
            nearest.setdefault((flip.subject, flip.outcome), flip)
        return tuple(nearest.values())[:FLIPS_MAX]

    def _without_the_veto(self) -> Iterator[Flip]:
        if len(self.vetoes) == 1 and self.score.weight >= self.model.thresholds.link:
            yield Flip(self.vetoes[0].name, "", None, 0.0, self.score.weight, "link")

    def _otherwise(self) -> Iterator[Flip]:
        comparisons = {comparison.name: comparison for comparison in self.model.comparisons}
        for said in self.score.evidence:
            for instead, weight, then in self._turns(comparisons[said.comparison]):
                yield Flip(said.comparison, said.level, instead, weight - self.score.weight, weight, then)

    def _turns(self, comparison: Comparison) -> Iterator[tuple[str | None, float, str]]:
        """The levels of one comparison, or none, that give another outcome while all others say what they say: level, total, outcome."""
        others = {name: evidence for name, evidence in self.said.items() if name != comparison.name}
        for level, evidence in zip((*comparison.levels, None), (*self.worth[comparison.name], None), strict=True):
            said = others if evidence is None else {**others, comparison.name: evidence}
            weight = self.scorer.weigh(self.left, self.right, said).weight
            vetoes = [veto for veto in self.vetoes if not lifts(comparison, level, veto)]
            then = outcome(weight, vetoes, self.model.thresholds)
            if then != self.outcome:
                yield (None if level is None else level.label), weight, then


def columns_of(comparison: Comparison) -> tuple[str, ...]:
    """Every column that a comparison reads, in the order in which it names them."""
    tested = [column for level in comparison.levels for test in level.any_of for column in test.columns]
    return tuple(dict.fromkeys((*comparison.needs, *tested)))


def lifts(comparison: Comparison, level: Level | None, veto: Veto) -> bool:
    """Whether a veto that speaks would surely fall if the comparison said this level, or (None) if its value were unknown."""
    if level is None:
        return all(_decides(column, (*veto.conflict, *veto.agree)) for column in comparison.needs)
    agreeing = [test.measure in _AGREEMENT and any(_decides(column, veto.conflict) for column in test.columns) for test in level.any_of]
    return bool(agreeing) and all(agreeing) and all(len(test.columns) == 1 for test in level.any_of)


def _decides(column: str, others: Sequence[str]) -> bool:
    """Features of a value (`name.sound`, `date.year`) agree when the value does, and are unknown when it is."""
    return any(other == column or other.startswith(f"{column}.") for other in others)


def _groups(score: Score) -> dict[str, float]:
    sums: dict[str, float] = {}
    for evidence in score.evidence:
        sums[evidence.group] = sums.get(evidence.group, 0.0) + evidence.weight
    return sums
