"""A manufacturer's or supplier's part number: upper case; for comparison blanks and - / . go, zeros and the letter O stay what they are.

It means something only together with the manufacturer.
"""

import re

from mdm.values.kind import Features, ValueType, clean_text, fold
from mdm.values.placeholders import says_nothing

_SEPARATORS = re.compile(r"[^0-9a-z]+", re.ASCII)


def part_key(value: str) -> str:
    """The part number without case and separators, for comparison."""
    return _SEPARATORS.sub("", fold(value))


def _normalise(text: str) -> str | None:
    return clean_text(text.upper()) if part_key(text) else None


def _features(value: str) -> Features:
    return {"": part_key(value)}


PART_NUMBER = ValueType(
    name="part_number",
    label="Part number",
    example="AB-12/3.4",
    normalise=_normalise,
    validate=says_nothing("code"),
    features=_features,
    max_length=80,
)
