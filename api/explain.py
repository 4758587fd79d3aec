"""Why do two records match, or not? POST, because keys and names of patients have no place in an address."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from marshmallow import Schema, fields

from api.auth import Access
from api.context import actor, database, request_id
from api.routing import Answer, Operation, add
from api.schemas import DomainSchemas, EvidenceSchema, NoteSchema
from mdm import reading_pairs
from mdm.access import Verb
from mdm.entity import EntityType
from mdm.explain import Asked, Given, Stored, as_json
from mdm.reading import Reader


class BesideSchema(Schema):
    """An attribute, or a kind of identifier, of both sides: masked for this reader; null where a side has none."""

    name = fields.String(required=True)
    title = fields.String(required=True)
    left = fields.Raw(required=True, allow_none=True)
    right = fields.Raw(required=True, allow_none=True)


class StepSchema(EvidenceSchema):
    """One comparison that spoke: why this level, the part of its weight that the value's rarity makes, and the total so far (bits)."""

    reason = fields.String(required=True)
    adjustment = fields.Float(required=True)
    total = fields.Float(required=True)
    values = fields.List(fields.Nested(BesideSchema), required=True)


class SilentSchema(Schema):
    """A comparison that counted nothing, because a side is absent or because of another comparison's level; what it could have counted.

    `outcomes` are those that the value, were it known, could bring about.
    """

    comparison = fields.String(required=True)
    group = fields.String(required=True)
    absent = fields.List(fields.String(), required=True)
    unless = fields.List(fields.String(), required=True, allow_none=True)
    least = fields.Float(required=True)
    most = fields.Float(required=True)
    outcomes = fields.List(fields.String(), required=True)


class VetoSchema(Schema):
    """A rule that forbids an automatic link: what is in conflict, where what else agrees."""

    name = fields.String(required=True)
    conflict = fields.List(fields.String(), required=True)
    agree = fields.List(fields.String(), required=True)


class FlipSchema(Schema):
    """One change that alone would give another outcome. `now` is empty for a veto; `instead` null: without that evidence."""

    subject = fields.String(required=True)
    now = fields.String(required=True)
    instead = fields.String(required=True, allow_none=True)
    words = fields.String(required=True)
    change = fields.Float(required=True)
    total = fields.Float(required=True)
    outcome = fields.String(required=True)


class ThresholdsSchema(Schema):
    """From `review` bits a person decides, from `link` the machine does."""

    review = fields.Float(required=True)
    link = fields.Float(required=True)


class ExplanationSchema(Schema):
    """A pair's score taken apart, in bits: start + the steps' weights + cap = total."""

    version = fields.String(required=True, metadata={"description": "Of the model."})
    start = fields.Float(required=True)
    steps = fields.List(fields.Nested(StepSchema), required=True)
    cap = fields.Float(required=True)
    total = fields.Float(required=True)
    thresholds = fields.Nested(ThresholdsSchema, required=True)
    outcome = fields.String(required=True)
    groups = fields.Dict(keys=fields.String(), values=fields.Float(), required=True)
    groups_needed = fields.Integer(required=True)
    vetoes = fields.List(fields.Nested(VetoSchema), required=True)
    silent = fields.List(fields.Nested(SilentSchema), required=True)
    flips = fields.List(fields.Nested(FlipSchema), required=True)
    golden_ids = fields.List(fields.UUID(allow_none=True), required=True, metadata={"description": "Of the left and of the right side."})
    notes = fields.List(fields.Nested(NoteSchema), required=True)


def add_routes(blueprint: Any, entity: EntityType, schemas: DomainSchemas) -> None:
    operation = Operation(
        name="explain",
        summary=f"Why do two {entity.plural.replace('_', ' ')} match, or not? Writes nothing",
        access=Access(Verb.READ, entity.name),
        body=schemas.explain,
        answer=ExplanationSchema,
        refusals=(404,),
    )
    add(blueprint, "POST", "/explain", partial(explain, entity), operation)


def explain(entity: EntityType, body: Mapping[str, Any]) -> Answer:
    reader = Reader(actor(), request_id())
    left, right = _asked(body["left"]), _asked(body["right"])
    return as_json(database().run(lambda session: reading_pairs.explain(session, entity, reader, left, right)))


def _asked(side: Mapping[str, Any]) -> Asked:
    if "key" in side:
        return Stored(side["system"], side["key"])
    return Given(side.get("attributes", {}), [(held["system"], held["value"]) for held in side.get("identifiers", ())])
