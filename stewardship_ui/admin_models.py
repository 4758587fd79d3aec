"""Models of the domains: versions, what each would change, thresholds; two administrators put one into use."""

from http import HTTPStatus

from flask import Blueprint, redirect, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from api.context import actor, concord, database
from matching.model import Model
from mdm import model_versions, oversight, policy, second_person
from mdm.access import Verb
from mdm.entity import EntityType
from mdm.jobs import MODEL_EFFECT
from mdm.model_versions import ModelLine
from stewardship_ui import forms
from stewardship_ui.admin_parts import show
from stewardship_ui.guard import check_fresh
from stewardship_ui.rendering import Page


def add_routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/admin/models", "admin_models", models, methods=["GET"])
    blueprint.add_url_rule("/admin/models/<version>", "admin_model", model, methods=["GET"])
    blueprint.add_url_rule("/admin/models/<version>/count", "admin_count_model", count, methods=["POST"])
    blueprint.add_url_rule("/admin/models/<version>/ask", "admin_ask_model", ask, methods=["POST"])


def models() -> Page:
    policy.check(actor(), Verb.MODEL)
    lines, changes, effects = database().run(lambda s: (_lines(s), _changes(s), model_versions.counted_effects(s)))
    lines = [line for line in lines if policy.can(actor(), Verb.MODEL, line.domain)]
    return show("models", "ui.admin_models", lines=lines, changes=changes, effects=effects, entities=concord().entities)


def _lines(session: Session) -> list[ModelLine]:
    """Stored versions and, of each domain, the declared one, which is in use while no stored one is."""
    stored = model_versions.models(session)
    active = {line.domain for line in stored if line.active}
    declared = [ModelLine(name, e.model.version, name not in active, {}, None, None) for name, e in concord().entities.items()]
    return sorted([*stored, *declared], key=lambda line: (line.domain, not line.active))


def _changes(session: Session) -> list[second_person.Change]:
    return second_person.changes(session, actor(), second_person.MODEL)


def model(version: str, problem: str = "", status: int = HTTPStatus.OK) -> Page:
    entity, found = _find(version)
    active, changes, effects, jobs = database().run(
        lambda s: (
            model_versions.active_version(s, entity),
            _changes(s),
            model_versions.counted_effects(s),
            oversight.list_jobs(s, actor(), {"kind": MODEL_EFFECT, "limit": 20}),
        )
    )
    return show(
        "model",
        "ui.admin_models",
        status,
        entity=entity,
        model=found,
        active=active,
        changes=[change for change in changes if change.subject == version],
        counted=effects.get((entity.name, version)),
        counting=[job for job in jobs.items if job.payload.get("version") == version and job.state in {"queued", "running"}],
        problem=problem,
        typed=request.form,
    )


def _find(version: str) -> tuple[EntityType, Model]:
    policy.check(actor(), Verb.MODEL)
    entity, found = database().run(lambda session: model_versions.find_model(session, concord().entities, version))
    policy.check(actor(), Verb.MODEL, entity.name)
    return entity, found


def count(version: str) -> Response:
    entity, _ = _find(version)
    database().run(lambda session: model_versions.count_effect(session, entity, version, actor()))
    return redirect(url_for("ui.admin_model", version=version), HTTPStatus.SEE_OTHER)


def ask(version: str) -> Response | Page:
    entity, _ = _find(version)
    check_fresh()
    reason, change = forms.text("reason"), (second_person.MODEL, version)

    def act() -> None:
        database().run(lambda session: second_person.ask(session, actor(), change, {"domain": entity.name}, reason))

    return forms.done(act, url_for("ui.admin_model", version=version), lambda said, status: model(version, said, status))
