"""UNSPSC commodity code: eight digits in four pairs, optionally two more for the business function. No check digit."""

from mdm.values.kind import ValueType
from mdm.values.placeholders import placeholders
from mdm.values.shape import digits_of_length, only_if

UNSPSC = ValueType(
    name="unspsc",
    label="UNSPSC",
    example="42142500",
    normalise=digits_of_length(8, 10),
    validate=only_if(lambda value: "10" <= value[:2] <= "95", "range"),
    placeholders=placeholders("unspsc"),
    max_length=20,
)
