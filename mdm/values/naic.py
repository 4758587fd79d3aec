"""NAIC company code: five digits, zeros kept. One company sells many products, so it never tells payers apart."""

from mdm.values.kind import ValueType
from mdm.values.placeholders import placeholders
from mdm.values.shape import digits_of_length

NAIC = ValueType(
    name="naic",
    label="NAIC company code",
    example="12345",
    normalise=digits_of_length(5),
    placeholders=placeholders("naic"),
    max_length=20,
)
