"""A local code (department, account, cost center): trimmed, upper case. Leading zeros are data."""

from mdm.values.kind import Features, ValueType, clean_text, fold
from mdm.values.placeholders import says_nothing


def _normalise(text: str) -> str | None:
    return clean_text(text.upper()) or None


def _features(value: str) -> Features:
    """The code, and the code without leading zeros: the form that a spreadsheet leaves behind."""
    folded = fold(value)
    return {"": folded, "bare": folded.lstrip("0") or "0"} if folded else {}


CODE = ValueType(
    name="code",
    label="Code",
    example="006120",
    normalise=_normalise,
    validate=says_nothing("code"),
    features=_features,
    feature_names=("", "bare"),
    max_length=80,
)
