"""Similarity measures, each once.

A measure takes two values of a standardised column and answers a number: the higher, the more alike. Values are ASCII, folded and never
empty; an absent value never reaches a measure. List-valued columns are tuples. Docstrings are what a steward reads as the reason.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import fsum, sqrt

from rapidfuzz.distance import DamerauLevenshtein, JaroWinkler

from matching.names import same_organisation, same_person

Value = str | tuple[str, ...]
TextMeasure = Callable[[str, str], float]
ListMeasure = Callable[[Sequence[str], Sequence[str]], float]
Rarity = Callable[[str], float]
RarityMeasure = Callable[[Sequence[str], Sequence[str], Rarity], float]
# Likeness of exactly .92 is a little less here and not in DuckDB, which adds in another order
ROUNDING = 1e-12
_jaro_winkler, _distance = JaroWinkler.similarity, DamerauLevenshtein.distance  # found once, not for each of millions of pairs
_NOWHERE = ""  # stands for a word that no record has: as rare as can be


@dataclass(frozen=True, slots=True)
class Measure:
    """One way to compare two values.

    `on_lists` says that it reads lists, else lists are compared by their best pair; `by_rarity` that it reads lists and asks how rare a
    word is in the column (bits).
    """

    name: str
    of: TextMeasure | ListMeasure | RarityMeasure
    on_lists: bool = False
    by_rarity: bool = False

    @property
    def reason(self) -> str:
        return (self.of.__doc__ or "").splitlines()[0]


def exact(left: str, right: str) -> float:
    """The same value."""
    return 1.0 if left == right else 0.0


def jaro_winkler(left: str, right: str) -> float:
    """Spelt alike, the beginning counting most (Jaro-Winkler, 0 to 1)."""
    return _jaro_winkler(left, right) + ROUNDING


def edits(left: str, right: str) -> float:
    """Few letters differ: minus the number of edits, a transposition counting as one (Damerau-Levenshtein)."""
    return -float(_distance(left, right, score_cutoff=4))


def slip(left: str, right: str) -> float:
    """One digit mistyped or two exchanged, the last one untouched: numbers given one after the other differ in their end."""
    return 1.0 if left[-1:] == right[-1:] and _distance(left, right, score_cutoff=1) <= 1 else 0.0


def initial(left: str, right: str) -> float:
    """One side is only the initial of the other."""
    if len(left) == 1:
        return 1.0 if right.startswith(left) else 0.0
    return 1.0 if len(right) == 1 and left.startswith(right) else 0.0


def month_day_swap(left: str, right: str) -> float:
    """The same date with month and day exchanged (YYYYMMDD)."""
    return 1.0 if left[:4] == right[:4] and len(left) == len(right) == 8 and left[4:] == right[6:] + right[4:6] else 0.0


def common_prefix(left: str, right: str) -> float:
    """How many leading characters agree."""
    count = 0
    for a, b in zip(left, right, strict=False):
        if a != b:
            break
        count += 1
    return float(count)


def substring(left: str, right: str) -> float:
    """One stands within the other, with at least four characters."""
    shorter, longer = sorted((left, right), key=len)
    return 1.0 if len(shorter) >= 4 and shorter in longer else 0.0


def ratio(left: str, right: str) -> float:
    """The smaller number divided by the larger one; 0 where either is no positive number."""
    try:
        a, b = sorted((float(left), float(right)))
    except ValueError:
        return 0.0
    return a / b if a > 0 else 0.0


def shared(left: Sequence[str], right: Sequence[str]) -> float:
    """How many values both sides have."""
    if len(left) == len(right) == 1:
        return 1.0 if left[0] == right[0] else 0.0
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


def rare_jaccard(left: Sequence[str], right: Sequence[str], rarity: Rarity) -> float:
    """The share of all words that both sides have, rare words counting more, 0 to 1."""
    a, b = set(left), set(right)
    return _weigh(a & b, rarity) / _weigh(a | b, rarity)


def rare_containment(left: Sequence[str], right: Sequence[str], rarity: Rarity) -> float:
    """The share of the lighter side's words that the other side has, rare words counting more, 0 to 1."""
    a, b = set(left), set(right)
    return _weigh(a & b, rarity) / min(_weigh(a, rarity), _weigh(b, rarity))


