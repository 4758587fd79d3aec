"""A web address: host in lower case and path, without scheme, www and port. Compared by the domain that somebody registered."""

import re

from mdm.values.kind import Features, ValueType
from mdm.values.placeholders import placeholders

_ADDRESS = re.compile(
    r"(?:[a-z][a-z0-9+.-]*://)?(?:www[0-9]?\.)*((?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,24})(?::[0-9]+)?(/[^\s]*)?",
    re.ASCII | re.IGNORECASE,
)
# Second-level labels below which names are registered in many countries (co.uk, com.au).
_SHARED = frozenset({"co", "com", "org", "net", "gov", "edu", "ac", "nhs"})
_COUNTRY_LABEL_LENGTH = 2


def _normalise(text: str) -> str | None:
    found = _ADDRESS.fullmatch(text)
    return found[1].lower() + (found[2] or "").rstrip("/") if found else None


def _domain(value: str) -> str:
    labels = value.split("/", 1)[0].split(".")
    below_country = len(labels[-1]) == _COUNTRY_LABEL_LENGTH and len(labels) > _COUNTRY_LABEL_LENGTH and labels[-2] in _SHARED
    return ".".join(labels[-3:] if below_country else labels[-2:])


def _features(value: str) -> Features:
    return {"": _domain(value)}


WEBSITE = ValueType(
    name="website",
    label="Website",
    example="www.example.org",
    normalise=_normalise,
    features=_features,
    placeholders=placeholders("website"),
    max_length=300,
)
