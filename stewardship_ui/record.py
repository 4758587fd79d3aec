"""One golden record, all that is known of it: values and why these, sources, identifiers, relationships, history, tasks.

`as_of` shows a day in the world, `known_at` what Concord held for true at a moment; looking back, a page offers nothing that changes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID

from flask import Blueprint, redirect, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from api.context import actor, concord, database, uuid_of
from api.crosswalk import entity_of
from mdm import mask, policy
from mdm.access import Verb
from mdm.card import Card, card
from mdm.entity import Attribute, EntityType
from mdm.errors import Invalid, NotFound
from mdm.golden import GoldenVersionView, GoldenView, SourceView
from mdm.history import Point
from mdm.reading import Reader, read_golden, read_history, read_sources
from mdm.related import Asked, related
from stewardship_ui import relations, timeline
from stewardship_ui.item import reader_of
from stewardship_ui.rendering import Page, show
from stewardship_ui.showing import shown, tag_only
from stewardship_ui.words import RULES

TABS = {
    "values": "Overview",
    "sources": "Source records",
    "identifiers": "Identifiers",
    "relationships": "Relationships",
    "history": "History",
    "tasks": "Tasks",
}
FIRST = "values"


@dataclass(frozen=True, slots=True)
class Origin:
    """A golden value: where it comes from, by which rule, since when, and what other sources say. `pin`: until when it is pinned, if."""

    name: str
    title: str
    texts: Sequence[str]
    source: str
    system: str
    rule: str
    since: datetime | None
    losing: Sequence[tuple[str, Sequence[str]]]
    choices: Sequence[tuple[str, str]]
    is_pinned: bool
    many: bool
    is_code: bool


@dataclass(frozen=True, slots=True)
class Read:
    """What every tab of a golden record needs, read in one transaction."""

    entity: EntityType
    golden: GoldenView
    card: Card
    point: Point
    reader: Reader

    @property
    def line(self) -> str:
        return mask.line(self.entity, self.golden.values)

    @property
    def is_past(self) -> bool:
        return self.point != Point()


def add_routes(blueprint: Blueprint) -> None:
    at = "/records/<domain>/<golden_id>"
    blueprint.add_url_rule(at, "golden", golden, methods=["GET"])
    blueprint.add_url_rule(f"{at}/<tab>", "golden", golden, methods=["GET"])


def golden(domain: str, golden_id: str, tab: str = FIRST) -> Page | Response:
    entity, wanted, point = entity_of(concord().entities, domain), uuid_of(golden_id), asked_point()
    if tab not in TABS:
        raise NotFound

    def work(session: Session) -> tuple[Read, Mapping[str, Any]]:
        found = read(session, entity, wanted, point)
        return found, {} if found.golden.redirected_from else BODIES[tab](session, found)

    found, body = database().run(work)
    if found.golden.redirected_from is not None:
        # Never a lasting redirect: an undone merge brings the old id back.
        formerly = str(found.golden.redirected_from)[-6:]
        return redirect(address(found, tab, formerly=formerly), HTTPStatus.FOUND)
    return page(found, tab, body)


def page(found: Read, tab: str, body: Mapping[str, Any], *, status: int = HTTPStatus.OK, problem: str = "") -> Page:
    """A tab of a golden record; `problem`: why what was sent from it could not be done."""
    return show(
        "record",
        status,
        found=found,
        entity=found.entity,
        golden=found.golden,
        card=found.card,
        tab=tab,
        tabs=[(code, title, address(found, code)) for code, title in TABS.items()],
        formerly=tag_only(request.args.get("formerly", "")),
        may_decide=policy.can(actor(), Verb.DECIDE, found.entity.name) and not found.is_past and found.golden.status != "merged",
        problem=problem,
        section="ui.records",
        typed=request.form,
        **body,
    )


def address(found: Read, tab: str = FIRST, formerly: str | None = None) -> str:
    """The address of a tab, of the same point in time."""
    at: dict[str, Any] = {"domain": found.entity.name, "golden_id": found.golden.id, "tab": None if tab == FIRST else tab}
    at["as_of"] = found.point.as_of
    at["known_at"] = found.point.known_at and timeline.address(found.point.known_at)
    return url_for("ui.golden", **at, formerly=formerly)


def asked_point(suffix: str = "") -> Point:
    """The day and the moment that an address names. Raises Invalid for what is neither."""
    on, at = (request.args.get(f"{name}{suffix}", "") for name in ("as_of", "known_at"))
    try:
        return Point(date.fromisoformat(on) if on else None, timeline.moment(at) if at else None)
    except ValueError:
        raise Invalid("A day is written 2026-03-31, a moment 2026-03-31T14:05 (UTC).") from None


def read(session: Session, entity: EntityType, golden_id: UUID, point: Point | None = None) -> Read:
    """The golden record as this person may see it, and what stands around it."""
    point, reader = point or Point(), reader_of(entity.name)
    view = read_golden(session, entity, reader, golden_id, as_of=point.as_of, known_at=point.known_at)
    return Read(entity, view, card(session, entity, reader, view.id), point, reader)


def _values(session: Session, found: Read) -> dict[str, Any]:
    sources = read_sources(session, found.entity, found.reader, found.golden.id)
    versions = read_history(session, found.entity, found.reader, found.golden.id)
    edges = related(
        session, found.entity, found.reader, found.golden.id, Asked(as_of=found.point.as_of, known_at=found.point.known_at, limit=8)
    )
    empty = [a.title for a in found.entity.attributes if not found.golden.values.get(a.name)]
    return {
        "origins": origins(found, sources, versions),
        "empty": empty,
        "sources": [source for source in sources if source.record_id in found.golden.records],
        "edges": relations.grouped(found.entity, edges.items),
        "more_edges": edges.next is not None,
    }


def origins(found: Read, sources: Sequence[SourceView], versions: Sequence[GoldenVersionView]) -> list[Origin]:
    names = {str(view.record_id): view for view in sources}
    return [_origin(a, found, names, versions) for a in found.entity.attributes if found.golden.values.get(a.name)]


def _origin(attribute: Attribute, found: Read, names: Mapping[str, SourceView], versions: Sequence[GoldenVersionView]) -> Origin:
    why = found.golden.provenance.get(attribute.name, {})
    source = names.get(str(why.get("record_id")))
    lost = [(names.get(str(each["record_id"])), shown(found.reader.actor, attribute, each["value"])) for each in why.get("losing", ())]
    spoken = [view for view in (source, *(view for view, _ in lost)) if view is not None]
    choices = [] if mask.sees(found.reader.actor, attribute.sensitivity) else [(str(v.record_id), f"{v.system} {v.key}") for v in spoken]
    rule = why.get("rule", "")
    return Origin(
        attribute.name,
        attribute.title,
        shown(found.reader.actor, attribute, found.golden.values[attribute.name]),
        source.key if source else "",
        source.system if source else "",
        RULES.get(rule, rule),
        _since(attribute.name, found.golden, versions),
        [(f"{each.system} {each.key}" if each else "", texts) for each, texts in lost],
        choices,
        attribute.name in found.card.pinned and not found.is_past,
        attribute.many,
        attribute.is_code,
    )


def _since(name: str, view: GoldenView, versions: Sequence[GoldenVersionView]) -> datetime | None:
    """When this value began to be the golden one: versions stand newest first, and those after the one that is shown do not count."""
    since = None
    for version in (each for each in versions if each.version <= view.version):
        if version.values.get(name) != view.values.get(name):
            break
        since = version.recorded_from
    return since


def _sources(session: Session, found: Read) -> dict[str, Any]:
    views = read_sources(session, found.entity, found.reader, found.golden.id)
    rows = [
        (
            a.title,
            [shown(found.reader.actor, a, view.attributes.get(a.name), raw=True) for view in views],
            shown(actor(), a, found.golden.values.get(a.name)),
            a.is_code,
        )
        for a in found.entity.attributes
        if any(view.attributes.get(a.name) for view in views)
    ]
    return {"views": views, "rows": rows}


def _identifiers(session: Session, found: Read) -> dict[str, Any]:
    del session
    systems: dict[str, list[Any]] = {}
    for held in found.golden.identifiers:
        systems.setdefault(held.system, []).append(held)
    return {"systems": systems}


def _relationships(session: Session, found: Read) -> dict[str, Any]:
    asked = Asked(as_of=found.point.as_of, known_at=found.point.known_at)
    edges = related(session, found.entity, found.reader, found.golden.id, asked)
    return relations.tab(found.entity, found.golden.id, found.line, edges)


def _history(session: Session, found: Read) -> dict[str, Any]:
    return timeline.tab(session, found.entity, found.reader, found.golden.id, found.card)


def _tasks(session: Session, found: Read) -> dict[str, Any]:
    del session, found
    return {}


BODIES: Mapping[str, Callable[[Session, Read], Mapping[str, Any]]] = {
    "values": _values,
    "sources": _sources,
    "identifiers": _identifiers,
    "relationships": _relationships,
    "history": _history,
    "tasks": _tasks,
}
