"""Golden records: now, as of a day, as known at a moment; their versions and the source records behind them."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from api.auth import Access
from api.context import actor, database, request_id, uuid_of
from api.routing import Answer, Operation, add
from api.schemas import DomainSchemas, VersionQuery
from mdm import reading
from mdm.access import Verb
from mdm.entity import EntityType
from mdm.reading import Reader

_ONE = "/golden/<golden_id>"


def add_routes(blueprint: Any, entity: EntityType, schemas: DomainSchemas) -> None:
    read, label = Access(Verb.READ, entity.name), entity.label.lower()
    one = Operation(
        name="get_golden",
        summary=f"A golden {label}; a merged id answers with its survivor and says so",
        access=read,
        query=VersionQuery,
        answer=schemas.golden,
    )
    history = Operation(name="get_history", summary=f"Every version of a golden {label}", access=read, answer=schemas.history)
    sources = Operation(name="get_sources", summary=f"The source records behind a golden {label}", access=read, answer=schemas.sources)
    add(blueprint, "GET", _ONE, partial(get_golden, entity), one)
    add(blueprint, "GET", f"{_ONE}/history", partial(get_history, entity), history)
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
    return {"items": database().run(lambda session: reading.read_history(session, entity, reader, wanted))}


def get_sources(entity: EntityType, *, golden_id: str) -> Answer:
    wanted, reader = uuid_of(golden_id), Reader(actor(), request_id())
    return {"items": database().run(lambda session: reading.read_sources(session, entity, reader, wanted))}
