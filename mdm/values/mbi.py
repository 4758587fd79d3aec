"""MBI, the Medicare beneficiary identifier: 11 characters of fixed shape without S, L, O, I, B, Z (CMS). No check digit."""

import re

from mdm.values.kind import ValueType, keep_last
from mdm.values.shape import matching, only_if

_LETTER = "[AC-HJKMNP-RT-Y]"
_EITHER = "[0-9AC-HJKMNP-RT-Y]"
_SHAPE = re.compile(f"[1-9]{_LETTER}{_EITHER}[0-9]{_LETTER}{_EITHER}[0-9]{_LETTER}{{2}}[0-9]{{2}}", re.ASCII)


def _has_the_shape(value: str) -> bool:
    return _SHAPE.fullmatch(value) is not None


MBI = ValueType(
    name="mbi",
    label="Medicare beneficiary id",
    example="1EG4-TE5-MK73",
    normalise=matching(r"[0-9A-Z]{11}"),
    validate=only_if(_has_the_shape, "format"),
    mask=keep_last(4),
    display=lambda value: f"{value[:4]}-{value[4:7]}-{value[7:]}",
    max_length=20,
)
