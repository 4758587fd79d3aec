"""Source records in and out, under the keys of the systems that they come from."""

from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any

from marshmallow import Schema, ValidationError

from api.auth import Access
from api.context import actor, database, request_id
from api.errors import field_problems
from api.routing import Answer, Operation, add
from api.schemas import BatchResultSchema, DomainSchemas, ResultSchema, rows_problem
from mdm import policy, reading
from mdm.access import Verb
from mdm.entity import EntityType
from mdm.errors import FieldProblem, InvalidRecord, UnknownSystem
from mdm.ingest import Result, deactivate, deliver_all
from mdm.reading import Reader
from mdm.standardise import Delivery
from mdm.statements import Assertion

_ONE = "/sources/<system>/<path:key>"


def add_routes(blueprint: Any, entity: EntityType, schemas: DomainSchemas) -> None:
    submit, read = Access(Verb.SUBMIT, entity.name), Access(Verb.READ, entity.name)
    label = entity.label.lower()
    put = Operation(
        name="put_source", summary=f"Deliver one {label} of a system", access=submit, body=schemas.put, answer=ResultSchema, refusals=(409,)
    )
    batch = Operation(
        name="put_sources",
        summary=f"Deliver up to 1,000 {entity.plural.replace('_', ' ')}; a bad one does not stop the others",
        access=submit,
        body=schemas.batch,
        answer=BatchResultSchema,
    )
    get = Operation(name="get_source", summary=f"What a system says about one {label}", access=read, answer=schemas.source)
    history = Operation(
        name="get_source_history",
        summary=f"Every version of what a system said about one {label}, those held back included",
        access=read,
        answer=schemas.source_history,
    )
    delete = Operation(
        name="delete_source",
        summary=f"A system no longer has this {label}: it turns inactive, nothing is erased",
        access=submit,
        answer=ResultSchema,
        refusals=(409, 422),
    )
    add(blueprint, "POST", "/sources:batch", partial(put_sources, entity, schemas.row), batch)
    add(blueprint, "PUT", _ONE, partial(put_source, entity), put)
    add(blueprint, "GET", _ONE, partial(get_source, entity), get)
    add(blueprint, "GET", "/source-history/<system>/<path:key>", partial(get_source_history, entity), history)
    add(blueprint, "DELETE", _ONE, partial(delete_source, entity), delete)


def put_source(entity: EntityType, body: Mapping[str, Any], *, system: str, key: str) -> Answer:
    policy.check(actor(), Verb.SUBMIT, entity.name, system)
    result = deliver_all(database(), entity, actor(), [_delivery(body, system, key)], request_id())[0]
    if any(problem.code == UnknownSystem.code and problem.pointer == "/system" for problem in result.problems):
        raise UnknownSystem(problems=result.problems)
    if result.problems:
        raise InvalidRecord(problems=result.problems)
    return result


def put_sources(entity: EntityType, row_schema: Schema, body: Mapping[str, Any]) -> Answer:
    rows = [_row(row_schema, row) for row in body["records"]]
    deliveries = [row for row in rows if isinstance(row, Delivery)]
    delivered = iter(deliver_all(database(), entity, actor(), deliveries, request_id()))
    results = [next(delivered) if isinstance(row, Delivery) else row for row in rows]
    return {"results": results, "counts": Counter(str(result.outcome) for result in results)}


def get_source(entity: EntityType, *, system: str, key: str) -> Answer:
    reader = Reader(actor(), request_id())
    return database().run(lambda session: reading.read_source(session, entity, reader, system, key))


def get_source_history(entity: EntityType, *, system: str, key: str) -> Answer:
    reader = Reader(actor(), request_id())
    return database().run(lambda session: reading.read_source_history(session, entity, reader, system, key))


def delete_source(entity: EntityType, *, system: str, key: str) -> Answer:
    policy.check(actor(), Verb.SUBMIT, entity.name, system)
    return deactivate(database(), entity, actor(), system, key, request_id())


def _row(schema: Schema, row: object) -> Delivery | Result:
    """A row ready to deliver, or the result that says what is wrong with its shape."""
    try:
        # marshmallow itself answers for a row that is no object
        loaded = schema.load(row)  # type: ignore[arg-type]
    except ValidationError as error:
        return Result(_named(row, "system"), _named(row, "key"), "rejected", problems=tuple(_problems(error)))
    return _delivery(loaded, loaded["system"], loaded["key"])


def _problems(error: ValidationError) -> list[FieldProblem]:
    return field_problems(rows_problem(error.messages))


def _named(row: object, name: str) -> str:
    """What the row calls itself, if it is a text: the caller finds it again by that and by its place."""
    value = row.get(name) if isinstance(row, dict) else None
    return value if isinstance(value, str) else ""


def _delivery(body: Mapping[str, Any], system: str, key: str) -> Delivery:
    identifiers = [(held["system"], held["value"]) for held in body["identifiers"]]
    said = tuple(Assertion(**each) for each in body["relationships"]) if "relationships" in body else None
    return Delivery(system, key, body["attributes"], identifiers, body["status"], body["valid_from"], body["valid_to"], said)
