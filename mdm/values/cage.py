"""CAGE code: five letters and digits, one per site of a supplier. No check digit."""

from mdm.values.kind import ValueType
from mdm.values.placeholders import placeholders
from mdm.values.shape import matching

CAGE = ValueType(
    name="cage",
    label="CAGE code",
    example="1ABC5",
    normalise=matching(r"[0-9A-Z]{5}"),
    placeholders=placeholders("cage"),
    max_length=20,
)
