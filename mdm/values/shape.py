"""Shapes that many identifiers share: nothing but digits, nothing but letters and digits, separators that carry no meaning.

Only ASCII letters and digits count. A digit of another script is not silently taken for one of ours.
"""

import re
from collections.abc import Callable

_SEPARATORS = re.compile(r"[\s\-\u2010-\u2015\u2212]+")
_DIGITS = re.compile(r"[0-9]+", re.ASCII)


def compact(text: str) -> str:
    """Upper case without blanks and dashes."""
    return _SEPARATORS.sub("", text).upper()


def digits_of_length(*lengths: int) -> Callable[[str], str | None]:
    """A normaliser: exactly so many digits, once blanks and dashes are gone; leading zeros are data."""

    def normalise(text: str) -> str | None:
        value = compact(text)
        return value if len(value) in lengths and _DIGITS.fullmatch(value) else None

    return normalise


def matching(pattern: str) -> Callable[[str], str | None]:
    """A normaliser: upper case without blanks and dashes, of this shape."""
    shape = re.compile(pattern, re.ASCII)

    def normalise(text: str) -> str | None:
        value = compact(text)
        return value if shape.fullmatch(value) else None

    return normalise


def only_if(is_valid: Callable[[str], bool], problem: str) -> Callable[[str], str | None]:
    """A validator: the problem's code unless the value passes."""
    return lambda value: None if is_valid(value) else problem
