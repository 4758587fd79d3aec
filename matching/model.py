"""A matching model as plain data: what is compared, in which levels, and what each level is worth.

A record is a mapping from column name to a folded value (text, or a tuple of texts); an absent value has no entry. Weights are log2 odds
(bits). A level is worth log2(m / u): m is its share among pairs of the same entity, u among pairs of different ones.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import isclose, log2
from typing import Any

from matching.compare import MEASURES, Value
from matching.frequency import Frequency

Columns = Mapping[str, Value]
HOLDERS_MAX = 200  # records that share one key; what is held by more is narrowed by a second key


class ModelError(ValueError):
    """The model contradicts itself."""


@dataclass(frozen=True, slots=True)
class Test:
    """A measure over one column of both sides, or over two columns crosswise, reaching a value.

    Crosswise means: the left side's first column against the right side's second, and the other way round; both must reach it (`both`),
    or one of them suffices.
    """

    measure: str
    columns: tuple[str, ...]
    at_least: float
    both: bool = True

    def __post_init__(self) -> None:
        if self.measure not in MEASURES:
            raise ModelError(f"no measure is called {self.measure!r}")
        if not 1 <= len(self.columns) <= 2:
            raise ModelError("a test reads one column, or two crosswise")


@dataclass(frozen=True, slots=True)
class Level:
    """One step of a comparison; it holds when any of its tests holds. No tests: it always holds.

    `frequency` names a column of single texts: where the model has counted it, the share of records that have the value (the more common
    side's) stands in for `u`, so that a rare name in common says more than a common one.
    """

    label: str
    m: float
    u: float
    any_of: tuple[Test, ...] = ()
    frequency: str | None = None

    @property
    def weight(self) -> float:
        return log2(self.m / self.u)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Ordered levels, the first that holds counts. A side without one of `needs` makes it no evidence at all.

    `group` is the kind of evidence (name, birth, location, contact, identifier, content): fields of one group are often wrong together.
    `unless` names another comparison and one of its levels: where that level was met, this comparison counts nothing (names crossed are
    counted once). With `along_with`, one of those levels must be met too.
    """

    name: str
    needs: tuple[str, ...]
    levels: tuple[Level, ...]
    group: str
    unless: tuple[str, str] | None = None
    along_with: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        weights = [level.weight for level in self.levels]
        if len(weights) < 2 or self.levels[-1].any_of or not all(level.any_of for level in self.levels[:-1]):
            raise ModelError(f"{self.name}: needs tested levels and one last level without a test")
        if weights[0] != max(weights) or weights[-1] != min(weights):
            raise ModelError(f"{self.name}: levels must descend from the strongest to the weakest")
        for share in ("m", "u"):
            total = sum(getattr(level, share) for level in self.levels)
            if not isclose(total, 1.0, abs_tol=0.011):
                raise ModelError(f"{self.name}: {share} adds up to {total:.4f}, not to 1")


@dataclass(frozen=True, slots=True)
class Veto:
    """Never link automatically: the sides know each column of `conflict`, share no value of it, and share a value of each of `agree`.

    A shared value of any column of `lifted_by` (a number of one's own) takes the objection away, as any of the tests `lifted_where` does.
    """

    name: str
    conflict: tuple[str, ...]
    agree: tuple[str, ...] = ()
    lifted_by: tuple[str, ...] = ()
    lifted_where: tuple[Test, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that it reads."""
        return (*self.conflict, *self.agree, *self.lifted_by, *(column for test in self.lifted_where for column in test.columns))


@dataclass(frozen=True, slots=True)
class KeyPart:
    """A column, or a slice of its text, as part of a blocking key."""

    column: str
    start: int | None = None
    stop: int | None = None


@dataclass(frozen=True, slots=True)
class BlockingRule:
    """Records that share a key of one rule are compared. `crossed` sorts the parts, so that exchanged fields still meet.

    A key that more than `holders_max` records hold is only followed together with a second such key: words of a text are many, and mean
    something together. Two such keys are followed where no more than `together_max` hold both. No rule can ask for more than HOLDERS_MAX.
    """

    name: str
    parts: tuple[KeyPart, ...]
    crossed: bool = False
    holders_max: int = HOLDERS_MAX
    together_max: int = HOLDERS_MAX


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Total weights in bits: from `review` a person decides, from `link` the machine does."""

    review: float
    link: float

    def __post_init__(self) -> None:
        if self.review >= self.link:
            raise ModelError("review must lie below link")


@dataclass(frozen=True, slots=True)
class Backing:
    """Where a comparison does not meet this level, one of these kinds of evidence must speak for a pair, or it never links by itself.

    It holds while no frequencies are counted: until then a common name weighs as much as a rare one.
    """

    met: tuple[str, str]
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Model:
    """All that decides how two records of one domain compare.

    `u_from` says where training takes u from: "population" (pairs drawn at random; persons) or "candidates" (pairs that blocking found;
    organisations and items, whose random pairs have nothing in common). `frequencies` are frozen counts per column, empty until trained.
    """

    version: str
    prior: float
    comparisons: tuple[Comparison, ...]
    blocking: tuple[BlockingRule, ...]
    thresholds: Thresholds
    vetoes: tuple[Veto, ...] = ()
    margin: float = 2.0
    clip: float = 12.0
    max_cluster: int = 40
    groups_needed: int = 0  # with two groups of evidence known, fewer in agreement than this never link by themselves
    groups_required: tuple[str, ...] = ()  # where none of these kinds of evidence speaks for a pair, it never links by itself
    backing: Backing | None = None
    u_from: str = "population"
    frequencies: Mapping[str, Frequency] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [comparison.name for comparison in self.comparisons]
        if len(set(names)) != len(names):
            raise ModelError("two comparisons of one name")
        if self.thresholds.link > self.clip:
            raise ModelError("link must not lie above clip, or nothing could ever link")
        if self.u_from not in {"population", "candidates"}:
            raise ModelError(f"u comes from the population or from the candidates, not from {self.u_from!r}")

    @property
    def wants_backing(self) -> Backing | None:
        """What `backing` asks for, where it holds."""
        return None if self.frequencies else self.backing

    @property
    def columns(self) -> frozenset[str]:
        """Every column that the model reads."""
        tested = {c for comp in self.comparisons for level in comp.levels for test in level.any_of for c in test.columns}
        needed = {c for comp in self.comparisons for c in comp.needs}
        blocked = {part.column for rule in self.blocking for part in rule.parts}
        vetoed = {c for veto in self.vetoes for c in veto.columns}
        return frozenset(tested | needed | blocked | vetoed)


def to_json(model: Model) -> dict[str, Any]:
    return asdict(model)


def from_json(data: Mapping[str, Any]) -> Model:
    """The inverse of `to_json`, checked like a declaration."""
    return Model(
        version=data["version"],
        prior=data["prior"],
        comparisons=tuple(_comparison(entry) for entry in data["comparisons"]),
        blocking=tuple(_rule(entry) for entry in data["blocking"]),
        thresholds=Thresholds(**data["thresholds"]),
        vetoes=tuple(_veto(entry) for entry in data["vetoes"]),
        margin=data["margin"],
        clip=data["clip"],
        max_cluster=data["max_cluster"],
        groups_needed=data["groups_needed"],
        groups_required=tuple(data["groups_required"]),
        backing=_backing(data.get("backing")),
        u_from=data["u_from"],
        frequencies={column: Frequency(**table) for column, table in data["frequencies"].items()},
    )


def _rule(entry: Mapping[str, Any]) -> BlockingRule:
    parts = tuple(KeyPart(**part) for part in entry["parts"])
    # Models that were stored before there was this limit kept none.
    return BlockingRule(entry["name"], parts, entry["crossed"], entry["holders_max"], entry.get("together_max", HOLDERS_MAX))


def _backing(entry: Mapping[str, Any] | None) -> Backing | None:
    return None if entry is None else Backing((entry["met"][0], entry["met"][1]), tuple(entry["groups"]))


def _veto(entry: Mapping[str, Any]) -> Veto:
    # Models that were stored before vetoes had tests kept none.
    tests = tuple(_test(test) for test in entry.get("lifted_where", ()))
    return Veto(entry["name"], tuple(entry["conflict"]), tuple(entry["agree"]), tuple(entry["lifted_by"]), tests)


def _comparison(entry: Mapping[str, Any]) -> Comparison:
    return Comparison(
        name=entry["name"],
        needs=tuple(entry["needs"]),
        levels=tuple(
            Level(level["label"], level["m"], level["u"], tuple(_test(test) for test in level["any_of"]), level["frequency"])
            for level in entry["levels"]
        ),
        group=entry["group"],
        unless=tuple(entry["unless"]) if entry["unless"] else None,
        along_with=tuple((comparison, level) for comparison, level in entry["along_with"]),
    )


def _test(entry: Mapping[str, Any]) -> Test:
    return Test(entry["measure"], tuple(entry["columns"]), entry["at_least"], entry["both"])
