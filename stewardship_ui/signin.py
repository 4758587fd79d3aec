"""Signing in and out. A wrong name, a wrong password and a locked account have one answer, so that nobody learns which it was."""

from http import HTTPStatus
from uuid import UUID

from flask import Blueprint, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from api.context import actor, database, request_id
from mdm import audit, authentication
from mdm.access import Actor, Role
from mdm.values.kind import clean_text
from stewardship_ui.guard import our_address, our_cookie
from stewardship_ui.sessions import close_session, open_session

# Whoever failed to sign in: what they typed as a name may be a password, so that it is not noted.
_SOMEBODY = Actor(UUID(int=0), "anonymous", Role.AUDITOR)
_ENDED = "Your session has ended. What was not stored by then is still open; sign in and go on where you were."
_REFUSED = "Name, password and code do not belong together, or the account is locked for a while after too many attempts."


def add_routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/sign-in", "sign_in_page", page, methods=["GET"])
    blueprint.add_url_rule("/sign-in", "sign_in", sign_in, methods=["POST"])
    blueprint.add_url_rule("/sign-out", "sign_out", sign_out, methods=["POST"])


def page(problem: str = "", status: int = HTTPStatus.OK) -> tuple[str, int]:
    """The form, with what went wrong."""
    if request.args.get("ended") and not problem:
        problem = _ENDED
    return render_template("signin.html", problem=problem, then=_destination(), name=_name()), status


def sign_in() -> Response | tuple[str, int]:
    secret = database().run(_signed_in)
    if secret is None:
        return page(_REFUSED, HTTPStatus.UNAUTHORIZED)
    response = redirect(_destination(), HTTPStatus.SEE_OTHER)
    our_cookie().put(response, secret)
    return response


def _signed_in(session: Session) -> str | None:
    """The new session's secret; the attempt is counted and audited either way. A session that was open in this browser ends."""
    person = authentication.sign_in(session, _name(), request.form.get("password", ""), request.form.get("code", ""))
    if person is None:
        audit.record(session, _SOMEBODY, "session:open", request_id=request_id(), outcome="refused")
        return None
    _close(session, person)
    audit.record(session, person, "session:open", request_id=request_id())
    return open_session(session, person)


def _name() -> str:
    return clean_text(request.form.get("name", ""))


def _close(session: Session, person: Actor) -> None:
    secret = our_cookie().read(request)
    if secret:
        close_session(session, secret)
        audit.record(session, person, "session:close", request_id=request_id())


def sign_out() -> Response:
    database().run(lambda session: _close(session, actor()))
    response = redirect(url_for("ui.sign_in_page"), HTTPStatus.SEE_OTHER)
    our_cookie().clear(response)
    response.headers["Clear-Site-Data"] = '"cache", "cookies", "storage"'
    return response


def _destination() -> str:
    """Where to go once signed in: an address of ours, never one elsewhere that a link slipped in."""
    return our_address(request.values.get("next", "")) or url_for("ui.overview")
