"""An amount of money in US dollars: normal form with a point and at least two decimals, more where a unit price has more."""

import re

from mdm.values.kind import ValueType
from mdm.values.placeholders import placeholders

_AMOUNT = re.compile(r"(-?)(?:USD)? ?\$? ?([0-9]{1,15}|[0-9]{1,3}(?:,[0-9]{3}){1,4})?(?:\.([0-9]{0,6}))?(?: ?USD)?", re.ASCII)


def _normalise(text: str) -> str | None:
    in_brackets = text.startswith("(") and text.endswith(")")
    found = _AMOUNT.fullmatch((text[1:-1] if in_brackets else text).upper())
    if found is None or not (found[2] or found[3]):
        return None
    whole = (found[2] or "0").replace(",", "").lstrip("0") or "0"
    amount = f"{whole}.{(found[3] or '').rstrip('0').ljust(2, '0')}"
    is_negative = (in_brackets or found[1] == "-") and amount != "0.00"
    return f"-{amount}" if is_negative else amount


MONEY = ValueType(
    name="money",
    label="Amount in US dollars",
    example="12.50",
    normalise=_normalise,
    validate=lambda value: "range" if value.startswith("-") else None,
    placeholders=placeholders("money"),
    max_length=40,
)
