"""US social security number and its stand-in ITIN: nine digits, without a check digit, so known fakes are listed.

SSN: area not 000, 666 or 900 to 999, group not 00, serial not 0000. ITIN: starts with 9, certain groups only (IRS).
"""

import re

from stdnum.us import itin

from mdm.values.kind import ValueType, keep_last
from mdm.values.placeholders import placeholders
from mdm.values.shape import digits_of_length, only_if

_ASSIGNABLE = re.compile(r"(?!000|666|9)[0-9]{3}(?!00)[0-9]{2}(?!0000)[0-9]{4}", re.ASCII)
_PRINTED = frozenset({"078051120", "457555462", "219099999"})  # on a wallet's card, in advertisements


def _is_assignable(value: str) -> bool:
    """As the library has it, in a fifteenth of the time; a test compares the two."""
    return _ASSIGNABLE.fullmatch(value) is not None and value not in _PRINTED


def _display(value: str) -> str:
    return f"{value[:3]}-{value[3:5]}-{value[5:]}"


SSN = ValueType(
    name="ssn",
    label="SSN",
    example="AAA-GG-SSSS",
    normalise=digits_of_length(9),
    validate=only_if(_is_assignable, "range"),
    mask=keep_last(4),
    display=_display,
    placeholders=placeholders("ssn"),
    max_length=20,
)

ITIN = ValueType(
    name="itin",
    label="ITIN",
    example="9AA-GG-SSSS",
    normalise=digits_of_length(9),
    validate=only_if(itin.is_valid, "range"),
    mask=keep_last(4),
    display=_display,
    placeholders=placeholders("itin"),
    max_length=20,
)
