"""Drift: what sources have changed under a person's word, and feeds whose fields are filled otherwise than they used to be."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from flask import Blueprint, request
from sqlalchemy.orm import Session

from api.context import actor, database
from mdm import measures
from mdm.control import Point, p_chart
from mdm.drift import KIND, LINK, PIN
from mdm.entity import Attribute, EntityType
from mdm.errors import NotFound
from mdm.measures import Feed
from mdm.systems import list_systems
from stewardship_ui import charts
from stewardship_ui.quality import chosen, day_label, show, window
from stewardship_ui.rendering import Page

RULES = {PIN: "a value that somebody pinned", LINK: "a link that somebody made"}
SERIES = {"share": "share with a value, in %", "low": "least expected", "high": "most expected", "outside": "outside of it"}
SHOWN_MAX = 50


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a system's feed, with its days of the period."""

    system: str
    attribute: Attribute
    points: Sequence[Point]


def add_routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/drift", "drift", drift, methods=["GET"])


def drift() -> Page:
    everything = window()
    if not everything.domains:
        return show("matching_none", "ui.drift", window=everything)
    entity = chosen(request.args.get("domain", ""), everything.domains)
    asked, names = window([entity.name]), [each.name for each in entity.attributes]
    drifted, feeds, systems = database().run(
        lambda s: (measures.drifted(s, everything), measures.filled(s, asked, names), _systems(s)),
    )
    first = datetime.now(UTC).date() - timedelta(days=asked.days - 1)
    fields = [_field(entity, feed, first) for feed in feeds]
    fields = [each for each in fields if each.points]
    context = _listed(fields) | _looked_at(entity, fields, systems, first, asked.days)
    return show("drift", "ui.drift", window=everything, entity=entity, drifted=drifted, rules=RULES, kind=KIND, **context)


def _systems(session: Session) -> set[str]:
    """Those that this person may see, whether they deliver or not."""
    known = {each.code for each in list_systems(session)}
    return known if actor().systems is None else known.intersection(actor().systems or ())


def _field(entity: EntityType, feed: Feed, first: date) -> Field:
    """The days before the period say what is usual, and are not shown."""
    points = [point for point in p_chart(feed.counts) if point.day >= first]
    return Field(feed.system, entity.attribute(feed.attribute), points)


def _listed(fields: Sequence[Field]) -> dict[str, Any]:
    """Days outside their limits, the newest and farthest first; beside them the last day of every field that has none."""
    outside = [(each, point) for each in fields for point in each.points if point.is_outside]
    outside.sort(key=lambda found: (found[1].day, found[1].beyond), reverse=True)
    usual = [(each, each.points[-1]) for each in fields if not any(point.is_outside for point in each.points)]
    return {"outside": outside, "usual": usual, "most": SHOWN_MAX}


def _looked_at(entity: EntityType, fields: Sequence[Field], systems: set[str], first: date, days: int) -> dict[str, Any]:
    """The field that the address names, else the worst one. Raises NotFound for a system or a field that there is not."""
    worst = max(fields, key=lambda each: max(point.beyond for point in each.points), default=None)
    usual = (worst.system, worst.attribute.name) if worst else ("", entity.attributes[0].name)
    system, name = request.args.get("system") or usual[0], request.args.get("field") or usual[1]
    attributes = {each.name: each for each in entity.attributes}
    if name not in attributes or (system and system not in systems):
        raise NotFound
    points = next((each.points for each in fields if (each.system, each.attribute.name) == (system, name)), [])
    offered = sorted({each.system for each in fields} | ({system} if system else set()))
    drawing = _drawing(points, [first + timedelta(days=each) for each in range(days)]) if points else None
    return {"system": system, "field": attributes[name], "systems": offered, "points": points, "drawing": drawing, "series": SERIES}


def _drawing(points: Sequence[Point], days: Sequence[date]) -> charts.Drawing:
    """In percent, so that the scale's marks are whole; a day without deliveries is a gap."""
    found = {point.day: point for point in points}
    limits = {day: point.limits for day, point in found.items() if point.limits is not None}
    share = {day: point.share * 100 for day, point in found.items()}
    lines: dict[str, charts.Series] = {
        "low": [limits[day][0] * 100 if day in limits else None for day in days],
        "high": [limits[day][1] * 100 if day in limits else None for day in days],
        "share": [share.get(day) for day in days],
    }
    outside = [share[day] if day in found and found[day].is_outside else None for day in days]
    return charts.lines([day_label(day) for day in days], lines, dots={"share": lines["share"], "outside": outside})
