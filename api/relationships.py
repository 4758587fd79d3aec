"""Relationships of a golden record, what stewards say about them, and the hierarchies that they make."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Any

from flask import Response
from marshmallow import Schema, fields, validate

from api.auth import Access
from api.context import actor, database, request_id, uuid_of
from api.crosswalk import today
from api.routing import Answer, Operation, add, new_blueprint
from api.schemas import DomainSchemas, VersionQuery, text
from mdm import relate, trees
from mdm.access import Verb
from mdm.entity import EntityType
from mdm.jsonio import dumps
from mdm.reading import Reader
from mdm.reasons import REASON_MAX
from mdm.related import Asked, Direction, State, related
from mdm.statements import MAIN_TREE, TREE_LENGTH_MAX, Assertion
from mdm.trees import Family, When, Window

_ONE = "/golden/<golden_id>"
_PAGE_MAX = 1000
_DEPTH_MAX = 100
_LAST_ID = 2**63 - 1


class RelatedQuery(VersionQuery):
    """Which relationships: without a day those of all days."""

    direction = fields.Enum(Direction, by_value=True, load_default=Direction.BOTH)
    limit = fields.Integer(load_default=200, validate=validate.Range(1, _PAGE_MAX))
    cursor = fields.Integer(load_default=None, validate=validate.Range(0, _LAST_ID))


class EdgeSchema(Schema):
    """A relationship seen from one of its ends; `golden_id` is the other one."""

    id = fields.UUID(required=True, metadata={"description": "Of what was said: what a steward ends."})
    type = fields.String(required=True)
    tree = fields.String(required=True, allow_none=True)
    direction = fields.String(required=True)
    domain = fields.String(required=True)
    golden_id = fields.UUID(required=True)
    display = fields.String(required=True, allow_none=True)
    valid_from = fields.Date(required=True, allow_none=True)
    valid_to = fields.Date(required=True, allow_none=True)
    recorded_from = fields.AwareDateTime(required=True)
    recorded_to = fields.AwareDateTime(required=True, allow_none=True)
    system = fields.String(required=True, allow_none=True)
    key = fields.String(required=True, allow_none=True)
    actor = fields.String(required=True)
    reason = fields.String(required=True)


class IdleSchema(Schema):
    """Something that is said and in force nowhere, and why."""

    id = fields.UUID(required=True)
    type = fields.String(required=True)
    tree = fields.String(required=True, allow_none=True)
    state = fields.String(required=True, validate=validate.OneOf([state.value for state in State]))
    system = fields.String(required=True, allow_none=True)
    value = fields.String(required=True, allow_none=True)
    golden_id = fields.UUID(required=True, allow_none=True)
    valid_from = fields.Date(required=True, allow_none=True)
    valid_to = fields.Date(required=True, allow_none=True)
    said_by = fields.String(required=True)


class RelatedSchema(Schema):
    """Relationships in the order in which they were recorded."""

    golden_id = fields.UUID(required=True)
    items = fields.List(fields.Nested(EdgeSchema), required=True)
    idle = fields.List(fields.Nested(IdleSchema), required=True)
    next = fields.Integer(required=True, allow_none=True)


class ClaimSchema(Schema):
    """What a steward said."""

    id = fields.UUID(required=True)
    domain = fields.String(required=True)
    type = fields.String(required=True)
    tree = fields.String(required=True, allow_none=True)
    subject_id = fields.UUID(required=True)
    golden_id = fields.UUID(required=True)
    valid_from = fields.Date(required=True, allow_none=True)
    valid_to = fields.Date(required=True, allow_none=True)
    actor = fields.String(required=True)
    reason = fields.String(required=True)
    recorded_from = fields.AwareDateTime(required=True)
    recorded_to = fields.AwareDateTime(required=True, allow_none=True)


class EndQuery(Schema):
    """The last day on which it holds; without one it is taken back whole."""

    on = fields.Date(load_default=None)
    reason = text(REASON_MAX, load_default="")


class TreeQuery(VersionQuery):
    """Which tree, as of which day (today)."""

    tree = text(TREE_LENGTH_MAX, shortest=1, load_default=MAIN_TREE)


class SubtreeQuery(TreeQuery):
    """How far down."""

    depth = fields.Integer(load_default=None, validate=validate.Range(1, _DEPTH_MAX))


class NodeSchema(Schema):
    """A golden record of a subtree; `depth` counts from its root."""

    golden_id = fields.UUID(required=True)
    parent_id = fields.UUID(required=True, allow_none=True)
    depth = fields.Integer(required=True)


class SubtreeSchema(Schema):
    """A golden record and all below it, parents before their children."""

    items = fields.List(fields.Nested(NodeSchema), required=True)


class AncestorSchema(Schema):
    """One golden record on the way up; the dates are those of its edge to the next one."""

    golden_id = fields.UUID(required=True)
    depth = fields.Integer(required=True)
    display = fields.String(required=True, allow_none=True)
    valid_from = fields.Date(required=True, allow_none=True)
    valid_to = fields.Date(required=True, allow_none=True)


class PathSchema(Schema):
    """The way to the root, the golden record itself first."""

    items = fields.List(fields.Nested(AncestorSchema), required=True)


class TreeSchema(Schema):
    """A tree that there is, and how many golden records have a parent in it."""

    id = fields.String(required=True)
    domain = fields.String(required=True)
    type = fields.String(required=True)
    tree = fields.String(required=True)
    nodes = fields.Integer(required=True)


class TreesSchema(Schema):
    """The trees of the domains that you may read."""

    items = fields.List(fields.Nested(TreeSchema), required=True)


class PageQuery(Schema):
    """Where the last page ended."""

    limit = fields.Integer(load_default=200, validate=validate.Range(1, _PAGE_MAX))
    cursor = fields.UUID(load_default=None)


class WholeQuery(PageQuery, VersionQuery):
    """As of which day (today)."""


class DiffQuery(PageQuery):
    """Between which days."""

    start = fields.Date(required=True, data_key="from")
    to = fields.Date(required=True)
    known_at = fields.AwareDateTime(load_default=None, metadata={"description": "With a time zone."})


class PlacedSchema(Schema):
    """A golden record and its parent."""

    golden_id = fields.UUID(required=True)
    parent_id = fields.UUID(required=True)
    display = fields.String(required=True, allow_none=True)
    valid_from = fields.Date(required=True, allow_none=True)
    valid_to = fields.Date(required=True, allow_none=True)


class PlacedPageSchema(Schema):
    """Golden records with their parents, in order of golden id."""

    items = fields.List(fields.Nested(PlacedSchema), required=True)
    next = fields.UUID(required=True, allow_none=True)


class DifferenceSchema(Schema):
    """A golden record whose place is another one."""

    golden_id = fields.UUID(required=True)
    change = fields.String(required=True, validate=validate.OneOf(["added", "removed", "moved"]))
    from_parent = fields.UUID(required=True, allow_none=True)
    to_parent = fields.UUID(required=True, allow_none=True)
    display = fields.String(required=True, allow_none=True)


class DifferencePageSchema(Schema):
    """Differences in order of golden id."""

    items = fields.List(fields.Nested(DifferenceSchema), required=True)
    next = fields.UUID(required=True, allow_none=True)


def add_routes(blueprint: Any, entity: EntityType, schemas: DomainSchemas) -> None:
    if schemas.relationship is None:
        return
    read, label = Access(Verb.READ, entity.name), entity.label.lower()
    listing = Operation(
        name="get_relationships", summary=f"The relationships of a golden {label}", access=read, query=RelatedQuery, answer=RelatedSchema
    )
    say = Operation(
        name="post_relationship",
        summary=f"Say that a golden {label} stands in a relationship; the same again changes nothing",
        access=Access(Verb.DECIDE, entity.name),
        body=schemas.relationship,
        status=HTTPStatus.CREATED,
        answer=ClaimSchema,
        also=((HTTPStatus.OK, ClaimSchema),),
        once=True,
    )
    add(blueprint, "GET", f"{_ONE}/relationships", partial(get_relationships, entity), listing)
    add(blueprint, "POST", f"{_ONE}/relationships", partial(post_relationship, entity), say)
    if entity.hierarchy is not None:
        below = Operation(name="get_subtree", summary=f"All below a golden {label}", access=read, query=SubtreeQuery, answer=SubtreeSchema)
        way = Operation(name="get_path", summary=f"The way up from a golden {label}", access=read, query=TreeQuery, answer=PathSchema)
        add(blueprint, "GET", f"{_ONE}/subtree", partial(get_subtree, entity), below)
        add(blueprint, "GET", f"{_ONE}/path", partial(get_path, entity), way)


def blueprint() -> Any:
    made = new_blueprint("hierarchies", "/v1", "Trees of golden records, and what stewards said about relationships.")
    read = Access(Verb.READ)
    listing = Operation(name="list_hierarchies", summary="The trees that there are", access=read, query=VersionQuery, answer=TreesSchema)
    whole = Operation(name="get_hierarchy", summary="A tree, page by page", access=read, query=WholeQuery, answer=PlacedPageSchema)
    diff = Operation(
        name="diff_hierarchy",
        summary="What two days of a tree have in difference",
        access=read,
        query=DiffQuery,
        answer=DifferencePageSchema,
    )
    finish = Operation(
        name="end_relationship",
        summary="Let what a steward said end on a day, or take it back; nothing is erased",
        access=Access(Verb.DECIDE),
        query=EndQuery,
        answer=ClaimSchema,
        once=True,
    )
    add(made, "GET", "/hierarchies", get_trees, listing)
    add(made, "GET", "/hierarchies/<tree>", get_tree, whole)
    add(made, "GET", "/hierarchies/<tree>/diff", get_diff, diff)
    add(made, "DELETE", "/relationships/<relationship_id>", delete_relationship, finish)
    return made


def get_relationships(entity: EntityType, query: Mapping[str, Any], *, golden_id: str) -> Answer:
    wanted, asked = uuid_of(golden_id), Asked(**query)
    return database().run(lambda session: related(session, entity, _reader(), wanted, asked))


def post_relationship(entity: EntityType, body: Mapping[str, Any], *, golden_id: str) -> Answer:
    wanted, said = uuid_of(golden_id), Assertion(**{name: value for name, value in body.items() if name != "reason"})
    author = relate.Author(actor(), body["reason"], request_id())
    view, is_new = database().run(lambda session: relate.relate(session, entity, wanted, author, said))
    return view, HTTPStatus.CREATED if is_new else HTTPStatus.OK


def delete_relationship(query: Mapping[str, Any], *, relationship_id: str) -> Answer:
    wanted, author = uuid_of(relationship_id), relate.Author(actor(), query["reason"], request_id())
    return database().run(lambda session: relate.end(session, wanted, author, query["on"]))


def get_subtree(entity: EntityType, query: Mapping[str, Any], *, golden_id: str) -> Answer:
    wanted, when = uuid_of(golden_id), _when(query)
    families = database().run(lambda session: trees.subtree(session, entity, _reader(), wanted, when, query["depth"]))
    pieces = list(_nodes(families))
    return Response(pieces, content_type="application/json", headers={"Content-Length": str(sum(map(len, pieces)))})


def _nodes(families: trees.Subtree) -> Iterator[bytes]:
    """`SubtreeSchema`, written family by family: a schema takes a second for 20,000 golden records, this a few milliseconds."""
    yield b'{"items":[' + dumps({"golden_id": str(families.root), "parent_id": None, "depth": 0})
    for first in range(0, len(families.families), _TOGETHER):
        yield "".join(map(_children, families.families[first : first + _TOGETHER])).encode()
    yield b"]}"


_TOGETHER = 256  # families in one piece of an answer: its text and its bytes are never there whole
_HEAD = ',{"golden_id":"'


def _children(family: Family) -> str:
    tail = f'","parent_id":"{family.parent}","depth":{family.depth}}}'
    return f"{_HEAD}{f'{tail}{_HEAD}'.join(family.children)}{tail}"


def get_path(entity: EntityType, query: Mapping[str, Any], *, golden_id: str) -> Answer:
    wanted, when = uuid_of(golden_id), _when(query)
    return {"items": database().run(lambda session: trees.path(session, entity, _reader(), wanted, when))}


def get_trees(query: Mapping[str, Any]) -> Answer:
    return {"items": database().run(lambda session: trees.list_trees(session, _reader(), _when(query)))}


def get_tree(query: Mapping[str, Any], *, tree: str) -> Answer:
    return database().run(lambda session: trees.page(session, _reader(), tree, _when(query), _window(query)))


def get_diff(query: Mapping[str, Any], *, tree: str) -> Answer:
    when = replace(_when(query), as_of=query["start"])
    return database().run(lambda session: trees.difference(session, _reader(), tree, when, query["to"], _window(query)))


def _reader() -> Reader:
    return Reader(actor(), request_id())


def _when(query: Mapping[str, Any]) -> When:
    return When(query.get("as_of") or today(), query.get("known_at"), query.get("tree") or MAIN_TREE)


def _window(query: Mapping[str, Any]) -> Window:
    return Window(query["limit"], query["cursor"])
