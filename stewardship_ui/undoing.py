"""Taking decisions back, from wherever one is: the last one, or any other that can be taken back."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, make_response, redirect, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as Redirect

from api.context import actor, concord, database, request_id, uuid_of
from mdm import policy, undo, verdicts
from mdm.access import Verb
from mdm.errors import Conflict
from mdm.identity import Act
from mdm.values.kind import clean_text
from stewardship_ui.item import visible
from stewardship_ui.rendering import wants_part
from stewardship_ui.task import deliver, onward, page, read
from stewardship_ui.words import spoken


def add_routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/decisions/undo", "undo_last", undo_last, methods=["POST"])
    blueprint.add_url_rule("/decisions/redo", "redo_last", redo_last, methods=["POST"])
    blueprint.add_url_rule("/decisions/<decision_id>/undo", "undo_one", undo_one, methods=["POST"])
    blueprint.add_url_rule("/decisions/<undo_id>/redo", "redo_one", redo_one, methods=["POST"])


def undo_last() -> Response | Redirect:
    """My last decision that stands is taken back."""
    return _undo(lambda session: next((done.id for done in verdicts.tray(session, actor(), 1)), None))


def undo_one(decision_id: str) -> Response | Redirect:
    return _undo(lambda _session: uuid_of(decision_id))


def redo_last() -> Response | Redirect:
    """What I took back last is said again, where its question still stands."""
    return _redo(None)


def redo_one(undo_id: str) -> Response | Redirect:
    """What this undo took back, which need not be the last any more: another window may have taken back another."""
    return _redo(uuid_of(undo_id))


def _redo(undo_id: UUID | None) -> Response | Redirect:
    def work(session: Session) -> Mapping[str, Any]:
        undone = verdicts.last_undone(session, actor(), undo_id)
        if undone is None:
            raise Conflict("there is nothing of yours to say again" if undo_id is None else "you said it again, or decided otherwise since")
        policy.check(actor(), Verb.DECIDE, undone.domain)
        visible(session, undone.task)
        return verdicts.redo(session, concord().entities[undone.domain], actor(), undone, request_id()).told

    told = database().run(work)
    return onward(UUID(told["task"]), f"Again: {spoken(told)}", told["outcome"])


def _undo(find: Callable[[Session], UUID | None]) -> Response | Redirect:
    def work(session: Session) -> tuple[UUID | None, str]:
        found = find(session)
        if found is None:
            raise Conflict("there is no decision of yours to take back")
        decision = verdicts.seen(session, actor(), found, Verb.DECIDE)
        act = Act(actor=actor(), reason=clean_text(request.form.get("reason", "")) or "undo", request_id=request_id())
        undo.undo(session, concord().entities[decision.domain], found, act)
        return decision.task, "Undone."

    task_id, said = database().run(work)
    if not wants_part():
        return redirect(url_for("ui.task", task_id=task_id) if task_id else url_for("ui.tasks"), HTTPStatus.SEE_OTHER)
    if task_id is None:
        return deliver([], said)
    response = make_response(*page(read(str(task_id)), said=said))
    response.headers["HX-Retarget"], response.headers["HX-Reswap"] = "#item", "outerHTML"
    return response
