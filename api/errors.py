"""What a caller is told when something goes wrong: a problem document (RFC 9457), by the table of `mdm/problems.py`.

A problem never repeats a value, and one that nobody foresaw says nothing but its request id's place in the log.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from traceback import extract_tb

import structlog
from flask import Flask, Response, request
from marshmallow import Schema, fields
from werkzeug.exceptions import HTTPException

from api.context import request_id
from mdm import problems
from mdm.budget import OverBudget
from mdm.errors import ConcordError, FieldProblem, InProgress
from mdm.jsonio import dumps

PROBLEM_TYPE = "application/problem+json"
RETRY_SECONDS = 2
status_of = problems.status_of  # for whoever answers with more than a problem: pages, batches

# What the framework itself refuses: status -> (code, detail).
_REFUSALS: Mapping[int, tuple[str, str]] = {
    400: ("malformed_request", "The request cannot be read."),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not know this method."),
    406: ("not_acceptable", "This service answers in JSON."),
    408: ("timeout", "The request took too long."),
    413: ("too_large", "The body is larger than {most}; send it in parts."),
    414: ("address_too_long", "The address is too long."),
    415: ("unsupported_media_type", "Send {media}."),
    422: ("invalid_request", "The request has fields that cannot be accepted."),
    428: ("precondition_required", "Send If-Match with the version that you read."),
}


class FieldProblemSchema(Schema):
    """What is wrong with one field of the request."""

    code = fields.String(required=True)
    pointer = fields.String(required=True, metadata={"description": "JSON pointer into the body, or the parameter's name after a slash"})
    message = fields.String(required=True)


class ProblemSchema(Schema):
    """A problem document; `code` is stable, words may change."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    code = fields.String(required=True)
    detail = fields.String(required=True)
    errors = fields.List(fields.Nested(FieldProblemSchema))


def register(app: Flask) -> None:
    """Answer every error of this application with a problem document."""
    app.register_error_handler(ConcordError, concord_problem)
    app.register_error_handler(HTTPException, http_problem)
    app.register_error_handler(Exception, unforeseen)


def problem(status: int, code: str, detail: str, errors: Sequence[FieldProblem] = ()) -> Response:
    """A problem document as a response."""
    body = problems.document(status, code, detail, errors)
    response = Response(dumps(body), status=status, content_type=PROBLEM_TYPE)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = str(RETRY_SECONDS)
    if status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def concord_problem(error: ConcordError) -> Response:
    response = problem(status_of(error), error.code, error.message, error.problems)
    if isinstance(error, InProgress):
        response.headers["Retry-After"] = str(RETRY_SECONDS)
    if isinstance(error, OverBudget):
        response.headers["Retry-After"] = str(error.retry_seconds)
    return response


def _size(most: int) -> str:
    return f"{most // 1024**3} GB" if most >= 1024**3 else f"{most // 1024**2} MB"


def http_problem(error: HTTPException) -> Response:
    """A refusal of the framework: unknown address, wrong method, unreadable or too large body, fields of the wrong shape."""
    status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    if status < HTTPStatus.BAD_REQUEST:  # a redirect is no error
        return Response(status=status, headers=dict(error.get_headers()))
    code, detail = _REFUSALS.get(status, ("internal_error", "Something went wrong."))
    detail = detail.format(most=_size(request.max_content_length or 0), media=getattr(error, "wanted", "application/json"))
    response = problem(status, code, detail, problems_of(getattr(error, "data", {}).get("messages", {})))
    allowed = getattr(error, "valid_methods", None)
    if allowed:
        response.headers["Allow"] = ", ".join(sorted(allowed))
    return response


def problems_of(messages: object) -> list[FieldProblem]:
    """Messages of marshmallow, by place of parameters, as one problem per field."""
    if not isinstance(messages, Mapping):
        return []
    return [found for where in messages.values() for found in field_problems(where)]


def field_problems(messages: object, pointer: str = "") -> list[FieldProblem]:
    """Nested messages as JSON pointers. They are ours or marshmallow's own; neither repeats the value."""
    if isinstance(messages, Mapping):
        return [found for step, inner in messages.items() for found in field_problems(inner, _below(pointer, step))]
    texts = messages if isinstance(messages, list) else [messages]
    return [FieldProblem(_CODES.get(str(text), "invalid"), pointer, str(text)) for text in texts]


_CODES = {
    "Unknown field.": "unknown_field",
    "Missing data for required field.": "required",
    "Field may not be null.": "null",
    "Not a valid string.": "wrong_type",
    "Not a valid integer.": "wrong_type",
    "Not a valid list.": "wrong_type",
    "Not a valid mapping type.": "wrong_type",
    "Invalid input type.": "wrong_type",
    "Not a valid date.": "wrong_type",
    "Not a valid datetime.": "wrong_type",
    "Not a valid aware datetime.": "naive_time",
    "Not a valid UUID.": "wrong_type",
    "NUL or broken Unicode": "bad_text",
}


def _below(pointer: str, step: object) -> str:
    text = str(step)
    # marshmallow's own name for "the object as a whole"
    return pointer if text == "_schema" else pointer + "/" + text.replace("~", "~0").replace("/", "~1")


def unforeseen(error: Exception) -> Response:
    """The last resort. The exception's text may hold a value, so the log gets its class and where it happened."""
    frames = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in extract_tb(error.__traceback__)[-8:]]
    route = request.url_rule.rule if request.url_rule else None
    structlog.get_logger("concord").error("unforeseen", error=type(error).__name__, frames=frames, route=route, request_id=request_id())
    return problem(500, "internal_error", "Something went wrong; the log has it under this answer's X-Request-Id.")
