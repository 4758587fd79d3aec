"""Mappings: how far each system's values are known, and the workbench in which a steward settles what is not, the most asked for first.

What was looked for, a prefix, a value: all of it is posted; an address names a system, a domain and a task, nothing else.
"""

import secrets
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from uuid import UUID

from flask import Blueprint, redirect, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from api.context import actor, concord, database, request_id, uuid_of
from api.crosswalk import entity_of
from api.errors import status_of
from api.identity import delete_decision
from api.tasks import get_one
from mdm import mapwork, policy, verdicts
from mdm.access import Verb
from mdm.entity import EntityType
from mdm.errors import Conflict, Forbidden, Invalid, NotFound, Stale, Unguarded
from mdm.golden import SearchHit
from mdm.mapping_sets import is_open, list_sets
from mdm.reading import Reader
from mdm.tasks import Ruling, TaskView
from mdm.values.kind import clean_text
from mdm.verdicts import Form
from stewardship_ui.finder import find
from stewardship_ui.record_acts import day, reason, remedy, version
from stewardship_ui.rendering import Page, show, wants_part
from stewardship_ui.words import LIKENESSES

LEAST = (("0.95", "exactly the same value"), ("0.9", "or as earlier mappings"), ("0.85", "or the same but for its form"))


def add_routes(blueprint: Blueprint) -> None:
    at = "/mappings/<system>/<domain>"
    blueprint.add_url_rule("/mappings", "mappings", mappings, methods=["GET"])
    blueprint.add_url_rule(at, "workbench", workbench, methods=["GET"])
    blueprint.add_url_rule(f"{at}/plan", "planned_mapping", planned_mapping, methods=["GET"])
    for rule, name, view in (
        ("/find", "find_target", find_target),
        ("/<task_id>/decision", "map_code", map_code),
        ("/undo", "undo_mapping", undo_mapping),
        ("/plan", "plan_mapping", plan_mapping),
        ("/apply", "apply_mapping", apply_mapping),
    ):
        blueprint.add_url_rule(at + rule, name, view, methods=["POST"])


def mappings() -> Page:
    policy.check(actor(), Verb.READ)

    def work(session: Session) -> dict[str, Any]:
        sets = [view for view in list_sets(session) if is_open(actor(), Verb.READ, view.definition)]
        return {"reach": mapwork.coverage(session, actor()), "sets": sets}

    return show("mappings", entities=concord().entities, section="ui.mappings", **database().run(work))


def workbench(system: str, domain: str) -> Page | tuple[str, int, dict[str, str]]:
    """The queue and one code. A part that follows a decision brings its own address, so that it can be opened again."""
    found, code = _page(system, domain, request.args.get("code", "")), request.args.get("code")
    return (*found, {"HX-Replace-Url": url_for("ui.workbench", system=system, domain=domain, code=code)}) if wants_part() else found


def find_target(system: str, domain: str) -> Page:
    """The same code, with golden records that are called as was typed."""
    text = clean_text(request.form.get("text", ""))
    return _page(system, domain, request.form.get("code", ""), text=text)


def map_code(system: str, domain: str, task_id: str) -> Response | Page:
    """Settle one code; the next one follows."""
    entity = entity_of(concord().entities, domain)
    try:
        policy.check(actor(), Verb.DECIDE, entity.name)
        task, form = _task(task_id, entity, system), Form(key=request.form.get("idempotency_key", ""), ruling=_ruling())
        told = database().run(lambda session: verdicts.settle(session, entity, task.id, actor(), form, request_id())).told
    except (Conflict, Invalid, Unguarded, Forbidden) as error:
        return _page(system, domain, task_id, problem=remedy(error), status=status_of(error))
    return _go_on(entity, system, task.id, _say(told))


