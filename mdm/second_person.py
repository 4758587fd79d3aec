"""Changes that one person asks for and another agrees to: which model decides, and who may do what.

The asker can take it back, never agree. What is agreed to happens in the same transaction, or the agreement does not happen either.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import audit, authentication, people, policy
from mdm.access import Actor, Verb, let_key_work, revoke_key
from mdm.db import execute, fetch
from mdm.entities import ENTITY_TYPES
from mdm.errors import Conflict, FieldProblem, Forbidden, Invalid, NotFound
from mdm.ids import new_id
from mdm.jsonio import dumps
from mdm.model_versions import activate, find_model
from mdm.reasons import REASON_MAX

MODEL, RIGHTS, PASSWORD, FACTOR, KEY = "model", "rights", "password", "factor", "key"
VERBS: Mapping[str, Verb] = {MODEL: Verb.MODEL, RIGHTS: Verb.KEYS, PASSWORD: Verb.KEYS, FACTOR: Verb.KEYS, KEY: Verb.KEYS}


class SamePerson(Forbidden):
    """Whoever asks for a change cannot agree to it; a second person must."""

    code = "second_person_needed"


@dataclass(frozen=True, slots=True)
class Change:
    """What somebody wants changed. `subject`: the model's version, or the id of a person."""

    id: UUID
    kind: str
    subject: str
    detail: Mapping[str, Any]
    reason: str
    asked_by: str
    state: str
    settled_by: str | None
    created_at: datetime
    settled_at: datetime | None


_VIEW: LiteralString = "select id, kind, subject, detail, reason, asked_by, state, settled_by, created_at, settled_at from pending_change "


def ask(session: Session, actor: Actor, change: tuple[str, str], detail: Mapping[str, Any], reason: str) -> UUID:
    """Ask for a change (kind, subject). Raises Conflict while one of the same subject is open, Invalid without a reason."""
    kind, subject = change
    policy.check(actor, VERBS[kind])
    if not reason.strip() or len(reason) > REASON_MAX:
        raise Invalid(problems=(FieldProblem("reason_needed", "/reason", f"say why, in at most {REASON_MAX} characters"),))
    made = new_id()
    written = execute(
        session,
        "insert into pending_change (id, kind, subject, detail, reason, asked_by) values (%s, %s, %s, %s::jsonb, %s, %s)"
        " on conflict (kind, subject) where state = 'open' do nothing",
        (made, kind, subject, dumps(dict(detail)).decode(), reason.strip(), actor.name),
    )
    if not written:
        raise Conflict("somebody has asked for a change of this already; settle that one first")
    audit.record(session, actor, f"{kind}:ask", detail={"change": str(made), "subject": subject})
    return made


def ask_password(session: Session, actor: Actor, person: UUID, reason: str) -> str:
    """Ask for a new password of somebody. Its text, shown this once; it works once another has agreed, until its owner chooses one."""
    _check_person(session, actor, person)
    made = authentication.new_password()
    ask(session, actor, (PASSWORD, str(person)), {"hash": authentication.hashed(made)}, reason)
    return made


def ask_without_factor(session: Session, actor: Actor, person: UUID, reason: str) -> None:
    """Ask that somebody's second factor be taken away, who has lost it."""
    _check_person(session, actor, person)
    ask(session, actor, (FACTOR, str(person)), {}, reason)


def _check_person(session: Session, actor: Actor, person: UUID) -> None:
    """Nobody gets into the account of somebody who holds more than they do."""
    held = people.get(session, person)
    if held.kind != "person":
        raise NotFound("nobody signs in by this name")
    policy.check_not_above(actor, people.wanted_of(held.name, people.held(held)))


def changes(session: Session, actor: Actor, *kinds: str, settled: int = 20) -> list[Change]:
    """Of these kinds the open ones, and those that were settled last."""
    for kind in kinds:
        policy.check(actor, VERBS[kind])
    rows = fetch(session, _VIEW + "where kind = any(%s) and state = 'open' order by created_at", (list(kinds),))
    rows += fetch(session, _VIEW + "where kind = any(%s) and state <> 'open' order by settled_at desc limit %s", (list(kinds), settled))
    return [Change(*row) for row in rows]


def agree(session: Session, actor: Actor, change_id: UUID, request_id: str) -> Change:
    """It happens now. Raises SamePerson, Conflict when it is settled already, Stale where its subject has changed since."""
    change = _open(session, actor, change_id)
    if change.asked_by == actor.name:
        raise SamePerson
    _ACTS[change.kind](session, actor, change)
    return _settle(session, actor, change, "agreed", request_id)


def refuse(session: Session, actor: Actor, change_id: UUID, request_id: str) -> Change:
    """It does not happen; by whoever asked, it is taken back."""
    change = _open(session, actor, change_id)
    if change.kind == KEY:
        revoke_key(session, UUID(change.subject))
    return _settle(session, actor, change, "withdrawn" if change.asked_by == actor.name else "refused", request_id)


def _open(session: Session, actor: Actor, change_id: UUID) -> Change:
    rows = fetch(session, _VIEW + "where id = %s for update", (change_id,))
    if not rows or not policy.can(actor, VERBS[rows[0][1]]):
        raise NotFound("there is no such change")
    change = Change(*rows[0])
    if change.state != "open":
        raise Conflict(f"this is {change.state} already, by {change.settled_by}")
    return change


def _settle(session: Session, actor: Actor, change: Change, state: str, request_id: str) -> Change:
    execute(
        session,
        "update pending_change set state = %s, settled_by = %s, settled_at = clock_timestamp() where id = %s",
        (state, actor.name, change.id),
    )
    detail = {"change": str(change.id), "subject": change.subject, "asked_by": change.asked_by}
    audit.record(session, actor, f"{change.kind}:{state}", request_id=request_id, detail=detail)
    return Change(*fetch(session, _VIEW + "where id = %s", (change.id,))[0])


def _use_model(session: Session, actor: Actor, change: Change) -> None:
    entity, model = find_model(session, ENTITY_TYPES, change.subject)
    policy.check(actor, Verb.MODEL, entity.name)
    activate(session, entity, model, actor)


def _grant(session: Session, actor: Actor, change: Change) -> None:
    person = UUID(change.subject)
    policy.check_not_above(actor, people.wanted_of(people.get(session, person).name, change.detail))
    people.grant(session, person, change.detail)


def _reset_password(session: Session, actor: Actor, change: Change) -> None:
    _check_person(session, actor, UUID(change.subject))
    authentication.reset_password(session, UUID(change.subject), change.detail["hash"])


def _drop_factor(session: Session, actor: Actor, change: Change) -> None:
    _check_person(session, actor, UUID(change.subject))
    authentication.drop_second_factor(session, UUID(change.subject))


def _use_key(session: Session, actor: Actor, change: Change) -> None:
    policy.check_not_above(actor, people.wanted_of(change.detail["name"], change.detail))
    let_key_work(session, UUID(change.subject))


_ACTS: Mapping[str, Callable[[Session, Actor, Change], None]] = {
    MODEL: _use_model,
    RIGHTS: _grant,
    PASSWORD: _reset_password,
    FACTOR: _drop_factor,
    KEY: _use_key,
}
