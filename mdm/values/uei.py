"""UEI of SAM.gov: 12 letters and digits without O and I, not starting with 0, no run of nine digits.

Its checksum is not public here, so an invented value of the right shape passes.
"""

from mdm.values.kind import ValueType
from mdm.values.shape import matching

UEI = ValueType(
    name="uei",
    label="UEI",
    example="ABC1DEF2GHJ4",
    normalise=matching(r"(?!.*[0-9]{9})[1-9A-HJ-NP-Z][0-9A-HJ-NP-Z]{11}"),
    max_length=20,
)
