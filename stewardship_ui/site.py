"""The pages together: their addresses, what every answer carries, and what people read when something goes wrong."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urlsplit

import structlog
from flask import Blueprint, Flask, Response, g, make_response, redirect, render_template, request, url_for
from flask.sansio.app import App
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as Redirect

from api.context import concord, request_id
from api.errors import PROBLEM_TYPE, RETRY_SECONDS, http_problem, status_of, unforeseen
from mdm.errors import ConcordError, Forbidden, Unauthenticated
from mdm.jsonio import dumps
from mdm.prefs import Prefs
from mdm.reasons import REASON_MAX
from mdm.settings import Profile
from stewardship_ui import (
    admin,
    admin_feed,
    admin_jobs,
    admin_keys,
    admin_models,
    admin_people,
    admin_queues,
    admin_survivorship,
    admin_systems,
    assets,
    audits,
    beside,
    compare,
    drift,
    forms,
    guard,
    held,
    hierarchies,
    load_report,
    load_settling,
    load_templates,
    loads,
    mapping_set,
    mappings,
    me,
    overview,
    quality,
    record,
    record_acts,
    records,
    samples,
    seeing,
    signin,
    task,
    tasks,
    undoing,
    words,
)
from stewardship_ui.navigation import places
from stewardship_ui.rendering import wants_part

# One line per page, so that branches that add pages meet without a conflict.
PAGES = (
    overview,
    tasks,
    task,
    beside,
    undoing,
    seeing,
    records,
    record,
    record_acts,
    compare,
    mappings,
    mapping_set,
    hierarchies,
    signin,
    me,
    quality,
    drift,
    samples,
    loads,
    load_settling,
    load_report,
    load_templates,
    admin,
    admin_systems,
    admin_people,
    admin_keys,
    admin_queues,
    admin_models,
    admin_survivorship,
    admin_feed,
    admin_jobs,
    audits,
)

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'; report-uri /csp"
)
# The one place where htmx is set: nothing kept in the browser, no script out of an answer, refusals shown where they belong.
HTMX_CONFIG = dumps(
    {
        "historyCacheSize": 0,
        "refreshOnHistoryMiss": True,
        "historyRestoreAsHxRequest": False,
        "allowEval": False,
        "allowScriptTags": False,
        "includeIndicatorStyles": False,
        "selfRequestsOnly": True,
        "defaultSettleDelay": 0,
        "timeout": 15000,
        "responseHandling": [
            {"code": "204", "swap": False},
            {"code": "[23]..", "swap": True},
            {"code": "(401|403|409|412|422|428|429)", "swap": True},
            {"code": "...", "swap": False, "error": True},
        ],
    }
).decode()
_HSTS = "max-age=31536000; includeSubDomains"

Answer = Response | Redirect | tuple[str, int] | tuple[str, int, dict[str, str]]


def add_pages(app: Flask) -> Flask:
    """Add the pages to the API's application."""
    app.register_blueprint(blueprint())
    for status in _NOWHERE:
        app.register_error_handler(status, _nothing_here)
    return app


# What the framework says of an address before it knows whose it is, in words.
_NOWHERE: Mapping[int, str] = {
    HTTPStatus.NOT_FOUND: "There is no such page.",
    HTTPStatus.METHOD_NOT_ALLOWED: "There is no page at this address: it takes what is sent from one. Go back and send it from there.",
}


def _nothing_here(error: HTTPException) -> Answer | HTTPException:
    """An address that is nobody's, or nobody's to open: a page for a person's browser, a problem for a program.

    A browser names pages first of all, whatever else it takes; a program that takes anything gets a problem.
    """
    answer = http_problem(error)
    best = request.accept_mimetypes.best_match([PROBLEM_TYPE, "text/html"])
    if request.url_rule is not None or best != "text/html":
        return answer
    page = make_response(_error_page(answer.status_code, _NOWHERE[answer.status_code]))
    if "Allow" in answer.headers:
        page.headers["Allow"] = answer.headers["Allow"]
    return _protect(page)  # no route of ours was met, so that nothing of what ours carry is here yet


def blueprint() -> Blueprint:
    where = f"/static/{assets.version()}"
    made = Blueprint("ui", __name__, template_folder="templates", static_folder="static", static_url_path=where)
    made.record_once(lambda state: _prepare(state.app, where))
    made.before_request(guard.check_request)
    made.after_request(_protect)
    made.context_processor(_always)
    made.register_error_handler(Unauthenticated, _ask_to_sign_in)
    made.register_error_handler(ConcordError, _refused)
    made.register_error_handler(HTTPException, _http_refused)
    made.register_error_handler(Exception, _broken)
    for page in PAGES:
        page.add_routes(made)
    made.add_url_rule("/csp", "csp", _violation, methods=["POST"])
    return made


