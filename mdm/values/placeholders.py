"""What people write when they have nothing to write: never evidence, neither for nor against.

The lists are data (placeholders.toml). No list is complete; the frequency guard of a domain catches the rest.
"""

import re
import tomllib
from collections.abc import Callable
from functools import lru_cache
from importlib import resources
from typing import TypedDict, cast

from mdm.values.kind import fold

_PUNCTUATION = re.compile(r"[^a-z0-9]+")


class _Section(TypedDict, total=False):
    values: list[str]
    patterns: list[str]
    repeated_digits: int


def placeholders(kind: str) -> frozenset[str]:
    """The listed normal forms of a kind that say nothing."""
    section = _sections()[kind]
    length = section.get("repeated_digits", 0)
    repeated = (digit * length for digit in "0123456789") if length else ()
    return frozenset({*section.get("values", []), *repeated})


def says_nothing(kind: str) -> Callable[[str], str | None]:
    """A validator of free text: "placeholder" when its words, whatever case and punctuation, are listed or follow a listed pattern."""
    words = placeholders(kind)
    pattern = placeholder_pattern(kind)

    def validate(value: str) -> str | None:
        plain = fold(value)
        if not plain.isalnum():
            plain = _PUNCTUATION.sub(" ", plain).strip()
        return "placeholder" if plain in words or pattern.fullmatch(plain) else None

    return validate


def placeholder_pattern(kind: str) -> re.Pattern[str]:
    """What a whole value of the kind must look like to say nothing, beyond the listed values."""
    alternatives = _sections()[kind].get("patterns", [])
    return re.compile("|".join(f"(?:{alternative})" for alternative in alternatives) or r"(?!)", re.ASCII)


@lru_cache(maxsize=1)
def _sections() -> dict[str, _Section]:
    text = resources.files("mdm.values").joinpath("placeholders.toml").read_text(encoding="utf-8")
    return cast("dict[str, _Section]", tomllib.loads(text))
