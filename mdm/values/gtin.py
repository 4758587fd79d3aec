"""GTIN, the GS1 trade item number: 8, 12, 13 or 14 digits, GS1 mod 10; normal form GTIN-14 with zeros in front.

Each packaging level has its own.
"""

from stdnum import ean

from mdm.values.kind import ValueType
from mdm.values.placeholders import placeholders
from mdm.values.shape import digits_of_length, only_if

_digits = digits_of_length(8, 12, 13, 14)


def _gtin14(text: str) -> str | None:
    value = _digits(text)
    return None if value is None else value.zfill(14)


GTIN = ValueType(
    name="gtin",
    label="GTIN",
    example="00614141123452",
    normalise=_gtin14,
    validate=only_if(ean.is_valid, "check_digit"),
    placeholders=placeholders("gtin"),
    max_length=20,
)
