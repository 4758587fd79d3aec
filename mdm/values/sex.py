"""Administrative sex: M, F, X, or U for unknown, which is no evidence (HL7 table 0001 and FHIR's words are understood)."""

from mdm.values.kind import ValueType
from mdm.values.placeholders import placeholders

_WORDS = {
    "M": ("m", "male", "man", "boy"),
    "F": ("f", "female", "woman", "girl"),
    "X": ("x", "o", "other", "a", "ambiguous", "nonbinary", "non-binary", "intersex", "undifferentiated"),
    "U": ("u", "unknown", "unk", "un", "n", "not applicable", "not known", "undetermined", "asked-unknown", "refused", "declined"),
}
_CODES = {word: code for code, words in _WORDS.items() for word in words}
_NAMES = {"M": "male", "F": "female", "X": "other", "U": "unknown"}

SEX = ValueType(
    name="sex",
    label="Sex",
    example="F",
    normalise=lambda text: _CODES.get(text.lower()),
    display=lambda value: _NAMES[value],
    placeholders=placeholders("sex"),
    max_length=20,
    recurs=True,
)
