"""Shapes of requests and answers. What a domain's records look like comes from its declaration, so that a new domain has them by itself.

A schema asks about shape only (text, how long, which fields); what a value means is the business of `mdm.values`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from marshmallow import Schema, ValidationError, fields, pre_load, validate, validates_schema

from api.past import LaneSchema, SpanSchema
from mdm.entity import Attribute, EntityType, Sensitivity
from mdm.reasons import REASON_MAX
from mdm.standardise import IDENTIFIERS_MAX, KEY_LENGTH_MAX, VALUES_MAX
from mdm.statements import RELATIONSHIPS_MAX, TREE_LENGTH_MAX

BATCH_ROWS_MAX = 1000
SEARCH_MAX = 100
MATCH_MAX = 50
TEXT_MAX = 200
CURSOR_MAX = 2000


def storable(text: str) -> None:
    """Refuse what PostgreSQL cannot store."""
    if "\x00" in text or any("\ud800" <= c <= "\udfff" for c in text):
        raise ValidationError("NUL or broken Unicode")


def text(longest: int = TEXT_MAX, *, shortest: int = 0, **options: Any) -> fields.String:
    """A text of so many characters that can be stored."""
    return fields.String(validate=[validate.Length(min=shortest or None, max=longest), storable], **options)


class Values(fields.Field[Any]):
    """An attribute of many values: a text, or a list of texts."""

    def __init__(self, longest: int, **options: Any) -> None:
        self._one = text(longest)
        self._many = fields.List(text(longest), validate=validate.Length(max=VALUES_MAX))
        one = {"type": "string", "maxLength": longest}
        shape = {"oneOf": [one, {"type": "array", "items": one, "maxItems": VALUES_MAX}]}
        super().__init__(metadata={**options.pop("metadata", {}), **shape}, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        return (self._many if isinstance(value, list) else self._one).deserialize(value, attr, data, **kwargs)

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        del attr, obj, kwargs
        return list(value) if isinstance(value, tuple) else value


class Rows(fields.List[Any]):
    """Rows that are checked one by one later, because a bad one must not stop the others."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> list[Any]:
        del attr, data, kwargs
        if not isinstance(value, list):
            raise self.make_error("invalid")
        return value


class IdentifierSchema(Schema):
    """An identifier: its system (a code or an alias of it) and its value."""

    system = text(shortest=1, required=True)
    value = text(KEY_LENGTH_MAX, shortest=1, required=True)


class Pairs(fields.List[Any]):
    """Pairs of system and value, told as objects."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> list[Any]:
        del attr, obj, kwargs
        return [{"system": system, "value": held} for system, held in value]


class HeldIdentifierSchema(Schema):
    """An identifier that a golden record holds."""

    system = fields.String(required=True)
    value = fields.String(required=True)
    status = fields.String()
    valid_from = fields.Date(allow_none=True)
    valid_to = fields.Date(allow_none=True)


class EvidenceSchema(Schema):
    """One comparison: the level that was met, and what it is worth in bits. No values."""

    comparison = fields.String(required=True)
    level = fields.String(required=True)
    weight = fields.Float(required=True)
    group = fields.String(required=True)


class NoteSchema(Schema):
    """Something a sender should know about one field."""

    code = fields.String(required=True)
    pointer = fields.String(required=True)


class RowProblemSchema(Schema):
    """Why a row was rejected."""

    code = fields.String(required=True)
    pointer = fields.String(required=True)
    message = fields.String(required=True)


class ResultSchema(Schema):
    """What became of one delivered record."""

    system = fields.String(required=True)
    key = fields.String(required=True)
    outcome = fields.String(required=True)
    record_id = fields.UUID(required=True, allow_none=True)
    golden_id = fields.UUID(required=True, allow_none=True)
    weight = fields.Float(required=True, allow_none=True)
    evidence = fields.List(fields.Nested(EvidenceSchema), required=True)
    task_id = fields.UUID(required=True, allow_none=True)
    notes = fields.List(fields.Nested(NoteSchema), required=True)
    problems = fields.List(fields.Nested(RowProblemSchema), required=True)


class BatchResultSchema(Schema):
    """One result per row, in the order of the rows, and how many there are of each outcome."""

    results = fields.List(fields.Nested(ResultSchema), required=True)
    counts = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)


class MatchResultSchema(Schema):
    """A golden record that may be the same entity."""

    golden_id = fields.UUID(required=True)
    weight = fields.Float(required=True, allow_none=True, metadata={"description": "In bits; null where comparisons are withheld."})
    grade = fields.String(required=True)
    evidence = fields.List(fields.Nested(EvidenceSchema), required=True)
    vetoes = fields.List(fields.String(), required=True)
    display = fields.String(required=True, allow_none=True)


class MatchAnswerSchema(Schema):
    """Golden records from the likeliest down, and notes on what was cut or not understood."""

    results = fields.List(fields.Nested(MatchResultSchema), required=True)
    notes = fields.List(fields.Nested(NoteSchema), required=True)
    withheld = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "Comparisons of values that you would see masked: of them only the grade tells, and so it ranks."},
    )


class VersionQuery(Schema):
    """As of which day in the world, and as known to Concord at which moment."""

    as_of = fields.Date()
    known_at = fields.AwareDateTime(metadata={"description": "With a time zone."})


@dataclass(frozen=True, slots=True)
class DomainSchemas:
    """Every shape that a domain's routes use."""

    put: Schema
    row: Schema
    batch: Schema
    match: Schema
    explain: Schema
    search: Schema
    source: Schema
    sources: Schema
    golden: Schema
    history: Schema
    source_history: Schema
    page: Schema
    relationship: Schema | None


