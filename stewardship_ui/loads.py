"""Loads: a file becomes records in five steps, each a page of its own on a draft that lies on the server; plan, apply, undo."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from uuid import UUID

from flask import Blueprint, redirect, request, url_for
from werkzeug.wrappers import Response

from api.context import actor, concord, database, request_id, uuid_of
from mdm import load_checks, load_draft, load_outlook, load_samples, loads, policy
from mdm.access import Verb
from mdm.errors import Conflict, Invalid, UnknownDomain
from mdm.load_checks import RailHit
from mdm.load_draft import Changes
from mdm.load_files import FORMATS
from mdm.load_rejected import rejects_csv, sees_cells
from mdm.load_table import Options
from mdm.load_upload import Upload
from mdm.loads import LoadView
from mdm.oversight import cancel
from mdm.systems import list_systems
from stewardship_ui import forms
from stewardship_ui.guard import check_fresh
from stewardship_ui.record_acts import reason
from stewardship_ui.rendering import Page
from stewardship_ui.rendering import show as show_page
from stewardship_ui.words import tag

STEPS = (("upload", "Upload"), ("columns", "Columns"), ("values", "Values"), ("plan", "Plan"), ("apply", "Apply"))
OUTCOMES = {
    "new": "New",
    "linked": "Linked",
    "review": "Review",
    "updated": "Updated",
    "unchanged": "Unchanged",
    "rejected": "Rejected",
    "absent": "Absent",
}
STATES = {
    "uploaded": ("draft", ""),
    "planned": ("planned", "blue"),
    "applying": ("being applied", "blue"),
    "applied": ("applied", "good"),
    "undoing": ("being undone", "warn"),
    "undone": ("undone", "warn"),
}
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def add_routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/loads", "loads", listing, methods=["GET"])
    blueprint.add_url_rule("/loads/new", "new_load", new, methods=["GET"])
    blueprint.add_url_rule("/loads", "begin_load", begin, methods=["POST"])
    blueprint.add_url_rule("/loads/blank/<domain>.xlsx", "blank_load", blank, methods=["GET"])
    blueprint.add_url_rule("/loads/<load_id>", "load", one, methods=["GET"])
    blueprint.add_url_rule("/loads/<load_id>/upload", "load_upload", upload, methods=["GET"])
    blueprint.add_url_rule("/loads/<load_id>/upload", "load_reading", read_anew, methods=["POST"])
    blueprint.add_url_rule("/loads/<load_id>/plan", "load_plan", plan, methods=["GET"])
    blueprint.add_url_rule("/loads/<load_id>/plan", "ask_plan", ask_plan, methods=["POST"])
    blueprint.add_url_rule("/loads/<load_id>/progress", "load_progress", progress, methods=["GET"])
    blueprint.add_url_rule("/loads/<load_id>/cancel", "cancel_load", end, methods=["POST"])
    blueprint.add_url_rule("/loads/<load_id>/apply", "load_apply", apply, methods=["GET"])
    blueprint.add_url_rule("/loads/<load_id>/apply", "ask_apply", ask_apply, methods=["POST"])
    blueprint.add_url_rule("/loads/<load_id>/request", "withdraw_load_request", withdraw, methods=["POST"])
    blueprint.add_url_rule("/loads/<load_id>/rejects.csv", "load_rejects", rejects, methods=["GET"])
    blueprint.add_url_rule("/loads/<load_id>/undo", "load_undo", undo, methods=["GET"])
    blueprint.add_url_rule("/loads/<load_id>/undo", "ask_undo", ask_undo, methods=["POST"])


def show(name: str, view: LoadView | None = None, status: int = HTTPStatus.OK, **context: Any) -> Page:
    """A page of a load, with the steps and which of them it is."""
    about: dict[str, Any] = {"steps_of_load": STEPS, "step": name, "outcomes": OUTCOMES, "states": STATES, "load": view}
    if view is not None:
        is_open = view.status in {"uploaded", "planned"}
        about |= {
            "gives_rejects": sees_cells(actor(), view),
            "label": concord().entities[view.domain].label,
            "is_busy": is_busy(view),
            "is_open": is_open,
        }
    return show_page(f"loads/{name}", status, section="ui.loads", **{**about, **context})


def is_busy(view: LoadView) -> bool:
    return (view.job or {}).get("state") in {"queued", "running"}


def find(load_id: str) -> LoadView:
    """The load, for pages that show no samples of its plan."""
    policy.check(actor(), Verb.LOAD)
    wanted = uuid_of(load_id)
    return database().run(lambda session: loads.get(session, actor(), wanted))


def listing() -> Page:
    policy.check(actor(), Verb.LOAD)
    before = request.args.get("before", "")
    found = database().run(lambda session: loads.list_loads(session, actor(), before=uuid_of(before) if before else None, limit=51))
    labels = {name: entity.label for name, entity in concord().entities.items()}
    return show("list", None, loads=found[:50], next=found[49].id if len(found) > 50 else None, labels=labels)


def new(problem: str = "", status: int = HTTPStatus.OK) -> Page:
    policy.check(actor(), Verb.LOAD)
    domains = sorted((concord().entities[name].label, name) for name in policy.domains(actor(), Verb.LOAD))
    systems = [view for view in database().run(list_systems) if policy.in_scope(actor(), view.code)]
    context = {"domains": domains, "systems": systems, "formats": FORMATS, "problem": problem, "typed": request.form}
    return show("new", None, status, **context)


def begin() -> Response | Page:
    """Keep the file and go to the first step of its draft."""
    policy.check(actor(), Verb.LOAD)
    try:
        view = load_draft.begin(database(), concord().settings.home, actor(), _given(), request_id())
    except Invalid as error:
        return new(forms.words(error), HTTPStatus.UNPROCESSABLE_ENTITY)
    return redirect(url_for("ui.load_upload", load_id=view.id), HTTPStatus.SEE_OTHER)


def _given() -> Upload:
    file, domain = request.files.get("file"), forms.text("domain")
    if domain not in concord().entities:
        raise UnknownDomain
    if file is None or not file.filename:
        raise Invalid("Choose a file first.")
    return Upload(concord().entities[domain], forms.text("system"), file.stream, file.filename)


def blank(domain: str) -> Response:
    """An empty workbook whose columns are recognised without doubt."""
    policy.check(actor(), Verb.LOAD, domain)
    entity = concord().entities.get(domain)
    if entity is None:
        raise UnknownDomain
    from mdm.load_template import blank_template  # noqa: PLC0415  (openpyxl, which few processes ever need)

    answer = Response(blank_template(entity), content_type=XLSX)
    answer.headers["Content-Disposition"] = f'attachment; filename="{entity.plural}.xlsx"'
    return answer


def one(load_id: str) -> Response:
    """To the step where the load stands."""
    view = find(load_id)
    step = {"uploaded": "ui.load_upload", "planned": "ui.load_plan", "undoing": "ui.load_undo"}.get(view.status, "ui.load_apply")
    return redirect(url_for("ui.load_plan" if is_busy(view) and view.status == "uploaded" else step, load_id=view.id), HTTPStatus.FOUND)


def upload(load_id: str, problem: str = "", status: int = HTTPStatus.OK) -> Page:
    view = find(load_id)
    try:
        draft = _draft(view.id)
    except Invalid as error:
        return show("upload", view, HTTPStatus.UNPROCESSABLE_ENTITY, draft=None, problem=forms.words(error))
    return show("upload", view, status, draft=draft, problem=problem)


def _draft(load_id: UUID) -> load_draft.Draft:
    return load_draft.look(database(), concord().settings.home, actor(), load_id, request_id())


def read_anew(load_id: str) -> Response | Page:
    """How the file is read, as somebody says; an empty field is detected."""
    view = find(load_id)

    def act() -> None:
        row = forms.text("header_row")
        reading = Options(
            forms.text("encoding") or None,
            forms.text("delimiter").replace("tab", "\t") or None,
            forms.text("sheet") or None,
            int(row) if row.isascii() and row.isdigit() and int(row) < 2**20 else None,
        )
        change(view.id, Changes(reading=reading))

    return forms.done(act, url_for("ui.load_upload", load_id=view.id), lambda said, status: upload(load_id, said, status))


def change(load_id: UUID, changes: Changes) -> None:
    database().run(lambda session: load_draft.change(session, actor(), load_id, changes, request_id()))


def plan(load_id: str, problem: str = "", status: int = HTTPStatus.OK) -> Page:
    """What applying would do; or how far the plan is; or how to ask for one."""
    found = find(load_id)
    view = database().run(lambda session: load_samples.seen(session, actor(), found, request_id()))
    ready = view.plan is not None and view.status != "uploaded"
    may_be_stale = view.status == "planned" and view.plan is not None and view.same_as is None
    stale = database().run(lambda session: loads.stale_because(session, view)) if may_be_stale else []
    return show("plan", view, status, ready=ready, stale=stale, problem=problem)


def ask_plan(load_id: str) -> Response | Page:
    view, home = find(load_id), concord().settings.home

    def act() -> None:
        database().run(lambda session: load_draft.settle(session, actor(), home, view.id, request_id()))

    return forms.done(act, url_for("ui.load_plan", load_id=view.id), lambda said, status: plan(load_id, said, status))


def progress(load_id: str) -> Page | Response:
    """How far the job of the load is; once it has ended, the page is asked for anew."""
    view = find(load_id)
    if not is_busy(view):
        return Response(status=HTTPStatus.NO_CONTENT, headers={"HX-Refresh": "true"})
    return show("progress", view)


def end(load_id: str) -> Response | Page:
    """End the job after the piece under way; what was applied stands, and can be undone."""
    view = find(load_id)

    def act() -> None:
        job = view.job
        if job is None:
            raise Conflict("nothing is under way")
        database().run(lambda session: cancel(session, actor(), job["id"], request_id()))

    return forms.done(act, url_for("ui.load", load_id=view.id), lambda said, status: plan(load_id, said, status))


def apply(load_id: str, problem: str = "", status: int = HTTPStatus.OK) -> Page:
    view = find(load_id)
    second = load_checks.takes_two(view.counts, concord().settings.load_approval_rows)
    return show("apply", view, status, problem=problem, changing=load_checks.changing(view.counts), needs_second=second, typed=request.form)


def ask_apply(load_id: str) -> Response | Page:
    view = find(load_id)
    check_fresh()

    def act() -> None:
        said = uuid_of(forms.text("plan"))
        rows, wave = concord().settings.load_approval_rows, _wave_asked_for(view.id)
        how = loads.Applying(rows, wave, tuple(request.form.getlist("despite")), reason("reason"))
        try:
            database().run(lambda session: loads.ask_apply_of(session, actor(), view.id, said, how, request_id()))
        except RailHit as error:  # whose own words are for those who have no boxes to tick
            hit = "; ".join(problem.message for problem in error.problems)
            raise Conflict(f"The plan hits a guard rail. Tick what you have looked at, then apply: {hit}") from None

    return forms.done(act, url_for("ui.load_apply", load_id=view.id), lambda said, status: apply(load_id, said, status))


def _wave_asked_for(load_id: UUID) -> Mapping[str, str] | None:
    """Whoever is the second person here agrees to the wave that the first one asked for elsewhere; the page asks for all rows."""
    view = database().run(lambda session: loads.get(session, actor(), load_id))
    is_second = view.approved_by is None and view.asked_by not in {None, actor().name}
    asked = (view.plan or {}).get("report", {}).get("asked", {})
    return asked.get("wave") or None if is_second else None


def withdraw(load_id: str) -> Response | Page:
    """Whoever asked first no longer asks, to apply or to undo."""
    view = find(load_id)
    page, name = (apply, "ui.load_apply") if view.status == "planned" else (undo, "ui.load_undo")

    def act() -> None:
        database().run(lambda session: loads.withdraw_request(session, actor(), view.id, request_id()))

    return forms.done(act, url_for(name, load_id=view.id), lambda said, status: page(load_id, said, status))


def rejects(load_id: str) -> Response:
    """The rejected rows as they were, with what was wrong; corrected, the file is loaded again as it is."""
    check_fresh()
    view = find(load_id)
    content = database().run(lambda session: rejects_csv(session, actor(), view.id, request_id()))
    answer = Response(content, content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="rejects-{tag(view.id)[1:]}.csv"'
    return answer


def undo(load_id: str, problem: str = "", status: int = HTTPStatus.OK) -> Page:
    view = find(load_id)
    try:
        found = database().run(lambda session: load_outlook.preview(session, actor(), view.id))
    except Conflict:  # nothing of it is applied, or no longer: the page says so
        return show("undo", view, status, undoing=None, problem=problem)
    second = load_checks.takes_two(view.counts, concord().settings.load_approval_rows)
    return show("undo", view, status, undoing=found, problem=problem, needs_second=second, typed=request.form)


def ask_undo(load_id: str) -> Response | Page:
    view = find(load_id)
    check_fresh()

    def act() -> None:
        how = loads.Undoing(concord().settings.load_approval_rows, reason("reason"))
        database().run(lambda session: loads.ask_undo(session, actor(), view.id, how, request_id()))

    return forms.done(act, url_for("ui.load_undo", load_id=view.id), lambda said, status: undo(load_id, said, status))
