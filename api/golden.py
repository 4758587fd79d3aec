"""Golden records: now, as of a day, as known at a moment; their versions and the source records behind them."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from marshmallow import Schema, fields
from sqlalchemy.orm import Session

from api.auth import Access
from api.context import actor, database, request_id, uuid_of
from api.past import ChangeSchema, OriginSchema
from api.routing import Answer, Operation, add
from api.schemas import DomainSchemas, HeldIdentifierSchema, VersionQuery
from mdm import reading
from mdm.access import Verb
from mdm.entity import EntityType
from mdm.history import Point
from mdm.reading import Reader

_ONE = "/golden/<golden_id>"


class DiffQuery(Schema):
    """Two points, each a moment of ours and a day in the world. What is not given is the present."""

    known_from = fields.AwareDateTime(data_key="from", load_default=None, metadata={"description": "As known then, with a time zone."})
    known_to = fields.AwareDateTime(data_key="to", load_default=None, metadata={"description": "As known then, with a time zone."})
    from_as_of = fields.Date(load_default=None)
    to_as_of = fields.Date(load_default=None)


class DiffSchema(Schema):
    """What differs. The version of a point at which the golden record was not known is null."""

    id = fields.UUID(required=True)
    version_before = fields.Integer(required=True, allow_none=True)
    version_after = fields.Integer(required=True, allow_none=True)
    status_before = fields.String(required=True, allow_none=True)
    status_after = fields.String(required=True, allow_none=True)
    values = fields.List(fields.Nested(ChangeSchema), required=True)
    identifiers_added = fields.List(fields.Nested(HeldIdentifierSchema), required=True)
    identifiers_removed = fields.List(fields.Nested(HeldIdentifierSchema), required=True)
    records_joined = fields.List(fields.Nested(OriginSchema), required=True)
    records_left = fields.List(fields.Nested(OriginSchema), required=True)


def add_routes(blueprint: Any, entity: EntityType, schemas: DomainSchemas) -> None:
    read, label = Access(Verb.READ, entity.name), entity.label.lower()
    one = Operation(
        name="get_golden",
        summary=f"A golden {label}; a merged id answers with its survivor and says so",
        access=read,
        query=VersionQuery,
        answer=schemas.golden,
    )
    history = Operation(
        name="get_history",
        summary=f"Every version of a golden {label}, and its source records in lanes",
        access=read,
        answer=schemas.history,
    )
    diff = Operation(
        name="get_diff", summary=f"What differs between two points of a golden {label}", access=read, query=DiffQuery, answer=DiffSchema
    )
    sources = Operation(name="get_sources", summary=f"The source records behind a golden {label}", access=read, answer=schemas.sources)
    add(blueprint, "GET", _ONE, partial(get_golden, entity), one)
    add(blueprint, "GET", f"{_ONE}/history", partial(get_history, entity), history)
    add(blueprint, "GET", f"{_ONE}/diff", partial(get_diff, entity), diff)
    add(blueprint, "GET", f"{_ONE}/sources", partial(get_sources, entity), sources)


def get_golden(entity: EntityType, query: Mapping[str, Any], *, golden_id: str) -> Answer:
    wanted, reader = uuid_of(golden_id), Reader(actor(), request_id())
    view = database().run(lambda session: reading.read_golden(session, entity, reader, wanted, **query))
    headers = {"ETag": f'"{view.version}"'}
    if view.redirected_from is not None:
        headers["Link"] = f'</v1/{entity.path}/golden/{view.id}>; rel="canonical"'
    return view, 200, headers


def get_history(entity: EntityType, *, golden_id: str) -> Answer:
    wanted, reader = uuid_of(golden_id), Reader(actor(), request_id())

    def work(session: Session) -> Answer:
        items = reading.read_history(session, entity, reader, wanted)
        return {"items": items, "lanes": reading.read_lanes(session, entity, reader, wanted)}

    return database().run(work)


def get_diff(entity: EntityType, query: Mapping[str, Any], *, golden_id: str) -> Answer:
    wanted, reader = uuid_of(golden_id), Reader(actor(), request_id())
    points = Point(query["from_as_of"], query["known_from"]), Point(query["to_as_of"], query["known_to"])
    return database().run(lambda session: reading.read_diff(session, entity, reader, wanted, points))


def get_sources(entity: EntityType, *, golden_id: str) -> Answer:
    wanted, reader = uuid_of(golden_id), Reader(actor(), request_id())
    return {"items": database().run(lambda session: reading.read_sources(session, entity, reader, wanted))}