def cosine(left: Sequence[str], right: Sequence[str], rarity: Rarity) -> float:
    """How much the words of both sides point the same way, rare words counting more (cosine, 0 to 1)."""
    return _cosine(_words(tuple(left)), _words(tuple(right)), rarity)


@lru_cache(maxsize=8_192)
def _words(values: tuple[str, ...]) -> frozenset[str]:
    return frozenset(values)


def phrase_cosine(left: Sequence[str], right: Sequence[str], rarity: Rarity) -> float:
    """How much the words of both sides point the same way, written together or apart, rare words counting more (cosine, 0 to 1)."""
    one, other = _phrases(tuple(left)), _phrases(tuple(right))
    return _cosine(_joined_like(one, other), _joined_like(other, one), rarity)


def _cosine(a: frozenset[str], b: frozenset[str], rarity: Rarity) -> float:
    if rarity is uniform:
        return _exact(len(a & b) / sqrt(len(a) * len(b)))
    return _exact(_squares(a & b, rarity) / sqrt(_length(a, rarity) * _length(b, rarity)))


@lru_cache(maxsize=8_192)
def _length(words: frozenset[str], rarity: Rarity) -> float:
    """The squares of one side: in bulk a record meets thousands of others."""
    return _squares(words, rarity)


@dataclass(frozen=True, slots=True)
class _Phrases:
    """Single words, and what two neighbours among them are when written together."""

    words: frozenset[str]
    joined: Mapping[str, tuple[str, ...]]


@lru_cache(maxsize=8_192)
def _phrases(values: tuple[str, ...]) -> _Phrases:
    """A list of words and of `two neighbours`, told apart by their blank."""
    pairs = [value for value in values if " " in value]
    return _Phrases(frozenset(values) - frozenset(pairs), {pair.replace(" ", ""): tuple(pair.split(" ")) for pair in pairs})


def _joined_like(ours: _Phrases, theirs: _Phrases) -> frozenset[str]:
    """Our words, neighbours written together where the other side writes them so: print shop is printshop to a printshop."""
    together = (ours.joined.keys() & theirs.words) - ours.words
    if not together:
        return ours.words
    apart = {word for whole in together for word in ours.joined[whole]}
    return (ours.words - (apart - theirs.words)) | together


def uniform(_: str) -> float:
    """The rarity of any word while nothing was counted."""
    return 1.0


def _squares(words: frozenset[str], rarity: Rarity) -> float:
    return fsum(bits * bits for bits in map(rarity, words))


def rarest_shared(left: Sequence[str], right: Sequence[str], rarity: Rarity) -> float:
    """How rare the rarest value is that both sides have (bits: 10 where one record of 1,024 has it; 0: none in common)."""
    return _exact(max((rarity(value) for value in set(left) & set(right)), default=0.0))


def word_agreement(left: Sequence[str], right: Sequence[str], rarity: Rarity) -> float:
    """How far the words of two names agree, rare words counting more: from 6 (the same words) over 2 (each keeps its own) to 0 (none).

    5: nearly the same. 4: one name holds the other, of which there is enough to mean it. 3: much in common, one side has no more to say.
    2: much in common, and both sides keep words of their own, as a sister, a branch or a successor does. 1: something in common.
    """
    words, other_words = set(left), set(right)
    if words == other_words:
        return 6.0
    found = _overlap(words, other_words, rarity)
    most = rarity(_NOWHERE)
    if found.jaccard >= 0.8:
        return 5.0
    if found.containment >= 0.8 and found.common >= 0.6 * most:
        return 4.0
    if found.jaccard >= 0.45 or found.containment >= 0.6:
        return 2.0 if found.own >= 0.25 else 3.0
    return 1.0 if found.jaccard >= 0.2 else 0.0


@dataclass(frozen=True, slots=True)
class _Overlap:
    """What two names have in common: in bits, as a share of both, of the lighter one; and the share of that which both sides keep."""

    common: float
    jaccard: float
    containment: float
    own: float


