"""A licence number: upper case, zeros kept, separators gone. It means something only together with its state and type."""

import re

from mdm.values.kind import ValueType, keep_last
from mdm.values.placeholders import says_nothing

_SEPARATORS = re.compile(r"[^0-9A-Z]+", re.ASCII)


def _without_separators(text: str) -> str | None:
    return _SEPARATORS.sub("", text.upper()) or None


LICENCE = ValueType(
    name="licence",
    label="Licence number",
    example="MD-0123456",
    normalise=_without_separators,
    validate=says_nothing("code"),
    mask=keep_last(4),
    max_length=60,
)
