"""Shapes of mapping sets, rules, releases, questions and answers."""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, ValidationError, fields, pre_load, validate, validates_schema

from api.crosswalk import ON_MISS
from api.schemas import CURSOR_MAX, Rows, text
from mdm.mapping import RULES_MAX, SPLITS_MAX, VALUE_LENGTH_MAX
from mdm.mapping_answers import ASKS_MAX, Outcome
from mdm.mapping_choice import Why
from mdm.mapping_sets import INPUTS_MAX, OUTPUTS_MAX
from mdm.reasons import REASON_MAX

NAME_MAX = 40
STATUSES = ("draft", "approved", "retired")
TERM_KEYS = {"system", "value"}
_PLAIN = {"type": "string", "maxLength": VALUE_LENGTH_MAX}
_KEY = {"type": "object", "required": ["system", "value"], "properties": {"system": _PLAIN, "value": _PLAIN}, "additionalProperties": False}


class Term(fields.Field[Any]):
    """A text (plain, or a golden id), or a key of a system as {system, value}."""

    def __init__(self, **options: Any) -> None:
        self._text = text(VALUE_LENGTH_MAX)
        super().__init__(metadata={"oneOf": [_PLAIN, _KEY]}, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        if not isinstance(value, dict):
            return self._text.deserialize(value, attr, data, **kwargs)
        if set(value) != TERM_KEYS:
            raise ValidationError("a text, or system and value")
        return {name: self._text.deserialize(each, attr, data, **kwargs) for name, each in value.items()}


class InputSchema(Schema):
    """What a set asks for."""

    name = text(NAME_MAX, shortest=1, required=True)
    domain = text(shortest=1, load_default=None, allow_none=True, metadata={"description": "Values are golden records of this domain."})
    required = fields.Boolean(load_default=False)


class OutputSchema(Schema):
    """What a set answers."""

    name = text(NAME_MAX, shortest=1, required=True)
    domain = text(shortest=1, load_default=None, allow_none=True, metadata={"description": "Values are golden ids of this domain."})
    system = text(shortest=1, load_default=None, allow_none=True, metadata={"description": "Values are keys of this system instead."})


class DefinitionSchema(Schema):
    """What a mapping set is made of."""

    label = text(shortest=1, required=True)
    inputs = fields.List(fields.Nested(InputSchema), required=True, validate=validate.Length(1, INPUTS_MAX))
    outputs = fields.List(fields.Nested(OutputSchema), required=True, validate=validate.Length(1, OUTPUTS_MAX))
    tie_break = fields.List(
        text(NAME_MAX),
        load_default=list,
        validate=validate.Length(max=INPUTS_MAX),
        metadata={"description": "Inputs by weight: of rules with equally many conditions, the one that names an earlier input answers."},
    )
    owner = text(load_default="")
    approver = text(load_default="", metadata={"description": "The principal who alone approves; empty: anyone who may."})


class SetSchema(DefinitionSchema):
    """A mapping set as it is; the ETag is its revision."""

    code = fields.String(required=True)
    version = fields.Integer(required=True)
    revision = fields.Integer(required=True)
    rules = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True, metadata={"description": "How many by status."})
    release = fields.Integer(required=True, allow_none=True)
    changed_by = fields.String(required=True)
    changed_at = fields.AwareDateTime(required=True)


class SetsSchema(Schema):
    """Mapping sets, by code."""

    items = fields.List(fields.Nested(SetSchema), required=True)


def _values(**options: Any) -> fields.Field[Any]:
    return fields.Dict(keys=text(NAME_MAX), values=text(VALUE_LENGTH_MAX), validate=validate.Length(max=OUTPUTS_MAX), **options)


class MappingSplitSchema(Schema):
    """One row of an answer: its share in per cent, as decimal text so that no digit is lost."""

    share = text(20, shortest=1, required=True, metadata={"example": "33.3333"})
    outputs = _values(required=True)


