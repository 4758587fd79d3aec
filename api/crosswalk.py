"""Crosswalk lookups, one at a time or ten thousand at once, and validation of codes.

Values of patients stand in bodies only: the GET form of a lookup does not exist for them. `api/hot.py` answers most of these requests
before Flask sees them; both make their answers with `reply` and `translation`, so that nobody can tell them apart.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from http import HTTPStatus
from typing import Any, NamedTuple, cast
from uuid import UUID

from flask import Flask, Response, current_app
from marshmallow import Schema, fields, validate

from api import budget
from api.auth import Access
from api.context import actor, concord, database, request_id, uuid_of
from api.errors import PROBLEM_TYPE, problem
from api.routing import Answer as Dumped
from api.routing import Operation, add, new_blueprint
from api.schemas import TEXT_MAX, Rows, text
from mdm import consult, tickets
from mdm.access import Verb
from mdm.consult import Asker, Consulted
from mdm.crosswalk import Answer, Outcome
from mdm.db import Database
from mdm.entity import EntityType
from mdm.errors import FieldProblem, Invalid, UnknownDomain
from mdm.jsonio import dumps
from mdm.misses import Misses
from mdm.question import TARGETS_MAX, VALUES_MAX, Question
from mdm.standardise import KEY_LENGTH_MAX
from mdm.tickets import Ticket
from mdm.validity import Reason

LOOKUP_RULE = "/v1/crosswalk/<string:domain>/<string:system>/<path:value>"
JSON_TYPE = "application/json"
ON_MISS = ("report", "ignore")
HOLD = "hold"
WAIT_SECONDS_MAX = 20
_POLL_SECONDS = 0.25
_WAITING = threading.BoundedSemaphore(2)  # of a process's four threads: whoever waits beyond that is answered at once
_MISSES = "concord.misses"
_UNKNOWN: Mapping[str, str] = {
    Outcome.UNKNOWN_VALUE: "No golden record holds this value.",
    Outcome.UNKNOWN_SYSTEM: "No identifier system has this code or alias.",
}


class Reply(NamedTuple):
    """An answer as it leaves."""

    status: int
    content_type: str
    body: bytes


class Systems(fields.List[Any]):
    """Several systems, or just one."""

    def __init__(self, **options: Any) -> None:
        one = {"type": "string", "minLength": 1, "maxLength": TEXT_MAX}
        shape = {"oneOf": [one, {"type": "array", "items": one, "maxItems": TARGETS_MAX}]}
        size = validate.Length(max=TARGETS_MAX)
        super().__init__(text(shortest=1), validate=size, metadata={"description": "Codes or aliases.", **shape}, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> list[Any]:
        return cast("list[Any]", super()._deserialize([value] if isinstance(value, str) else value, attr, data, **kwargs))


def _known_at() -> fields.AwareDateTime:
    told = "As Concord knew it at this moment, with a time zone. The answer is the one that was given then, but for pending_review, which"
    return fields.AwareDateTime(load_default=None, allow_none=True, metadata={"description": f"{told} is only ever said of the present."})


class LookupQuery(Schema):
    """Into which systems, and as of which day (today)."""

    to = fields.List(text(shortest=1), load_default=list, validate=validate.Length(max=TARGETS_MAX))
    as_of = fields.Date(load_default=None)
    known_at = _known_at()
    on_miss = fields.String(load_default=ON_MISS[0], validate=validate.OneOf(ON_MISS))


class LookupSchema(Schema):
    """One value of one system, and the systems it is wanted in."""

    domain = text(shortest=1, required=True)
    system = text(shortest=1, required=True)
    value = text(KEY_LENGTH_MAX, shortest=1, required=True)
    to = Systems(load_default=list)
    as_of = fields.Date(load_default=None, allow_none=True)
    known_at = _known_at()
    on_miss = fields.String(
        load_default=ON_MISS[0],
        validate=validate.OneOf([*ON_MISS, HOLD]),
        metadata={"description": "hold (by grant): park the question under a ticket, if nothing is found."},
    )


class TranslateSchema(Schema):
    """Many values of one system. A value that nothing can match gets its own outcome and does not stop the others."""

    domain = text(shortest=1, required=True)
    source = text(shortest=1, required=True, data_key="from")
    to = Systems(required=True)
    values = Rows(fields.String(), required=True, validate=validate.Length(max=VALUES_MAX))
    as_of = fields.Date(load_default=None, allow_none=True)
    known_at = _known_at()
    on_miss = fields.String(load_default=ON_MISS[0], validate=validate.OneOf(ON_MISS))


class ValidateSchema(Schema):
    """A value that somebody is about to use, and the day it is for (today)."""

    domain = text(shortest=1, required=True)
    system = text(shortest=1, required=True)
    value = text(KEY_LENGTH_MAX, shortest=1, required=True)
    on = fields.Date(load_default=None, allow_none=True)


class TargetSchema(Schema):
    """What the golden record is called in another system."""

    system = fields.String(required=True)
    value = fields.String(required=True)
    valid_from = fields.Date(required=True, allow_none=True)
    valid_to = fields.Date(required=True, allow_none=True)


class FlagsSchema(Schema):
    """Only what applies is present."""

    redirected_from = fields.UUID(metadata={"description": "The golden id that was asked for; it was merged into golden_id."})
    pending_review = fields.Boolean(metadata={"description": "A review waits for a person now; never said with known_at."})
    inactive = fields.Boolean()
    valid_from = fields.Date()
    valid_to = fields.Date()
    not_effective = fields.Boolean(metadata={"description": "The value is known, but not valid on the day."})
    target_inactive = fields.Boolean()
    target_not_effective = fields.Boolean()
    unknown_systems = fields.List(fields.String())
    hint = fields.String(metadata={"description": "Why the value cannot be right: check_digit, format, not_understood ..."})


class AnswerSchema(Schema):
    """What was found. Only the targets of `found` may be used without a person."""

    outcome = fields.String(required=True, validate=validate.OneOf([outcome.value for outcome in Outcome]))
    golden_id = fields.UUID(required=True, allow_none=True)
    targets = fields.List(fields.Nested(TargetSchema), required=True)
    flags = fields.Nested(FlagsSchema, required=True)
    candidates = fields.List(fields.UUID(), metadata={"description": "The golden records that claim the value."})


class HeldSchema(Schema):
    """A parked question."""

    id = fields.UUID(required=True)
    status = fields.String(required=True, validate=validate.OneOf(["pending", "rejected"]))


class HeldAnswerSchema(AnswerSchema):
    """Nothing was found. Poll the ticket, or wait for the event `crosswalk.resolved` that names it."""

    ticket = fields.Nested(HeldSchema, required=True)


class WaitQuery(Schema):
    """How long to wait for the end of a pending ticket, in seconds; the answer may come sooner while others wait."""

    wait = fields.Float(load_default=0, allow_nan=False, validate=validate.Range(0, WAIT_SECONDS_MAX))


class TicketSchema(Schema):
    """Where a parked question stands. `answer` is there once it is resolved: what the same lookup finds now."""

    id = fields.UUID(required=True)
    status = fields.String(required=True, validate=validate.OneOf(["pending", "resolved", "rejected", "expired"]))
    created_at = fields.AwareDateTime(required=True)
    expires_at = fields.AwareDateTime(required=True)
    answer = fields.Nested(AnswerSchema, required=True, allow_none=True)


class TranslatedSchema(AnswerSchema):
    """One value's answer."""

    value = fields.String(required=True)


