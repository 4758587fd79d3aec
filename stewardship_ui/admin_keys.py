"""Keys of clients: made here, shown once, revoked. The same functions as the API's."""

from http import HTTPStatus

from flask import Blueprint, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from api import keys as keys_api
from api.context import actor, database
from mdm import policy, second_person
from mdm.access import KEY_DAYS, Verb, list_keys
from mdm.errors import Conflict, Invalid
from stewardship_ui import forms
from stewardship_ui.admin_parts import choices, show
from stewardship_ui.guard import check_fresh
from stewardship_ui.rendering import Page


def add_routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/admin/keys", "admin_keys", keys, methods=["GET"])
    blueprint.add_url_rule("/admin/keys", "admin_create_key", create, methods=["POST"])
    blueprint.add_url_rule("/admin/keys/<key_id>/revoke", "admin_revoke_key", revoke, methods=["POST"])


def keys(problem: str = "", status: int = HTTPStatus.OK, issued: object = None) -> Page:
    policy.check(actor(), Verb.KEYS)
    found, changes, choice = database().run(lambda session: (list_keys(session), _changes(session), choices(session)))
    context = {
        "changes": changes,
        "keys": found,
        "choices": choice,
        "problem": problem,
        "issued": issued,
        "typed": request.form,
        "days": KEY_DAYS,
    }
    return show("keys", "ui.admin_keys", status, **context)


def _changes(session: Session) -> list[second_person.Change]:
    return second_person.changes(session, actor(), second_person.KEY)


def create() -> Page:
    """The answer is the page itself, because the key is in it and never again."""
    policy.check(actor(), Verb.KEYS)
    check_fresh()
    said = {
        "name": forms.text("name"),
        "role": forms.text("role"),
        "domains": forms.chosen("domains"),
        "systems": forms.chosen("systems"),
        "grants": forms.chosen("grants") or [],
    }
    try:
        wanted, reason = forms.checked(keys_api.NewKeySchema(), said), forms.text("reason")
        issued = forms.once(lambda: keys_api.make(wanted, reason))
    except (Invalid, Conflict) as error:
        return keys(forms.words(error), HTTPStatus.UNPROCESSABLE_ENTITY)
    return keys(issued=issued)


def revoke(key_id: str) -> Response | Page:
    policy.check(actor(), Verb.KEYS)
    return forms.done(lambda: keys_api.delete(key_id=key_id), url_for("ui.admin_keys"), keys)
