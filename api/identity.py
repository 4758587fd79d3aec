"""Who is who, said by a person: merge, link only, split, move, pin; the decisions behind a golden record, and taking them back.

Every act can be rehearsed (`dry_run`): it is done, its effect is read, and all of it is rolled back.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any
from uuid import UUID

from flask import Response
from marshmallow import Schema
from sqlalchemy.orm import Session

from api.auth import Access
from api.context import actor, concord, database, request_id, uuid_of
from api.identity_schemas import (
    DecisionSchema,
    DecisionsSchema,
    LinksSchema,
    MergeSchema,
    MoveSchema,
    PinSchema,
    ReasonQuery,
    SplitSchema,
    UndoneSchema,
    acted,
)
from api.preconditions import if_match, if_match_given, if_match_parameter
from api.proposals import ProposalSchema, undecided
from api.routing import Answer, Operation, add, new_blueprint
from api.schemas import DomainSchemas
from mdm import asking, audit, decisions, golden, identity, members, pins, policy, tiers, verdicts
from mdm.access import Verb
from mdm.desk import MERGE, MOVE
from mdm.effects import Effect, effect
from mdm.entity import EntityType
from mdm.errors import Invalid
from mdm.identity import Act, Done
from mdm.reading import Reader
from mdm.requests import LINK_ONLY
from mdm.resolve import Move
from mdm.tiers import Tier
from mdm.undo import Undone, undo


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
    answer = acted(entity, schemas)
    decide, refusals = Access(Verb.DECIDE, entity.name), (409, 412, 428)
    for name, method, rule, summary, body, handler in acts:
        operation = Operation(
            name=name,
            summary=summary,
            access=decide,
            body=body,
            answer=answer,
            also=() if handler is pin else ((HTTPStatus.ACCEPTED, ProposalSchema),),
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
    asked = asking.Asked(kind=MERGE, goldens=[wanted, *others], verdict="same")
    return _do(entity, body, _Grave(asked, tiers.of_merge), lambda session, act: identity.merge(session, entity, wanted, others, act))


def link_only(entity: EntityType, body: Mapping[str, Any], *, golden_id: str) -> Answer:
    wanted, others = uuid_of(golden_id), body["others"]
    asked = asking.Asked(kind=MERGE, goldens=[wanted, *others], verdict=LINK_ONLY)
    return _do(entity, body, _Grave(asked, tiers.of_merge), lambda session, act: identity.link_only(session, entity, wanted, others, act))


def split(entity: EntityType, body: Mapping[str, Any], *, golden_id: str) -> Answer:
    wanted, groups = uuid_of(golden_id), tuple(map(tuple, body["groups"]))
    asked = asking.Asked(kind="split", goldens=[wanted], verdict="split", groups=groups)
    return _do(entity, body, _Grave(asked, tiers.of_split), lambda session, act: identity.split(session, entity, wanted, groups, act))


def move(entity: EntityType, body: Mapping[str, Any], *, golden_id: str) -> Answer:
    wanted, records, to = uuid_of(golden_id), body["records"], body["to"]
    asked = asking.Asked(kind=MOVE, goldens=[wanted, to], verdict="move", records=records)
    return _do(entity, body, _Grave(asked, tiers.of_move), lambda session, act: identity.move(session, entity, wanted, records, to, act))


def pin(entity: EntityType, body: Mapping[str, Any], *, golden_id: str, attribute: str) -> Answer:
    wanted, new = uuid_of(golden_id), pins.NewPin(attribute, body["value"], body["expires_at"])
    return _do(entity, body, [wanted], lambda session, act: pins.pin(session, entity, wanted, new, act))


@dataclass(frozen=True, slots=True)
class _Grave:
    """An act that may take a reason or a second person: how it is asked then, and what says so."""

    asked: asking.Asked
    tier_of: Callable[[Session, EntityType, Sequence[UUID]], Tier]


@dataclass(frozen=True, slots=True)
class _Told:
    """What an act did, where its golden record answers now, and, of a rehearsal, its effect."""

    decision_id: UUID
    golden_id: UUID
    golden_ids: Sequence[UUID]
    moves: Sequence[Move]
    dry_run: bool
    effect: Effect | None


def _do(entity: EntityType, body: Mapping[str, Any], about: _Grave | Sequence[UUID], what: Callable[[Session, Act], Done]) -> Answer:
    """One act, for good or as a rehearsal, on golden records that exist for whoever asks, under the tiers of the stewards' pages."""
    dry_run: bool = body["dry_run"]
    goldens = about.asked.goldens if isinstance(about, _Grave) else about
    act = Act(actor=actor(), reason=body["reason"], request_id=request_id(), if_match=if_match_given() if dry_run else if_match())

    def work(session: Session) -> _Told | Response:
        policy.check_visible(session, actor(), goldens)
        if isinstance(about, _Grave) and not dry_run:
            found = about.tier_of(session, entity, goldens)  # as it is before the act
            if found.level == 3:
                return _ask_another(session, entity, about.asked, act, what)
            done = what(session, act)  # what cannot be done wants no reason
            tiers.check_reason(found, act.reason)
        else:
            done = what(session, act)
        told = effect(session, entity, Reader(actor(), request_id()), done.goldens, done.began) if dry_run else None
        now = golden.locate(session, entity, goldens[0])[0]
        return _Told(done.decision_id, now, done.goldens, done.moves, dry_run, told)

    told = database().rehearse(work) if dry_run else database().run(work)
    if dry_run and isinstance(told, _Told):
        _note_rehearsal(entity, told.golden_ids)
    return told


def _ask_another(
    session: Session, entity: EntityType, asked: asking.Asked, act: Act, what: Callable[[Session, Act], Done]
) -> _Told | Response:
    """Proposed to a second person, unless it cannot be done at all; by whom it is agreed to, it is done."""
    told = asking.propose(session, entity, asked, act, lambda: what(session, act))
    waits = undecided(told)
    if waits is not None:
        return waits
    done = decisions.get(session, UUID(told["decision"]))
    moves = [Move(*map(UUID, each)) for each in done.detail["moves"]]
    touched = {*members.homes(session, done.records), *(g for move in moves for g in (move.left, move.joined))}
    return _Told(done.id, golden.locate(session, entity, asked.goldens[0])[0], sorted(touched), moves, dry_run=False, effect=None)


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