class TranslationSchema(Schema):
    """One result per value, in order, all of one moment."""

    results = fields.List(fields.Nested(TranslatedSchema), required=True)


class VerdictSchema(Schema):
    """Valid, or why not, and what to use instead."""

    valid = fields.Boolean(required=True)
    reason = fields.String(required=True, allow_none=True, validate=validate.OneOf([reason.value for reason in Reason]))
    replaced_by = fields.String(required=True, allow_none=True)
    golden_id = fields.UUID(required=True, allow_none=True)


def blueprint() -> Any:
    made = new_blueprint("crosswalk", "", "Identifiers of one system in the terms of another.")
    access = Access(Verb.LOOKUP)
    one = Operation(
        name="get", summary="Look one value up", access=access, query=LookupQuery, answer=AnswerSchema, refusals=(404, 405, 422)
    )
    lookup = Operation(
        name="lookup",
        summary="Look one value up; with on_miss hold, what nobody knows is parked: 202 and a ticket",
        access=access,
        body=LookupSchema,
        answer=AnswerSchema,
        also=((HTTPStatus.ACCEPTED, HeldAnswerSchema),),
        refusals=(404, 429),
    )
    ticket = Operation(
        name="get_ticket", summary="Where a parked question stands", access=access, query=WaitQuery, answer=TicketSchema, refusals=(404,)
    )
    many = Operation(
        name="translate", summary="Look many values up", access=access, body=TranslateSchema, answer=TranslationSchema, refusals=(404, 429)
    )
    verdict = Operation(
        name="validate",
        summary="Is this code good on this day?",
        access=access,
        body=ValidateSchema,
        answer=VerdictSchema,
        refusals=(404, 429),
    )
    add(made, "GET", "/v1/crosswalk/tickets/<ticket_id>", get_ticket, ticket)
    add(made, "GET", LOOKUP_RULE, get_one, one)
    add(made, "POST", "/v1/crosswalk/lookup", look_up, lookup)
    add(made, "POST", "/v1/crosswalk/translate", translate, many)
    add(made, "POST", "/v1/crosswalk/validate", validate_value, verdict)
    return made


