"""Mapping sets: their rules from draft to retirement, their releases, what they answer and how far they reach."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from http import HTTPStatus
from typing import Any, cast

from flask import Response, current_app
from marshmallow import ValidationError
from sqlalchemy.orm import Session
from werkzeug.exceptions import PreconditionRequired

from api import mapping_releases, mapping_rules
from api.auth import Access
from api.context import actor, database
from api.crosswalk import JSON_TYPE, ON_MISS, misses, today
from api.mapping_schemas import (
    TERM_KEYS,
    ConflictsSchema,
    CoverageSchema,
    DayQuery,
    DefinitionSchema,
    MappedOnceOrOftenSchema,
    ResolveSchema,
    SetSchema,
    SetsSchema,
    Term,
)
from api.preconditions import etag, if_match_given, if_match_parameter
from api.routing import Answer, Operation, add, new_blueprint
from mdm.access import Verb
from mdm.errors import FieldProblem
from mdm.mapping import VALUE_LENGTH_MAX, Given
from mdm.mapping_answers import Answered, Ask, one_snapshot, resolve
from mdm.mapping_asks import Asks
from mdm.mapping_reports import conflicts, coverage
from mdm.mapping_sets import SetView, definition_of, has_set, is_open, list_sets, put_set
from mdm.misswork import Miss

_ASKS = "concord.asks"
_TERM = Term()
_SET = "/<set_code>"


def blueprint() -> Any:
    made = new_blueprint("mappings", "/v1/mappings", "Rules from several inputs to what follows from them.")
    _add_sets(made)
    mapping_rules.add_routes(made, _SET)
    mapping_releases.add_routes(made, _SET)
    return made


def _add_sets(made: Any) -> None:
    read = Access(Verb.READ)
    listing = Operation(name="list_mapping_sets", summary="The mapping sets in your scope", access=read, answer=SetsSchema)
    one = Operation(name="get_mapping_set", summary="A mapping set, with its revision as ETag", access=read, answer=SetSchema)
    put = Operation(
        name="put_mapping_set",
        summary="Make a mapping set, or change what it is made of",
        access=Access(Verb.CONFIGURE),
        body=DefinitionSchema,
        answer=SetSchema,
        also=((HTTPStatus.CREATED, SetSchema),),
        refusals=(409, 412, 428),
        docs={"parameters": [if_match_parameter("the set, unless it is new", required=False)]},
        once=True,
    )
    ask = Operation(
        name="resolve_mapping",
        summary="What the set answers to these inputs, by which rule, and why by no other",
        access=Access(Verb.LOOKUP),
        body=ResolveSchema,
        answer=MappedOnceOrOftenSchema,
    )
    reach = Operation(
        name="get_mapping_coverage", summary="What is answered and what is not", access=read, query=DayQuery, answer=CoverageSchema
    )
    clash = Operation(name="get_mapping_conflicts", summary="Rules in each other's way", access=read, answer=ConflictsSchema)
    add(made, "GET", "", get_sets, listing)
    add(made, "GET", _SET, get_one_set, one)
    add(made, "PUT", _SET, put_one_set, put)
    add(made, "POST", _SET + "/resolve", post_resolve, ask)
    add(made, "GET", _SET + "/coverage", get_coverage, reach)
    add(made, "GET", _SET + "/conflicts", get_conflicts, clash)


def get_sets() -> Answer:
    asking = actor()
    found = database().run(list_sets)
    return {"items": [_set_shown(view) for view in found if is_open(asking, Verb.READ, view.definition)]}


def get_one_set(*, set_code: str) -> Answer:
    view = database().run(lambda session: mapping_rules.readable(session, set_code))
    return _set_shown(view), HTTPStatus.OK, etag(view.revision)


def put_one_set(body: Mapping[str, Any], *, set_code: str) -> Answer:
    definition = definition_of(body)
    by, read = mapping_rules.by_whom(), if_match_given()

    def work(session: Session) -> tuple[SetView, bool]:
        if read is None and has_set(session, set_code):
            raise PreconditionRequired
        return put_set(session, by, set_code, definition, if_match=read)

    view, is_new = database().run(work)
    return _set_shown(view), HTTPStatus.CREATED if is_new else HTTPStatus.OK, etag(view.revision)


def _set_shown(view: SetView) -> dict[str, Any]:
    return {
        "code": view.code,
        **asdict(view.definition),
        "version": view.version,
        "revision": view.revision,
        "rules": view.counts,
        "release": view.release,
        "changed_by": view.changed_by,
        "changed_at": view.changed_at,
    }


def post_resolve(body: Mapping[str, Any], *, set_code: str) -> Answer:
    asking, day = actor(), body["as_of"] or today()
    items = body.get("items")
    asks = [_read_ask(item, day) for item in ([{"inputs": body["inputs"]}] if items is None else items)]

    def work(session: Session) -> Answered:
        one_snapshot(session)
        return resolve(session, asking, set_code, asks, body["known_at"])

    found = database().run(work)
    if body["on_miss"] == ON_MISS[0]:
        _count(set_code, found)
    told = found.written[0] if items is None else b'{"results":[' + b",".join(found.written) + b"]}"
    return Response(told, content_type=JSON_TYPE)


def _count(code: str, found: Answered) -> None:
    _asks().asked(code, found.asked)
    for (domain, system), values in found.missed.items():
        misses(current_app, database()).count([Miss(domain, system, value) for value in values], actor().name)


def _asks() -> Asks:
    """The application's count of combinations asked for."""
    return cast("Asks", current_app.extensions.setdefault(_ASKS, Asks(database())))


def _read_ask(item: object, day: date) -> Ask:
    """A question of a list: what is wrong with its shape is its own answer and does not stop the others."""
    if not isinstance(item, dict) or not isinstance(item.get("inputs"), dict):
        return Ask({}, day, (FieldProblem("required", "/inputs", "an object of inputs"),))
    problems = [FieldProblem("unknown_field", "", "inputs and as_of; known_at is said once") for name in item if name not in _ITEM]
    inputs: dict[str, Given] = {}
    for name, value in item["inputs"].items():
        if _is_tidy(value) or (isinstance(value, dict) and value.keys() == TERM_KEYS and all(map(_is_tidy, value.values()))):
            inputs[name] = value  # nearly every one, without the schema's share of the time
        elif value is not None:
            try:
                inputs[name] = _TERM.deserialize(value)
            except ValidationError:
                problems.append(
                    FieldProblem("wrong_type", "/inputs", f"a text of at most {VALUE_LENGTH_MAX} characters, or {{system, value}}")
                )
    given = item.get("as_of")
    try:
        as_of = day if given is None else date.fromisoformat(given)
    except (TypeError, ValueError):
        as_of = day
        problems.append(FieldProblem("wrong_type", "/as_of", "a date such as 2026-03-31"))
    return Ask(inputs, as_of, tuple(problems))


def _is_tidy(value: object) -> bool:
    return isinstance(value, str) and value.isascii() and value.isprintable() and len(value) <= VALUE_LENGTH_MAX


_ITEM = frozenset({"inputs", "as_of"})


def get_coverage(query: Mapping[str, Any], *, set_code: str) -> Answer:
    asking, day = actor(), query["as_of"] or today()
    _asks().write()
    return database().run(lambda session: coverage(session, asking, set_code, day))


def get_conflicts(*, set_code: str) -> Answer:
    asking = actor()
    return database().run(lambda session: conflicts(session, asking, set_code, today()))
