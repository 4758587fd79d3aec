"""Signing in and out. A wrong name, a wrong password and a locked account have one answer, so that nobody learns which it was."""

from http import HTTPStatus
from uuid import UUID

from flask import Blueprint, g, make_response, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from api.context import actor, database, request_id
from mdm import audit, authentication
from mdm.access import Actor, Role
from mdm.values.kind import clean_text
from stewardship_ui.guard import let_in, our_address, our_cookie
from stewardship_ui.held import Held, waiting
from stewardship_ui.sessions import close_session, find_session, open_session, owner

# Whoever failed to sign in: what they typed as a name may be a password, so that it is not noted.
_SOMEBODY = Actor(UUID(int=0), "anonymous", Role.AUDITOR)
_OWN = frozenset({"ui.sign_in_page", "ui.sign_in"})  # elsewhere, a form's fields are of that form
_ENDED = "Your session has ended. What was not stored by then is still open; sign in and go on where you were."
_REFUSED = "Name, password and code do not belong together, or the account is locked for a while after too many attempts."


def add_routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/sign-in", "sign_in_page", page, methods=["GET"])
    blueprint.add_url_rule("/sign-in", "sign_in", sign_in, methods=["POST"])
    blueprint.add_url_rule("/sign-out", "sign_out", sign_out, methods=["POST"])


def page(problem: str = "", status: int = HTTPStatus.OK, form: Held | None = None) -> tuple[str, int]:
    """The form, with what went wrong, and with the form of the page before that waits."""
    if request.args.get("ended") and not problem:
        problem = _ENDED
    form = form or waiting()
    name, then = (_name(), _destination()) if request.endpoint in _OWN else ("", form.back if form else "")
    return render_template("signin.html", problem=problem, then=then, name=name, held=form), status


def sign_in() -> Response | tuple[str, int]:
    """Then to where they were going; what they sent when their session had ended is theirs to send now."""
    secret = database().run(_signed_in)
    if secret is None:
        return page(_REFUSED, HTTPStatus.UNAUTHORIZED)
    form = waiting()
    is_theirs = form is not None and not g.get("was_another") and _is_in(secret)
    response = make_response(render_template("held/show.html", held=form)) if is_theirs else redirect(_destination(), HTTPStatus.SEE_OTHER)
    our_cookie().put(response, secret)
    return response


def _is_in(secret: str) -> bool:
    """Whether whoever signed in may go on at once: they owe neither a password of their own nor a second factor."""
    found = database().run(lambda session: find_session(session, secret))
    if found is not None:
        let_in(found)
    return found is not None and not g.owed


def _signed_in(session: Session) -> str | None:
    """The new session's secret; the attempt is counted and audited either way. A session that was open in this browser ends."""
    person = authentication.sign_in(session, _name(), request.form.get("password", ""), request.form.get("code", ""))
    if person is None:
        audit.record(session, _SOMEBODY, "session:open", request_id=request_id(), outcome="refused")
        return None
    g.was_another = owner(session, our_cookie().read(request)) not in {None, person.id}  # their form is none of this person's
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
