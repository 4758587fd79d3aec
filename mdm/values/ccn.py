"""CCN, the CMS certification number: six characters (ten for suppliers), letters possible in the state code and the third place.

A spreadsheet turns 05E012 into 5.0E+12; that is reported as not understood and never repaired.
"""

from mdm.values.kind import ValueType
from mdm.values.placeholders import placeholders
from mdm.values.shape import matching

CCN = ValueType(
    name="ccn",
    label="CMS certification number",
    example="05E012",
    normalise=matching(r"[0-9A-Z][0-9][0-9A-Z][0-9]{2}[0-9EF]|[0-9]{2}[A-Z][0-9]{7}"),
    placeholders=placeholders("ccn"),
    max_length=20,
)
