"""Quality: each figure with its definition and its table, out of the one place that counts (`mdm.measures`)."""

from collections.abc import Mapping, Sequence
from datetime import date
from http import HTTPStatus
from typing import Any

from flask import Blueprint, redirect, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from api.context import actor, concord, database
from api.crosswalk import entity_of
from mdm import measures, model_versions, policy
from mdm.access import Role, Verb
from mdm.db import Row
from mdm.entity import EntityType
from mdm.errors import Invalid, UnknownDomain
from mdm.measures import MEASURES, Window
from mdm.models import scorer
from stewardship_ui import charts, forms
from stewardship_ui.rendering import Page
from stewardship_ui.rendering import show as show_page

PERIODS = (7, 30, 90, 365)
OUTCOMES = {"same": "same, by a person", "linked": "linked", "open": "open", "different": "different, by a person"}
_LATELY = 30


def add_routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/quality", "quality", quality, methods=["GET"])
    blueprint.add_url_rule("/quality/matching", "quality_matching", matching, methods=["GET"])
    blueprint.add_url_rule("/quality/matching/<domain>/thresholds", "quality_thresholds", thresholds, methods=["POST"])
    blueprint.add_url_rule("/quality/people", "quality_people", people, methods=["GET"])


def show(name: str, tab: str, status: int = HTTPStatus.OK, **context: Any) -> Page:
    entities = concord().entities
    labels = {name: entity.label for name, entity in entities.items()}
    context |= {"labels": labels, "measures": MEASURES, "periods": PERIODS, "may_sample": policy.can(actor(), Verb.DECIDE)}
    return show_page(f"quality/{name}", status, section="ui.quality", tab=tab, **context)


def window(domains: Sequence[str] | None = None) -> Window:
    """What this person may count, over the period that the address names."""
    policy.check(actor(), Verb.READ)
    said = request.args.get("days", "")
    days = int(said) if said.isascii() and said.isdigit() and int(said) in PERIODS else _LATELY
    readable = policy.domains(actor(), Verb.READ)
    scope = actor().systems
    return Window(sorted(readable.intersection(domains) if domains else readable), None if scope is None else sorted(scope), days)


def _sees_all() -> bool:
    """Tasks, pairs and decisions are of all systems together."""
    return actor().systems is None


def quality() -> Page:
    asked, whole = window(), _sees_all()
    found = database().run(lambda session: _read(session, asked, whole=whole))
    flow: list[measures.Day] = found["flow"]
    drawing = flow_drawing(flow)
    return show("overview", "ui.quality", window=asked, whole=whole, drawing=drawing, clear=measures.days_to_clear(flow), **found)


def flow_drawing(flow: Sequence[measures.Day], width: int = charts.WIDTH) -> charts.Drawing:
    series = {"arrived": [d.arrived for d in flow], "resolved": [d.resolved for d in flow], "backlog": [d.backlog for d in flow]}
    return charts.lines([day_label(day.day) for day in flow], series, width)


def day_label(day: date) -> str:
    """As axes have it."""
    return f"{day:%m-%d}"


def _read(session: Session, asked: Window, *, whole: bool) -> dict[str, Any]:
    scoped: dict[str, Any] = {"duplicates": measures.duplicates(session, asked), "misses": measures.misses(session, asked)}
    scoped["loaded"] = measures.loaded(session, asked)
    if not whole:
        return {**scoped, "flow": [], "due": [], "stale": []}
    rows = {"due": measures.rows(session, "due", asked), "stale": measures.rows(session, "stale_mappings", asked)}
    return {**scoped, **rows, "flow": measures.flow(session, asked)}