class RuleSchema(Schema):
    """A rule as its author writes it: outputs, or splits whose shares are 100 together."""

    conditions = fields.Dict(keys=text(NAME_MAX), values=Term(), required=True, validate=validate.Length(max=INPUTS_MAX))
    outputs = _values()
    splits = fields.List(fields.Nested(MappingSplitSchema), validate=validate.Length(1, SPLITS_MAX))
    valid_from = fields.Date(load_default=None, allow_none=True)
    valid_to = fields.Date(load_default=None, allow_none=True)
    replaces = fields.UUID(load_default=None, allow_none=True)
    note = text(REASON_MAX, load_default="")

    @validates_schema
    def check_one_way(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        del kwargs
        if ("outputs" in data) == ("splits" in data):
            raise ValidationError("say outputs, or splits")


class RulesSchema(Schema):
    """Several rules; a rule by itself, or a bare list, is taken as well."""

    rules = fields.List(fields.Nested(RuleSchema), required=True, validate=validate.Length(1, RULES_MAX))

    @pre_load
    def accept_other_shapes(self, data: Any, **kwargs: Any) -> Any:
        del kwargs
        if isinstance(data, list):
            return {"rules": data}
        return {"rules": [data]} if isinstance(data, dict) and "conditions" in data else data


class MappingSpanSchema(Schema):
    """From when to when a rule answered."""

    recorded_from = fields.AwareDateTime(required=True)
    recorded_to = fields.AwareDateTime(required=True, allow_none=True)
    opened_by = fields.String(required=True)
    closed_by = fields.String(required=True, allow_none=True)
    reason = fields.String(required=True, allow_none=True)


class SplitViewSchema(Schema):
    """One row of an answer."""

    share = fields.String(required=True)
    outputs = fields.Dict(keys=fields.String(), values=fields.String(), required=True, attribute="values")


class RuleViewSchema(Schema):
    """A rule, with its version as ETag."""

    id = fields.UUID(required=True)
    set = fields.String(required=True)
    status = fields.String(required=True, validate=validate.OneOf(STATUSES))
    version = fields.Integer(required=True)
    conditions = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    written = fields.Dict(keys=fields.String(), values=fields.Raw(), required=True, metadata={"description": "As the author gave them."})
    outputs = fields.Dict(keys=fields.String(), values=fields.String(), required=True, allow_none=True)
    splits = fields.List(fields.Nested(SplitViewSchema), required=True)
    valid_from = fields.Date(required=True, allow_none=True)
    valid_to = fields.Date(required=True, allow_none=True)
    replaces = fields.UUID(required=True, allow_none=True)
    note = fields.String(required=True)
    author = fields.String(required=True)
    approved_by = fields.String(required=True, allow_none=True)
    created_at = fields.AwareDateTime(required=True)
    spans = fields.List(fields.Nested(MappingSpanSchema), required=True)


class RuleListSchema(Schema):
    """Rules, oldest first."""

    items = fields.List(fields.Nested(RuleViewSchema), required=True)
    next = fields.String(required=True, allow_none=True)


class RuleQuery(Schema):
    """Which rules."""

    status = fields.String(validate=validate.OneOf(STATUSES))
    limit = fields.Integer(load_default=100, validate=validate.Range(1, RULES_MAX))
    cursor = text(CURSOR_MAX)


class ReasonQuery(Schema):
    """Why a rule goes."""

    reason = text(REASON_MAX, shortest=1, required=True)


class NamedRuleSchema(Schema):
    """A draft, at the version that the approver read."""

    id = fields.UUID(required=True)
    version = fields.Integer(required=True, strict=True, validate=validate.Range(1, 1_000_000))


class ApprovalSchema(Schema):
    """Which drafts; all of the set without `rules`, which asks for the set's ETag in If-Match."""

    rules = fields.List(fields.Nested(NamedRuleSchema), validate=validate.Length(1, RULES_MAX))


class ApprovedSchema(Schema):
    """What was approved, what ended by it, and own drafts that another person has to approve."""

    approved = fields.List(fields.UUID(), required=True)
    replaced = fields.List(fields.UUID(), required=True)
    left = fields.List(fields.UUID(), required=True)
    revision = fields.Integer(required=True)


class ReleaseNoteSchema(Schema):
    """What a release is for."""

    note = text(REASON_MAX, load_default="")


class ReleaseSchema(Schema):
    """The approved rules of one moment."""

    id = fields.UUID(required=True)
    set = fields.String(required=True)
    number = fields.Integer(required=True)
    rules = fields.Integer(required=True)
    note = fields.String(required=True)
    restores = fields.Integer(required=True, allow_none=True)
    made_by = fields.String(required=True)
    made_at = fields.AwareDateTime(required=True)


class ReleasesSchema(Schema):
    """Releases, newest first."""

    items = fields.List(fields.Nested(ReleaseSchema), required=True)


class CompareQuery(Schema):
    """From which release to which."""

    before = fields.Integer(required=True, validate=validate.Range(1, 1_000_000))
    after = fields.Integer(required=True, validate=validate.Range(1, 1_000_000))


class ChangedSchema(Schema):
    """The same conditions, other answers or days."""

    before = fields.List(fields.Nested(RuleViewSchema), required=True)
    after = fields.List(fields.Nested(RuleViewSchema), required=True)


class ComparisonSchema(Schema):
    """What is other in the second release."""

    added = fields.List(fields.Nested(RuleViewSchema), required=True)
    removed = fields.List(fields.Nested(RuleViewSchema), required=True)
    changed = fields.List(fields.Nested(ChangedSchema), required=True)


class DayQuery(Schema):
    """On which day (today)."""

    as_of = fields.Date(load_default=None)


class OpenSchema(Schema):
    """A combination that is asked for and has no answer."""

    inputs = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    outcome = fields.String(required=True)
    count = fields.Integer(required=True)


class AskedSchema(Schema):
    """Of the combinations asked for."""

    combinations = fields.Integer(required=True)
    answered = fields.Integer(required=True)
    questions = fields.Integer(required=True)
    questions_answered = fields.Integer(required=True)
    open = fields.List(fields.Nested(OpenSchema), required=True)


class ReachedSchema(Schema):
    """Of a domain's active golden records: answered with this input alone, named by rules with others, and those that none reaches."""

    input = fields.String(required=True)
    domain = fields.String(required=True)
    records = fields.Integer(required=True)
    answered = fields.Integer(required=True)
    named = fields.Integer(required=True)
    open = fields.List(fields.UUID(), required=True)


class CoverageSchema(Schema):
    """What the rules in force on the day answer."""

    as_of = fields.Date(required=True)
    asked = fields.Nested(AskedSchema, required=True)
    inputs = fields.List(fields.Nested(ReachedSchema), required=True)


class FindingSchema(Schema):
    """One conflict."""

    kind = fields.String(required=True)
    rules = fields.List(fields.UUID(), required=True)
    day = fields.Date(required=True, allow_none=True)
    name = fields.String(required=True, allow_none=True)
    value = fields.String(required=True, allow_none=True)


class ConflictsSchema(Schema):
    """Conflicts; `cut` when there may be more."""

    items = fields.List(fields.Nested(FindingSchema), required=True)
    cut = fields.Boolean(required=True)


class ResolveSchema(Schema):
    """One question, or up to a thousand as `items` of inputs and as_of; a bare list is taken as well."""

    inputs = fields.Dict(
        keys=fields.String(), values=fields.Raw(allow_none=True), metadata={"description": "Texts, golden ids, or {system, value}."}
    )
    as_of = fields.Date(load_default=None, allow_none=True, metadata={"description": "The day for which the answer is wanted: today."})
    known_at = fields.AwareDateTime(load_default=None, allow_none=True, metadata={"description": "As Concord would have answered then."})
    items = Rows(fields.Dict(), validate=validate.Length(1, ASKS_MAX))
    on_miss = fields.String(load_default=ON_MISS[0], validate=validate.OneOf(ON_MISS))

    @pre_load
    def accept_bare_list(self, data: Any, **kwargs: Any) -> Any:
        del kwargs
        return {"items": data} if isinstance(data, list) else data

    @validates_schema
    def check_one_way(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        del kwargs
        if ("inputs" in data) == ("items" in data):
            raise ValidationError("say inputs, or items")


class RuleShownSchema(Schema):
    """The rule that answered."""

    id = fields.UUID(required=True)
    conditions = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    valid_from = fields.Date(required=True, allow_none=True)
    valid_to = fields.Date(required=True, allow_none=True)


class OtherSchema(Schema):
    """A rule that did not answer, and why."""

    rule = fields.UUID(required=True)
    reason = fields.String(required=True, validate=validate.OneOf([why.value for why in Why]))
    input = fields.String(metadata={"description": "The input that differs or is missing."})


class ProblemShownSchema(Schema):
    """What is wrong with the inputs."""

    code = fields.String(required=True)
    pointer = fields.String(required=True)
    message = fields.String(required=True)


class MappedSchema(Schema):
    """What a set answers. `outputs` is null where the answer is split: then `splits` says what goes where."""

    outcome = fields.String(validate=validate.OneOf([outcome.value for outcome in Outcome]))
    outputs = fields.Dict(keys=fields.String(), values=fields.String(), allow_none=True)
    splits = fields.List(fields.Nested(SplitViewSchema))
    rule = fields.Nested(RuleShownSchema, allow_none=True)
    others = fields.List(fields.Nested(OtherSchema))
    problems = fields.List(fields.Nested(ProblemShownSchema))


class MappedOnceOrOftenSchema(MappedSchema):
    """The answer to one question; to `items`, `results` holds one answer each, in order."""

    results = fields.List(fields.Nested(MappedSchema))
