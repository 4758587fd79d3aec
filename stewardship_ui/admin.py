"""Administration at a glance: what there is, what waits for a second person, what does not run as it should."""

from typing import LiteralString

from flask import Blueprint
from sqlalchemy.orm import Session

from api.context import actor, database
from mdm import policy
from mdm.access import Verb
from mdm.canary import STALE_SECONDS, ages
from mdm.db import fetch
from mdm.oversight import PROMISES
from stewardship_ui.admin_parts import show
from stewardship_ui.rendering import Page

# What is counted, the page that has it, and whether anything above nought wants somebody.
_COUNTS: tuple[tuple[str, str, LiteralString, bool], ...] = (
    ("Source systems", "ui.admin_systems", "select count(*) from system", False),
    ("People who sign in", "ui.admin_people", "select count(*) from principal where kind = 'person' and not disabled", False),
    ("Keys in use", "ui.admin_keys", "select count(*) from api_key where revoked_at is null and expires_at > now()", False),
    ("Accounts waiting", "ui.admin_people", "select count(*) from pending_change where state = 'open' and kind <> 'model'", True),
    ("Models waiting", "ui.admin_models", "select count(*) from pending_change where state = 'open' and kind = 'model'", True),
    ("Consumers", "ui.admin_consumers", "select count(*) from consumer", False),
    ("Webhooks failing", "ui.admin_webhooks", "select count(*) from webhook where failing_since is not null", True),
    ("Load templates", "ui.load_templates", "select count(distinct (domain, system)) from load_template", False),
    ("Jobs quarantined", "ui.admin_jobs", "select count(*) from job where state = 'quarantined'", True),
)


def add_routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/admin", "admin", admin, methods=["GET"])


def admin() -> Page:
    policy.check(actor(), Verb.CONFIGURE)
    counts, queues, broken = database().run(_read)
    return show("overview", "ui.admin", counts=counts, queues=queues, broken=broken, stale=STALE_SECONDS)


def _read(session: Session) -> tuple[list[tuple[str, str, int, bool]], list[tuple[str, float]], list[tuple[str, int]]]:
    counts = [(label, endpoint, fetch(session, statement)[0][0], urgent) for label, endpoint, statement, urgent in _COUNTS]
    promises = [(name, fetch(session, statement)[0][0]) for name, statement in PROMISES.items()]
    return counts, sorted(ages(session).items()), promises
