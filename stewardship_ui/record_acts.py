"""What a steward does to a golden record from its page: pin a value, take a decision back, say or end a relationship.

What is refused comes back with the page as it is now, and with what was typed.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from http import HTTPStatus
from typing import Any
from uuid import UUID

from flask import Blueprint, redirect, request
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from api.context import actor, concord, database, request_id, uuid_of
from api.crosswalk import entity_of
from api.errors import status_of
from api.identity import delete_decision, delete_pin
from mdm import pins, policy, relate
from mdm.access import Verb
from mdm.entities import ENTITY_TYPES
from mdm.entity import Attribute, EntityType
from mdm.errors import ConcordError, Conflict, Invalid, NotFound, Stale
from mdm.identity import Act
from mdm.reasons import REASON_MAX
from mdm.statements import Assertion
from mdm.undo import HOLD
from mdm.values.kind import clean_text
from stewardship_ui.finder import find
from stewardship_ui.record import BODIES, address, page, read
from stewardship_ui.rendering import Page


def add_routes(blueprint: Blueprint) -> None:
    at = "/records/<domain>/<golden_id>"
    for rule, name, view in (
        ("/pins/<attribute>", "pin_value", pin_value),
        ("/pins/<attribute>/end", "unpin_value", unpin_value),
        ("/decisions/<decision_id>/undo", "undo_from_record", undo_from_record),
        ("/relationships/find", "find_relation", find_relation),
        ("/relationships", "add_relationship", add_relationship),
        ("/relationships/<claim_id>/end", "end_relationship", end_relationship),
    ):
        blueprint.add_url_rule(at + rule, name, view, methods=["POST"])


def pin_value(domain: str, golden_id: str, attribute: str) -> Response | Page:
    entity, wanted = _asked(domain, golden_id)

    def work(session: Session) -> None:
        declared = next((each for each in entity.attributes if each.name == attribute), None)
        if declared is None:
            raise NotFound
        policy.check_visible(session, actor(), [wanted])
        value = _value(session, wanted, declared)
        pins.pin(session, entity, wanted, pins.NewPin(attribute, value, _until(attribute)), _act(f"reason-{attribute}"))

    return _done(entity, wanted, "values", lambda: database().run(work))


def _value(session: Session, golden_id: UUID, declared: Attribute) -> str | list[str]:
    """What was typed, or what the chosen record says, which whoever chose it may have seen masked only."""
    typed, record = clean_text(request.form.get(f"value-{declared.name}", "")), request.form.get(f"record-{declared.name}", "")
    if record and not typed:
        return pins.picked(session, [golden_id], {declared.name: uuid_of(record)})[declared.name]
    return [part for part in typed.split("; ") if part] if declared.many else typed


def _until(attribute: str) -> datetime | None:
    """A pin holds to the end of its last day."""
    last = day(f"until-{attribute}")
    return None if last is None else datetime.combine(last, time.max, UTC)


def unpin_value(domain: str, golden_id: str, attribute: str) -> Response | Page:
    entity, wanted = _asked(domain, golden_id)
    body = {"reason": reason(f"reason-{attribute}"), "dry_run": False}
    return _done(entity, wanted, "values", lambda: delete_pin(entity, body, golden_id=golden_id, attribute=attribute))


def undo_from_record(domain: str, golden_id: str, decision_id: str) -> Response | Page:
    entity, wanted = _asked(domain, golden_id)
    body = {"reason": reason(f"reason-{decision_id}"), "dry_run": False}
    return _done(entity, wanted, "history", lambda: delete_decision(body, decision_id=decision_id))


def find_relation(domain: str, golden_id: str) -> Page:
    """Golden records that the other end of a relationship could be; what was looked for stands in no address."""
    entity, wanted = _asked(domain, golden_id)
    if entity.relationship(request.form.get("type", "")) is None:
        raise Invalid("This domain has no such relationship.")

    def work(session: Session) -> Page:
        found = read(session, entity, wanted)
        return page(found, "relationships", {**BODIES["relationships"](session, found), **_looked_for(session, entity)})

    return database().run(work)


def _looked_for(session: Session, entity: EntityType) -> dict[str, Any]:
    """What was looked for and what was found, for the form that says which of these is meant."""
    rule, text = entity.relationship(request.form.get("type", "")), clean_text(request.form.get("text", ""))
    if rule is None or not text:
        return {}
    said = {"type": rule.name, "text": text, "hierarchy": rule.hierarchy}
    return {"found_lines": find(session, ENTITY_TYPES[rule.target], text), "said": said}


def add_relationship(domain: str, golden_id: str) -> Response | Page:
    entity, wanted = _asked(domain, golden_id)

    def act() -> object:
        author = relate.Author(actor(), reason("reason"), request_id())
        rule = entity.relationship(request.form.get("type", ""))
        tree = (clean_text(request.form.get("tree", "")) or None) if rule is not None and rule.hierarchy else None
        target = uuid_of(request.form.get("target", ""))
        said = Assertion(request.form.get("type", ""), None, None, target, tree, day("valid_from"), day("valid_to"))
        return database().run(lambda session: relate.relate(session, entity, wanted, author, said))

    return _done(entity, wanted, "relationships", act, lambda session: _looked_for(session, entity))


def end_relationship(domain: str, golden_id: str, claim_id: str) -> Response | Page:
    entity, wanted = _asked(domain, golden_id)
    claim, author = uuid_of(claim_id), relate.Author(actor(), reason(f"why-{claim_id}"), request_id())
    return _done(
        entity, wanted, "relationships", lambda: database().run(lambda session: relate.end(session, claim, author, day(f"on-{claim_id}")))
    )


def _asked(domain: str, golden_id: str) -> tuple[EntityType, UUID]:
    entity = entity_of(concord().entities, domain)
    policy.check(actor(), Verb.DECIDE, entity.name)
    return entity, uuid_of(golden_id)


def reason(field: str) -> str:
    text = clean_text(request.form.get(field, ""))
    if len(text) > REASON_MAX:
        raise Invalid(f"The reason is longer than {REASON_MAX} characters.")
    return text


def day(field: str) -> date | None:
    """A day of a form; raises Invalid for what is none."""
    text = request.form.get(field, "").strip()
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise Invalid("A day is written 2026-03-31.") from None


def version(field: str = "if_match") -> int:
    text = request.form.get(field, "")
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Stale
    return int(text)


def _act(field: str) -> Act:
    return Act(actor=actor(), reason=reason(field), request_id=request_id(), if_match=version(), hold=HOLD)


def _nothing_more(session: Session) -> Mapping[str, Any]:
    del session
    return {}


def _done(
    entity: EntityType,
    golden_id: UUID,
    tab: str,
    act: Callable[[], object],
    beside: Callable[[Session], Mapping[str, Any]] = _nothing_more,
) -> Response | Page:
    """Do it and show the tab again; refused, the tab says why, with what stood `beside` it."""
    try:
        act()
    except (Conflict, Invalid) as error:
        told, refused = remedy(error), status_of(error)
    else:
        told, refused = "", HTTPStatus.OK

    def work(session: Session) -> Response | Page:
        found = read(session, entity, golden_id)
        if not told:
            return redirect(address(found, tab), HTTPStatus.SEE_OTHER)
        return page(found, tab, {**BODIES[tab](session, found), **beside(session)}, status=refused, problem=told)

    return database().run(work)


def remedy(error: ConcordError) -> str:
    if isinstance(error, Stale):
        return "This changed while you had it open. Look at what is true now, then do it again; nothing was stored."
    told = "; ".join(problem.message for problem in error.problems)
    return f"{error.message}: {told}" if told and isinstance(error, Conflict) else told or error.message
