"""Addresses: kept as written, compared by house number, core street name and unit, and by the standardised whole.

Own normaliser: the address library handles about a thousand lines a second and refuses PO boxes, One Hospital Plaza and rural routes.
"""

import re

from mdm.values.address_words import COUNTRIES, STATES
from mdm.values.kind import Features, ValueType, clean_text, fold
from mdm.values.placeholders import placeholders, says_nothing
from mdm.values.street import street_parts

_NOT_ALPHANUMERIC = re.compile(r"[^0-9A-Z]+", re.ASCII)
_US_POSTAL_CODE = re.compile(r"([0-9]{5})([0-9]{4})?", re.ASCII)
_FOREIGN_POSTAL_CODE = re.compile(r"(?=[A-Z]*[0-9])[0-9A-Z]{3,10}", re.ASCII)
_UK_POSTAL_CODE = re.compile(r"([a-z]{1,2}[0-9][0-9a-z]?)[0-9][a-z]{2}", re.ASCII)
_LOST_ZERO = re.compile(r"[0-9]{3,4}([0-9]{4})?", re.ASCII)
_CITY_WORDS = {"st": "saint", "ste": "sainte", "ft": "fort", "mt": "mount", "n": "north", "s": "south", "e": "east", "w": "west"}
_CITY_JOINED = re.compile(r"['.]")
_NO_LETTER = re.compile(r"[^a-z0-9]+")


def _line_features(value: str) -> Features:
    parts = street_parts(value)
    named = {"": parts.whole, "number": parts.number, "street": parts.street, "unit": parts.unit}
    return {name: text for name, text in named.items() if text}


def _city_features(value: str) -> Features:
    words = _NO_LETTER.sub(" ", _CITY_JOINED.sub("", fold(value))).split()
    leading = [_CITY_WORDS.get(word, word) for word in words[:-1]] + words[-1:]
    return {"": " ".join(leading), "words": tuple(leading)} if leading else {}


def _state(text: str) -> str | None:
    name = _plain(text)
    return STATES.get(name, name) or None


def _country(text: str) -> str | None:
    name = _plain(text)
    return COUNTRIES.get(name, name) or None


def _plain(text: str) -> str:
    return clean_text(text.upper().replace(".", ""))


def _postal_code(text: str) -> str | None:
    value = _NOT_ALPHANUMERIC.sub("", text.upper())
    us = _US_POSTAL_CODE.fullmatch(value)
    if us:
        return f"{us[1]}-{us[2]}" if us[2] else us[1]
    return value if _FOREIGN_POSTAL_CODE.fullmatch(value) else None


def _postal_code_features(value: str) -> Features:
    """The code without its last four digits, and its area: three digits in America, the outward part in Britain."""
    base = value.partition("-")[0].lower()
    # Four digits may be a US code that lost its zero in a spreadsheet, or a foreign one. The value is not repaired; only the comparison
    # takes 2115 for 02115, which costs foreign codes nothing.
    lost = _LOST_ZERO.fullmatch(base)
    base = base.zfill(9 if lost[1] else 5)[:5] if lost else base
    british = _UK_POSTAL_CODE.fullmatch(base)
    return {"": base, "area": british[1] if british else base[:3]}


ADDRESS_LINE = ValueType(
    name="address_line",
    label="Address line",
    example="123 N Main St Apt 4B",
    normalise=lambda text: text if any(character.isalnum() for character in text) else None,
    validate=says_nothing("address"),
    features=_line_features,
    feature_names=("", "number", "street", "unit"),
    max_length=200,
)

CITY = ValueType(
    name="city",
    label="City",
    example="St. Paul",
    normalise=lambda text: text if any(character.isalpha() for character in text) else None,
    validate=says_nothing("place"),
    features=_city_features,
    feature_names=("", "words"),
    max_length=100,
    recurs=True,
)

STATE = ValueType(name="state", label="State", example="MA", normalise=_state, validate=says_nothing("place"), max_length=60, recurs=True)

POSTAL_CODE = ValueType(
    name="postal_code",
    label="Postal code",
    example="02115-1234",
    normalise=_postal_code,
    mask=lambda value: value[:3] + "••",
    features=_postal_code_features,
    feature_names=("", "area"),
    placeholders=placeholders("postal_code"),
    max_length=20,
    recurs=True,
)

COUNTRY = ValueType(
    name="country",
    label="Country",
    example="US",
    normalise=_country,
    validate=says_nothing("place"),
    max_length=80,
    recurs=True,
)