def get_one(query: Mapping[str, Any], domain: str, system: str, value: str) -> Dumped:
    entity = entity_of(concord().entities, domain)
    if entity.phi:
        return use_post()
    if len(value) > KEY_LENGTH_MAX:
        raise Invalid(problems=(FieldProblem("too_long", "/value", f"at most {KEY_LENGTH_MAX} characters"),))
    question = Question(entity, system, tuple(query["to"]), (value,), *_times(query))
    return _response(reply(_consult(question, query["on_miss"]).answers[0]))


def look_up(body: Mapping[str, Any]) -> Dumped:
    entity = entity_of(concord().entities, body["domain"])
    question = Question(entity, body["system"], tuple(body["to"]), (body["value"],), *_times(body))
    if body["on_miss"] == HOLD:
        return _response(_hold(question, body["as_of"]))
    return _response(Reply(HTTPStatus.OK, JSON_TYPE, dumps(_consult(question, body["on_miss"]).answers[0])))


def translate(body: Mapping[str, Any]) -> Dumped:
    entity = entity_of(concord().entities, body["domain"])
    _check_texts(body["values"])
    question = Question(entity, body["source"], tuple(body["to"]), body["values"], *_times(body))
    return _response(translation(body["values"], _consult(question, body["on_miss"]).answers))


def validate_value(body: Mapping[str, Any]) -> Dumped:
    entity = entity_of(concord().entities, body["domain"])
    question = Question(entity, body["system"], (), (body["value"],), body["on"] or today())
    asker = Asker(actor(), request_id())
    budget.take(entity, 1)
    verdict = database().run(lambda session: consult.verify(session, asker, question))
    budget.note_unknown(entity, int(verdict.reason is Reason.UNKNOWN_VALUE))
    return verdict


def _consult(question: Question, on_miss: str) -> Consulted:
    asker = Asker(actor(), request_id())
    budget.take(question.entity, len(question.values))
    found = database().run(lambda session: consult.consult(session, asker, question))
    budget.note_unknown(question.entity, sum(answer["outcome"] == Outcome.UNKNOWN_VALUE for answer in found.answers))
    if found.missed and on_miss == ON_MISS[0] and question.known_at is None:
        misses(current_app, database()).count(found.missed, asker.actor.name, found.targets)
    return found


def _times(asked: Mapping[str, Any]) -> tuple[date, datetime | None]:
    """The day and the moment that are asked about: without a day, the present one, or that of the moment."""
    known_at = asked["known_at"]
    return asked["as_of"] or (today() if known_at is None else known_at.astimezone(UTC).date()), known_at


def _hold(question: Question, as_of: date | None) -> Reply:
    """Look up and, if nothing is found, park the question. Whatever became known in between is looked up again."""
    asker = Asker(actor(), request_id())
    tickets.check_may_hold(asker)
    if question.known_at is not None:
        raise Invalid(problems=(FieldProblem("not_with_known_at", "/on_miss", "a question about the past cannot wait for an answer"),))
    found = _consult(question, ON_MISS[1])
    if found.missed:
        held = database().run(lambda session: tickets.hold(session, asker, question, found, as_of))
        misses(current_app, database()).watch([held.written])
        if held.ticket is not None:
            ticket = {"id": held.ticket.id, "status": held.ticket.status}
            return Reply(HTTPStatus.ACCEPTED, JSON_TYPE, dumps({**found.answers[0], "ticket": ticket}))
        found = _consult(question, ON_MISS[1])
    return Reply(HTTPStatus.OK, JSON_TYPE, dumps(found.answers[0]))