def domain_schemas(entity: EntityType) -> DomainSchemas:
    """The shapes of one domain, from its declaration."""
    delivered = _named(entity, "Attributes", {a.name: _field(a, required=a.required) for a in entity.attributes})
    compared = _named(entity, "MatchAttributes", {a.name: _field(a) for a in entity.attributes})
    shown = _named(entity, "Values", {a.name: _shown(a) for a in entity.attributes})
    put = _put_fields(entity, delivered)
    row = _named(entity, "Row", {"system": text(shortest=1, required=True), "key": text(KEY_LENGTH_MAX, shortest=1, required=True), **put})
    source = _named(entity, "Source", _source_fields(shown))
    version = _named(entity, "GoldenVersion", _version_fields(shown))
    hit = _named(entity, "Hit", {"id": fields.UUID(required=True), "display": fields.String(required=True), "values": fields.Nested(shown)})
    return DomainSchemas(
        put=_named(entity, "Delivery", put)(),
        row=row(),
        batch=_batch(entity, row)(),
        match=_named(entity, "Match", _match_fields(compared))(),
        explain=_explain(entity, compared)(),
        search=_search(entity)(),
        source=source(),
        sources=_named(entity, "Sources", {"items": fields.List(fields.Nested(source), required=True)})(),
        golden=_named(entity, "Golden", _golden_fields(shown))(),
        history=_named(entity, "History", _history_fields(version))(),
        source_history=_named(entity, "SourceHistory", _lane_fields(entity, shown), LaneSchema)(),
        page=_named(entity, "Page", {"items": fields.List(fields.Nested(hit), required=True), "next": fields.String(allow_none=True)})(),
        relationship=_named(entity, "RelationshipClaim", _relationship_fields(entity))() if entity.relationships else None,
    )


def _named(entity: EntityType, what: str, members: Mapping[str, Any], base: type[Schema] = Schema) -> type[Schema]:
    """A schema class called after its domain: `CostCenterDelivery`."""
    name = "".join(part.capitalize() for part in entity.name.split("_")) + what
    # Not in marshmallow's global register: two applications of one process may declare a domain of one name differently.
    meta = type("Meta", (), {"register": False})
    return type(name, (base,), {**members, "Meta": meta, "__doc__": f"{entity.label}: {what}."})


