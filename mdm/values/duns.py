"""DUNS number: nine digits without a reliable check digit. Federal use ended in April 2022; it lingers in ERP data."""

from mdm.values.kind import ValueType
from mdm.values.placeholders import placeholders
from mdm.values.shape import digits_of_length

DUNS = ValueType(
    name="duns",
    label="DUNS",
    example="150483782",
    normalise=digits_of_length(9),
    placeholders=placeholders("duns"),
    max_length=20,
)
