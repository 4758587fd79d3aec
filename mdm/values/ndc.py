"""NDC, the national drug code: normal form is the 11 digits 5-4-2 of HIPAA, made by padding each segment (21 CFR 207).

Ten digits without hyphens could be any of three codes: they are kept as they are and flagged as ambiguous. From 2033-03-07 codes have
12 digits 6-4-2.
"""

import re

from mdm.values.kind import ValueType
from mdm.values.placeholders import placeholders

_SEGMENTED = re.compile(r"(?:N4)?([0-9]{4,6})-([0-9]{3,4})-([0-9]{1,2})", re.ASCII)
_BARE = re.compile(r"(?:N4)?([0-9]{10,12})", re.ASCII)
_LENGTHS = {(4, 4, 2), (5, 3, 2), (5, 4, 1), (5, 4, 2), (6, 4, 2)}
_AMBIGUOUS_LENGTH = 10
_HIPAA_LENGTH = 11


def to_ndc12(value: str) -> str | None:
    """The hyphenated 6-4-2 form that is due from 2033-03-07; None for an ambiguous code."""
    if len(value) == _AMBIGUOUS_LENGTH:
        return None
    padded = value.zfill(12)
    return f"{padded[:6]}-{padded[6:10]}-{padded[10:]}"


def _normalise(text: str) -> str | None:
    plain = re.sub(r"\s", "", text).upper()
    segmented, bare = _SEGMENTED.fullmatch(plain), _BARE.fullmatch(plain)
    if segmented:
        labeler, product, package = segmented.groups()
        known = (len(labeler), len(product), len(package)) in _LENGTHS
        return _hipaa(labeler.zfill(5) + product.zfill(4) + package.zfill(2)) if known else None
    return _hipaa(bare[1]) if bare else None


def _hipaa(digits: str) -> str:
    return digits[1:] if len(digits) > _HIPAA_LENGTH and digits[0] == "0" else digits


def _display(value: str) -> str:
    return value if len(value) == _AMBIGUOUS_LENGTH else f"{value[:-6]}-{value[-6:-2]}-{value[-2:]}"


NDC = ValueType(
    name="ndc",
    label="NDC",
    example="00002-7597-01",
    normalise=_normalise,
    validate=lambda value: "ambiguous" if len(value) == _AMBIGUOUS_LENGTH else None,
    display=_display,
    placeholders=placeholders("ndc"),
    max_length=20,
)
