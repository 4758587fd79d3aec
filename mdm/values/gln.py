"""GLN, the GS1 global location number: 13 digits, GS1 mod 10. It names a legal entity, a function or a place."""

from stdnum import ean

from mdm.values.kind import ValueType
from mdm.values.placeholders import placeholders
from mdm.values.shape import digits_of_length, only_if

GLN = ValueType(
    name="gln",
    label="GLN",
    example="0614141000012",
    normalise=digits_of_length(13),
    validate=only_if(ean.is_valid, "check_digit"),
    placeholders=placeholders("gln"),
    max_length=20,
)
