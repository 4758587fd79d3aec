"""A payer's member or subscriber id: upper case, zeros kept; separators go only for comparison. It may name a family, not a person."""

import re

from mdm.values.kind import Features, ValueType, clean_text, fold, keep_last
from mdm.values.placeholders import says_nothing

_SEPARATORS = re.compile(r"[^0-9a-z]+", re.ASCII)

_listed = says_nothing("code")


def _key(value: str) -> str:
    return _SEPARATORS.sub("", fold(value))


def _normalise(text: str) -> str | None:
    return clean_text(text.upper()) if _key(text) else None


def _features(value: str) -> Features:
    return {"": _key(value)}


def _problem(value: str) -> str | None:
    return "placeholder" if len(set(_key(value))) == 1 else _listed(value)


MEMBER_ID = ValueType(
    name="member_id",
    label="Member id",
    example="XYZ 0123 45678",
    normalise=_normalise,
    validate=_problem,
    mask=keep_last(4),
    features=_features,
    max_length=60,
)
