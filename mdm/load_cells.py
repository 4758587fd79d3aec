"""What a typed cell of a workbook, Parquet or JSON file is as text: as a person would have written it, and no more exact than it was. Pure.

A workbook keeps numbers as 64-bit floats. Whole ones lose their ".0"; from 16 digits on they no longer are what was typed, and stay in
scientific notation, so that the profile of the column says so.
"""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal

MANY = "|"  # between the values of a list
UNSAID = "\x00"  # no cell that is read may hold a NUL, so this is none of them
_EXACT = 10.0**15
_SCALARS = (str, int, float, bool, Decimal, date, time, timedelta)


def written(value: object) -> str | None:
    """None and the empty text stay what they are."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(timespec="seconds")
    if isinstance(value, (date, time)):
        return value.isoformat()
    return str(value)


def written_list(values: Sequence[object]) -> str:
    """The values of a list in one cell; UNSAID where an entry is no single value, or has the separator in it."""
    texts = [written(value) or "" for value in values if isinstance(value, _SCALARS)]
    if len(texts) != len(values) or any(MANY in text for text in texts):
        return UNSAID
    return MANY.join(texts)


def _number(value: float) -> str:
    if value.is_integer() and abs(value) < _EXACT:
        return str(int(value))
    return repr(value).upper() if abs(value) >= _EXACT else repr(value)
