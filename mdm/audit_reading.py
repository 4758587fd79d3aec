"""The audit as auditors read it: by person, act, domain and record, newest first; and every break-glass (`mdm.glass`).

Reading the audit is audited. Subjects are golden ids: nothing here says who a patient is.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, LiteralString, TypedDict
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import audit, policy
from mdm.access import Actor, Verb
from mdm.db import fetch
from mdm.glass import OVERDUE

PAGE = 100


class Wanted(TypedDict, total=False):
    """Which rows: all of them, where nothing is said. `until` is the last day; `before` the number of the last row that was shown."""

    principal: str
    action: str
    domain: str
    subject: UUID
    since: date
    until: date
    before: int


@dataclass(frozen=True, slots=True)
class AuditRow:
    """Who did what, when, to which golden records, and with what outcome."""

    n: int
    at: datetime
    principal: str
    action: str
    domain: str | None
    subjects: tuple[UUID, ...]
    fields: tuple[str, ...]
    request_id: str
    outcome: str
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Glass:
    """A time in which somebody saw more than their masks allow: why, for how long, what they read in it, and who signed it off."""

    id: UUID
    principal: str
    domain: str
    reason: str
    ticket: str
    opened_at: datetime
    ends_at: datetime
    reviewed_by: str | None
    reviewed_at: datetime | None
    acts: int
    records: int
    late: bool


_ROWS: LiteralString = (
    "select n, at, principal, action, domain, subjects, fields, request_id, outcome, detail from audit"
    " where (%(principal)s::text is null or principal = %(principal)s)"
    " and (%(action)s::text is null or action = %(action)s or split_part(action, ':', 1) = %(action)s)"
    " and (%(domain)s::text is null or domain = %(domain)s) and (%(subject)s::uuid is null or subjects @> array[%(subject)s::uuid])"
    " and (%(since)s::date is null or at >= %(since)s::date) and (%(until)s::date is null or at < %(until)s::date + 1)"
    " and (%(before)s::bigint is null or n < %(before)s) order by n desc limit %(limit)s"
)
_ASKED = ("principal", "action", "domain", "subject", "since", "until", "before")


def read(session: Session, actor: Actor, wanted: Wanted, request_id: str, *, limit: int = PAGE) -> list[AuditRow]:
    """The rows, newest first; as many as `limit` says there may be more of."""
    policy.check(actor, Verb.AUDIT)
    asked = {name: wanted.get(name) for name in _ASKED}
    rows = fetch(session, _ROWS, {**asked, "limit": limit})
    said = sorted(name for name, value in asked.items() if value is not None)
    audit.record(session, actor, "audit:read", request_id=request_id, detail={"by": said, "rows": len(rows)})
    return [AuditRow(row[0], row[1], row[2], row[3], row[4], tuple(row[5]), tuple(row[6]), *row[7:]) for row in rows]


_GLASS: LiteralString = (
    "select b.id, b.principal, b.domain, b.reason, b.ticket, b.opened_at, b.ends_at, b.reviewed_by, b.reviewed_at, coalesce(a.acts, 0),"
    " coalesce(a.records, 0), b.reviewed_at is null and b.opened_at < now() - %(within)s from break_glass b left join lateral"
    " (select count(distinct x.n) as acts, count(distinct s.id) as records from audit x left join lateral unnest(x.subjects) s(id) on true"
    " where x.principal = b.principal and x.domain = b.domain and x.at >= b.opened_at and x.at <= b.ends_at) a on true "
)


def glasses(session: Session, actor: Actor) -> list[Glass]:
    """Those that nobody has signed off, oldest first, then the others of the last 90 days, newest first."""
    policy.check(actor, Verb.AUDIT)
    order: LiteralString = (
        "where b.reviewed_at is null or b.opened_at > now() - interval '90 days' order by b.reviewed_at is not null,"
        " case when b.reviewed_at is null then b.opened_at end, b.opened_at desc"
    )
    return [Glass(*row) for row in fetch(session, _GLASS + order, {"within": OVERDUE})]
