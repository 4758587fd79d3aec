"""Crosswalk lookups, one at a time or ten thousand at once, and validation of codes.

Values of patients stand in bodies only: the GET form of a lookup does not exist for them. `api/hot.py` answers most of these requests
before Flask sees them; both make their answers with `reply` and `translation`, so that nobody can tell them apart.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from http import HTTPStatus
from typing import Any, NamedTuple, cast

from flask import Flask, Response, current_app
from marshmallow import Schema, fields, validate

from api.auth import Access
from api.context import actor, concord, database, request_id
from api.errors import PROBLEM_TYPE, problem
from api.routing import Answer as Dumped
from api.routing import Operation, add, new_blueprint
from api.schemas import TEXT_MAX, Rows, text
from mdm import consult
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
from mdm.validity import Reason

LOOKUP_RULE = "/v1/crosswalk/<string:domain>/<string:system>/<path:value>"
JSON_TYPE = "application/json"
ON_MISS = ("report", "ignore")
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


class LookupQuery(Schema):
    """Into which systems, and as of which day (today)."""

    to = fields.List(text(shortest=1), load_default=list, validate=validate.Length(max=TARGETS_MAX))
    as_of = fields.Date(load_default=None)
    on_miss = fields.String(load_default=ON_MISS[0], validate=validate.OneOf(ON_MISS))


class LookupSchema(Schema):
    """One value of one system, and the systems it is wanted in."""

    domain = text(shortest=1, required=True)
    system = text(shortest=1, required=True)
    value = text(KEY_LENGTH_MAX, shortest=1, required=True)
    to = Systems(load_default=list)
    as_of = fields.Date(load_default=None, allow_none=True)
    on_miss = fields.String(load_default=ON_MISS[0], validate=validate.OneOf(ON_MISS))


class TranslateSchema(Schema):
    """Many values of one system. A value that nothing can match gets its own outcome and does not stop the others."""

    domain = text(shortest=1, required=True)
    source = text(shortest=1, required=True, data_key="from")
    to = Systems(required=True)
    values = Rows(fields.String(), required=True, validate=validate.Length(max=VALUES_MAX))
    as_of = fields.Date(load_default=None, allow_none=True)
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
    pending_review = fields.Boolean()
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
    lookup = Operation(name="lookup", summary="Look one value up", access=access, body=LookupSchema, answer=AnswerSchema, refusals=(404,))
    many = Operation(
        name="translate", summary="Look many values up", access=access, body=TranslateSchema, answer=TranslationSchema, refusals=(404,)
    )
    verdict = Operation(
        name="validate", summary="Is this code good on this day?", access=access, body=ValidateSchema, answer=VerdictSchema, refusals=(404,)
    )
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
    question = Question(entity, system, tuple(query["to"]), (value,), query["as_of"] or today())
    return _response(reply(_consult(question, query["on_miss"]).answers[0]))


def look_up(body: Mapping[str, Any]) -> Dumped:
    entity = entity_of(concord().entities, body["domain"])
    question = Question(entity, body["system"], tuple(body["to"]), (body["value"],), body["as_of"] or today())
    return _response(Reply(HTTPStatus.OK, JSON_TYPE, dumps(_consult(question, body["on_miss"]).answers[0])))


def translate(body: Mapping[str, Any]) -> Dumped:
    entity = entity_of(concord().entities, body["domain"])
    _check_texts(body["values"])
    question = Question(entity, body["source"], tuple(body["to"]), body["values"], body["as_of"] or today())
    return _response(translation(body["values"], _consult(question, body["on_miss"]).answers))


def validate_value(body: Mapping[str, Any]) -> Dumped:
    entity = entity_of(concord().entities, body["domain"])
    question = Question(entity, body["system"], (), (body["value"],), body["on"] or today())
    asker = Asker(actor(), request_id())
    return database().run(lambda session: consult.verify(session, asker, question))


def _consult(question: Question, on_miss: str) -> Consulted:
    asker = Asker(actor(), request_id())
    found = database().run(lambda session: consult.consult(session, asker, question))
    if found.missed and on_miss == ON_MISS[0]:
        misses(current_app, database()).count(question.entity.name, found.system, found.missed)
    return found


def misses(app: Flask, counted_in: Database) -> Misses:
    """The application's count of misses, which the hot path shares."""
    return cast("Misses", app.extensions.setdefault(_MISSES, Misses(counted_in)))


def entity_of(entities: Mapping[str, EntityType], domain: str) -> EntityType:
    """The domain of this name; raises UnknownDomain."""
    if domain not in entities:
        raise UnknownDomain(problems=(FieldProblem("unknown_domain", "/domain", f"one of {', '.join(entities)}"),))
    return entities[domain]


def today() -> date:
    """The day where the server stands."""
    return datetime.now().astimezone().date()


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
