"""Seeing more than a mask allows: one value, or for a while a whole domain. Each is a reason, an audit row, and a look by somebody else.

Break-glass ends by itself, within an hour at most. Whoever opened it never reviews it.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from mdm import audit, policy
from mdm.access import Actor, Verb
from mdm.db import execute, fetch
from mdm.entity import EntityType
from mdm.errors import Conflict, Invalid, NotFound
from mdm.ids import new_id
from mdm.reasons import REASON_MAX

MINUTES_MAX = 60
REVEALS_MAX = 120  # in an hour; whoever needs more needs a break-glass, which somebody looks at
REVEAL_SECONDS = 30
OVERDUE = timedelta(hours=72)


class TooMany(Conflict):
    """That many values in one hour are not revealed one by one. Use break-glass, with its reason."""

    code = "too_many_reveals"


def unmasked(actor: Actor) -> Actor:
    """The same person, seeing values whole. Only for a read that was allowed and audited as such."""
    return replace(actor, grants=actor.grants | {Verb.UNMASK.value})


@dataclass(frozen=True, slots=True)
class Shown:
    """One value that is to be shown whole: of which golden records, which attribute, and why."""

    about: tuple[UUID, ...]
    attribute: str
    why: str


def reveal(session: Session, entity: EntityType, actor: Actor, shown: Shown, request_id: str) -> None:
    """Note that one value is shown whole. Raises Forbidden, or TooMany; the caller shows it and nothing else."""
    policy.check(actor, Verb.DECIDE, entity.name)
    lately = fetch(
        session,
        "select count(*) from audit where principal = %s and action = 'value:reveal' and at > now() - interval '1 hour'",
        (actor.name,),
    )
    if lately[0][0] >= REVEALS_MAX:
        raise TooMany
    audit.record(
        session,
        actor,
        "value:reveal",
        domain=entity.name,
        subjects=list(shown.about),
        fields=[shown.attribute],
        request_id=request_id,
        outcome="answered",
        detail={"why": shown.why},
    )


def open_glass(session: Session, actor: Actor, domain: str, reason: str, ticket: str, minutes: int) -> None:
    """Values of this domain are whole for this person for a while. Raises Invalid without a reason or a ticket, Forbidden elsewhere."""
    policy.check(actor, Verb.READ, domain)
    if not reason or not ticket or len(reason) > REASON_MAX or len(ticket) > REASON_MAX:
        raise Invalid.at("reason_wanted", "/reason", "say why, and name the ticket")
    if not 1 <= minutes <= MINUTES_MAX:
        raise Invalid.at("out_of_range", "/minutes", f"1 to {MINUTES_MAX} minutes")
    glass_id = new_id()
    execute(
        session,
        "insert into break_glass (id, principal, domain, reason, ticket, opened_at, ends_at) values (%s, %s, %s, %s, %s, now(),"
        " now() + make_interval(mins => %s))",
        (glass_id, actor.name, domain, reason, ticket, minutes),
    )
    audit.record(session, actor, "glass:open", domain=domain, detail={"glass": str(glass_id), "minutes": minutes})
    structlog.get_logger("concord").warning("break_glass", principal=actor.name, domain=domain, glass=str(glass_id))


def end(session: Session, actor: Actor) -> None:
    """Every break-glass of this person is over."""
    execute(session, "update break_glass set ends_at = now() where principal = %s and ends_at > now()", (actor.name,))
    audit.record(session, actor, "glass:end")


def review(session: Session, actor: Actor, glass_id: UUID) -> None:
    """Somebody else has looked at what was done under it. Raises NotFound, Conflict for one's own or one that is reviewed."""
    rows = fetch(session, "select principal, reviewed_at from break_glass where id = %s for update", (glass_id,))
    if not rows:
        raise NotFound("there is no such break-glass")
    if rows[0][0] == actor.name or rows[0][1] is not None:
        raise Conflict("somebody else reviews it, once")
    execute(session, "update break_glass set reviewed_by = %s, reviewed_at = now() where id = %s", (actor.name, glass_id))
    audit.record(session, actor, "glass:review", detail={"glass": str(glass_id)})
