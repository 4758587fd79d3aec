"""One way to add a route: its access, shapes and every status it can give are said in one place, checked and documented alike."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, NoReturn

import orjson
from flask import Request
from flask_smorest import Blueprint
from marshmallow import RAISE, Schema
from webargs.flaskparser import FlaskParser, abort

from api.auth import Access, allow
from api.once import PARAMETER, once
from mdm.jsonio import loads

Shape = Schema | type[Schema]
Answer = Any  # a frozen result, or (result, status), or (result, status, headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What a route promises. `refusals` are the statuses beyond those that follow from access, body and parameters."""

    name: str
    summary: str
    access: Access
    answer: Shape | None
    status: int = HTTPStatus.OK
    body: Shape | None = None
    query: Shape | None = None
    media: str = ""  # of a file; JSON otherwise
    also: tuple[tuple[int, Shape], ...] = ()
    refusals: tuple[int, ...] = ()
    docs: Mapping[str, Any] = field(default_factory=dict)
    once: bool = False  # honours Idempotency-Key; the answer then holds no value of a person's, for it is kept
    withheld: str | None = None  # a secret member of the answer: told once, never kept


def add(blueprint: Any, method: str, rule: str, handler: Callable[..., Answer], operation: Operation) -> None:
    """Put a route into a blueprint: `handler(body or query, **path)` gets what was parsed and gives what is dumped."""

    def view(*args: Any, **kwargs: Any) -> Answer:
        return handler(*args, **kwargs)

    view.__name__ = operation.name
    view.__doc__ = operation.summary
    wrapped = allow(operation.access.verb, operation.access.domain)(view)
    for status, shape in operation.also:
        wrapped = blueprint.alt_response(status, schema=shape, success=True)(wrapped)
    if operation.media:
        wrapped = blueprint.response(operation.status, {"type": "string"}, content_type=operation.media)(wrapped)
    else:
        wrapped = blueprint.response(operation.status, operation.answer)(wrapped)
    if operation.once:
        wrapped = once(wrapped, operation.withheld)
    if operation.body is not None:
        wrapped = blueprint.arguments(operation.body)(wrapped)
    if operation.query is not None:
        wrapped = blueprint.arguments(operation.query, location="query")(wrapped)
    refusals = {status: HTTPStatus(status).name for status in sorted(_refusals(operation, rule))}
    docs = {"operationId": f"{blueprint.name}_{operation.name}", "security": [{"key": []}], "responses": refusals, **operation.docs}
    if operation.once:
        docs["parameters"] = [*operation.docs.get("parameters", ()), PARAMETER]
    blueprint.route(rule, methods=[method], endpoint=operation.name)(blueprint.doc(**docs)(wrapped))


def _refusals(operation: Operation, rule: str) -> set[int]:
    found = {401, 403, 503, *operation.refusals}
    if operation.body is not None:
        found |= {400, 413, 415, 422}
    if operation.query is not None:
        found.add(422)
    if operation.once:
        found |= {409, 422}
    if "<" in rule:
        found.add(404)
    return found


def new_blueprint(name: str, prefix: str, description: str) -> Any:
    """A blueprint whose bodies are read strictly."""
    made = Blueprint(name, __name__, url_prefix=prefix, description=description)
    made.ARGUMENTS_PARSER = StrictParser()
    return made


class StrictParser(FlaskParser):
    """Refuses what is not JSON, and parameters that nobody declared."""

    DEFAULT_UNKNOWN_BY_LOCATION = {**FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION, "query": RAISE, "json": RAISE}  # noqa: RUF012  (webargs reads it)

    def _raw_load_json(self, req: Request) -> Any:
        if not req.is_json:
            abort(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        try:
            # The hot routes read the same way: no NaN, no lone surrogates, no integers beyond 64 bits.
            return loads(req.get_data())
        except orjson.JSONDecodeError as error:
            _malformed(error)


def _malformed(error: Exception) -> NoReturn:
    abort(HTTPStatus.BAD_REQUEST, exc=error, messages={"json": ["The body is no JSON."]})
