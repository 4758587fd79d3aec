"""Idempotency-Key: a writing request that is sent again is answered again and not done again."""

from collections.abc import Callable, Mapping
from functools import partial, wraps
from http import HTTPStatus
from typing import Any

from flask import Response, make_response, request
from sqlalchemy.orm import Session

from api.context import actor, database
from api.errors import concord_problem, status_of
from mdm import idempotency
from mdm.errors import ConcordError
from mdm.idempotency import Asked, Told
from mdm.jsonio import dumps, loads

HEADER, REPLAYED = "Idempotency-Key", "Idempotency-Replayed"
_KEPT_HEADERS = ("Content-Type", "ETag", "Location")
# Decided before the state was looked at, or not at all: these may be different the next time
_NEVER_KEPT = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS})
PARAMETER: Mapping[str, Any] = {
    "in": "header",
    "name": HEADER,
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": idempotency.KEY_MAX, "pattern": "^[ -~]+$"},
    "description": "A key of your own. Sent again within 24 hours, the same request is answered as before and not done again.",
}


def once(view: Callable[..., Any], withheld: str | None = None) -> Callable[..., Any]:
    """The view, done once per key. A rehearsal does nothing, and its answer is not kept.

    `withheld`: a member of the answer that is told once and never kept: whoever asks again finds null there.
    """

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        key = request.headers.get(HEADER)
        if key is None or any(isinstance(each, Mapping) and each.get("dry_run") for each in args):
            return view(*args, **kwargs)
        wanted = idempotency.asked(actor().id, key, f"{request.method} {request.full_path}", _said())
        return database().run(partial(_once, wanted=wanted, view=partial(view, *args, **kwargs), withheld=withheld))

    return guarded


def _said() -> bytes:
    return request.headers.get("If-Match", "").encode() + b"\0" + request.get_data()


def _once(session: Session, wanted: Asked, view: Callable[[], Any], withheld: str | None) -> Response:
    before = idempotency.told_before(session, wanted)
    if before is not None:
        return Response(before.body, before.status, {**before.headers, REPLAYED: "true"})
    try:
        response = database().joining(session, lambda: make_response(view()))
    except ConcordError as error:
        status = status_of(error)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _NEVER_KEPT:
            raise
        response = concord_problem(error)
    headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    idempotency.keep(session, wanted, Told(response.status_code, headers, _without(response.get_data(as_text=True), withheld)))
    return response


def _without(body: str, withheld: str | None) -> str:
    told = loads(body) if withheld is not None else None
    return dumps({**told, withheld: None}).decode() if isinstance(told, dict) and withheld in told else body
