"""Similarity measures, each once.

A measure takes two values of a standardised column and answers a number: the higher, the more alike. Values are ASCII, folded and never
empty; an absent value never reaches a measure. List-valued columns are tuples. Docstrings are what a steward reads as the reason.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rapidfuzz.distance import DamerauLevenshtein, JaroWinkler

Value = str | tuple[str, ...]
TextMeasure = Callable[[str, str], float]
ListMeasure = Callable[[Sequence[str], Sequence[str]], float]


@dataclass(frozen=True, slots=True)
class Measure:
    """One way to compare two values; `on_lists` says that it reads lists, else lists are compared by their best pair."""

    name: str
    of: TextMeasure | ListMeasure
    on_lists: bool = False

    @property
    def reason(self) -> str:
        return (self.of.__doc__ or "").splitlines()[0]


def exact(left: str, right: str) -> float:
    """The same value."""
    return 1.0 if left == right else 0.0


def jaro_winkler(left: str, right: str) -> float:
    """Spelt alike, the beginning counting most (Jaro-Winkler, 0 to 1)."""
    return JaroWinkler.similarity(left, right)


def edits(left: str, right: str) -> float:
    """Few letters differ: minus the number of edits, a transposition counting as one (Damerau-Levenshtein)."""
    return -float(DamerauLevenshtein.distance(left, right, score_cutoff=4))


def initial(left: str, right: str) -> float:
    """One side is only the initial of the other."""
    shorter, longer = sorted((left, right), key=len)
    return 1.0 if len(shorter) == 1 and longer.startswith(shorter) else 0.0


def month_day_swap(left: str, right: str) -> float:
    """The same date with month and day exchanged (YYYYMMDD)."""
    return 1.0 if len(left) == len(right) == 8 and left == right[:4] + right[6:] + right[4:6] else 0.0


def common_prefix(left: str, right: str) -> float:
    """How many leading characters agree."""
    count = 0
    for a, b in zip(left, right, strict=False):
        if a != b:
            break
        count += 1
    return float(count)


def ratio(left: str, right: str) -> float:
    """The smaller number divided by the larger one; 0 where either is no positive number."""
    try:
        a, b = sorted((float(left), float(right)))
    except ValueError:
        return 0.0
    return a / b if a > 0 else 0.0


def shared(left: Sequence[str], right: Sequence[str]) -> float:
    """How many values both sides have."""
    return float(len(set(left) & set(right)))


def jaccard(left: Sequence[str], right: Sequence[str]) -> float:
    """The share of all values that both sides have, 0 to 1."""
    a, b = set(left), set(right)
    return len(a & b) / len(a | b)


def containment(left: Sequence[str], right: Sequence[str]) -> float:
    """The share of the shorter side's values that the other side has, 0 to 1."""
    a, b = set(left), set(right)
    return len(a & b) / min(len(a), len(b))


def soft_jaccard(left: Sequence[str], right: Sequence[str]) -> float:
    """The share of all words that both sides have, near spellings and abbreviations counting in part, 0 to 1."""
    near = _soft_overlap(left, right)
    return near / (len(set(left)) + len(set(right)) - near)


def soft_containment(left: Sequence[str], right: Sequence[str]) -> float:
    """The share of the shorter side's words that the other side has, near spellings counting in part, 0 to 1."""
    return _soft_overlap(left, right) / min(len(set(left)), len(set(right)))


def _soft_overlap(left: Sequence[str], right: Sequence[str]) -> float:
    a, b = set(left), set(right)
    common = a & b
    # Sorted, so that sums of fractions come out the same to the last bit in every process.
    rest_a, rest_b = sorted(a - common), sorted(b - common)
    if not rest_a or not rest_b:
        return float(len(common))
    likeness = [[_word_likeness(x, y) for y in rest_b] for x in rest_a]
    # The smaller of both directions keeps the measure symmetric without a search for the best assignment.
    forth: float = sum(max(row) for row in likeness)
    back: float = sum(max(column) for column in zip(*likeness, strict=True))
    return len(common) + min(forth, back)


@lru_cache(maxsize=200_000)
def _word_likeness(left: str, right: str) -> float:
    shorter, longer = (left, right) if len(left) <= len(right) else (right, left)
    if len(shorter) < 3 or not shorter.isalpha():
        return 0.0
    if longer.startswith(shorter):
        return 0.7
    if len(shorter) >= 5 and longer.isalpha():
        return float(DamerauLevenshtein.normalized_similarity(left, right, score_cutoff=0.8))
    return 0.0


_ALL = (
    Measure("exact", exact),
    Measure("jaro_winkler", jaro_winkler),
    Measure("edits", edits),
    Measure("initial", initial),
    Measure("month_day_swap", month_day_swap),
    Measure("common_prefix", common_prefix),
    Measure("ratio", ratio),
    Measure("shared", shared, on_lists=True),
    Measure("jaccard", jaccard, on_lists=True),
    Measure("containment", containment, on_lists=True),
    Measure("soft_jaccard", soft_jaccard, on_lists=True),
    Measure("soft_containment", soft_containment, on_lists=True),
)
MEASURES: dict[str, Measure] = {measure.name: measure for measure in _ALL}
