"""What one may see for once: a value on a key, a domain for a while. And proving once more who one is, where that is wanted."""

from http import HTTPStatus
from uuid import UUID

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as Redirect

from api.context import actor, concord, database, request_id, uuid_of
from mdm import audit, authentication, casework, glass, policy
from mdm.access import Verb
from mdm.errors import Invalid, NotFound
from mdm.evidence import Row
from mdm.reading import Reader
from mdm.values.kind import clean_text
from stewardship_ui.guard import PROOF, check_fresh, our_address, proved
from stewardship_ui.item import reader_of, visible
from stewardship_ui.me import me
from stewardship_ui.rendering import Page, show


def add_routes(blueprint: Blueprint) -> None:
    add = blueprint.add_url_rule
    add("/tasks/<task_id>/reveal", "reveal", reveal, methods=["POST"])
    add("/break-glass", "break_glass", break_glass, methods=["GET"])
    add("/break-glass", "open_glass", open_glass, methods=["POST"])
    add("/break-glass/end", "end_glass", end_glass, methods=["POST"])
    add("/step-up", "step_up", step_up, methods=["GET"])
    add("/step-up", "prove", prove, methods=["POST"])
    add("/me/factor", "set_factor", set_factor, methods=["POST"])


def reveal(task_id: str) -> Response:
    """One row of a pair with its values whole, for thirty seconds; the task is the reason."""
    check_fresh()
    wanted, attribute = uuid_of(task_id), request.form.get("attribute", "")
    candidate = request.form.get("candidate", "")

    def work(session: Session) -> Row:
        task = visible(session, wanted)
        if not task.goldens:
            raise NotFound
        entity = concord().entities[task.domain]
        other = uuid_of(candidate) if candidate else task.goldens[1] if len(task.goldens) > 1 else task.goldens[0]
        shown = glass.Shown((task.goldens[0], other), attribute, f"task {task.id}")
        glass.reveal(session, entity, actor(), shown, request_id())
        reader = Reader(glass.unmasked(reader_of(task.domain).actor), request_id())
        case = casework.pair(session, entity, reader, task.goldens[0], _candidate(task.goldens, other))
        found = [row for row in case.rows if row.name == attribute]
        if not found:
            raise NotFound
        return found[0]

    row = database().run(work)
    return make_response(render_template("task/_row.html", row=row, revealed=glass.REVEAL_SECONDS, typed={}))


def _candidate(goldens: tuple[UUID, ...], asked: UUID) -> UUID:
    if asked not in goldens[1:]:
        raise NotFound
    return asked


def break_glass(problem: str = "", status: int = HTTPStatus.OK) -> Page:
    domains = [entity for name, entity in concord().entities.items() if entity.phi and policy.can(actor(), Verb.READ, name)]
    back = our_address(request.values.get("back", ""))
    return show("break_glass", status, domains=domains, problem=problem, typed=request.form, back=back, most=glass.MINUTES_MAX)


def open_glass() -> Page | Redirect:
    check_fresh()
    sent = request.form
    minutes = int(sent["minutes"]) if sent.get("minutes", "").isdecimal() and len(sent["minutes"]) < 4 else 0
    reason, ticket = clean_text(sent.get("reason", "")), clean_text(sent.get("ticket", ""))
    try:
        database().run(lambda session: glass.open_glass(session, actor(), sent.get("domain", ""), reason, ticket, minutes))
    except Invalid as error:
        return break_glass(error.problems[0].message, HTTPStatus.UNPROCESSABLE_ENTITY)
    return redirect(our_address(sent.get("back", "")) or url_for("ui.tasks"), HTTPStatus.SEE_OTHER)


def end_glass() -> Redirect:
    database().run(lambda session: glass.end(session, actor()))
    return redirect(our_address(request.form.get("back", "")) or url_for("ui.tasks"), HTTPStatus.SEE_OTHER)


WRONG = "That was not right. After too many attempts the account is locked for a while."


def step_up(problem: str = "", status: int = HTTPStatus.OK) -> Page:
    """Then back to where one was."""
    fields = [("back", our_address(request.values.get("back", "")))]
    return _asked(problem, status, address=url_for("ui.prove"), fields=fields, proof="proof")


def held_up(*, wrong: bool) -> Page:
    """A form that wants a fresh proof waits in the page that asks for it, and goes on with it: nothing is typed again."""
    fields = [(name, value) for name, value in request.form.items(multi=True) if name not in {"csrf", PROOF}]
    return _asked(WRONG if wrong else "", HTTPStatus.FORBIDDEN, address=request.path, fields=fields, proof=PROOF)


def _asked(problem: str, status: int, **form: object) -> Page:
    with_code = database().run(lambda session: authentication.has_second_factor(session, actor().id))
    return show("step_up", status, problem=problem, with_code=with_code, **form)


def prove() -> Page | Redirect:
    if not proved(request.form.get("proof", "")):
        return step_up(WRONG, HTTPStatus.FORBIDDEN)
    return redirect(our_address(request.form.get("back", "")) or url_for("ui.tasks"), HTTPStatus.SEE_OTHER)


def set_factor() -> Redirect | Page:
    """A second factor from now on: the secret was shown once, and a code proves that it arrived."""
    check_fresh()
    secret, code = request.form.get("secret", ""), request.form.get("code", "")

    def work(session: Session) -> bool:
        done = authentication.set_second_factor(session, actor().id, secret, code)
        audit.record(session, actor(), "session:second_factor", request_id=request_id(), outcome="done" if done else "refused")
        return done

    if not database().run(work):
        return me("That code is not of this secret. Type the one that your authenticator shows now.", HTTPStatus.UNPROCESSABLE_ENTITY)
    return redirect(url_for("ui.me", _anchor="factor"), HTTPStatus.SEE_OTHER)