def get_ticket(query: Mapping[str, Any], *, ticket_id: str) -> Dumped:
    wanted, asker = uuid_of(ticket_id), Asker(actor(), request_id())
    ticket = _settled_ticket(asker, wanted, query["wait"])
    entity = concord().entities.get(ticket.domain)
    answer = None
    if ticket.status == "resolved" and entity is not None:
        answer = database().run(lambda session: tickets.answer(session, asker, entity, ticket, today()))
    told = {"id": ticket.id, "status": ticket.status, "created_at": ticket.created_at, "expires_at": ticket.expires_at, "answer": answer}
    return _response(Reply(HTTPStatus.OK, JSON_TYPE, dumps(told)))


def _settled_ticket(asker: Asker, ticket_id: UUID, seconds: float) -> Ticket:
    """The ticket, as soon as it is no longer pending or the time is up; between two looks nothing is held but this thread."""
    ticket = database().run(lambda session: tickets.read(session, asker, ticket_id))
    if ticket.status != "pending" or seconds == 0 or not _WAITING.acquire(blocking=False):
        return ticket
    deadline = time.monotonic() + seconds
    try:
        while ticket.status == "pending" and time.monotonic() < deadline:
            time.sleep(min(_POLL_SECONDS, max(deadline - time.monotonic(), 0)))
            ticket = database().run(lambda session: tickets.read(session, asker, ticket_id))
    finally:
        _WAITING.release()
    return ticket


def misses(app: Flask, counted_in: Database) -> Misses:
    """The application's count of misses, which the hot path shares."""
    return cast("Misses", app.extensions.setdefault(_MISSES, Misses(counted_in)))


def entity_of(entities: Mapping[str, EntityType], domain: str) -> EntityType:
    """The domain of this name; raises UnknownDomain."""
    if domain not in entities:
        raise UnknownDomain(problems=(FieldProblem("unknown_domain", "/domain", f"one of {', '.join(entities)}"),))
    return entities[domain]


def today() -> date:
    """The day by UTC, as the database has it: one for all servers, wherever they stand."""
    return datetime.now(UTC).date()


def _check_texts(values: Sequence[object]) -> None:
    wrong = [index for index, value in enumerate(values) if not isinstance(value, str)]
    if wrong:
        raise Invalid(problems=tuple(FieldProblem("wrong_type", f"/values/{index}", "Not a valid string.") for index in wrong[:100]))


def reply(answer: Answer) -> Reply:
    """The answer to a GET: what nobody knows is not there."""
    outcome = answer["outcome"]
    if outcome not in _UNKNOWN:
        return Reply(HTTPStatus.OK, JSON_TYPE, dumps(answer))
    document = {
        "type": "about:blank",
        "title": HTTPStatus.NOT_FOUND.phrase,
        "status": 404,
        "code": outcome,
        "detail": _UNKNOWN[outcome],
        "outcome": outcome,
        "flags": answer["flags"],
    }
    return Reply(HTTPStatus.NOT_FOUND, PROBLEM_TYPE, dumps(document))


def translation(values: Sequence[str], answers: Sequence[Answer]) -> Reply:
    """The answers beside their values, in order."""
    results = [{"value": value, **answer} for value, answer in zip(values, answers, strict=True)]
    return Reply(HTTPStatus.OK, JSON_TYPE, dumps({"results": results}))


def use_post() -> Response:
    response = problem(
        HTTPStatus.METHOD_NOT_ALLOWED, "use_post", "No identifier of a patient stands in an address: POST it to /v1/crosswalk/lookup."
    )
    response.headers["Allow"] = "POST"
    response.headers["Link"] = '</v1/crosswalk/lookup>; rel="alternate"'
    return response


def _response(made: Reply) -> Response:
    return Response(made.body, status=made.status, content_type=made.content_type)
