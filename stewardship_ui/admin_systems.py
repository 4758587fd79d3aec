"""Source systems with their aliases, and the identifier systems that are declared."""

from http import HTTPStatus

from flask import Blueprint, request, url_for
from werkzeug.wrappers import Response

from api import systems as systems_api
from api.context import actor, database
from mdm import policy
from mdm.access import Verb
from mdm.identifier_systems import ALIAS_KINDS, BY_CODE
from mdm.namespaces import list_namespaces
from mdm.systems import SYSTEM_KINDS, SystemView, get_system, list_systems
from stewardship_ui import forms
from stewardship_ui.admin_parts import show
from stewardship_ui.rendering import Page


def add_routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/admin/systems", "admin_systems", systems, methods=["GET"])
    blueprint.add_url_rule("/admin/systems", "admin_put_system", put, methods=["POST"])
    blueprint.add_url_rule("/admin/systems/<code>", "admin_system", system, methods=["GET"])
    blueprint.add_url_rule("/admin/identifiers", "admin_identifiers", identifiers, methods=["GET"])


def systems(problem: str = "", status: int = HTTPStatus.OK) -> Page:
    policy.check(actor(), Verb.CONFIGURE)
    found = [view for view in database().run(list_systems) if policy.in_scope(actor(), view.code)]
    return show("systems", "ui.admin_systems", status, systems=found, problem=problem, typed=request.form, kinds=SYSTEM_KINDS)


def system(code: str, problem: str = "", status: int = HTTPStatus.OK) -> Page:
    policy.check(actor(), Verb.CONFIGURE, system=code)
    view = database().run(lambda session: get_system(session, code))
    typed = request.form or _typed(view)
    return show("system", "ui.admin_systems", status, system=view, problem=problem, typed=typed, kinds=SYSTEM_KINDS)


def _typed(view: SystemView) -> dict[str, str]:
    aliases = "\n".join(f"{kind} {value}" for kind, value in view.aliases)
    return {"name": view.name, "kind": view.kind, "organization": view.organization, "aliases": aliases}


def put() -> Response | Page:
    """A new system, or one as it is to be at the version that was read; `known` is the code of the latter."""
    policy.check(actor(), Verb.CONFIGURE)
    known, code = forms.text("known"), forms.text("known") or forms.text("code")

    def act() -> None:
        aliases = [dict(zip(("kind", "value"), line.split(None, 1), strict=False)) for line in forms.lines("aliases")]
        said = {"name": forms.text("name"), "kind": forms.text("kind"), "organization": forms.text("organization"), "aliases": aliases}
        systems_api.put(forms.checked(systems_api.SystemSchema(), said), code, _version)

    def refused(problem: str, status: int) -> Page:
        return system(known, problem, status) if known else systems(problem, status)

    return forms.done(act, url_for("ui.admin_systems", _anchor=code), refused)


def _version() -> int:
    """A form of a new system has none: one that is there is not overwritten."""
    return forms.version_of("system")


def identifiers() -> Page:
    policy.check(actor(), Verb.CONFIGURE)
    found = [view for view in database().run(list_namespaces) if not view.is_source or policy.in_scope(actor(), view.code)]
    helps = {code: system.help for code, system in BY_CODE.items()}
    return show("identifiers", "ui.admin_identifiers", namespaces=found, helps=helps, alias_kinds=ALIAS_KINDS)
