"""What the administrators' pages share: their tabs, each with the verb that opens it, and the choices of scopes."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from sqlalchemy.orm import Session

from api.context import actor, concord
from mdm import policy
from mdm.access import GRANTS, NewPrincipal, Role, Verb
from mdm.systems import list_systems
from stewardship_ui.forms import chosen, text
from stewardship_ui.rendering import Page
from stewardship_ui.rendering import show as show_page


@dataclass(frozen=True, slots=True)
class Tab:
    """A page of administration, and what a role must be able to do."""

    endpoint: str
    label: str
    verb: Verb = Verb.CONFIGURE


TABS = (
    Tab("ui.admin", "Overview"),
    Tab("ui.admin_systems", "Systems"),
    Tab("ui.admin_identifiers", "Identifiers"),
    Tab("ui.admin_people", "People", Verb.KEYS),
    Tab("ui.admin_roles", "Roles"),
    Tab("ui.admin_keys", "Keys", Verb.KEYS),
    Tab("ui.admin_queues", "Queues"),
    Tab("ui.admin_models", "Models", Verb.MODEL),
    Tab("ui.admin_survivorship", "Survivorship"),
    Tab("ui.admin_consumers", "Consumers"),
    Tab("ui.admin_webhooks", "Webhooks"),
    Tab("ui.admin_jobs", "Jobs"),
)


def show(name: str, tab: str, status: int = HTTPStatus.OK, **context: Any) -> Page:
    """A page of administration under one of the tabs that this person can open."""
    tabs = [each for each in TABS if policy.can(actor(), each.verb)]
    form_key = secrets.token_urlsafe(18)  # of what is made here and shown once: a page that is loaded again makes nothing
    return show_page(f"admin/{name}", status, section="ui.admin", tabs=tabs, tab=tab, form_key=form_key, **context)


@dataclass(frozen=True, slots=True)
class Choices:
    """What a scope can be made of: roles, domains by name and label, codes of systems, grants."""

    roles: Sequence[str]
    domains: Sequence[tuple[str, str]]
    systems: Sequence[str]
    grants: Sequence[str]


def choices(session: Session) -> Choices:
    domains = sorted((entity.name, entity.label) for entity in concord().entities.values())
    return Choices([role.value for role in Role], domains, [view.code for view in list_systems(session)], GRANTS)


def scope_said(name: str) -> NewPrincipal:
    """A role and its scope as the form says it; nothing ticked is all of it."""
    domains, systems = chosen("domains"), chosen("systems")
    return NewPrincipal(
        name,
        Role(text("role")) if text("role") in set(Role) else Role.AUDITOR,
        None if domains is None else frozenset(domains),
        None if systems is None else frozenset(systems),
        frozenset(chosen("grants") or ()),
    )
