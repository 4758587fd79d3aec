"""A date as precise as it was delivered: YYYY, YYYY-MM or YYYY-MM-DD. Nothing is padded, so a year stays a year.

Understood: ISO, HL7 and X12 digits (with a time of day, which is dropped), US month/day/year, and day or month names.
"""

import re
from contextlib import suppress
from datetime import UTC, date, datetime
from functools import cache

from mdm.values.kind import Feature, Features, ValueType
from mdm.values.placeholders import placeholders

_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, start=1)}
_TIME = r"(?:[T ][0-9]{1,2}:[0-9]{2}.{0,24})?"
_ISO = re.compile(rf"([0-9]{{4}})(?:[-/.]([0-9]{{1,2}})(?:[-/.]([0-9]{{1,2}}){_TIME})?)?", re.ASCII)
_DIGITS = re.compile(r"([0-9]{4})([0-9]{2})(?:([0-9]{2})(?:[0-9]{2,6}(?:\.[0-9]+)?(?:[+-][0-9]{4})?)?)?", re.ASCII)
_US = re.compile(rf"([0-9]{{1,2}})[-/.]([0-9]{{1,2}})[-/.]([0-9]{{4}}|[0-9]{{2}}){_TIME}", re.ASCII)
_US_MONTH = re.compile(r"([0-9]{1,2})[-/]([0-9]{4})", re.ASCII)
_DAY_NAME = re.compile(r"([0-9]{1,2})[- ./]?([a-z]{3})[a-z]{0,6}\.?[- ./,]*([0-9]{4}|[0-9]{2})", re.ASCII)
_NAME_DAY = re.compile(r"([a-z]{3})[a-z]{0,6}\.? ([0-9]{1,2})(?:st|nd|rd|th)?,? ([0-9]{4})", re.ASCII)
_EARLIEST, _LATEST = "1850", "2100"
_GENERATION_YEARS = 14  # parent and child are hardly less apart
_MONTH_LENGTH, _DAY_LENGTH = len("2000-01"), len("2000-01-01")


def _normalise(text: str) -> str | None:
    if len(text) == _DAY_LENGTH and text[4] == text[7] == "-" and text[5:7].isdecimal():  # nearly all are in the form that they take
        with suppress(ValueError):
            return date.fromisoformat(text).isoformat()
    parts = _parts(text)
    return _written(*parts) if parts else None


def _parts(text: str) -> tuple[str, str, str] | None:
    """Year, month and day as written; empty where not delivered."""
    if found := _ISO.fullmatch(text) or _DIGITS.fullmatch(text):
        return found[1], found[2] or "", found[3] or ""
    if found := _US.fullmatch(text):
        return found[3], found[1], found[2]
    if found := _US_MONTH.fullmatch(text):
        return found[2], found[1], ""
    return _named_month(text.lower())


def _named_month(text: str) -> tuple[str, str, str] | None:
    if found := _DAY_NAME.fullmatch(text):
        day, name, year = found.groups()
    elif found := _NAME_DAY.fullmatch(text):
        name, day, year = found.groups()
    else:
        return None
    month = _MONTHS.get(name)
    return None if month is None else (year, str(month), day)


def _written(year: str, month: str, day: str) -> str | None:
    full_year = year if len(year) == len("2000") else _century(year)
    try:
        written = date(int(full_year), int(month or 1), int(day or 1))
    except ValueError:
        return None
    length = _DAY_LENGTH if day else _MONTH_LENGTH if month else len("2000")
    return written.isoformat()[:length]


def _century(year: str) -> str:
    # The only clock among the values: a fixed pivot would put this year's newborns into the last century one day.
    this_year = datetime.now(tz=UTC).year
    recent = this_year - this_year % 100 + int(year)
    return str(recent if recent <= this_year else recent - 100)


def _features(value: str) -> Features:
    return {**_columns(value[:4], value[5:7], value[8:10]), "generation": _generation(int(value[:4]))}


def _as_typed(text: str) -> Features:
    """The digits of a date that cannot be: 1980-03-52 is one slip away from what was meant. Of which generation, it does not tell."""
    year, month, day = _parts(text) or ("", "", "")
    if not "1000" <= year <= "2999":
        return {}
    known = [part.zfill(2) if part.strip("0") else "" for part in (month, day)]
    return _columns(year, known[0], known[1] if known[0] else "")


def _columns(year: str, month: str, day: str) -> dict[str, Feature]:
    """`new_year` stands where the day is 1 January, which is what a known year alone becomes in many systems."""
    features: dict[str, Feature] = {"year": year}
    if month:
        features["year_month"] = year + month
    if day:
        features |= {"": year + month + day, "month_day": month + day}
    return features | ({"new_year": year} if (month, day) == ("01", "01") else {})


@cache
def _generation(year: int) -> tuple[str, ...]:
    """Two overlapping spans: years up to 7 apart share one, years from 14 apart never do."""
    half = _GENERATION_YEARS // 2
    return (f"a{year // _GENERATION_YEARS}", f"b{(year + half) // _GENERATION_YEARS}")


DATE = ValueType(
    name="date",
    label="Date",
    example="1980-03-12",
    normalise=_normalise,
    validate=lambda value: None if _EARLIEST <= value[:4] <= _LATEST else "range",
    mask=lambda value: value[:4],
    features=_features,
    feature_names=("", "year", "month_day", "year_month", "new_year", "generation"),
    as_typed=_as_typed,
    placeholders=placeholders("date"),
    max_length=40,
)
