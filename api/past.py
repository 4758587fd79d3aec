"""Shapes of what was: source records in lanes, and what differs between two points."""

from marshmallow import Schema, fields


class StaySchema(Schema):
    """A record was part of a golden record: since when and by what cause (new, edge, decision), until when, and where it went."""

    golden_id = fields.UUID(required=True)
    joined_at = fields.AwareDateTime(required=True)
    joined_by = fields.String(required=True)
    left_at = fields.AwareDateTime(required=True, allow_none=True)
    left_to = fields.UUID(required=True, allow_none=True)
    left_by = fields.String(required=True, allow_none=True)


class SpanSchema(Schema):
    """One version of a source record: when it was true, and when Concord held it for true; quarantined or rejected, never."""

    version = fields.Integer(required=True)
    state = fields.String(required=True)
    status = fields.String(required=True)
    valid_from = fields.Date(required=True, allow_none=True)
    valid_to = fields.Date(required=True, allow_none=True)
    recorded_from = fields.AwareDateTime(required=True)
    recorded_to = fields.AwareDateTime(required=True, allow_none=True)


class OriginSchema(Schema):
    """A source record."""

    record_id = fields.UUID(required=True)
    system = fields.String(required=True)
    key = fields.String(required=True)


class LaneSchema(OriginSchema):
    """One source record beside the others."""

    stays = fields.List(fields.Nested(StaySchema), required=True)
    versions = fields.List(fields.Nested(SpanSchema), required=True)


class ChangeSchema(Schema):
    """An attribute that differs between two points; the source is null where it is none of the reader's systems."""

    attribute = fields.String(required=True)
    before = fields.Raw(required=True, allow_none=True)
    after = fields.Raw(required=True, allow_none=True)
    source_before = fields.Nested(OriginSchema, required=True, allow_none=True)
    source_after = fields.Nested(OriginSchema, required=True, allow_none=True)
