"""The places one can go to, each with its key after `g`. A place whose page is not there, or not for this role, is not shown."""

from dataclasses import dataclass

from flask import current_app, g

from mdm import policy
from mdm.access import Verb


@dataclass(frozen=True, slots=True)
class Place:
    """A page in the navigation: its endpoint, what it is called, the key after `g` ("" for none), and what a role must be able to do."""

    endpoint: str
    label: str
    key: str = ""
    verb: Verb | None = Verb.READ
    in_bar: bool = True


PLACES = (
    Place("ui.overview", "Home", "h", None),
    Place("ui.tasks", "Tasks", "t"),
    Place("ui.records", "Records", "r"),
    Place("ui.hierarchies", "Hierarchies"),
    Place("ui.mappings", "Mappings", "m"),
    Place("ui.loads", "Loads", "l", Verb.LOAD),
    Place("ui.quality", "Quality", "q"),
    Place("ui.approvals", "Approvals", "a", Verb.APPROVE),
    Place("ui.audit", "Audit", "", Verb.AUDIT),
    Place("ui.admin", "Admin", "", Verb.CONFIGURE),
    Place("ui.me", "My account", "", None, in_bar=False),
    Place("ui.keys", "Keys", "", None, in_bar=False),
)


def places() -> list[Place]:
    """Those that this person can open."""
    actor = g.get("actor")
    if actor is None:
        return []
    return [each for each in PLACES if each.endpoint in current_app.view_functions and (each.verb is None or policy.can(actor, each.verb))]
