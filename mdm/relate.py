"""What stewards say about relationships: between golden records, with a reason; ended, never erased."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import audit, policy
from mdm.access import Actor, Verb
from mdm.claims import INSERT_CLAIMS, Content, claim_row, end_claims
from mdm.db import fetch, write
from mdm.entities import ENTITY_TYPES
from mdm.entity import EntityType
from mdm.errors import Conflict, FieldProblem, Invalid, NotFound
from mdm.golden import locate
from mdm.ids import new_id
from mdm.jsonio import dumps
from mdm.loops import refuse
from mdm.relationships import Moved, rederive
from mdm.statements import MAIN_TREE, Assertion, type_problems
from mdm.systems import registry


@dataclass(frozen=True, slots=True)
class Author:
    """Who says it, why, under which request."""

    actor: Actor
    reason: str
    request_id: str


@dataclass(frozen=True, slots=True)
class ClaimView:
    """What a steward said, between golden records as they were then."""

    id: UUID
    domain: str
    type: str
    tree: str | None
    subject_id: UUID
    golden_id: UUID
    valid_from: date | None
    valid_to: date | None
    actor: str
    reason: str
    recorded_from: datetime
    recorded_to: datetime | None


def relate(session: Session, entity: EntityType, golden_id: UUID, author: Author, said: Assertion) -> tuple[ClaimView, bool]:
    """Say that a golden record stands in a relationship to another; True when that is new.

    Raises Invalid for what cannot be said, HierarchyLoop when it would close a loop.
    """
    policy.check(author.actor, Verb.DECIDE, entity.name)
    subject, _ = locate(session, entity, golden_id)
    target = _target(session, entity, author.actor, said)
    policy.check_visible(session, author.actor, [subject, target])
    if target == subject:
        raise Invalid(problems=(FieldProblem("same_record", "/golden_id", "nothing is related to itself"),))
    fetch(session, "select id from golden_record where id = %s for update", (subject,))
    content = _content(entity, replace(said, golden_id=target))
    known = _find(session, subject, content)
    if known is not None:
        return known, False
    claim = _claim(session, entity, subject, author, content)
    loops = rederive(session, registry(session), Moved(entity.name, goldens=[subject], claims=[claim]))
    refuse(loops, [claim], "/golden_id")
    _audit(session, entity.name, author, "relationship:assert", subject, {"type": said.type, "claim": str(claim)})
    return _read(session, claim), True


def _target(session: Session, entity: EntityType, actor: Actor, said: Assertion) -> UUID:
    problems = type_problems(entity, said)
    if problems:
        raise Invalid(problems=tuple(problems))
    rule = entity.relationship(said.type)
    unknown = FieldProblem("unknown_target", "/golden_id", "there is no such golden record in the domain of the other end")
    if rule is None or said.golden_id is None or not policy.can(actor, Verb.READ, rule.target):
        raise Invalid(problems=(unknown,))
    try:
        return locate(session, ENTITY_TYPES[rule.target], said.golden_id)[0]
    except NotFound:
        raise Invalid(problems=(unknown,)) from None


def _content(entity: EntityType, said: Assertion) -> Content:
    rule = entity.relationship(said.type)
    tree = (said.tree or MAIN_TREE) if rule is not None and rule.hierarchy else ""
    return Content(said.type, tree, None, None, said.golden_id, said.valid_from, said.valid_to)


def _claim(session: Session, entity: EntityType, subject: UUID, author: Author, content: Content) -> UUID:
    claim = new_id()
    row = {**claim_row(entity, claim, content), "subject_id": subject, "actor": author.actor.name, "reason": author.reason}
    write(session, INSERT_CLAIMS, (dumps([row]).decode(),))
    return claim


def end(session: Session, claim_id: UUID, author: Author, on: date | None) -> ClaimView:
    """Take a steward's claim back, or let it end on a day, which is its last; Concord keeps what it said until now.

    Raises Conflict for a claim of a source, which only that source takes back, and for one that has ended.
    """
    claim, subject = _owned(session, claim_id, author.actor)
    entity = ENTITY_TYPES[claim.domain]
    claims = [claim.id]
    if on is not None:
        content = Content(claim.type, claim.tree or "", None, None, claim.golden_id, claim.valid_from, _last_day(claim, on))
        claims.append(_claim(session, entity, claim.subject_id, replace(author, reason=author.reason or claim.reason), content))
    end_claims(session, [claim.id])
    rederive(session, registry(session), Moved(entity.name, goldens=[subject], claims=claims))
    _audit(session, entity.name, author, "relationship:end", subject, {"type": claim.type, "claim": str(claim.id)})
    return _read(session, claims[-1])


def _owned(session: Session, claim_id: UUID, actor: Actor) -> tuple[ClaimView, UUID]:
    """The open claim of a steward, locked, and its golden record of now; to whom that or its domain is closed it does not exist."""
    rows = fetch(session, "select domain, record_id, recorded_to from relationship_claim where id = %s for update", (claim_id,))
    if not rows or not policy.can(actor, Verb.READ, rows[0][0]):
        raise NotFound("there is no such relationship")
    domain, record_id, recorded_to = rows[0]
    policy.check(actor, Verb.DECIDE, domain)
    if record_id is not None:
        raise Conflict("a source says this; only its next delivery takes it back, but a steward's claim outranks it")
    if recorded_to is not None:
        raise Conflict("this relationship has been ended already")
    claim = _read(session, claim_id)
    subject, _ = locate(session, ENTITY_TYPES[domain], claim.subject_id)
    policy.check_visible(session, actor, [subject])
    return claim, subject


def _last_day(claim: ClaimView, on: date) -> date:
    if on < (claim.valid_from or on) or on > (claim.valid_to or on):
        raise Invalid(problems=(FieldProblem("outside_period", "/on", "the day lies outside the relationship's own dates"),))
    return on


_VIEW = (
    "select id, domain, type, nullif(tree, ''), subject_id, target_id, valid_from, valid_to, actor, reason, recorded_from, recorded_to"
    " from relationship_claim"
)


def _read(session: Session, claim: UUID) -> ClaimView:
    return ClaimView(*fetch(session, _VIEW + " where id = %s", (claim,))[0])


def _find(session: Session, subject: UUID, content: Content) -> ClaimView | None:
    rows = fetch(
        session,
        _VIEW + " where subject_id = %s and type = %s and tree = %s and target_id = %s and valid_from is not distinct from %s"
        " and valid_to is not distinct from %s and recorded_to is null",
        (subject, content.type, content.tree, content.target_id, content.valid_from, content.valid_to),
    )
    return ClaimView(*rows[0]) if rows else None


def _audit(session: Session, domain: str, author: Author, action: str, subject: UUID, detail: dict[str, object]) -> None:
    about = {"reason": author.reason, **detail}
    audit.record(session, author.actor, action, domain=domain, subjects=[subject], request_id=author.request_id, detail=about)
