"""NPI, the national provider identifier: 10 digits, first 1 or 2, Luhn over 80840 + number (45 CFR 162.406, 162.408).

Never reassigned after deactivation. Organisation subparts hold their own.
"""

from stdnum import luhn

from mdm.values.kind import ValueType
from mdm.values.placeholders import placeholders
from mdm.values.shape import digits_of_length

_ISSUER_PREFIX = "80840"


def _problem(value: str) -> str | None:
    if value[0] not in "12":
        return "format"
    return None if luhn.is_valid(_ISSUER_PREFIX + value) else "check_digit"


NPI = ValueType(
    name="npi",
    label="NPI",
    example="1234567893",
    normalise=digits_of_length(10),
    validate=_problem,
    placeholders=placeholders("npi"),
    max_length=20,
)
