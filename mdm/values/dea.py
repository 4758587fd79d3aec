"""DEA registration number: two letters (the second may be 9), seven digits, the last being the check digit (21 CFR 1301, DEA's formula).

One person holds several, one per state or place. A changed surname breaks the rule of the second letter, so that rule is not checked.
"""

from mdm.values.kind import ValueType
from mdm.values.placeholders import placeholders
from mdm.values.shape import matching, only_if


def _check_digit_holds(value: str) -> bool:
    digits = [int(character) for character in value[2:]]
    # Some published formulas multiply by three; twice the even places is what registered numbers satisfy.
    return (sum(digits[0:5:2]) + 2 * sum(digits[1:6:2])) % 10 == digits[6]


DEA = ValueType(
    name="dea",
    label="DEA number",
    example="AP5836727",
    normalise=matching(r"[A-Z][A-Z9][0-9]{7}"),
    validate=only_if(_check_digit_holds, "check_digit"),
    placeholders=placeholders("dea"),
    max_length=20,
)
