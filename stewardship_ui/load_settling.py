"""The second and third step of a load: which column is what, which repairs the cells need. A repair has a name and a switch."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus

from flask import Blueprint, request, url_for
from werkzeug.wrappers import Response

from api.context import actor, concord, database, request_id
from mdm import load_draft
from mdm.entity import EntityType
from mdm.errors import Conflict, Invalid
from mdm.load_columns import Suggestion
from mdm.load_draft import Changes, Draft
from mdm.load_rejected import sees_cells
from mdm.load_steps import Step
from mdm.load_targets import Binding, attribute_of, targets
from mdm.loads import LoadView
from mdm.values.kind import clean_text
from stewardship_ui import forms
from stewardship_ui.loads import change, find, show
from stewardship_ui.rendering import Page

SURE = 0.9


@dataclass(frozen=True, slots=True)
class Line:
    """A column of the file: its place, its first cells, what it becomes, and what is suggested for it."""

    place: int
    name: str
    cells: Sequence[str | None]
    chosen: str
    suggestion: Suggestion | None


def add_routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/loads/<load_id>/columns", "load_columns", columns, methods=["GET"])
    blueprint.add_url_rule("/loads/<load_id>/columns", "save_columns", save_columns, methods=["POST"])
    blueprint.add_url_rule("/loads/<load_id>/values", "load_values", values, methods=["GET"])
    blueprint.add_url_rule("/loads/<load_id>/values", "save_steps", save_steps, methods=["POST"])


def columns(load_id: str, problem: str = "", status: int = HTTPStatus.OK) -> Page:
    """Every column with some of its cells, what it becomes, and why that is suggested."""
    view, home = find(load_id), concord().settings.home
    draft = load_draft.look(database(), home, actor(), view.id, request_id())
    suggested = load_draft.suggestions(database(), home, actor(), view.id)
    lines = list(_lines(draft, suggested))
    sure = sum(not line.chosen and line.suggestion is not None and line.suggestion.confidence >= SURE for line in lines)
    names = _names(draft.entity)
    return show("columns", view, status, draft=draft, lines=lines, sure=sure, targets=names, problem=problem)


def _lines(draft: Draft, suggested: Sequence[Suggestion]) -> Iterator[Line]:
    chosen = {each.column: each.target for each in draft.columns}
    known = {each.column: each for each in suggested if each.column and each.target}
    for place, name in enumerate(draft.table.header):
        cells = [row[place] for row in draft.rows if row[place]]
        said = request.form.get(f"target-{place}", chosen.get(name, ""))
        yield Line(place, name, cells[:3], said, known.get(name))


def _names(entity: EntityType) -> list[tuple[str, str]]:
    """What a column may become, by its code, with the words for it."""
    return [(target, title_of(entity, target)) for target in targets(entity)]


def title_of(entity: EntityType, target: str) -> str:
    """A target in words; starred where no load can do without."""
    attribute = attribute_of(entity, target)
    if attribute is not None:
        return attribute.title + (" *" if attribute.required else "")
    return {"key": "Key in the system *"}.get(target, target.replace("_", " ").replace(":", ": ").capitalize())


def save_columns(load_id: str) -> Response | Page:
    """As chosen; or with every sure suggestion taken for what is still open."""
    view, home = find(load_id), concord().settings.home

    def act() -> None:
        draft = load_draft.look(database(), home, actor(), view.id, request_id())
        said = {name: clean_text(request.form.get(f"target-{place}", "")) for place, name in enumerate(draft.table.header)}
        if request.form.get("act") == "sure":
            for each in load_draft.suggestions(database(), home, actor(), view.id):
                if each.column and each.target and each.confidence >= SURE and not said[each.column] and each.target not in said.values():
                    said[each.column] = each.target
        change(view.id, Changes(columns=tuple(Binding(target, name) for name, target in said.items() if target)))

    then = "ui.load_columns" if request.form.get("act") == "sure" else "ui.load_values"
    return forms.done(act, url_for(then, load_id=view.id), lambda said, status: columns(load_id, said, status))


def values(load_id: str, problem: str = "", status: int = HTTPStatus.OK) -> Page:
    """What the whole file holds, what of it would be rejected, and the repairs that are offered and made."""
    view, home = find(load_id), concord().settings.home
    draft = load_draft.look(database(), home, actor(), view.id, request_id())
    try:
        found = load_draft.examine(database(), home, actor(), view.id)
    except Invalid as error:
        return columns(load_id, problem or forms.words(error), HTTPStatus.UNPROCESSABLE_ENTITY)
    sees = sees_cells(actor(), view)
    return show("values", view, status, draft=draft, found=found, sees=sees, problem=problem)


def save_steps(load_id: str) -> Response | Page:
    """One repair more, one switched off or on, or one taken away."""
    view, home = find(load_id), concord().settings.home

    def act() -> None:
        draft = load_draft.look(database(), home, actor(), view.id, request_id())
        change(view.id, Changes(steps=_steps(draft, view)))

    return forms.done(act, url_for("ui.load_values", load_id=view.id), lambda said, status: values(load_id, said, status))


def _steps(draft: Draft, view: LoadView) -> list[Step]:
    steps, act = list(draft.steps), request.form.get("act", "")
    if act == "map":
        return [*steps, _mapped(request.form.to_dict(), draft)]
    if act == "add":
        return [*steps, _offered(view)]
    said = request.form.get("number", "")
    number = int(said) if said.isdecimal() and len(said) < 10 else -1
    if not 0 <= number < len(steps):
        raise Conflict("there is no such repair any more; look at what there is now")
    if act == "remove":
        return [*steps[:number], *steps[number + 1 :]]
    return [*steps[:number], replace(steps[number], on=not steps[number].on), *steps[number + 1 :]]


def _offered(view: LoadView) -> Step:
    """A repair that the page offers: asked for by its place, so that no cell travels in a form."""
    found = load_draft.examine(database(), concord().settings.home, actor(), view.id)
    code, column, place = request.form.get("code", ""), request.form.get("column", ""), request.form.get("place", "")
    for finding in found.findings:
        if (finding.code, finding.column) == (code, column) and place.isdecimal() and len(place) < 10 and int(place) < len(finding.steps):
            return finding.steps[int(place)]
    raise Conflict("this repair is no longer offered: the file is read otherwise now")


def _mapped(said: Mapping[str, str], draft: Draft) -> Step:
    """Values that people translated: what stands beside each becomes of it."""
    column = said.get("column", "")
    if column not in draft.table.header:
        raise Invalid("There is no such column.")
    pairs = [(said[f"old-{place}"], clean_text(said.get(f"new-{place}", ""))) for place in range(50) if f"old-{place}" in said]
    kept = tuple((old, becomes) for old, becomes in pairs if becomes)
    return Step("map_values", column, pairs=kept)
