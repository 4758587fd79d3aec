"""One task: what it asks, the two sides with their evidence, and the form that decides it at the version that was on the screen."""

from http import HTTPStatus
from uuid import UUID

from flask import Blueprint, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from api.context import actor, concord, database, request_id, uuid_of
from api.errors import status_of
from api.tasks import get_all, get_one
from mdm import policy, tasks
from mdm.access import Verb
from mdm.db import Row, fetch
from mdm.errors import Conflict, Invalid, Stale
from mdm.reading import Reader
from mdm.tasks import Ruling, TaskView
from mdm.values.kind import clean_text
from stewardship_ui.comparison import compare
from stewardship_ui.showing import tag_only
from stewardship_ui.words import KINDS, OUTCOMES, REASONS

Page = tuple[str, int]
_REASON_MAX = 2000


def add_routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/tasks/<task_id>", "task", task, methods=["GET"])
    blueprint.add_url_rule("/tasks/<task_id>/decision", "decide", decide, methods=["POST"])


def task(task_id: str) -> Page:
    return _page(_read(task_id))


def decide(task_id: str) -> Response | Page:
    view = _read(task_id)
    policy.check(actor(), Verb.DECIDE, view.domain)
    entity = concord().entities[view.domain]
    try:
        ruling = _ruling()
        database().run(lambda session: tasks.decide(session, entity, view.id, actor(), ruling, request_id()))
    except (Conflict, Invalid) as error:
        # What is true now, beside what was typed: nothing is lost, and the question is asked again.
        return _page(_read(task_id), problem=_remedy(error), status=status_of(error))
    return redirect(_next(view), HTTPStatus.SEE_OTHER)


def _read(task_id: str) -> TaskView:
    """The task as the API reads it: in scope, and audited where it is of patients."""
    policy.check(actor(), Verb.READ)
    found: TaskView = get_one(task_id=task_id)[0]
    return found


def _page(view: TaskView, *, problem: str = "", status: int = HTTPStatus.OK) -> Page:
    entity, reader = concord().entities[view.domain], Reader(actor(), request_id())
    is_open = view.status == "open" and view.kind in KINDS
    comparison = database().run(lambda session: compare(session, entity, reader, view)) if is_open else None
    decision = None if view.decision_id is None else database().run(lambda session: _decision(session, view.decision_id))
    page = render_template(
        "task.html",
        task=view,
        entity=entity,
        kind=KINDS.get(view.kind),
        comparison=comparison,
        decision=decision,
        reasons=REASONS,
        outcomes=OUTCOMES,
        may_decide=policy.can(actor(), Verb.DECIDE, view.domain),
        problem=problem,
        reason=request.form.get("reason", ""),
        reason_max=_REASON_MAX,
        decided=tag_only(request.args.get("decided", "")),
    )
    return page, status


def _decision(session: Session, decision_id: UUID | None) -> Row:
    """Who said what, when and why."""
    return fetch(session, "select kind, actor, created_at, reason from decision where id = %s", (decision_id,))[0]


def _ruling() -> Ruling:
    """The button that was pressed: a verdict, and the candidate it stands under."""
    verdict, _, candidate = request.form.get("ruling", "").partition(" ")
    reason, version = clean_text(request.form.get("reason", "")), request.form.get("if_match", "")
    if len(reason) > _REASON_MAX:
        raise Invalid(f"The reason is longer than {_REASON_MAX} characters.")
    if not (version.isascii() and version.isdigit() and len(version) < 10):
        raise Stale
    return Ruling(verdict, int(version), uuid_of(candidate) if candidate else None, reason)


def _remedy(error: Conflict | Invalid) -> str:
    if isinstance(error, Stale):
        return "This task changed while you had it open. Look at what is true now, then decide again; nothing was stored."
    return "; ".join(problem.message for problem in error.problems) or error.message


def _next(view: TaskView) -> str:
    """The next task of the same kind in the same domain, else the list; either says that the decision is stored."""
    found = get_all({"domain": view.domain, "kind": view.kind, "status": "open", "limit": 1}).items
    done = str(view.id)[-6:]
    return url_for("ui.task", task_id=found[0].id, decided=done) if found else url_for("ui.tasks", decided=done)
