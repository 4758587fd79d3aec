"""HIBCC primary code: + LIC (a letter and three more) PCN (1 to 18) unit digit, and a mod 43 check character over all before it.

The check character may be a blank, so nothing is trimmed here (ANSI/HIBC 2.6).
"""

import re

from mdm.values.kind import ValueType
from mdm.values.shape import matching, only_if

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-. $/+%"
_SHAPE = re.compile(r"\+[A-Z][0-9A-Z]{3}[0-9A-Z]{1,18}[0-9][0-9A-Z\-. $/+%]", re.ASCII)


def hibcc_check_holds(code: str) -> bool:
    """The last character is the sum of all others, each by its place in the alphabet, modulo 43."""
    return _ALPHABET[sum(map(_ALPHABET.index, code[:-1])) % len(_ALPHABET)] == code[-1]


def _normalise(raw: str) -> str | None:
    value = raw.lstrip().rstrip("\r\n\t").upper()
    return value if _SHAPE.fullmatch(value) else None


HIBCC = ValueType(
    name="hibcc",
    label="HIBCC code",
    example="+A123BJC5D6E71G",
    normalise=_normalise,
    validate=only_if(hibcc_check_holds, "check_digit"),
    max_length=40,
    trim=False,
)

HIN = ValueType(
    name="hin",
    label="HIN",
    example="1234567F0",
    normalise=matching(r"[0-9A-Z]{9}"),
    max_length=20,
)
