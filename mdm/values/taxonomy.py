"""NUCC provider taxonomy code: ten characters ending in X. The list is revised twice a year and not shipped."""

from mdm.values.kind import ValueType
from mdm.values.placeholders import placeholders
from mdm.values.shape import matching

TAXONOMY = ValueType(
    name="taxonomy",
    label="Provider taxonomy",
    example="207R00000X",
    normalise=matching(r"[0-9]{3}[0-9A-Z]{6}X"),
    placeholders=placeholders("taxonomy"),
    max_length=20,
    recurs=True,
)
