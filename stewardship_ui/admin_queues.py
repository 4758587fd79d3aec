"""Queues: which tasks go to which, by rules that say how many of the last thousand they route."""

from http import HTTPStatus

from flask import Blueprint, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from api.context import actor, concord, database, uuid_of
from mdm import policy, routing
from mdm.access import Verb
from mdm.routing import Route
from stewardship_ui import forms
from stewardship_ui.admin_parts import choices, show
from stewardship_ui.rendering import Page


def add_routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/admin/queues", "admin_queues", queues, methods=["GET"])
    blueprint.add_url_rule("/admin/queues", "admin_add_rule", add, methods=["POST"])
    blueprint.add_url_rule("/admin/queues/<rule_id>/delete", "admin_delete_rule", delete, methods=["POST"])


def queues(problem: str = "", status: int = HTTPStatus.OK) -> Page:
    policy.check(actor(), Verb.CONFIGURE)
    found, scope, names = database().run(lambda session: (routing.rules(session), choices(session), routing.queues(session)))
    context = {"rules_of": found, "scope": scope, "queues": names, "sample": routing.SAMPLE, "most": routing.QUEUE_MAX}
    return show("queues", "ui.admin_queues", status, problem=problem, typed=request.form, **context)


def add() -> Response | Page:
    policy.check(actor(), Verb.CONFIGURE)
    route = Route(forms.text("domain"), forms.text("kind"), forms.text("system"), forms.text("queue"))

    def work(session: Session) -> int:
        return routing.add(session, actor(), sorted(concord().entities), route)

    return forms.done(lambda: database().run(work), url_for("ui.admin_queues"), queues)


def delete(rule_id: str) -> Response | Page:
    policy.check(actor(), Verb.CONFIGURE)
    wanted = uuid_of(rule_id)
    return forms.done(lambda: database().run(lambda session: routing.delete(session, actor(), wanted)), url_for("ui.admin_queues"), queues)
