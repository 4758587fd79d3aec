"""One task: look, decide with one key, and the next one is there. Every form carries the version that was on the screen and its own key."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, LiteralString
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as Redirect

from api.context import actor, concord, database, request_id, uuid_of
from api.errors import status_of
from mdm import audit, desk, policy, verdicts, worklist
from mdm.access import Verb
from mdm.db import array, fetch
from mdm.errors import ConcordError, Conflict, Forbidden, Invalid, Stale, Unguarded
from mdm.reasons import REASON_MAX
from mdm.tasks import Ruling
from mdm.tiers import REASONS
from mdm.values.kind import clean_text
from mdm.verdicts import Form
from mdm.worklist import Filters
from stewardship_ui.guard import check_fresh
from stewardship_ui.item import Item, read_item, visible
from stewardship_ui.rendering import wants_part
from stewardship_ui.showing import left
from stewardship_ui.words import OUTCOMES, TAG_DIGITS, spoken

Page = tuple[str, int]
AHEAD, AHEAD_MAX = 3, 12
_FILTERS = ("domain", "kind", "owner", "queue", "due", "waits", "sort")


def add_routes(blueprint: Blueprint) -> None:
    add = blueprint.add_url_rule
    add("/tasks/<task_id>", "task", task, methods=["GET"])
    add("/tasks/<task_id>/decision", "decide", decide, methods=["POST"])
    add("/tasks/ahead", "ahead", ahead, methods=["POST"])


def task(task_id: str) -> Page:
    policy.check(actor(), Verb.READ)
    return page(read(task_id), said=left(request.args))


def read(task_id: str) -> Item:
    wanted, asked = uuid_of(task_id), request.values.get("candidate", "")
    candidate = uuid_of(asked) if asked else None

    def work(session: Session) -> Item:
        item = read_item(session, wanted, candidate)
        if item.entity.phi:
            _audit(session, item, "task:read")
        return item

    return database().run(work)


def _audit(session: Session, item: Item, action: str) -> None:
    task = item.task
    audit.record(
        session,
        actor(),
        action,
        domain=task.domain,
        subjects=task.goldens,
        request_id=request_id(),
        outcome="answered",
        detail={"task": str(task.id)},
    )


def _context(item: Item) -> dict[str, Any]:
    return {
        "item": item,
        "task": item.task,
        "entity": item.entity,
        "kind": item.kind,
        "outcomes": OUTCOMES,
        "digits": REASONS,
        "view": view_query(),
        "people": item.people,
        "address": _address(item),
        "typed": request.form if request.method == "POST" else {},
        "asked": request.endpoint == "ui.ask",
    }


def _address(item: Item) -> str:
    """By which this is reopened: the task, the candidate where it is not the first, and the list that is worked through."""
    candidate = None if item.candidate in item.task.goldens[1:2] else item.candidate
    return url_for("ui.task", task_id=item.task.id, candidate=candidate, list=view_query() or None)


def page(item: Item, *, said: str = "", problem: str = "", status: int = HTTPStatus.OK) -> Page:
    name = "task/_answer.html" if wants_part() else "task/show.html"
    return render_template(name, said=said, problem=problem, **_tray(), **_context(item)), status


def _tray() -> dict[str, Any]:
    """What this person may take back, and say again."""
    return database().run(lambda session: {"tray": verdicts.tray(session, actor()), "undone": verdicts.last_undone(session, actor())})


def decide(task_id: str) -> Response | Redirect | Page:
    """The decision; then the next item, or, where the browser holds it already, those after it."""
    wanted = uuid_of(task_id)
    domain, proposer = database().run(lambda session: (visible(session, wanted).domain, verdicts.proposer(session, wanted)))
    if proposer not in {None, actor().name} and policy.can(actor(), Verb.DECIDE, domain):
        check_fresh()  # the second of two people says who they are
    entity = concord().entities[domain]
    try:
        policy.check(actor(), Verb.DECIDE, domain)
        form = _form()
        answer = database().run(lambda session: verdicts.settle(session, entity, wanted, actor(), form, request_id()))
    except (Conflict, Invalid, Unguarded, Forbidden) as error:
        return refused(task_id, error)
    return onward(wanted, spoken(answer.told, repeated=answer.repeated), answer.told["outcome"])


def _form() -> Form:
    """What was pressed, on what was seen. Raises Unguarded without version and key, Stale for what was never a version."""
    sent = request.form
    verdict, _, of_one = sent.get("verdict", "").partition(":")  # a button of the body names whom it means
    version, key = sent.get("version", ""), sent.get("idempotency_key", "")
    reason, candidate = clean_text(sent.get("reason", "")), of_one or sent.get("candidate", "")
    if len(reason) > REASON_MAX:
        raise Invalid(f"The reason is longer than {REASON_MAX} characters.")
    groups = _groups() if verdict == "split" else ()
    ruling = Ruling(verdict, _version(version), uuid_of(candidate) if candidate else None, reason, groups=groups)
    picks = {name.removeprefix("pick-"): uuid_of(value) for name, value in sent.items() if name.startswith("pick-") and value}
    return Form(key=key, ruling=ruling, picks=picks, digit=sent.get("digit", ""), propose=sent.get("propose") == "yes")


def _version(text: str) -> int:
    if not text:
        raise Unguarded
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Stale
    return int(text)


def _groups() -> tuple[tuple[UUID, ...], ...]:
    """The parts of a split: records by the number of their group."""
    found: dict[str, list[UUID]] = {}
    for name, number in sorted(request.form.items()):
        if name.startswith("group-"):
            found.setdefault(number, []).append(uuid_of(name.removeprefix("group-")))
    return tuple(tuple(found[number]) for number in sorted(found))


def refused(task_id: str, error: ConcordError) -> Response:
    """What is true now, beside what was typed: nothing is lost, and the question is asked again."""
    response = make_response(*page(read(task_id), problem=_remedy(error), status=status_of(error)))
    if wants_part():
        response.headers["HX-Retarget"], response.headers["HX-Reswap"] = "#item", "outerHTML"
    return response


def _remedy(error: ConcordError) -> str:
    if isinstance(error, Stale):
        return "This task changed while you had it open. Look at what is true now, then decide again; nothing was stored."
    return "; ".join(problem.message for problem in error.problems) or error.message


def onward(done: UUID, said: str, outcome: str) -> Response | Redirect:
    """On to the next, or to the list that has no more: by a link without a script, else as the part that the script asked for."""
    left_behind: dict[str, Any] = {"decided": str(done)[-TAG_DIGITS:], "outcome": None if outcome == "decided" else outcome}
    view = view_query()
    through = url_for("ui.tasks", **left_behind) + (f"&{view}" if view else "")
    if wants_part():
        return deliver([done], said, through)
    following = database().run(lambda session: worklist.upcoming(session, actor(), _filters(), [done], 1))
    target = url_for("ui.task", task_id=following[0], list=view or None, **left_behind) if following else through
    return redirect(target, HTTPStatus.SEE_OTHER)


def ahead() -> Response:
    """The next items of the list that this person works through, theirs for ten minutes; delivered before they are looked at."""
    policy.check(actor(), Verb.READ)
    return deliver([], "")


def deliver(done: Sequence[UUID], said: str, then: str = "") -> Response:
    held = [uuid_of(each) for each in request.form.get("held", "").split(",") if each]
    asked = request.form.get("want", "")
    wanted = min(int(asked), AHEAD_MAX) if asked.isdecimal() and len(asked) < 3 else AHEAD

    def work(session: Session) -> list[Item]:
        ids = worklist.upcoming(session, actor(), _filters(), [*held, *done], wanted)
        theirs = worklist.decidable(session, actor(), ids)  # who only looks takes nothing from those who decide
        ids = [task_id for task_id in ids if task_id in theirs]
        mine = desk.claim(session, actor(), ids)
        items = [read_item(session, task_id) for task_id in ids if task_id in mine]
        for item in items:
            if item.entity.phi:
                _audit(session, item, "task:delivered")
        return items

    items = database().run(work)
    _note_shown()
    contexts = [_context(item) for item in items]
    return make_response(render_template("task/_ahead.html", contexts=contexts, said=said, then=then, **_tray()))


# Of those that the browser names, the ones that were delivered to this person: it could name any.
_DELIVERED: LiteralString = (
    "select t.id, t.domain, t.goldens from task t where t.id = any(%(ids)s::uuid[]) and exists (select 1 from audit a where"
    " a.subjects && t.goldens and a.principal = %(me)s and a.action = 'task:delivered' and a.detail ->> 'task' = t.id::text"
    " and a.at > now() - interval '12 hours')"
)


def _note_shown() -> None:
    """Items that were delivered ahead and have been looked at since: who saw whom."""
    shown = [uuid_of(each) for each in request.form.get("shown", "").split(",") if each][: AHEAD_MAX * 4]

    def work(session: Session) -> None:
        for task_id, domain, goldens in fetch(session, _DELIVERED, {"ids": array(shown), "me": actor().name}):
            detail = {"task": str(task_id)}
            audit.record(session, actor(), "task:shown", domain=domain, subjects=goldens, request_id=request_id(), detail=detail)

    if shown:
        database().run(work)


def view_query() -> str:
    """The list that the steward works through, as its address has it: known filters only."""
    given = dict(parse_qsl(request.values.get("list", "")))
    return urlencode({name: value for name, value in given.items() if name in _FILTERS and value})


def _filters() -> Filters:
    return Filters(**dict(parse_qsl(view_query())))
