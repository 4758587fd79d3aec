"""One line of an address taken apart: house number, core street name, unit.

The core is the name without direction and street type, since those are what people leave out or mix up; the whole keeps both.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from mdm.values.address_words import DIRECTIONS, NUMBER_WORDS, ORDINALS, ROUTE_WORDS, ROUTES, STREET_TYPES, STREET_WORDS, UNITS
from mdm.values.kind import fold

_DOTTED_INITIALS = re.compile(r"\b(?:[a-z]\.){2,}")
_JOINED = re.compile(r"['.]")
_NO_WORD = re.compile(r"[^a-z0-9#/-]+|(?<![a-z0-9])[-/]+|[-/]+(?![a-z0-9])")
_PO_BOX = re.compile(r"(?:.*\b)?(?:p ?o ?(?:box|bx|b)|post office box|po drawer|^box|^pmb) ?#? ?(?:no )?([a-z0-9-]+)\b(.*)")
_BOX_HINT = re.compile(r"b(?:o?x)?\b|drawer")  # the pattern above is slow where it does not match
_RURAL = re.compile(r"(?:r ?r|rural route|rfd|hc|highway contract) ?#? ?([0-9]+)(?: box #? ?([a-z0-9-]+))?.*")
_HOUSE_NUMBER = re.compile(r"[0-9]+[a-z]?(?:-[0-9]+[a-z]?)?|[nsew][0-9]+(?:[nsew][0-9]+)?")
_FRACTION = re.compile(r"[0-9]/[0-9]")
_ORDINAL = re.compile(r"([0-9]+)(?:st|nd|rd|th)")
_UNIT_ID = re.compile(r"[a-z]|[a-z]{0,2}[0-9-]+[a-z]{0,2}")


@dataclass(frozen=True, slots=True)
class StreetParts:
    """Number, core street name and unit of a line, each possibly empty, and the whole line in its standard spelling."""

    number: str
    street: str
    unit: str
    whole: str


def street_parts(line: str) -> StreetParts:
    """Take one line apart. Text that is no street address becomes the street."""
    text = fold(line)
    if not text.replace(" ", "").isalnum():  # nearly all lines are words and numbers alone
        text = _without_signs(text)
    box = _PO_BOX.fullmatch(text) if _BOX_HINT.search(text) else None
    if box:
        return _parts(box[1], "po box", "", f"po box {box[1]}")
    rural = _RURAL.fullmatch(text)
    if rural:
        street = f"rural route {rural[1]}"
        return _parts(rural[2] or "", street, "", f"{street} box {rural[2]}" if rural[2] else street)
    return _street(text.split())


def _without_signs(text: str) -> str:
    text = _DOTTED_INITIALS.sub(lambda found: found[0].replace(".", "") + " ", text)
    return " ".join(_NO_WORD.sub(" ", _JOINED.sub("", text).replace("#", " # ")).split())


def _street(words: list[str]) -> StreetParts:
    number, rest = _house_number(words)
    name, unit = _name_and_unit(tuple(rest), behind_number=bool(number))
    whole = " ".join(part for part in (number, name.whole, f"unit {unit}" if unit else "") if part)
    return _parts(number, name.street, unit, whole)


@dataclass(frozen=True, slots=True)
class _Name:
    """Core street name, and name with direction and type in their standard spelling."""

    street: str
    whole: str


@lru_cache(maxsize=8_192)
def _name_and_unit(words: tuple[str, ...], *, behind_number: bool) -> tuple[_Name, str]:
    """The words behind the house number. A town has far more houses than streets: each is read once."""
    rest, unit = _without_unit(list(words))
    standard = _standard(rest)
    core, trailing = _core(standard)
    unit = unit or (trailing if behind_number else "")
    whole = " ".join(standard)
    return _Name(core, whole.removesuffix(f" {trailing}") if trailing and unit == trailing else whole), unit


def _parts(number: str, street: str, unit: str, whole: str) -> StreetParts:
    return StreetParts(number, street, unit, whole)


def _house_number(words: list[str]) -> tuple[str, list[str]]:
    words = words[1:] if words[:1] == ["#"] and words[2:] else words
    first, behind = words[:1], words[1:]
    if behind and _HOUSE_NUMBER.fullmatch(first[0]):
        fraction = [word for word in behind[:1] if behind[1:] and _FRACTION.fullmatch(word)]
        return " ".join([first[0].lstrip("0") or "0", *fraction]), behind[len(fraction) :]
    if behind[1:] and first[0] in NUMBER_WORDS:
        return NUMBER_WORDS[first[0]], behind
    return "", words


def _without_unit(words: list[str]) -> tuple[list[str], str]:
    """Cut at the first unit word; several units (building 4, suite 200) are joined."""
    start = next((index for index in range(len(words)) if _begins_unit(words, index)), len(words))
    before = words[:start]
    ids = [word for word in words[start:] if word not in UNITS and word != "-"]
    floor = _ORDINAL.fullmatch(before[-1]) if start < len(words) and not ids and len(before) > 1 else None
    return (before[:-1], floor[1]) if floor else (before, " ".join(ids))


def _begins_unit(words: list[str], index: int) -> bool:
    """A unit word before an id, or with no street behind it: the Space of `Space Park Drive` is none."""
    if words[index] not in UNITS:
        return False
    behind = words[index + 1 :]
    return bool(behind and _UNIT_ID.fullmatch(behind[0])) or (index > 0 and not any(word in STREET_TYPES for word in behind))


def _standard(words: list[str]) -> list[str]:
    if any(word in ROUTES for word in words[:-1]):
        return " ".join(ROUTE_WORDS.get(word, word) for word in words).split()
    last = len(words) - 1
    spelt = [_spelling(word, is_first=index == 0, is_last=index == last) for index, word in enumerate(words)]
    return " ".join(spelt).split()


def _spelling(word: str, *, is_first: bool, is_last: bool) -> str:
    ordinal = _ORDINAL.fullmatch(word)
    if ordinal:
        return ordinal[1]
    if word == "st" and is_first and not is_last:
        return "saint"
    if is_first and not is_last:
        return DIRECTIONS.get(word) or ORDINALS.get(word) or STREET_WORDS.get(word, word)
    return STREET_TYPES.get(word) or DIRECTIONS.get(word) or ORDINALS.get(word) or STREET_WORDS.get(word, word)


def _core(words: list[str]) -> tuple[str, str]:
    """The name between direction and street type, and what stands behind the type when it looks like a unit."""
    if any(word in ROUTES for word in words):
        return " ".join(words), ""
    kind = next((index for index in range(len(words) - 1, 0, -1) if words[index] in STREET_TYPES), len(words))
    behind = [word for word in words[kind + 1 :] if word not in DIRECTIONS]
    trailing = behind[0] if len(behind) == 1 and _UNIT_ID.fullmatch(behind[0]) else ""
    name = words[:kind]
    if kind == len(words) and len(name) > 1 and name[-1] in DIRECTIONS:
        name = name[:-1]
    if len(name) > 1 and name[0] in DIRECTIONS:
        name = name[1:]
    return " ".join(name), trailing
