"""What an error is to whoever asked: the one table from exception to status, and the problem document (RFC 9457).

The API answers with it, and so does a command with `--json`; that is why it stands below both.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from mdm.budget import OverBudget
from mdm.errors import (
    Busy,
    ConcordError,
    Conflict,
    FieldProblem,
    Forbidden,
    Gone,
    Invalid,
    NoRoom,
    NotFound,
    ServiceError,
    Stale,
    Unauthenticated,
    Unavailable,
    Unguarded,
    UnknownDomain,
    UnknownSystem,
)

STATUS: Mapping[type[ConcordError], HTTPStatus] = {
    Invalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    UnknownDomain: HTTPStatus.NOT_FOUND,
    UnknownSystem: HTTPStatus.NOT_FOUND,
    NotFound: HTTPStatus.NOT_FOUND,
    Gone: HTTPStatus.GONE,
    Unauthenticated: HTTPStatus.UNAUTHORIZED,
    Forbidden: HTTPStatus.FORBIDDEN,
    Unguarded: HTTPStatus.PRECONDITION_REQUIRED,
    Conflict: HTTPStatus.CONFLICT,
    Stale: HTTPStatus.PRECONDITION_FAILED,
    Busy: HTTPStatus.SERVICE_UNAVAILABLE,
    OverBudget: HTTPStatus.TOO_MANY_REQUESTS,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    NoRoom: HTTPStatus.INSUFFICIENT_STORAGE,
    ServiceError: HTTPStatus.SERVICE_UNAVAILABLE,
    ConcordError: HTTPStatus.INTERNAL_SERVER_ERROR,
}


def document_of(error: ConcordError) -> dict[str, object]:
    """The problem document of an error of ours."""
    return document(status_of(error), error.code, error.message, error.problems)


def document(status: int, code: str, detail: str, errors: Sequence[FieldProblem]) -> dict[str, object]:
    told: dict[str, object] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "code": code,
        "detail": detail,
    }
    if errors:
        told["errors"] = [{"code": e.code, "pointer": e.pointer, "message": e.message} for e in errors]
    return told


def status_of(error: ConcordError) -> HTTPStatus:
    """The status of the most specific class in the table."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
