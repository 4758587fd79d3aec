"""Tickets: a flow parks a question that found nothing, and polls or listens until a steward or a delivery has settled it.

Nothing is held meanwhile, neither a connection nor a lock. The answer is made when the ticket is read, with the scope of whoever reads it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import blake2b
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import audit, misswork
from mdm.access import HOLD
from mdm.consult import Asker, Consulted, consult
from mdm.crosswalk import Answer
from mdm.db import execute, fetch
from mdm.entity import EntityType
from mdm.errors import Forbidden, NotFound
from mdm.ids import new_id
from mdm.jsonio import canonical
from mdm.misswork import Counted, Miss, Written
from mdm.question import Question

DAYS = 30  # after these a ticket no longer waits


@dataclass(frozen=True, slots=True)
class Ticket:
    """A parked question: pending, resolved, rejected, or expired."""

    id: UUID
    status: str
    domain: str
    created_at: datetime
    expires_at: datetime
    source: str
    value: str
    targets: tuple[str, ...]
    as_of: date | None


@dataclass(frozen=True, slots=True)
class Held:
    """The ticket, if the question is still open, and the miss as it was written, for whoever watches it."""

    ticket: Ticket | None
    written: Written


def check_may_hold(asker: Asker) -> None:
    """Raise Forbidden unless this client was granted to park questions."""
    if HOLD not in asker.actor.grants:
        raise Forbidden("this key may not park questions; ask for the grant hold")


def hold(session: Session, asker: Asker, question: Question, consulted: Consulted, as_of: date | None) -> Held:
    """Count the question's one miss and wait for it. While a ticket is pending, the same question of the same client is the same ticket.

    `as_of`: the day that was asked for, None for the day on which the answer will be read. A value that became known meanwhile has no
    ticket: ask again.
    """
    miss = consulted.missed[0]
    [written] = misswork.record(session, [Counted(miss, 1, {asker.actor.name}, set(consulted.targets))])
    if written.golden_id is not None:
        return Held(None, written)
    asked = [question.source, question.values[0], list(question.targets), as_of]
    row = (new_id(), written.id, asker.actor.id, blake2b(canonical(asked), digest_size=16).hexdigest())
    execute(
        session,
        "update ticket set status = 'expired', closed_at = now() where miss_id = %s and principal_id = %s and status = 'pending'"
        " and expires_at <= now()",
        row[1:3],
    )
    status = "pending" if written.status == "open" else "rejected"
    if not _known(session, row[1:], status):
        execute(
            session,
            "insert into ticket (id, miss_id, principal_id, question, source, value, targets, as_of, status, expires_at, closed_at)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, now() + make_interval(days => %s), case when %s = 'rejected' then now() end)"
            " on conflict (principal_id, miss_id, question) where status = 'pending' do nothing",
            (*row, question.source, question.values[0], list(question.targets), as_of, status, DAYS, status),
        )
    tickets = _known(session, row[1:], status)
    if not tickets:
        return Held(None, written)  # settled this very moment: ask again
    _audit(session, asker, "ticket:hold", miss, tickets[0])
    return Held(read(session, asker, tickets[0]), written)


def _known(session: Session, question: Sequence[object], status: str) -> list[UUID]:
    rows = fetch(
        session,
        "select id from ticket where miss_id = %s and principal_id = %s and question = %s and status = %s order by created_at desc limit 1",
        (*question, status),
    )
    return [row[0] for row in rows]


def _audit(session: Session, asker: Asker, action: str, miss: Miss, ticket_id: UUID) -> None:
    detail = {"ticket": str(ticket_id), "system": miss.system, "kind": miss.kind}
    audit.record(session, asker.actor, action, domain=miss.domain, request_id=asker.request_id, detail=detail)


def read(session: Session, asker: Asker, ticket_id: UUID) -> Ticket:
    """The ticket as it stands, to the client that holds it; raises NotFound for everybody else."""
    rows = fetch(
        session,
        "select t.id, case when t.status = 'pending' and t.expires_at <= now() then 'expired' else t.status end, m.domain, t.created_at,"
        " t.expires_at, t.source, t.value, t.targets, t.as_of from ticket t join miss m on m.id = t.miss_id"
        " where t.id = %s and t.principal_id = %s",
        (ticket_id, asker.actor.id),
    )
    if not rows:
        raise NotFound("you hold no such ticket")
    known_id, status, domain, created_at, expires_at, source, value, targets, as_of = rows[0]
    return Ticket(known_id, status, domain, created_at, expires_at, source, value, tuple(targets), as_of)


def answer(session: Session, asker: Asker, entity: EntityType, ticket: Ticket, today: date) -> Answer:
    """What the parked question finds now. Raises Forbidden when the client's scope no longer covers it."""
    question = Question(entity, ticket.source, ticket.targets, (ticket.value,), ticket.as_of or today)
    return consult(session, asker, question).answers[0]