def _field(attribute: Attribute, *, required: bool = False) -> fields.Field[Any]:
    about = {"title": attribute.title, **({"description": attribute.help} if attribute.help else {})}
    longest = attribute.type.max_length
    if attribute.many:
        return Values(longest, required=required, metadata=about)
    if attribute.choices:
        about["description"] = f"{attribute.help} One of {', '.join(attribute.choices)}.".strip()
    return text(longest, required=required, metadata={**about, "example": attribute.type.example})


def _shown(attribute: Attribute) -> fields.Field[Any]:
    return fields.Raw(metadata={"title": attribute.title, "oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]})


def _identifiers() -> fields.Field[Any]:
    return fields.List(fields.Nested(IdentifierSchema), load_default=list, validate=validate.Length(max=IDENTIFIERS_MAX))


def _put_fields(entity: EntityType, attributes: type[Schema]) -> dict[str, fields.Field[Any]]:
    said = _named(entity, "Relationship", {**_ends(), **_edge_fields(entity)})
    size = validate.Length(max=RELATIONSHIPS_MAX)
    about = {"description": "Takes the place of those delivered before; left out, they stay as they are."}
    related = {"relationships": fields.List(fields.Nested(said), validate=size, metadata=about)} if entity.relationships else {}
    return {
        **related,
        "attributes": fields.Nested(attributes, required=True),
        "identifiers": _identifiers(),
        "status": fields.String(load_default="active", validate=validate.OneOf(["active", "inactive"])),
        "valid_from": fields.Date(load_default=None, allow_none=True),
        "valid_to": fields.Date(load_default=None, allow_none=True),
    }


def _edge_fields(entity: EntityType) -> dict[str, fields.Field[Any]]:
    """What is said of a relationship but its other end; what the words mean is checked where they are understood."""
    names = [rule.name for rule in entity.relationships]
    helped = " ".join(f"{rule.name}: {rule.title.lower()}, a {rule.target}. {rule.help}".strip() for rule in entity.relationships)
    return {
        "type": fields.String(required=True, validate=validate.OneOf(names), metadata={"description": helped}),
        "tree": text(TREE_LENGTH_MAX, load_default=None, allow_none=True, metadata={"description": "Of a hierarchy; main unless said."}),
        "valid_from": fields.Date(load_default=None, allow_none=True),
        "valid_to": fields.Date(load_default=None, allow_none=True),
    }


def _ends() -> dict[str, fields.Field[Any]]:
    """The other end: a system's local key, which nobody need know yet, or a golden id."""
    return {
        "system": text(load_default=None, allow_none=True),
        "value": text(KEY_LENGTH_MAX, load_default=None, allow_none=True),
        "golden_id": fields.UUID(load_default=None, allow_none=True),
    }


def _relationship_fields(entity: EntityType) -> dict[str, fields.Field[Any]]:
    return {"golden_id": fields.UUID(required=True), **_edge_fields(entity), "reason": text(REASON_MAX, load_default="")}


def _match_fields(attributes: type[Schema]) -> dict[str, fields.Field[Any]]:
    return {
        "attributes": fields.Nested(attributes, load_default=dict),
        "identifiers": _identifiers(),
        "limit": fields.Integer(load_default=10, strict=True, validate=validate.Range(1, MATCH_MAX)),
    }


def _explain(entity: EntityType, attributes: type[Schema]) -> type[Schema]:
    """Two sides, each of them the key of a stored record, or a record that stands in the question."""
    members = {
        "system": text(shortest=1),
        "key": text(KEY_LENGTH_MAX, shortest=1),
        "attributes": fields.Nested(attributes),
        "identifiers": fields.List(fields.Nested(IdentifierSchema), validate=validate.Length(max=IDENTIFIERS_MAX)),
    }

    class Side(Schema):
        @validates_schema
        def check_one_way(self, data: Mapping[str, Any], **kwargs: Any) -> None:
            del kwargs
            if set(data) != {"system", "key"} and (not data or not set(data) <= {"attributes", "identifiers"}):
                raise ValidationError("say system and key, or attributes and identifiers")

    side = _named(entity, "Side", members, Side)
    return _named(entity, "Explain", {name: fields.Nested(side, required=True) for name in ("left", "right")})


def _batch(entity: EntityType, row: type[Schema]) -> type[Schema]:
    size = validate.Length(min=1, max=BATCH_ROWS_MAX)

    class Batch(Schema):
        @pre_load
        def accept_bare_list(self, data: Any, **kwargs: Any) -> Any:
            del kwargs
            return {"records": data} if isinstance(data, list) else data

    return _named(entity, "Batch", {"records": Rows(fields.Nested(row), required=True, validate=size)}, Batch)


def _search(entity: EntityType) -> type[Schema]:
    """What may be searched: never a secret value, which an answer of yes or no would give away."""
    open_ones = [a for a in entity.attributes if a.searchable and a.sensitivity is not Sensitivity.SECRET]
    by = _named(entity, "SearchAttributes", {a.name: text(a.type.max_length) for a in open_ones})
    members = {
        "text": text(shortest=1),
        "attributes": fields.Nested(by, load_default=dict),
        "limit": fields.Integer(load_default=20, strict=True, validate=validate.Range(1, SEARCH_MAX)),
        "cursor": text(CURSOR_MAX, load_default=None, allow_none=True),
    }
    return _named(entity, "Search", members)


def _source_fields(shown: type[Schema]) -> dict[str, fields.Field[Any]]:
    return {
        "record_id": fields.UUID(required=True),
        "golden_id": fields.UUID(required=True, allow_none=True),
        "system": fields.String(required=True),
        "key": fields.String(required=True),
        "status": fields.String(required=True),
        "version": fields.Integer(required=True),
        "attributes": fields.Nested(shown, required=True),
        "identifiers": Pairs(fields.Nested(IdentifierSchema), required=True),
        "valid_from": fields.Date(allow_none=True),
        "valid_to": fields.Date(allow_none=True),
        "notes": fields.List(fields.Nested(NoteSchema)),
        "updated_at": fields.AwareDateTime(allow_none=True),
    }


def _version_fields(shown: type[Schema]) -> dict[str, fields.Field[Any]]:
    return {
        "version": fields.Integer(required=True),
        "values": fields.Nested(shown, required=True),
        "provenance": _provenance(),
        "recorded_from": fields.AwareDateTime(required=True),
        "recorded_to": fields.AwareDateTime(allow_none=True),
    }


def _history_fields(version: type[Schema]) -> dict[str, fields.Field[Any]]:
    lanes = fields.List(fields.Nested(LaneSchema), required=True)
    return {"items": fields.List(fields.Nested(version), required=True), "lanes": lanes}


def _lane_fields(entity: EntityType, shown: type[Schema]) -> dict[str, fields.Field[Any]]:
    said = {
        "attributes": fields.Nested(shown, required=True),
        "identifiers": Pairs(fields.Nested(IdentifierSchema), required=True),
        "notes": fields.List(fields.Nested(NoteSchema), required=True),
    }
    return {"versions": fields.List(fields.Nested(_named(entity, "SourceVersion", said, SpanSchema)), required=True)}


def _golden_fields(shown: type[Schema]) -> dict[str, fields.Field[Any]]:
    return {
        "id": fields.UUID(required=True),
        "domain": fields.String(required=True),
        "redirected_from": fields.UUID(required=True, allow_none=True),
        "status": fields.String(required=True),
        "version": fields.Integer(required=True),
        "values": fields.Nested(shown, required=True),
        "provenance": _provenance(),
        "identifiers": fields.List(fields.Nested(HeldIdentifierSchema), required=True),
        "records": fields.List(fields.UUID(), required=True),
        "updated_at": fields.AwareDateTime(allow_none=True),
    }


def _provenance() -> fields.Field[Any]:
    return fields.Dict(
        keys=fields.String(),
        values=fields.Raw(),
        required=True,
        metadata={"description": "Per attribute: the source record, the rule that chose it, and the losing values."},
    )


def rows_problem(messages: Mapping[Any, Any] | Sequence[Any] | str) -> object:
    """A row's messages as `api.errors.field_problems` reads them; a row that is no object at all speaks for itself."""
    return messages if isinstance(messages, Mapping) else {"_schema": messages}
