"""ETag and If-Match: who changes something says which version they read."""

import re
from collections.abc import Mapping
from typing import Any

from flask import request
from werkzeug.exceptions import PreconditionRequired

from mdm.errors import Stale

_ETAG = re.compile(r'(?:W/)?"?([0-9]{1,9})"?')


def etag(version: int) -> dict[str, str]:
    return {"ETag": f'"{version}"'}


def if_match() -> int:
    """The version that the caller read. Raises PreconditionRequired without one, Stale for what is no version of ours."""
    given = request.headers.get("If-Match")
    if given is None:
        raise PreconditionRequired
    version = _ETAG.fullmatch(given.strip())
    if version is None:
        raise Stale
    return int(version[1])


def parameter(of: str, *, required: bool = True) -> Mapping[str, Any]:
    """If-Match, as the OpenAPI document says it."""
    return {"in": "header", "name": "If-Match", "required": required, "schema": {"type": "string"}, "description": f"The {of}'s ETag."}
