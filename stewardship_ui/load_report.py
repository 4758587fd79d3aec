"""What a second person signs: the sign-off report of a load as a page that prints well, the same figures as `mdm load report` gives."""

from flask import Blueprint

from api.context import actor, concord, database
from mdm.errors import Conflict
from mdm.load_report import LoadReport
from mdm.load_signoff import sign_off
from mdm.loads import LoadView
from stewardship_ui.load_settling import title_of
from stewardship_ui.loads import find, show
from stewardship_ui.rendering import Page

# The acts of a load as the audit names them (`load:...`); one that is not here is shown as it is.
ACTS = {
    "upload": "Uploaded",
    "look": "Looked at",
    "change": "Changed",
    "plan": "Planned",
    "ask": "Asked to apply",
    "apply": "Applied",
    "rejects": "Took the rejected rows",
    "ask_undo": "Asked to undo",
    "withdraw": "Withdrew the request",
    "undo": "Undone",
    "undone": "Undo ended",
}


def add_routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/loads/<load_id>/report", "load_report", report, methods=["GET"])


def report(load_id: str) -> Page:
    view = find(load_id)
    entity = concord().entities[view.domain]
    return show("report", view, report=_report(view), acts=ACTS, title_of=lambda target: title_of(entity, target).removesuffix(" *"))


def _report(view: LoadView) -> LoadReport | None:
    """None while there is nothing to sign."""
    try:
        return database().run(lambda session: sign_off(session, actor(), view.id))
    except Conflict:
        return None
