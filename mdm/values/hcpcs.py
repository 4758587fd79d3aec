"""HCPCS level II (letter and four digits) and CPT codes (five digits, or four and a letter). Licensed code lists are not shipped."""

from mdm.values.kind import ValueType
from mdm.values.placeholders import placeholders
from mdm.values.shape import matching

HCPCS = ValueType(
    name="hcpcs",
    label="HCPCS or CPT code",
    example="A4550",
    normalise=matching(r"[A-V][0-9]{4}|[0-9]{4}[0-9AFMTU]"),
    placeholders=placeholders("hcpcs"),
    max_length=20,
)
