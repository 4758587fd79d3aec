"""Other survivorship rules, tried on the stored golden records before anybody writes them into a declaration. Nothing is written."""

from http import HTTPStatus

from flask import Blueprint, request

from api.context import actor, concord, database, request_id
from api.crosswalk import entity_of
from mdm import policy
from mdm.access import Verb
from mdm.entity import EntityType, Survive
from mdm.errors import Invalid
from mdm.preview import LOOKED_AT_MAX, Preview, Rules, preview
from mdm.reading import Reader
from mdm.systems import SYSTEM_KINDS
from stewardship_ui import forms, words
from stewardship_ui.admin_parts import show
from stewardship_ui.rendering import Page

RULES = {rule: words.RULES[rule.value] for rule in Survive}


def add_routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/admin/survivorship", "admin_survivorship", first, methods=["GET"])
    blueprint.add_url_rule("/admin/survivorship/<domain>", "admin_survivorship_of", page, methods=["GET"])
    blueprint.add_url_rule("/admin/survivorship/<domain>", "admin_try_survivorship", try_rules, methods=["POST"])


def first() -> Page:
    """The first domain that this person may configure."""
    policy.check(actor(), Verb.CONFIGURE)
    domains = sorted(policy.domains(actor(), Verb.CONFIGURE))
    return page(domains[0]) if domains else show("survivorship_none", "ui.admin_survivorship")


def page(domain: str, found: Preview | None = None, problem: str = "", status: int = HTTPStatus.OK) -> Page:
    entity = entity_of(concord().entities, domain)
    policy.check(actor(), Verb.CONFIGURE, entity.name)
    return show(
        "survivorship",
        "ui.admin_survivorship",
        status,
        entity=entity,
        domains=sorted(policy.domains(actor(), Verb.CONFIGURE)),
        entities=concord().entities,
        rules=RULES,
        kinds=SYSTEM_KINDS,
        authorities={name: ", ".join(kinds) for name, kinds in _trusted(entity).items()},
        found=found,
        samples=_samples(entity, found),
        most=LOOKED_AT_MAX,
        problem=problem,
        typed=request.form,
    )


def _trusted(entity: EntityType) -> dict[str, list[str]]:
    """Whom the declaration trusts, by attribute or group: what a golden value comes from."""
    names = {name for a in entity.attributes for name in (a.name, a.group)}
    return {name: list(kinds) for name, kinds in entity.authorities if name in names}


def _samples(entity: EntityType, found: Preview | None) -> list[tuple[object, str, list[str], list[str]]]:
    """Golden id, attribute, before and after, masked already."""
    return [
        (sample.golden_id, entity.attribute(sample.attribute).title, _texts(sample.before), _texts(sample.after))
        for sample in (found.samples if found else ())
    ]


def _texts(value: object) -> list[str]:
    return [value] if isinstance(value, str) else [str(part) for part in value] if isinstance(value, list | tuple) else []


def try_rules(domain: str) -> Page:
    entity = entity_of(concord().entities, domain)
    policy.check(actor(), Verb.CONFIGURE, entity.name)
    try:
        found = database().run(lambda session: preview(session, entity, Reader(actor(), request_id()), _said(entity)))
    except Invalid as error:
        return page(domain, problem=forms.words(error), status=HTTPStatus.UNPROCESSABLE_ENTITY)
    return page(domain, found)


def _said(entity: EntityType) -> Rules:
    """Only what differs from the declaration, so that the preview says what was changed."""
    survive = {a.name: said for a in entity.attributes if (said := forms.text(f"rule-{a.name}")) and said != a.survive.value}
    declared = _trusted(entity)
    trusted = {name: forms.lines(f"trust-{name}") for name in declared}
    unknown = sorted({kind for kinds in trusted.values() for kind in kinds} - set(SYSTEM_KINDS))
    if unknown:
        raise Invalid.at("unknown_choice", "/authorities", f"kinds of system are {', '.join(SYSTEM_KINDS)}")
    return Rules(survive, {name: kinds for name, kinds in trusted.items() if kinds != declared[name]})
