"""Who is who, said by a person: merge, link only, split, move, pin; the decisions behind a golden record, and taking them back.

Every act can be rehearsed (`dry_run`): it is done, its effect is read, and all of it is rolled back.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from marshmallow import Schema, fields, validate
from sqlalchemy.orm import Session

from api.auth import Access
from api.context import actor, concord, database, request_id, uuid_of
from api.preconditions import if_match, if_match_given, if_match_parameter
from api.routing import Answer, Operation, add, new_blueprint
from api.schemas import DomainSchemas, Values, text
from mdm import audit, decisions, golden, identity, pins, policy, tiers, verdicts
from mdm.access import Verb
from mdm.effects import Effect, effect
from mdm.entity import EntityType
from mdm.errors import Invalid
from mdm.identity import RECORDS_MAX, Act, Done
from mdm.reading import Reader
from mdm.tiers import Tier
from mdm.undo import Undone, undo

REASON_MAX = 2000
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


def _acted(entity: EntityType, schemas: DomainSchemas) -> Schema:
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


def add_routes(blueprint: Any, entity: EntityType, schemas: DomainSchemas) -> None:
    """The acts on golden records of one domain."""
    acts: Sequence[tuple[str, str, str, str, type[Schema], Callable[..., Answer]]] = (
        ("merge_golden", "POST", "/merges", "Merge golden records into this one, which survives", MergeSchema, merge),
        (
            "link_golden",
            "POST",
            "/links",
            "Say that these are one entity of which a system keeps several records, and ask that system to merge them",
            LinksSchema,
            link_only,
        ),
        ("split_golden", "POST", "/splits", "Part a golden record into groups of its source records", SplitSchema, split),
        ("move_records", "POST", "/moves", "Move source records to another golden record", MoveSchema, move),
        ("pin_value", "PUT", "/pins/<attribute>", "Pin the value of an attribute", PinSchema, pin),
    )
    answer = _acted(entity, schemas)
    decide, refusals = Access(Verb.DECIDE, entity.name), (409, 412, 428)
    for name, method, rule, summary, body, handler in acts:
        operation = Operation(
            name=name,
            summary=summary,
            access=decide,
            body=body,
            answer=answer,
            refusals=refusals,
            docs={"parameters": [if_match_parameter("the golden record; a rehearsal needs none", required=False)]},
            once=True,
        )
        add(blueprint, method, f"/golden/<golden_id>{rule}", partial(handler, entity), operation)
    unpin = Operation(name="unpin_value", summary="Take a pin back", access=decide, query=ReasonQuery, answer=UndoneSchema, once=True)
    add(blueprint, "DELETE", "/golden/<golden_id>/pins/<attribute>", partial(delete_pin, entity), unpin)
    listed = Operation(
        name="list_decisions",
        summary="Every decision about the source records of a golden record, taken back ones included",
        access=Access(Verb.READ, entity.name),
        answer=DecisionsSchema,
    )
    add(blueprint, "GET", "/golden/<golden_id>/decisions", partial(get_decisions, entity), listed)


def blueprint() -> Any:
    """Decisions by their ids, whatever their domain."""
    made = new_blueprint("decisions", "/v1/decisions", "What people decided, and taking it back.")
    one = Operation(name="get_decision", summary="One decision", access=Access(Verb.READ), answer=DecisionSchema)
    undone = Operation(
        name="undo_decision",
        summary="Take a decision back, not only the last one; later decisions stand",
        access=Access(Verb.DECIDE),
        query=ReasonQuery,
        answer=UndoneSchema,
        once=True,
    )
    add(made, "GET", "/<decision_id>", get_decision, one)
    add(made, "DELETE", "/<decision_id>", delete_decision, undone)
    return made


def merge(entity: EntityType, body: Mapping[str, Any], *, golden_id: str) -> Answer:
    wanted, others = uuid_of(golden_id), body["others"]
    return _do(entity, body, [wanted, *others], lambda session, act: identity.merge(session, entity, wanted, others, act), tiers.of_merge)


def link_only(entity: EntityType, body: Mapping[str, Any], *, golden_id: str) -> Answer:
    wanted, others = uuid_of(golden_id), body["others"]
    return _do(
        entity, body, [wanted, *others], lambda session, act: identity.link_only(session, entity, wanted, others, act), tiers.of_merge
    )


def split(entity: EntityType, body: Mapping[str, Any], *, golden_id: str) -> Answer:
    wanted = uuid_of(golden_id)
    return _do(entity, body, [wanted], lambda session, act: identity.split(session, entity, wanted, body["groups"], act), tiers.of_split)


def move(entity: EntityType, body: Mapping[str, Any], *, golden_id: str) -> Answer:
    wanted, to = uuid_of(golden_id), body["to"]
    return _do(
        entity, body, [wanted, to], lambda session, act: identity.move(session, entity, wanted, body["records"], to, act), tiers.of_move
    )


def pin(entity: EntityType, body: Mapping[str, Any], *, golden_id: str, attribute: str) -> Answer:
    wanted, new = uuid_of(golden_id), pins.NewPin(attribute, body["value"], body["expires_at"])
    return _do(entity, body, [wanted], lambda session, act: pins.pin(session, entity, wanted, new, act))


TierOf = Callable[[Session, EntityType, Sequence[UUID]], Tier]


def _do(
    entity: EntityType,
    body: Mapping[str, Any],
    goldens: Sequence[UUID],
    what: Callable[[Session, Act], Done],
    tier_of: TierOf | None = None,
) -> Answer:
    """One act, for good or as a rehearsal, on golden records that exist for whoever asks, under the tiers of the stewards' pages."""
    dry_run: bool = body["dry_run"]
    act = Act(actor=actor(), reason=body["reason"], request_id=request_id(), if_match=if_match_given() if dry_run else if_match())

    def work(session: Session) -> tuple[Done, Effect | None, UUID]:
        policy.check_visible(session, actor(), goldens)
        found = None if tier_of is None or dry_run else tier_of(session, entity, goldens)  # as it is before the act
        done = what(session, act)
        if found is not None:
            tiers.check_act(found, act.reason)
        told = effect(session, entity, Reader(actor(), request_id()), done.goldens, done.began) if dry_run else None
        return done, told, golden.locate(session, entity, goldens[0])[0]

    done, told, now = database().rehearse(work) if dry_run else database().run(work)
    if dry_run:
        _note_rehearsal(entity, done.goldens)
    return {
        "decision_id": done.decision_id,
        "golden_id": now,
        "golden_ids": done.goldens,
        "moves": done.moves,
        "dry_run": dry_run,
        "effect": told,
    }