def _prepare(app: App, where: str) -> None:
    """What every template can use: filters, addresses of assets, and the parts as `p`."""
    spelt = (words.tag, words.moment, words.bits, words.ago, words.probability, words.stamp)
    app.jinja_env.filters.update({spell.__name__: spell for spell in spelt}, query=urlencode)
    app.jinja_env.globals.update(asset=lambda file: f"{where}/{file}", places=places, htmx_config=HTMX_CONFIG, reason_max=REASON_MAX)
    app.jinja_env.globals.update(rules=words.RULES, likenesses=words.LIKENESSES, said_of=words.DONE, now=lambda: datetime.now(UTC))
    app.jinja_env.globals["kind_names"] = {code: kind.name for code, kind in words.KINDS.items()}
    app.jinja_env.globals["domain_names"] = lambda entities: {name: entity.label for name, entity in entities.items()}
    app.jinja_env.globals["p"] = app.jinja_env.get_template("_parts.html").module


def _violation() -> tuple[str, int]:
    """A browser says that a page broke our policy: which directive and which page, nothing of what the page held."""
    said = request.get_json(force=True, silent=True)
    report = said.get("csp-report") if isinstance(said, dict) else None
    report = report if isinstance(report, dict) else {}
    directive = str(report.get("effective-directive", report.get("violated-directive", "")))[:40]
    structlog.get_logger("concord").warning("csp_violation", directive=directive, request_id=request_id())
    return "", HTTPStatus.NO_CONTENT


def _protect(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    response.vary.add("HX-Request")
    if guard.our_cookie().secure:
        response.headers["Strict-Transport-Security"] = _HSTS
    return assets.keep(response) if request.endpoint == "ui.static" and response.status_code == HTTPStatus.OK else response


def _always() -> dict[str, Any]:
    """What every page shows: who is signed in, the token of its forms, the words for kinds of task."""
    return {
        "actor": g.get("actor"),
        "csrf": g.get("csrf", ""),
        "prefs": g.get("prefs") or Prefs(),
        "glass": g.get("glass", {}),
        "kinds": words.KINDS,
        "docs_open": concord().settings.profile is not Profile.PRODUCTION,
    }


def _ask_to_sign_in(error: Unauthenticated) -> Answer:
    del error
    if wants_part():
        target = url_for("ui.sign_in_page", next=_place() or None, ended="yes")
        return "", HTTPStatus.NO_CONTENT, {"HX-Redirect": target, **({"X-Form-Waits": "yes"} if held.can_wait() else {})}
    if request.method in {"GET", "HEAD"}:
        here = guard.our_place(request.path, request.query_string.decode("latin-1"))
        return redirect(url_for("ui.sign_in_page", next=here or None), HTTPStatus.SEE_OTHER)
    form = held.sent(_place())
    then = "What you sent waits until you have signed in." if form else "Sign in, then do this once more."
    return signin.page(f"Your session has ended. {then}", HTTPStatus.UNAUTHORIZED, form)


def _place() -> str:
    """Where somebody is whose script asks: at the task that was to be decided, else on the page that asked."""
    if request.endpoint == "ui.decide":
        return url_for("ui.task", **(request.view_args or {}))
    asked_from = urlsplit(request.headers.get("Referer", ""))
    return guard.our_place(asked_from.path, asked_from.query)


def _refused(error: ConcordError) -> Answer:
    status = status_of(error)
    if isinstance(error, guard.StepUp):
        return _ask_to_prove(wrong=error.wrong)
    if isinstance(error, guard.Enrolment):
        return _sent_to(url_for("ui.me"))
    if isinstance(error, Forbidden):
        _log_denial(error)
    return _error_page(status, forms.words(error))


def _ask_to_prove(*, wrong: bool) -> Answer:
    """Somebody has to show once more who they are: a form then goes on as it was sent, otherwise they are where they were."""
    if request.method == "POST" and not wants_part():
        return seeing.held_up(wrong=wrong)
    back = _place() or url_for("ui.tasks")
    return _sent_to(url_for("ui.step_up", back=back))


def _sent_to(target: str) -> Answer:
    return ("", HTTPStatus.NO_CONTENT, {"HX-Redirect": target}) if wants_part() else redirect(target, HTTPStatus.SEE_OTHER)


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


def _error_page(status: int, message: str) -> tuple[str, int, dict[str, str]]:
    title = words.REFUSALS.get(status, HTTPStatus(status).phrase)
    headers = {"Retry-After": str(RETRY_SECONDS)} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    if wants_part():
        # Nothing is swapped for it, whichever part of a page asked: the page says it aloud. A header is ASCII, as json writes it.
        told = json.dumps({"concord:refused": {"value": f"{title}. {message}"}})
        return "", status, {**headers, "HX-Reswap": "none", "HX-Trigger": told}
    page = render_template("error.html", title=title, message=message, request_id=request_id(), **_always())
    return page, status, headers
