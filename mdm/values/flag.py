"""Yes or no: normal form "true" or "false"; anything else is not understood."""

from mdm.values.kind import ValueType

_TRUE = frozenset({"true", "t", "yes", "y", "1", "on"})
_FALSE = frozenset({"false", "f", "no", "n", "0", "off"})


def _normalise(text: str) -> str | None:
    word = text.lower()
    if word in _TRUE:
        return "true"
    return "false" if word in _FALSE else None


FLAG = ValueType(
    name="flag",
    label="Yes or no",
    example="true",
    normalise=_normalise,
    display=lambda value: "yes" if value == "true" else "no",
    max_length=10,
    recurs=True,
)
