"""The shapes of acts on golden records, of what they did or would do, and of taking them back."""

from marshmallow import Schema, fields, validate

from api.schemas import DomainSchemas, Values, text
from mdm.entity import EntityType
from mdm.identity import RECORDS_MAX
from mdm.reasons import REASON_MAX

_OTHERS_MAX = 20
_PIN_MAX = 500


class _Act(Schema):
    reason = text(REASON_MAX, load_default="", metadata={"description": "Why; kept for ever, so name no patient."})
    dry_run = fields.Boolean(load_default=False, metadata={"description": "Say what it would do, and do nothing."})


class MergeSchema(_Act):
    """Golden records that are the one in the path."""

    others = fields.List(
        fields.UUID(), required=True, data_key="from", validate=validate.Length(min=1, max=_OTHERS_MAX), metadata={"title": "From"}
    )


class LinksSchema(MergeSchema):
    """Golden records that are the one in the path, although a source system keeps several records of it."""


class SplitSchema(_Act):
    """Groups of source records, each of which becomes a golden record; those that no group names stay together."""

    groups = fields.List(
        fields.List(fields.UUID(), validate=validate.Length(max=RECORDS_MAX)),
        required=True,
        validate=validate.Length(min=1, max=RECORDS_MAX),
    )


class MoveSchema(_Act):
    """Source records that belong to another golden record."""

    records = fields.List(fields.UUID(), required=True, validate=validate.Length(min=1, max=RECORDS_MAX))
    to = fields.UUID(required=True)


class PinSchema(_Act):
    """The value of an attribute, whatever the sources say, until it is taken back or runs out."""

    value = Values(_PIN_MAX, required=True)
    expires_at = fields.AwareDateTime(load_default=None, allow_none=True)


class ReasonQuery(Schema):
    """Why it is taken back; or only what taking back would do."""

    reason = text(REASON_MAX, load_default="")
    dry_run = fields.Boolean(load_default=False)


class RecordMoveSchema(Schema):
    """A source record that went from one golden record to another."""

    record_id = fields.UUID(required=True)
    left = fields.UUID(required=True)
    joined = fields.UUID(required=True)


class TaskChangeSchema(Schema):
    """A task that the act opened, changed or closed."""

    id = fields.UUID(required=True)
    kind = fields.String(required=True)
    status = fields.String(required=True)


class EdgeChangeSchema(Schema):
    """A relationship that the act ended, or that it began."""

    type = fields.String(required=True)
    tree = fields.String(required=True)
    subject_id = fields.UUID(required=True)
    target_id = fields.UUID(required=True)
    valid_from = fields.Date(required=True, allow_none=True)
    valid_to = fields.Date(required=True, allow_none=True)
    ended = fields.Boolean(required=True)


class AffectedSchema(Schema):
    """A consumer that knows these golden records, and by how many identifiers of each of its systems."""

    code = fields.String(required=True)
    name = fields.String(required=True)
    contact = fields.String(required=True)
    identifiers = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)


class KeptSchema(Schema):
    """A record that could not be brought back, and the decisions that stand against it; without any: the evidence."""

    record_id = fields.UUID(required=True)
    golden_id = fields.UUID(required=True)
    decisions = fields.List(fields.UUID(), required=True)


class DecisionSchema(Schema):
    """A decision, without the evidence it was made on."""

    id = fields.UUID(required=True)
    domain = fields.String(required=True)
    kind = fields.String(required=True)
    records = fields.List(fields.UUID(), required=True)
    actor = fields.String(required=True)
    reason = fields.String(required=True)
    model_version = fields.String(required=True)
    created_at = fields.AwareDateTime(required=True)
    revokes = fields.UUID(required=True, allow_none=True)
    revoked_by = fields.UUID(required=True, allow_none=True)


class DecisionsSchema(Schema):
    """Decisions, the newest first."""

    items = fields.List(fields.Nested(DecisionSchema), required=True)


class _ActedSchema(Schema):
    """What was done, or, of a rehearsal, what would be: `effect` is only told of rehearsals."""

    decision_id = fields.UUID(required=True)
    golden_id = fields.UUID(
        required=True, allow_none=True, metadata={"description": "The golden record that was acted on, as it answers now"}
    )
    golden_ids = fields.List(fields.UUID(), required=True)
    moves = fields.List(fields.Nested(RecordMoveSchema), required=True)
    dry_run = fields.Boolean(required=True)


def acted(entity: EntityType, schemas: DomainSchemas) -> Schema:
    name = "".join(part.capitalize() for part in entity.name.split("_"))
    view = fields.Nested(schemas.golden, allow_none=True)
    quiet = {"Meta": type("Meta", (), {"register": False})}
    changed = type(
        f"{name}Changed",
        (Schema,),
        {"id": fields.UUID(), "before": view, "after": view, "merged_into": fields.UUID(allow_none=True), **quiet},
    )
    told = type(
        f"{name}Effect",
        (Schema,),
        {
            "golden_records": fields.List(fields.Nested(changed)),
            "tasks": fields.List(fields.Nested(TaskChangeSchema)),
            "relationships": fields.List(fields.Nested(EdgeChangeSchema)),
            "consumers": fields.List(fields.Nested(AffectedSchema)),
            **quiet,
        },
    )
    made: Schema = type(f"{name}Acted", (_ActedSchema,), {"effect": fields.Nested(told, allow_none=True), **quiet})()
    return made


class UndoneSchema(Schema):
    """The decision that took another back, and what it could not bring back: later decisions stand."""

    decision_id = fields.UUID(required=True)
    golden_ids = fields.List(fields.UUID(), required=True, attribute="goldens")
    kept = fields.List(fields.Nested(KeptSchema), required=True)
    task_id = fields.UUID(required=True, allow_none=True)
    dry_run = fields.Boolean(required=True)