def _note_rehearsal(entity: EntityType, goldens: Sequence[UUID]) -> None:
    """A rehearsal showed what golden records hold; its own audit rows went with it."""

    def work(session: Session) -> None:
        audit.record(session, actor(), "decision:rehearse", domain=entity.name, subjects=goldens, request_id=request_id())

    database().run(work)


def delete_pin(entity: EntityType, query: Mapping[str, Any], *, golden_id: str, attribute: str) -> Answer:
    wanted = uuid_of(golden_id)

    def find(session: Session) -> tuple[str, UUID]:
        survivor, _ = golden.locate(session, entity, wanted)
        policy.check_visible(session, actor(), [survivor])
        return entity.name, pins.standing_pin(session, entity, survivor, attribute)

    return take_back(find, **query)


def get_decisions(entity: EntityType, *, golden_id: str) -> Answer:
    wanted = uuid_of(golden_id)

    def work(session: Session) -> list[decisions.DecisionView]:
        survivor, _ = golden.locate(session, entity, wanted)
        policy.check_visible(session, actor(), [survivor])
        view = golden.read(session, entity, survivor)
        if entity.phi:
            audit.record(session, actor(), "decision:list", domain=entity.name, subjects=[survivor], request_id=request_id())
        return decisions.about(session, view.records)

    return {"items": database().run(work)}


def get_decision(*, decision_id: str) -> Answer:
    wanted = uuid_of(decision_id)
    return database().run(lambda session: verdicts.seen(session, actor(), wanted, Verb.READ))


def delete_decision(query: Mapping[str, Any], *, decision_id: str) -> Answer:
    wanted = uuid_of(decision_id)

    def find(session: Session) -> tuple[str, UUID]:
        return verdicts.seen(session, actor(), wanted, Verb.DECIDE).domain, wanted

    return take_back(find, **query)


def take_back(find: Callable[[Session], tuple[str, UUID]], *, reason: str = "", dry_run: bool = False) -> Answer:
    """Take back the decision that `find` names with its domain, for good or as a rehearsal."""
    act = Act(actor=actor(), reason=reason, request_id=request_id())

    def work(session: Session) -> Undone:
        domain, decision_id = find(session)
        entity = concord().entities.get(domain)
        if entity is None:
            raise Invalid("this domain is no longer declared")
        return undo(session, entity, decision_id, act)

    undone = database().rehearse(work) if dry_run else database().run(work)
    return {
        "decision_id": undone.decision_id,
        "goldens": undone.goldens,
        "kept": undone.kept,
        "task_id": None if dry_run else undone.task_id,
        "dry_run": dry_run,
    }
