"""What other survivorship rules would do, before anybody writes them into a declaration."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from marshmallow import Schema, fields, validate

from api.auth import Access
from api.context import actor, database, request_id
from api.routing import Answer, Operation, add
from api.schemas import DomainSchemas, text
from mdm.access import Verb
from mdm.entity import EntityType, Survive
from mdm.preview import Rules, preview
from mdm.reading import Reader

_KINDS_MAX = 20


class SurvivorshipSchema(Schema):
    """Rules instead of the declared ones."""

    survive = fields.Dict(keys=text(), values=fields.String(validate=validate.OneOf([rule.value for rule in Survive])), load_default=dict)
    authorities = fields.Dict(keys=text(), values=fields.List(text(), validate=validate.Length(max=_KINDS_MAX)), load_default=dict)


class SurvivorshipSampleSchema(Schema):
    """A golden value that would change."""

    golden_id = fields.UUID(required=True)
    attribute = fields.String(required=True)
    before = fields.Raw(required=True, allow_none=True)
    after = fields.Raw(required=True, allow_none=True)


class SurvivorshipPreviewSchema(Schema):
    """How many golden records were looked at, the newest first; how many would change, per attribute; and some of them."""

    looked_at = fields.Integer(required=True)
    golden_records = fields.Integer(required=True)
    attributes = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    samples = fields.List(fields.Nested(SurvivorshipSampleSchema), required=True)


def add_routes(blueprint: Any, entity: EntityType, schemas: DomainSchemas) -> None:
    del schemas
    operation = Operation(
        name="preview_survivorship",
        summary="What other survivorship rules would change in the stored golden records",
        access=Access(Verb.CONFIGURE, entity.name),
        body=SurvivorshipSchema,
        answer=SurvivorshipPreviewSchema,
    )
    add(blueprint, "POST", "/survivorship/preview", partial(post_preview, entity), operation)


def post_preview(entity: EntityType, body: Mapping[str, Any]) -> Answer:
    reader, rules = Reader(actor(), request_id()), Rules(body["survive"], body["authorities"])
    return database().run(lambda session: preview(session, entity, reader, rules))
