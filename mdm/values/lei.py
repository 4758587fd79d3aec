"""LEI, the legal entity identifier: 20 characters, ISO 7064 mod 97-10 (ISO 17442)."""

from stdnum import lei

from mdm.values.kind import ValueType
from mdm.values.placeholders import placeholders
from mdm.values.shape import matching, only_if

LEI = ValueType(
    name="lei",
    label="LEI",
    example="213800KUD8LAJWSQ9D15",
    normalise=matching(r"[0-9A-Z]{18}[0-9]{2}"),
    validate=only_if(lei.is_valid, "check_digit"),
    placeholders=placeholders("lei"),
    max_length=40,
)