def matching(problem: str = "", status: int = HTTPStatus.OK, domain: str = "") -> Page:
    """The weights of one domain by outcome, what other thresholds would do, and how often automatic links are right."""
    everything = window()
    if not everything.domains or not _sees_all():
        return show("matching_none", "ui.quality_matching", window=everything)
    entity = chosen(domain or request.args.get("domain", ""), everything.domains)
    asked = window([entity.name])
    context = database().run(lambda session: _matching(session, entity, asked, everything))
    may = policy.can(actor(), Verb.MODEL, entity.name)
    return show("matching", "ui.quality_matching", status, entity=entity, window=everything, problem=problem, may_change=may, **context)


def chosen(name: str, domains: Sequence[str]) -> EntityType:
    """The domain that the address names, else the first that may be read. Raises UnknownDomain for another."""
    if name and name not in domains:
        raise UnknownDomain
    return concord().entities[name or domains[0]]


def _matching(session: Session, entity: EntityType, asked: Window, everything: Window) -> dict[str, Any]:
    now = scorer(session, entity).model.thresholds
    review, link = _threshold("review", now.review), _threshold("link", now.link)
    weights = measures.rows(session, "weights", asked)
    return {
        "version": model_versions.active_version(session, entity),
        "thresholds": now,
        "review": review,
        "link": link,
        "now": measures.split(session, asked, now.review, now.link),
        "then": measures.split(session, asked, min(review, link), link),
        "columns": _columns(weights),
        "outcomes": OUTCOMES,
        "drawing": _weights_drawing(weights, {"review": now.review, "link": now.link}),
        "precision": measures.precision(session, everything),
    }


def _threshold(name: str, known: float) -> float:
    try:
        said = float(request.values.get(name, ""))
    except ValueError:
        return known
    return said if -100 <= said <= 100 else known


def _columns(weights: Sequence[Row]) -> list[tuple[int, Mapping[str, int]]]:
    """Every bit from the lowest weight to the highest, with what fell into it."""
    found: dict[int, dict[str, int]] = {}
    for bit, outcome, count in weights:
        found.setdefault(bit, {})[outcome] = count
    return [(bit, found.get(bit, {})) for bit in range(min(found), max(found) + 1)] if found else []


def _weights_drawing(weights: Sequence[Row], thresholds: Mapping[str, float]) -> charts.Drawing | None:
    columns = _columns(weights)
    if not columns:
        return None
    first = columns[0][0]
    marks = {name: at - first for name, at in thresholds.items()}
    return charts.stacked([(str(bit), counts) for bit, counts in columns], list(OUTCOMES), marks)


def thresholds(domain: str) -> Response | Page:
    """A version with other thresholds; its own page counts what it would change, and two people put it into use."""
    entity = entity_of(concord().entities, domain)
    policy.check(actor(), Verb.MODEL, entity.name)
    try:
        said = forms.number("review"), forms.number("link")
        version = database().run(lambda session: model_versions.with_thresholds(session, entity, said, actor()))
    except Invalid as error:
        return matching(forms.words(error), HTTPStatus.UNPROCESSABLE_ENTITY, entity.name)
    return redirect(url_for("ui.admin_model", version=version), HTTPStatus.SEE_OTHER)


def people() -> Page:
    """How often decisions are taken back, and how many are made. A steward sees their own row and everybody's together."""
    asked = window()
    if not _sees_all():
        return show("matching_none", "ui.quality_people", window=asked)
    by_person, by_band, pace, glass = database().run(
        lambda s: (
            measures.overturned(s, "overturned_by_person", asked),
            measures.overturned(s, "overturned_by_band", asked),
            measures.pace(s, asked),
            measures.rows(s, "emergency", asked),
        )
    )
    if actor().role is not Role.ADMIN:
        mine = actor().name
        by_person = [each for each in by_person if each.what[0] == mine]
        pace, glass = [each for each in pace if each.actor == mine], [row for row in glass if row[0] == mine]
    everybody = sum(each.decided for each in by_band), sum(each.undone for each in by_band)
    return show("people", "ui.quality_people", window=asked, by_person=by_person, by_band=by_band, pace=pace, opened=glass, all=everybody)
