"""Names of departments, cost centers and ledger accounts: expanded with the dictionary of their role and compared word by word.

ED means emergency only here. A word with two meanings takes the reading that its neighbours support. Unit codes (4W, 5 NORTH) are
identity: two units that differ in them are never the same.
"""

import re
from functools import lru_cache

from mdm.values.kind import Features, ValueType, fold
from mdm.values.placeholders import says_nothing
from mdm.values.role_words import ACCOUNT_WORDS, AMBIGUOUS, DEPARTMENT_WORDS
from mdm.values.words import OPPOSED, SMALL_WORDS, Dictionary, expand, opposed, without, words_of

_INSTRUCTION = re.compile(r"\([^()]*specify[^()]*\)|\bspecify\b")
_UNIT = re.compile(r"\b0?([1-9][0-9]?)[ -]?(north|south|east|west|ne|nw|se|sw|[nsewabcd])\b")
_UNIT_REVERSED = re.compile(r"\b(north|south|east|west|ne|nw|se|sw|[nsew])[ -]?0?([1-9][0-9]?)\b")
_CODE = re.compile(r"\b[0-9]{1,2}(?:ne|nw|se|sw|[nsewabcd])\b")
_NUMBER = re.compile(r"\b[0-9]{1,4}\b")
_SIDES = {"north": "n", "south": "s", "east": "e", "west": "w"}
_DROPPED = SMALL_WORDS | {"department", "dept", "to", "on", "by", "with", "general"}


def _department_words(value: str) -> list[str]:
    words = words_of(_with_codes(_INSTRUCTION.sub(" ", fold(value))))
    return without(_expanded(words, DEPARTMENT_WORDS), _DROPPED)


def _expanded(words: list[str], meanings: Dictionary) -> list[str]:
    all_words = frozenset(words)
    return expand([reading for word in words for reading in _reading(word, all_words)], meanings)


def _reading(word: str, all_words: frozenset[str]) -> tuple[str, ...]:
    """The meaning that the other words support; the word itself when it has one meaning or they support none."""
    for context, meaning in AMBIGUOUS.get(word, ()):
        if all_words & context:
            return meaning
    return (word,)


def unit_codes(value: str) -> tuple[str, ...]:
    """Unit codes of a name: `5 North` and `N5` are 5n; other numbers stand for themselves (ICU 2)."""
    text = _with_codes(fold(value))
    return tuple(sorted({*_CODE.findall(text), *_NUMBER.findall(text)}))


def _with_codes(folded: str) -> str:
    """One spelling for unit codes, so that `5 North` and `N5` are the same word."""
    text = _UNIT.sub(lambda found: found[1] + _SIDES.get(found[2], found[2]), folded)
    return _UNIT_REVERSED.sub(lambda found: found[2] + _SIDES.get(found[1], found[1]), text)


@lru_cache(maxsize=20_000)
def _department_features(value: str) -> Features:
    words = _department_words(value)
    units = unit_codes(value)
    return {**_word_features(words), **({"units": units} if units else {}), **opposed(words)}


@lru_cache(maxsize=20_000)
def _cost_center_features(value: str) -> Features:
    return _word_features(_department_words(value))


@lru_cache(maxsize=20_000)
def _account_features(value: str) -> Features:
    return _word_features(without(expand(words_of(value), ACCOUNT_WORDS), SMALL_WORDS))


def _word_features(words: list[str]) -> Features:
    return {"": " ".join(words), "tokens": tuple(sorted(set(words)))} if words else {}


def _name(text: str) -> str | None:
    return text if any(character.isalnum() for character in text) else None


_problem = says_nothing("department")

DEPARTMENT_NAME = ValueType(
    name="department_name",
    label="Department name",
    example="Med Surg 4W",
    normalise=_name,
    validate=_problem,
    features=_department_features,
    feature_names=("", "tokens", "units", *OPPOSED),
    max_length=200,
)

COST_CENTER_NAME = ValueType(
    name="cost_center_name",
    label="Cost center name",
    example="Radiology - Diagnostic",
    normalise=_name,
    validate=_problem,
    features=_cost_center_features,
    feature_names=("", "tokens"),
    max_length=200,
)

ACCOUNT_NAME = ValueType(
    name="account_name",
    label="Account name",
    example="Depr Exp - Equipment",
    normalise=_name,
    validate=_problem,
    features=_account_features,
    feature_names=("", "tokens"),
    max_length=200,
)