def _go_on(entity: EntityType, system: str, task_id: UUID, say: str) -> Response:
    following = database().run(lambda session: mapwork.after(session, entity, system, task_id))
    return redirect(url_for("ui.workbench", system=system, domain=entity.name, code=following, say=say), HTTPStatus.SEE_OTHER)


def _say(told: Mapping[str, Any]) -> str:
    if told["outcome"] in {"proposed", "disagreed"}:
        return str(told["outcome"])
    return "mapped" if told["verdict"] == "map" else "aside"


def _ruling() -> Ruling:
    """The button that was pressed: a verdict, and the golden record it names."""
    verdict, _, candidate = request.form.get("ruling", "").partition(" ")
    return Ruling(verdict, version(), uuid_of(candidate) if candidate else None, reason("reason"), day("until"))


def _task(task_id: str, entity: EntityType, system: str) -> TaskView:
    """A mapping task of this system and domain, as the API reads it: in scope, and audited where it is of patients."""
    found: TaskView = get_one(task_id=task_id)[0]
    asked = found.detail.get("target") or found.detail.get("system")
    if found.domain != entity.name or found.kind != "mapping" or asked != system:
        raise NotFound
    return found


def undo_mapping(system: str, domain: str) -> Response | Page:
    """Take back one's own latest act in this queue, be it one code or a hundred."""
    entity = entity_of(concord().entities, domain)
    policy.check(actor(), Verb.DECIDE, entity.name)
    decision, batch = request.form.get("decision", ""), request.form.get("batch", "")
    try:
        if batch:
            database().run(lambda session: mapwork.undo_batch(session, entity, _reader(), uuid_of(batch)))
        else:
            delete_decision({"reason": "", "dry_run": False}, decision_id=decision)
    except Conflict as error:
        return _page(system, domain, "", problem=remedy(error), status=status_of(error))
    return redirect(url_for("ui.workbench", system=system, domain=domain, say="undone"), HTTPStatus.SEE_OTHER)


def plan_mapping(system: str, domain: str) -> Response | Page:
    """What one act would make of all open codes that begin alike; nothing is stored.

    As many letters of the code on the screen have an address, to come back to; another prefix is answered here, and stands in none.
    """
    entity = entity_of(concord().entities, domain)
    policy.check(actor(), Verb.DECIDE, entity.name)
    prefix, chosen = clean_text(request.form.get("prefix", "")), request.form.get("target", "")
    code = request.form.get("code", "")
    if code and prefix and _task(code, entity, system).detail.get("value", "").startswith(prefix):
        where = url_for("ui.planned_mapping", system=system, domain=domain, code=code, letters=len(prefix), target=_target(chosen))
        return redirect(where, HTTPStatus.SEE_OTHER)
    return _plan(entity, system, prefix, chosen, code)


def planned_mapping(system: str, domain: str) -> Page:
    entity = entity_of(concord().entities, domain)
    policy.check(actor(), Verb.DECIDE, entity.name)
    code, letters = request.args.get("code", ""), request.args.get("letters", "")
    value = _task(code, entity, system).detail.get("value", "")
    prefix = value[: int(letters)] if letters.isdecimal() and len(letters) < 4 else ""
    return _plan(entity, system, prefix, request.args.get("target", ""), code)


def _target(chosen: str) -> str | UUID:
    """A least score or a golden id: an address holds nothing else. Raises NotFound."""
    return chosen if chosen in dict(LEAST) else uuid_of(chosen)


def _plan(entity: EntityType, system: str, prefix: str, chosen: str, code: str) -> Page:
    try:
        named = _target(chosen)
        target: UUID | float = named if isinstance(named, UUID) else float(named)
        found = database().run(lambda session: mapwork.plan(session, entity, _reader(), system, prefix, target))
    except Invalid as error:
        return _page(system, entity.name, code, problem=remedy(error), status=status_of(error))
    return show("plan", system=system, entity=entity, prefix=prefix, plan=found, reasons=LIKENESSES, section="ui.mappings")


