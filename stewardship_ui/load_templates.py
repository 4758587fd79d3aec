"""Load templates: how files of each system about each domain are read, what two versions say otherwise, a former one used again."""

from http import HTTPStatus

from flask import Blueprint, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from api.context import actor, concord, database, request_id
from mdm import load_versions, policy
from mdm.access import Verb
from mdm.entity import EntityType
from mdm.errors import Invalid, NotFound
from mdm.load_templates import Template
from mdm.load_versions import Again, Use
from stewardship_ui import forms
from stewardship_ui.load_settling import title_of
from stewardship_ui.loads import show
from stewardship_ui.rendering import Page


def add_routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/loads/templates", "load_templates", listing, methods=["GET"])
    blueprint.add_url_rule("/loads/templates/<domain>/<system>", "load_template", one, methods=["GET"])
    blueprint.add_url_rule("/loads/templates/<domain>/<system>", "use_template_again", again, methods=["POST"])


def listing() -> Page:
    policy.check(actor(), Verb.LOAD)
    found = database().run(lambda session: load_versions.overview(session, actor()))
    labels = {name: concord().entities[name].label for name in policy.domains(actor(), Verb.LOAD)}
    return show("templates", None, templates=found, labels=labels)


def one(domain: str, system: str, problem: str = "", status: int = HTTPStatus.OK) -> Page:
    """A version, and what it says otherwise than another: unless one is named, than the one before."""
    policy.check(actor(), Verb.LOAD)
    entity = _entity(domain)
    found, uses = database().run(lambda session: _read(session, domain, system))
    chosen = _version(found, "version") or found[0]
    against = _version(found, "against") or next((each for each in found if each.version < chosen.version), None)
    context = {
        "label": entity.label,
        "versions": found,
        "uses": uses,
        "chosen": chosen,
        "steps": load_versions.steps_of(chosen),
        "against": against,
        "difference": load_versions.difference(against, chosen) if against else None,
        "title": lambda target: title_of(entity, target),
    }
    return show("template", None, status, problem=problem, **context)


def _entity(domain: str) -> EntityType:
    entity = concord().entities.get(domain)
    if entity is None:
        raise NotFound("there is no such template")
    return entity


def _read(session: Session, domain: str, system: str) -> tuple[list[Template], dict[int, Use]]:
    return load_versions.versions(session, actor(), domain, system), load_versions.uses(session, domain, system)


def _version(found: list[Template], name: str) -> Template | None:
    """The version that the address names, None where it names none. Raises NotFound for one that never was."""
    said = request.args.get(name, "")
    version = next((each for each in found if str(each.version) == said), None)
    if said and version is None:
        raise NotFound("there is no such version")
    return version


def again(domain: str, system: str) -> Response | Page:
    policy.check(actor(), Verb.LOAD)
    entity = _entity(domain)

    def act() -> None:
        said = forms.text("again")
        if not (said.isascii() and said.isdigit() and len(said) < 10):
            raise Invalid("Say which version.")
        wanted = Again(int(said), forms.version())
        database().run(lambda session: load_versions.use_again(session, actor(), entity, system, wanted, request_id()))

    then = url_for("ui.load_template", domain=domain, system=system)
    return forms.done(act, then, lambda said, status: one(domain, system, said, status))
