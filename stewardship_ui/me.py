"""One's own account: how pages look, which keys do what."""

from http import HTTPStatus

from flask import Blueprint, g, redirect, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from api.context import actor, database, request_id
from mdm import audit, authentication, prefs
from mdm.errors import Invalid
from stewardship_ui import forms
from stewardship_ui.guard import our_address, our_cookie
from stewardship_ui.keymap import SCOPES
from stewardship_ui.rendering import Page, show, wants_part
from stewardship_ui.sessions import close_others


def add_routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/me", "me", me, methods=["GET"])
    blueprint.add_url_rule("/me/prefs", "save_prefs", save_prefs, methods=["POST"])
    blueprint.add_url_rule("/me/password", "set_password", set_password, methods=["POST"])
    blueprint.add_url_rule("/me/keys", "save_keys", save_keys, methods=["POST"])
    blueprint.add_url_rule("/help/keys", "keys", keys, methods=["GET"])


def me(problem: str = "", status: int = HTTPStatus.OK) -> Page:
    has_factor = database().run(lambda session: authentication.has_second_factor(session, actor().id))
    # The one that is in an authenticator already, where its code was mistyped.
    secret = "" if has_factor else request.form.get("secret") or authentication.new_second_factor()
    return show(
        "me",
        status,
        problem=problem,
        choices=prefs.CHOICES,
        scopes=SCOPES,
        typed=request.form,
        has_factor=has_factor,
        secret=secret,
        owed=g.owed,
        password_min=authentication.PASSWORD_CHARACTERS.start,
    )


def keys() -> Page:
    return show("keys", scopes=SCOPES)


def save_prefs() -> Response:
    """One or more choices; the page that asked is shown again."""
    said = {name: value for name, value in request.form.items() if name in prefs.CHOICES}
    wanted = prefs.changed(g.prefs, said)
    database().run(lambda session: prefs.save(session, actor().id, wanted))
    if wants_part():
        return Response(status=HTTPStatus.NO_CONTENT)
    return redirect(our_address(request.form.get("back", "")) or url_for("ui.me"), HTTPStatus.SEE_OTHER)


def save_keys() -> Response | Page:
    """Keys as typed: what each action of the scheme is to be pressed by; an empty field keeps its own key."""
    typed = {name.removeprefix("key-"): value.strip() for name, value in request.form.items() if name.startswith("key-")}
    remap = {pressed: key for key, pressed in typed.items() if pressed and pressed != key}
    try:
        wanted = prefs.remapped(g.prefs, remap)
    except Invalid as error:
        return me(error.problems[0].message, HTTPStatus.UNPROCESSABLE_ENTITY)
    database().run(lambda session: prefs.save(session, actor().id, wanted))
    return redirect(url_for("ui.me", _anchor="keys"), HTTPStatus.SEE_OTHER)


def set_password() -> Response | Page:
    """A password that nobody else has seen, for the present one; whoever else is signed in as this person is no longer."""
    sent = request.form
    if sent.get("wanted", "") != sent.get("again", ""):
        return me("The two new passwords differ.", HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        done = database().run(lambda session: _set_password(session, sent.get("present", ""), sent.get("wanted", "")))
    except Invalid as error:
        return me(forms.words(error), HTTPStatus.UNPROCESSABLE_ENTITY)
    if not done:
        return me("That is not your present password. After too many attempts the account is locked for a while.", HTTPStatus.FORBIDDEN)
    return redirect(url_for("ui.me", _anchor="password"), HTTPStatus.SEE_OTHER)


def _set_password(session: Session, present: str, wanted: str) -> bool:
    done = authentication.change_password(session, actor().id, present, wanted)
    audit.record(session, actor(), "session:password", request_id=request_id(), outcome="done" if done else "refused")
    if done:
        close_others(session, actor(), our_cookie().read(request))
    return done
