"""EIN, the US employer identification number: nine digits whose prefix the IRS has assigned; no check digit.

Many legal subparts share one. A sole proprietor may give the SSN instead, hence the mask.
"""

from stdnum.us import ein

from mdm.values.kind import ValueType, keep_last
from mdm.values.placeholders import placeholders
from mdm.values.shape import digits_of_length, only_if

EIN = ValueType(
    name="ein",
    label="EIN",
    example="91-1144442",
    normalise=digits_of_length(9),
    validate=only_if(ein.is_valid, "range"),
    mask=keep_last(4),
    display=lambda value: f"{value[:2]}-{value[2:]}",
    placeholders=placeholders("ein"),
    max_length=20,
)
