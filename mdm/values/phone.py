"""A phone number: E.164, with `;ext=` and the extension where one was given; numbers without a country are North American.

Numbers that a numbering plan cannot contain are kept and flagged (555-1234); fictional and repeated ones are placeholders.
"""

import re
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat

from mdm.values.kind import Features, ValueType
from mdm.values.placeholders import placeholder_pattern, placeholders

_HOME = "US"
_NORTH_AMERICAN = re.compile(
    r"(?:\+?1[ .-]?)?\(?([0-9]{3})\)?[ .\-/]{0,3}([0-9]{3})[ .-]?([0-9]{4})(?:[ ,;]*(?:x|ext\.?=?|extension|#)[ :.]?([0-9]{1,7}))?",
    re.ASCII | re.IGNORECASE,
)
_UNPLACED = re.compile(r"[0-9]{7,9}", re.ASCII)
_NO_DIGIT = re.compile(r"[^0-9]+", re.ASCII)
_LETTERS = re.compile(r"[^\W\d_]")
_MAXIMUM_LENGTH = 40
_COMPARED_DIGITS = 10
_LOCAL_DIGITS = 7
_FOREIGN_DIGITS = 9
_LOCAL = re.compile(r"(?!555)[2-9][0-9]{6}", re.ASCII)
_PLACEHOLDER = placeholder_pattern("phone")


def _normalise(text: str) -> str | None:
    if _UNPLACED.fullmatch(text):
        return text
    local = _NORTH_AMERICAN.fullmatch(text)
    if local:
        area, exchange, line, extension = local.groups()
        return _written(f"+1{area}{exchange}{line}", extension)
    return (_international(text) or _unplaced(text)) if len(text) <= _MAXIMUM_LENGTH else None


def _written(e164: str, extension: str | None) -> str:
    return f"{e164};ext={extension}" if extension else e164


def _international(text: str) -> str | None:
    """By the library: about fifty times slower than the pattern above, which covers nearly all numbers here."""
    try:
        number = phonenumbers.parse(text, _HOME)
    except NumberParseException:
        return None
    if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    return _written(phonenumbers.format_number(number, PhoneNumberFormat.E164), number.extension)


def _unplaced(text: str) -> str | None:
    """The bare digits of a number that fits no numbering plan: a person may still dial it, but it is no evidence."""
    digits = _NO_DIGIT.sub("", text)
    return digits if _UNPLACED.fullmatch(digits) and not _LETTERS.search(text) else None


def _problem(value: str) -> str | None:
    if _UNPLACED.fullmatch(value):
        return None if _LOCAL.fullmatch(value) else "format"
    if _PLACEHOLDER.fullmatch(value):
        return "placeholder"
    number = value.partition(";")[0]
    is_valid = _is_north_american(number[:8]) if number.startswith("+1") else _is_assigned(number)
    return None if is_valid else "range"


@lru_cache(maxsize=10_000)
def _is_north_american(start: str) -> bool:
    """The numbering plan of country code 1 decides by area code and exchange alone; a test compares this with the library."""
    return _is_assigned(start + "0123")


def _is_assigned(number: str) -> bool:
    return phonenumbers.is_valid_number(phonenumbers.parse(number))


def _mask(value: str) -> str:
    number = value.partition(";")[0]
    return "•" * (len(number) - 2) + number[-2:]


def _display(value: str) -> str:
    number, _, extension = value.partition(";ext=")
    is_local = number.startswith("+1") and len(number) == len("+16172531000")
    readable = f"({number[2:5]}) {number[5:8]}-{number[8:]}" if is_local else number
    return f"{readable} ext. {extension}" if extension else readable


def _features(value: str) -> Features:
    """The last digits of the number, without country and extension: what all notations of one number share.

    A number without its area code has only its local part: too little to tell persons apart, enough beside the name of a place.
    """
    digits = value.partition(";")[0].lstrip("+")
    local = {"local": digits[-_LOCAL_DIGITS:]}
    return local if len(digits) == _LOCAL_DIGITS else {"": digits[-_COMPARED_DIGITS:], **local}


def _as_typed(text: str) -> Features:
    """A number of a country that was not named: its digits, without the zero that some dial first."""
    digits = _NO_DIGIT.sub("", text).lstrip("0")[-_COMPARED_DIGITS:]
    return {"": digits} if len(digits) >= _FOREIGN_DIGITS and len(set(digits)) > 1 else {}


PHONE = ValueType(
    name="phone",
    label="Phone",
    example="+16172531000",
    normalise=_normalise,
    validate=_problem,
    mask=_mask,
    display=_display,
    features=_features,
    feature_names=("", "local"),
    as_typed=_as_typed,
    placeholders=placeholders("phone"),
    max_length=60,
)