def apply_mapping(system: str, domain: str) -> Response | Page:
    entity = entity_of(concord().entities, domain)
    policy.check(actor(), Verb.DECIDE, entity.name)
    wanted = [_item(text) for text in request.form.getlist("item")]
    try:
        done = database().run(lambda session: mapwork.apply(session, entity, _reader(), wanted, reason("reason")))
    except (Conflict, Invalid) as error:
        return _page(system, domain, "", problem=remedy(error), status=status_of(error))
    say = f"{done.done}-mapped" + (f"-{done.skipped}-skipped" if done.skipped else "")
    return redirect(url_for("ui.workbench", system=system, domain=domain, say=say), HTTPStatus.SEE_OTHER)


def _item(text: str) -> tuple[UUID, int, UUID]:
    """Task, its version and the golden record, as the plan was shown."""
    task_id, _, rest = text.partition(" ")
    seen, _, golden_id = rest.partition(" ")
    if not (seen.isascii() and seen.isdigit() and len(seen) < 10):
        raise Stale
    return uuid_of(task_id), int(seen), uuid_of(golden_id)


def _page(system: str, domain: str, code: str, *, text: str = "", problem: str = "", status: int = HTTPStatus.OK) -> Page:
    entity = entity_of(concord().entities, domain)

    def work(session: Session) -> dict[str, Any]:
        return {
            "reach": mapwork.reach(session, actor(), entity.name, system),
            "queue": mapwork.queue(session, entity, _reader(), system, request.args.get("cursor")),
            "last": mapwork.last(session, entity, actor(), system),
            "found": find(session, entity, text) if text and policy.can(actor(), Verb.SEARCH, entity.name) else (),
        }

    held = database().run(work)
    chosen = _chosen(entity, system, code, held["queue"].items)
    return show(
        "workbench",
        status,
        system=system,
        entity=entity,
        code=chosen,
        form_key=secrets.token_urlsafe(18),
        candidates=_candidates(chosen, held["found"]),
        text=text,
        reasons=LIKENESSES,
        least=LEAST,
        may_decide=policy.can(actor(), Verb.DECIDE, entity.name),
        problem=problem,
        said=_said(request.args.get("say", "")),
        reason=request.form.get("reason", ""),
        until=request.form.get("until", ""),
        section="ui.mappings",
        **held,
    )


def _chosen(entity: EntityType, system: str, code: str, queue: Sequence[mapwork.Code]) -> TaskView | None:
    """The code that is asked for, else the first of the queue. One settled meanwhile is shown as what became of it."""
    if code:
        return _task(code, entity, system)
    return _task(str(queue[0].task_id), entity, system) if queue else None


def _candidates(chosen: TaskView | None, found: Sequence[SearchHit]) -> list[Mapping[str, Any]]:
    """What was looked for before what is suggested: at most nine have a key each."""
    looked = [{"golden_id": str(hit.id), "display": hit.display, "reason": "", "score": None, "system": "", "value": ""} for hit in found]
    known = {each["golden_id"] for each in looked}
    suggested = () if chosen is None else chosen.detail.get("candidates", ())
    return [*looked, *(each for each in suggested if each["golden_id"] not in known)]


def _said(say: str) -> str:
    """What has just been done, in words; an address can say nothing else."""
    plain = {
        "mapped": "Mapped. z to undo",
        "aside": "Set aside. z to undo",
        "undone": "Taken back",
        "proposed": "Proposed: a second person decides",
        "disagreed": "The two of you disagree; see the comments of the task",
    }
    numbers = [part for part in say.split("-") if part.isascii() and part.isdigit() and len(part) < 5]
    if say not in plain and numbers:
        skipped = f", {numbers[1]} had been settled by others" if len(numbers) > 1 else ""
        return f"{numbers[0]} codes mapped{skipped}. z to undo"
    return plain.get(say, "")


def _reader() -> Reader:
    return Reader(actor(), request_id())
