"""CLIA laboratory number: two digits, D, seven digits (CMS)."""

from mdm.values.kind import ValueType
from mdm.values.placeholders import placeholders
from mdm.values.shape import matching

CLIA = ValueType(
    name="clia",
    label="CLIA number",
    example="05D0123456",
    normalise=matching(r"[0-9]{2}D[0-9]{7}"),
    placeholders=placeholders("clia"),
    max_length=20,
)