def _overlap(left: set[str], right: set[str], rarity: Rarity) -> _Overlap:
    paired = _near_words(left - right, right - left)
    # A slip or an abbreviation is as common as the word it stands for, however rare its spelling.
    common = _weigh(left & right, rarity) + sum(near * min(rarity(a), rarity(b)) for a, b, near in paired)
    agreed = _weigh(left & right, rarity) + sum(min(rarity(a), rarity(b)) for a, b, _ in paired)
    own = [_weigh(left - right - {a for a, _, _ in paired}, rarity), _weigh(right - left - {b for _, b, _ in paired}, rarity)]
    lighter = agreed + min(own)
    jaccard = common / (2 * agreed + sum(own) - common)
    return _Overlap(_exact(common), _exact(jaccard), _exact(common / lighter), _exact(min(own) / lighter))


def _near_words(left: set[str], right: set[str]) -> list[tuple[str, str, float]]:
    """Words of either side that stand for each other (near spellings, abbreviations), each used once, the nearest first."""
    near = [(a, b, likeness) for a in left for b in right if (likeness := _word_likeness(a, b)) > 0]
    paired: list[tuple[str, str, float]] = []
    for a, b, likeness in sorted(near, key=lambda found: (-found[2], sorted(found[:2]))):
        if all(a != c and b != d for c, d, _ in paired):
            paired.append((a, b, likeness))
    return paired


def _weigh(words: set[str], rarity: Rarity) -> float:
    # fsum, so that sums come out the same to the last bit in whatever order; never 0, so that a quotient exists.
    return _exact(fsum(map(rarity, words))) + 1e-9


def _exact(value: float) -> float:
    """Without the last bits, which would decide on which side of a level a pair falls."""
    return round(value, 9)


def _soft_overlap(left: Sequence[str], right: Sequence[str]) -> float:
    return _soft_overlap_of(tuple(left), tuple(right))


@lru_cache(maxsize=8_192)
def _soft_overlap_of(left: tuple[str, ...], right: tuple[str, ...]) -> float:
    """Asked for by several levels of a comparison, in bulk for thousands of pairs before the next level."""
    a, b = set(left), set(right)
    common = a & b
    # Sorted, so that sums of fractions come out the same to the last bit in every process.
    rest_a, rest_b = sorted(a - common), sorted(b - common)
    if not rest_a or not rest_b:
        return float(len(common))
    # The smaller of both directions keeps the measure symmetric without a search for the best assignment.
    return len(common) + min(_nearness(rest_a, rest_b))


def _nearness(words: list[str], others: list[str]) -> tuple[float, float]:
    """How near each word is to its nearest other, summed up, forth and back.

    Most words show by their first letter and length that they are not alike: a beginning, or as many edits as a fifth of the letters.
    Written out, because texts of many words ask for it a hundred times per pair.
    """
    described = [(place, other, other[0], len(other)) for place, other in enumerate(others)]
    forth, back = 0.0, [0.0] * len(others)
    for word in words:
        first, length, nearest = word[0], len(word), 0.0
        for place, other, its_first, its_length in described:
            if first != its_first and (length < 5 or its_length < 5 or 5 * abs(length - its_length) > max(length, its_length)):
                continue
            likeness = _word_likeness(word, other)
            nearest = max(nearest, likeness)
            back[place] = max(back[place], likeness)
        forth += nearest
    return forth, sum(back)


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
    Measure("slip", slip),
    Measure("initial", initial),
    Measure("month_day_swap", month_day_swap),
    Measure("common_prefix", common_prefix),
    Measure("substring", substring),
    Measure("ratio", ratio),
    Measure("shared", shared, on_lists=True),
    Measure("jaccard", jaccard, on_lists=True),
    Measure("containment", containment, on_lists=True),
    Measure("soft_jaccard", soft_jaccard, on_lists=True),
    Measure("soft_containment", soft_containment, on_lists=True),
    Measure("rare_jaccard", rare_jaccard, by_rarity=True),
    Measure("rare_containment", rare_containment, by_rarity=True),
    Measure("cosine", cosine, by_rarity=True),
    Measure("phrase_cosine", phrase_cosine, by_rarity=True),
    Measure("rarest_shared", rarest_shared, by_rarity=True),
    Measure("word_agreement", word_agreement, by_rarity=True),
    Measure("same_organisation", same_organisation, on_lists=True),
    Measure("same_person", same_person, on_lists=True),
)
MEASURES: dict[str, Measure] = {measure.name: measure for measure in _ALL}
