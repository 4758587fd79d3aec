"""Questions to a domain: who may this be, and who is there. Both are POST, because names and birth dates have no place in an address."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from api import budget
from api.auth import Access
from api.context import actor, database, request_id
from api.routing import Answer, Operation, add
from api.schemas import DomainSchemas, MatchAnswerSchema
from mdm import reading
from mdm.access import Verb
from mdm.entity import EntityType
from mdm.reading import Question, Reader


def add_routes(blueprint: Any, entity: EntityType, schemas: DomainSchemas) -> None:
    matching = Operation(
        name="match",
        summary=f"Which {entity.plural.replace('_', ' ')} may this be? Writes nothing",
        access=Access(Verb.MATCH, entity.name),
        body=schemas.match,
        answer=MatchAnswerSchema,
        refusals=(429,) if entity.phi else (),
    )
    searching = Operation(
        name="search",
        summary=f"Find {entity.plural.replace('_', ' ')} by text or attributes",
        access=Access(Verb.SEARCH, entity.name),
        body=schemas.search,
        answer=schemas.page,
    )
    add(blueprint, "POST", "/match", partial(match, entity), matching)
    add(blueprint, "POST", "/search", partial(search, entity), searching)


def match(entity: EntityType, body: Mapping[str, Any]) -> Answer:
    budget.take(entity, 1)
    reader = Reader(actor(), request_id())
    identifiers = [(held["system"], held["value"]) for held in body["identifiers"]]
    return database().run(lambda session: reading.match(session, entity, reader, body["attributes"], identifiers, limit=body["limit"]))


def search(entity: EntityType, body: Mapping[str, Any]) -> Answer:
    reader = Reader(actor(), request_id())
    asked = Question(body.get("text"), body["attributes"], body["limit"], body["cursor"])
    return database().run(lambda session: reading.search(session, entity, reader, asked))
