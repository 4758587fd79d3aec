"""One's own account: how pages look, which keys do what."""

from http import HTTPStatus

from flask import Blueprint, g, redirect, request, url_for
from werkzeug.wrappers import Response

from api.context import actor, database
from mdm import access, prefs
from mdm.errors import Invalid
from stewardship_ui.guard import our_address
from stewardship_ui.keymap import SCOPES
from stewardship_ui.rendering import Page, show, wants_part


def add_routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/me", "me", me, methods=["GET"])
    blueprint.add_url_rule("/me/prefs", "save_prefs", save_prefs, methods=["POST"])
    blueprint.add_url_rule("/me/keys", "save_keys", save_keys, methods=["POST"])
    blueprint.add_url_rule("/help/keys", "keys", keys, methods=["GET"])


def me(problem: str = "", status: int = HTTPStatus.OK) -> Page:
    has_factor = database().run(lambda session: access.has_second_factor(session, actor().id))
    secret = "" if has_factor else access.new_second_factor()
    return show(
        "me", status, problem=problem, choices=prefs.CHOICES, scopes=SCOPES, typed=request.form, has_factor=has_factor, secret=secret
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
