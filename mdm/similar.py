"""Which golden records could a value mean that nobody knows? Ranking by what stands in the value itself, pure.

Scores lie between 0 and 1 and only order the suggestions of one question; the reason is what a steward reads:

same_value      another system calls it exactly that
habit           as earlier mappings of this system: what they had before or after the code, left away, is the code
format          the same but for leading zeros, case, blanks and punctuation
similar_code    nearly the same code: one slip of the finger
similar_name    described nearly alike
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from rapidfuzz import fuzz
from rapidfuzz.distance import DamerauLevenshtein

BEST = 5
SAME, HABIT, FORMAT = 0.95, 0.9, 0.85
CODE_MAX, NAME_MAX = 0.7, 0.8  # what the likest of the merely similar reaches
_LIKE = 0.75  # below this likeness, similar is not similar
_SHORTEST = 3  # shorter codes are alike by chance
_NOISE = re.compile(r"[^0-9a-z]+")


class Known(NamedTuple):
    """One identifier of a golden record, with the line by which people know it."""

    golden_id: UUID
    system: str
    value: str
    line: str = ""


class Habit(NamedTuple):
    """What a system puts around the codes of another, and how many earlier mappings show it."""

    before: str
    after: str
    shown_by: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """The value that nobody knows, and what is known of it: its description, if it has one."""

    system: str
    value: str
    line: str = ""
    habits: Sequence[Habit] = ()


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A golden record it could be: score, reason, and the identifier that speaks for it."""

    golden_id: UUID
    score: float
    reason: str
    system: str
    value: str


def core(value: str) -> str:
    """A code without what differs between systems: case, blanks, punctuation, leading zeros. Zeros alone stay one zero."""
    plain = _NOISE.sub("", value.casefold())
    return plain.lstrip("0") or plain[-1:]


def variants(value: str, habits: Iterable[Habit] = ()) -> frozenset[str]:
    """The spellings under which other systems may hold the code: exact look-ups for the database."""
    found = {value, value.upper(), value.lower()}
    for text in (value, *(stripped for habit in habits if (stripped := strip(value, habit)))):
        plain = re.sub(r"[\s\-_./]+", "", text)
        short = plain.lstrip("0") or plain
        found |= {text, plain, plain.upper(), plain.lower(), short, short.upper()}
        found |= {short.zfill(length) for length in range(len(short), 13)}
    return frozenset(text for text in found if text)


def strip(value: str, habit: Habit) -> str:
    """The code inside the value, empty where the value is not of that habit."""
    if len(value) <= len(habit.before) + len(habit.after) or not (value.startswith(habit.before) and value.endswith(habit.after)):
        return ""
    return value[len(habit.before) : len(value) - len(habit.after)]


def habits(mapped: Iterable[tuple[str, Iterable[str]]]) -> list[Habit]:
    """What earlier mappings show: (value, identifiers of the golden record it was mapped to) -> habits, the commonest first."""
    seen: Counter[tuple[str, str]] = Counter()
    for value, others in mapped:
        places = {(value[:at], value[at + len(other) :]) for other in others if len(other) >= _SHORTEST and (at := value.find(other)) >= 0}
        seen.update(places - {("", "")})
    return [Habit(before, after, count) for (before, after), count in sorted(seen.items(), key=lambda item: (-item[1], item[0]))]


def rank(wanted: Wanted, known: Iterable[Known], limit: int = BEST) -> list[Suggestion]:
    """The best golden records, each for its best reason, in an order that depends on nothing but the arguments' content."""
    best: dict[UUID, Suggestion] = {}
    for one in known:
        for score, reason in _reasons(wanted, one):
            suggestion = Suggestion(one.golden_id, round(score, 4), reason, one.system, one.value)
            if one.golden_id not in best or _order(suggestion) < _order(best[one.golden_id]):
                best[one.golden_id] = suggestion
    return sorted(best.values(), key=_order)[:limit]


def _order(suggestion: Suggestion) -> tuple[object, ...]:
    return -suggestion.score, str(suggestion.golden_id), suggestion.system, suggestion.value


def _reasons(wanted: Wanted, known: Known) -> Iterable[tuple[float, str]]:
    mine, theirs = core(wanted.value), core(known.value)
    if known.value == wanted.value:
        yield SAME, "same_value"
    elif mine and mine == theirs:
        yield FORMAT, "format"
    elif theirs and any(core(strip(wanted.value, habit)) == theirs for habit in wanted.habits if strip(wanted.value, habit)):
        yield HABIT, "habit"
    elif min(len(mine), len(theirs)) >= _SHORTEST:
        likeness = DamerauLevenshtein.normalized_similarity(mine, theirs)
        if likeness >= _LIKE:
            yield CODE_MAX * likeness, "similar_code"
    if wanted.line and known.line:
        alike = fuzz.token_sort_ratio(wanted.line.casefold(), known.line.casefold()) / 100
        if alike >= _LIKE:
            yield NAME_MAX * alike, "similar_name"
