"""An e-mail address: lower case, one @, a domain with a dot. Addresses that stand for "has none" are placeholders."""

import re

from mdm.values.kind import Features, ValueType, fold
from mdm.values.placeholders import placeholder_pattern, placeholders

_ADDRESS = re.compile(r"[^\s@,;:<>()\"]{1,64}@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,24}", re.ASCII)
_PLACEHOLDER = placeholder_pattern("email")


def _normalise(text: str) -> str | None:
    value = text.lower().removeprefix("mailto:")
    return value if _ADDRESS.fullmatch(value) else None


def _mask(value: str) -> str:
    local, _, domain = value.partition("@")
    return f"{local[0]}•••@{domain}"


def _features(value: str) -> Features:
    local, _, domain = fold(value).partition("@")
    return {"": f"{local}@{domain}", "local": local, "domain": domain} if local else {"domain": domain}


def _as_typed(text: str) -> Features:
    """An address with a slip in it is still nearly the address."""
    typed = fold(text)
    local, at, _ = typed.partition("@")
    return {"": typed, "local": local} if at and local else {}


EMAIL = ValueType(
    name="email",
    label="E-mail",
    example="ada@example.org",
    normalise=_normalise,
    validate=lambda value: "placeholder" if _PLACEHOLDER.fullmatch(value) else None,
    mask=_mask,
    features=_features,
    feature_names=("", "local", "domain"),
    as_typed=_as_typed,
    placeholders=placeholders("email"),
    max_length=254,
)
