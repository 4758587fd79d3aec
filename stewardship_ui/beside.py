"""What a steward does with a task without deciding it: have it open, let it rest, ask, comment, take a proposal back, want a split."""

from collections.abc import Callable
from http import HTTPStatus
from uuid import UUID

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as Redirect

from api.context import actor, concord, database, uuid_of
from api.crosswalk import entity_of
from mdm import clusters, desk, policy, verdicts
from mdm.access import Verb
from mdm.errors import Conflict, Forbidden, Invalid, NotFound
from mdm.values.kind import clean_text
from stewardship_ui.item import read_item, visible
from stewardship_ui.rendering import wants_part
from stewardship_ui.task import Page, onward, page, read, refused
from stewardship_ui.words import stamp

Answered = Response | Redirect | Page


def add_routes(blueprint: Blueprint) -> None:
    add = blueprint.add_url_rule
    add("/tasks/<task_id>/state", "task_state", state, methods=["GET"])
    add("/tasks/<task_id>/claim", "claim", claim, methods=["POST"])
    add("/tasks/<task_id>/split", "ask_split", ask_split, methods=["POST"])
    add("/records/<domain>/<golden_id>/split", "split_golden", split_golden, methods=["POST"])
    for name, work in (("defer", _defer), ("ask", _ask), ("comment", _comment), ("withdraw", _withdraw)):
        add(f"/tasks/<task_id>/{name}", name, _beside(work), methods=["POST"])


def state(task_id: str) -> Response:
    """Who has it open and whether it is still as it was: 204 while nothing is new."""
    wanted = uuid_of(task_id)
    found = database().run(lambda session: _seen(session, wanted))
    seen = request.args.get("seen", "")
    if seen == stamp(found):
        return Response(status=HTTPStatus.NO_CONTENT)
    return make_response(render_template("task/_claim.html", desk=found, task_id=wanted, seen_version=request.args.get("version", "")))


def claim(task_id: str) -> Response:
    """The task is mine for ten minutes, unless somebody else has it open."""
    wanted = uuid_of(task_id)

    def work(session: Session) -> desk.Desk:
        policy.check(actor(), Verb.DECIDE, visible(session, wanted).domain)
        desk.claim(session, actor(), [wanted])
        return desk.read(session, wanted)

    found = database().run(work)
    return make_response(render_template("task/_claim.html", desk=found, task_id=wanted, seen_version=request.form.get("version", "")))


def _seen(session: Session, task_id: UUID) -> desk.Desk:
    visible(session, task_id)
    return desk.read(session, task_id)


Work = Callable[[Session, UUID], str]


def _beside(work: Work) -> Callable[[str], Answered]:
    """A form that says something about a task without deciding it: done, then the task again, or the next one where it rests now."""

    def view(task_id: str) -> Answered:
        wanted = uuid_of(task_id)

        def act(session: Session) -> str:
            task = visible(session, wanted)
            policy.check(actor(), Verb.DECIDE, task.domain)
            if task.status != "open":
                raise Conflict("this task was closed while you had it open; nothing was stored")
            return work(session, wanted)

        try:
            said = database().run(act)
        except (Conflict, Invalid, Forbidden) as error:
            return refused(task_id, error)
        if said.endswith("rests."):
            return onward(wanted, said, "rests")
        return page(read(task_id), said=said) if wants_part() else redirect(url_for("ui.task", task_id=task_id), HTTPStatus.SEE_OTHER)

    return view


def _defer(session: Session, task_id: UUID) -> str:
    desk.defer(session, actor(), [task_id], request.form.get("until", ""))
    return "Deferred: it rests."


def _ask(session: Session, task_id: UUID) -> str:
    desk.ask(session, actor(), task_id, clean_text(request.form.get("whom", "")), request.form.get("body", ""))
    return "Asked: until the answer it rests."


def _comment(session: Session, task_id: UUID) -> str:
    desk.comment(session, actor(), task_id, request.form.get("body", ""))
    return "Comment kept."


def _withdraw(session: Session, task_id: UUID) -> str:
    verdicts.withdraw(session, actor(), task_id)
    return "Proposal taken back."


def ask_split(task_id: str) -> Redirect:
    """The subject of this task is to be parted: a task of its own, with a suggested cut."""
    wanted = uuid_of(task_id)

    def work(session: Session) -> UUID:
        item = read_item(session, wanted)
        policy.check(actor(), Verb.DECIDE, item.task.domain)
        if not item.task.goldens:
            raise NotFound  # a value that nobody holds
        return clusters.ask(session, item.entity, actor(), item.task.goldens[0])

    return redirect(url_for("ui.task", task_id=database().run(work)), HTTPStatus.SEE_OTHER)


def split_golden(domain: str, golden_id: str) -> Redirect:
    """This golden record is to be parted: a task of its own, with a suggested cut."""
    entity, wanted = entity_of(concord().entities, domain), uuid_of(golden_id)
    policy.check(actor(), Verb.DECIDE, domain)

    def work(session: Session) -> UUID:
        policy.check_visible(session, actor(), [wanted])
        return clusters.ask(session, entity, actor(), wanted)

    return redirect(url_for("ui.task", task_id=database().run(work)), HTTPStatus.SEE_OTHER)
