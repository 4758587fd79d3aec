"""Versions as ETags: what somebody changed since it was read is never overwritten."""

import re
from typing import Any

from flask import request
from werkzeug.exceptions import PreconditionRequired

from mdm.errors import Stale

_ETAG = re.compile(r'(?:W/)?"?([0-9]{1,9})"?')


def if_match() -> int:
    """The version that the caller read; raises PreconditionRequired (428) without one, Stale (412) for what was never a version."""
    version = if_match_given()
    if version is None:
        raise PreconditionRequired
    return version


def if_match_given() -> int | None:
    """The same where the header may be absent."""
    given = request.headers.get("If-Match")
    if given is None:
        return None
    version = _ETAG.fullmatch(given.strip())
    if version is None:
        raise Stale
    return int(version[1])


def etag(version: int) -> dict[str, str]:
    """The header that tells a version."""
    return {"ETag": f'"{version}"'}


def if_match_parameter(what: str, *, required: bool = True) -> dict[str, Any]:
    """The header in the OpenAPI document."""
    return {"in": "header", "name": "If-Match", "required": required, "schema": {"type": "string"}, "description": f"The ETag of {what}."}
