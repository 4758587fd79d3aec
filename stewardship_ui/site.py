"""The pages together: their addresses, what every answer carries, and what people read when something goes wrong."""

from http import HTTPStatus
from typing import Any

import structlog
from flask import Blueprint, Flask, Response, g, redirect, render_template, request, url_for
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as Redirect

from api.context import request_id
from api.errors import RETRY_SECONDS, status_of, unforeseen
from mdm.errors import ConcordError, Forbidden, Unauthenticated
from stewardship_ui import golden, guard, overview, signin, task, tasks, words

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HSTS = "max-age=31536000; includeSubDomains"

Answer = Response | Redirect | tuple[str, int] | tuple[str, int, dict[str, str]]


def add_pages(app: Flask) -> Flask:
    """Add the pages to the API's application."""
    app.register_blueprint(blueprint())
    return app


def blueprint() -> Blueprint:
    made = Blueprint("ui", __name__, template_folder="templates", static_folder="static", static_url_path="/static")
    made.before_request(guard.check_request)
    made.after_request(_protect)
    made.context_processor(_always)
    made.register_error_handler(Unauthenticated, _ask_to_sign_in)
    made.register_error_handler(ConcordError, _refused)
    made.register_error_handler(HTTPException, _http_refused)
    made.register_error_handler(Exception, _broken)
    made.add_app_template_filter(words.tag)
    made.add_app_template_filter(words.moment)
    made.add_app_template_filter(words.bits)
    for page in (overview, tasks, task, golden, signin):
        page.add_routes(made)
    return made


def _protect(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    if guard.our_cookie().secure:
        response.headers["Strict-Transport-Security"] = _HSTS
    return response


def _always() -> dict[str, Any]:
    """What every page shows: who is signed in, the token of its forms, the words for kinds of task."""
    return {"actor": g.get("actor"), "csrf": g.get("csrf", ""), "kinds": words.KINDS}


def _ask_to_sign_in(error: Unauthenticated) -> Answer:
    del error
    if request.method in {"GET", "HEAD"}:
        return redirect(url_for("ui.sign_in_page", next=request.path), HTTPStatus.SEE_OTHER)
    return signin.page("Your session has ended. Sign in, then do this once more.", HTTPStatus.UNAUTHORIZED)


def _refused(error: ConcordError) -> Answer:
    status = status_of(error)
    if isinstance(error, Forbidden):
        _log_denial(error)
    return _error_page(status, error.message)


def _log_denial(error: Forbidden) -> None:
    actor = g.get("actor")
    structlog.get_logger("concord").warning(
        "denied",
        principal=actor.name if actor else None,
        code=error.code,
        route=request.url_rule.rule if request.url_rule else None,
        request_id=request_id(),
    )


def _http_refused(error: HTTPException) -> Answer | HTTPException:
    status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    return error if status < HTTPStatus.BAD_REQUEST else _error_page(status, error.description or "")


def _broken(error: Exception) -> Answer:
    unforeseen(error)  # the log has it; the page says nothing of it
    return _error_page(HTTPStatus.INTERNAL_SERVER_ERROR, "Something went wrong. Nothing that you see here was lost.")


def _error_page(status: int, message: str) -> Answer:
    title = words.REFUSALS.get(status, HTTPStatus(status).phrase)
    headers = {"Retry-After": str(RETRY_SECONDS)} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    return render_template("error.html", title=title, message=message, request_id=request_id()), status, headers
