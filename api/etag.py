"""Versions as ETags: whoever changes something says which version they read."""

import re

from flask import request
from werkzeug.exceptions import PreconditionRequired

from mdm.errors import Stale

_ETAG = re.compile(r'(?:W/)?"?([0-9]{1,9})"?')
IF_MATCH = {"in": "header", "name": "If-Match", "required": True, "schema": {"type": "string"}, "description": "The ETag that you read."}


def if_match(*, required: bool = True) -> int | None:
    """The version in If-Match. Raises PreconditionRequired without one, Stale for one that no version can have."""
    given = request.headers.get("If-Match")
    if given is None:
        if required:
            raise PreconditionRequired
        return None
    version = _ETAG.fullmatch(given.strip())
    if version is None:
        raise Stale
    return int(version[1])
