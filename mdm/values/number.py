"""A count or measure: not negative, without thousands separators, without zeros that say nothing."""

import re

from mdm.values.kind import ValueType

_NUMBER = re.compile(r"\+?([0-9]{1,15}|[0-9]{1,3}(?:,[0-9]{3}){1,4})(?:\.([0-9]{0,9}))?", re.ASCII)


def _normalise(text: str) -> str | None:
    found = _NUMBER.fullmatch(text)
    if found is None:
        return None
    whole = found[1].replace(",", "").lstrip("0") or "0"
    decimals = (found[2] or "").rstrip("0")
    return f"{whole}.{decimals}" if decimals else whole


NUMBER = ValueType(name="number", label="Number", example="100", normalise=_normalise, max_length=40)
