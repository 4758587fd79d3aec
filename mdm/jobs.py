"""Durable jobs. The row is the truth; the message that names it is only a bell.

A job belongs to whoever holds its fence: every claim raises it, so that a worker that was thought dead and comes back can change nothing.
The database's clock is the only clock. The attempt is counted at the claim: a job that kills its process is quarantined, not looped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from mdm.db import Row, execute, fetch
from mdm.errors import Busy, Conflict
from mdm.ids import new_id
from mdm.jsonio import dumps

MATCH_ALL = "match_all"  # payload {domain}; see mdm.rematch
QUEUES = ("interactive", "bulk", "feed", "sweep")
HEARTBEAT_SECONDS = 15
ERROR_CHARACTERS_MAX = 200
RUNG = "jobs to ring for"  # where a session keeps what `mdm.doorbell` rings for after the commit
_SWEEP_LOCK = 0x4A4F42


class LeaseLost(Conflict):
    """Somebody else has this job now."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A job in our hands, for as long as nobody raises its fence."""

    id: UUID
    kind: str
    payload: Mapping[str, Any]
    fence: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Swept:
    """What a round of the sweeper found: jobs to ring for (id, queue), leases that ran out, jobs given up."""

    due: Sequence[tuple[UUID, str]]
    returned: int
    quarantined: int


_CLAIMED: LiteralString = (
    "update job set state = 'running', fence = fence + 1, attempt = attempt + 1, worker = %(worker)s, lease_until = now() + interval '60 s'"
    " where id = (select id from job where "
)
_CLAIMABLE: LiteralString = (
    " attempt < max_attempts and (state = 'queued' and run_at <= now() or state = 'running' and lease_until < now())"
)
_RETURNING: LiteralString = " for update skip locked) returning id, kind, payload, fence, attempt"
_CLAIM: LiteralString = _CLAIMED + "id = %(id)s and" + _CLAIMABLE + _RETURNING
_CLAIM_NEXT: LiteralString = _CLAIMED + "queue = any(%(queues)s) and" + _CLAIMABLE + " order by run_at limit 1" + _RETURNING
_CHANGE: LiteralString = "update job set "
_MINE: LiteralString = " where id = %(id)s and fence = %(fence)s and state = 'running'"
_HOLD: LiteralString = "select 1 from job where id = %(id)s and fence = %(fence)s and state = 'running' for share"
# 5 s, doubled with each attempt up to 15 minutes, plus up to a quarter of it, so that jobs which failed together do not return together.
_LATER: LiteralString = "now() + least(5 * 2 ^ (attempt - 1), 900) * (1 + random() / 4) * interval '1 s'"


def enqueue(session: Session, kind: str, payload: Mapping[str, object], *, dedupe_key: str, queue: str = "interactive") -> UUID:
    """Write a job beside the business rows, or find the live one of the same key. The payload holds ids only, never a value.

    A worker may already be running the live one: a job must read what is there to do, not rely on being called once per request.
    """
    if queue not in QUEUES:
        raise ValueError(f"no such queue: {queue}")
    for _ in range(3):
        made = fetch(
            session,
            "insert into job (id, kind, queue, dedupe_key, payload) values (%s, %s, %s, %s, %s::jsonb)"
            " on conflict (dedupe_key) where state in ('queued', 'running') do nothing returning id",
            (new_id(), kind, queue, dedupe_key, dumps(dict(payload)).decode()),
        )
        live = made or fetch(session, "select id from job where dedupe_key = %s and state in ('queued', 'running')", (dedupe_key,))
        if live:  # else: it ended between the two statements
            session.info.setdefault(RUNG, []).append((live[0][0], queue))
            return UUID(str(live[0][0]))
    raise Busy


def claim(session: Session, job_id: UUID, worker: str) -> Claim | None:
    """Take this job for a minute; None when somebody else has it, or it is done, or not due: the message is dropped."""
    return _claimed(fetch(session, _CLAIM, {"id": job_id, "worker": worker}))


def claim_next(session: Session, queues: Sequence[str], worker: str) -> Claim | None:
    """Take the job that has been due longest: the way without a broker."""
    return _claimed(fetch(session, _CLAIM_NEXT, {"queues": list(queues), "worker": worker}))


def _claimed(rows: Sequence[Row]) -> Claim | None:
    return Claim(*rows[0]) if rows else None


def check_fence(session: Session, mine: Claim) -> None:
    """The first statement of every effect: raises LeaseLost when the job is no longer ours, and holds it until the commit.

    An effect ends within 15 s, so that a heartbeat which waits for it cannot miss the lease. Not every server knows transaction_timeout.
    """
    if not fetch(session, _HOLD, _place(mine)):
        raise LeaseLost
    limits = ["statement_timeout", "transaction_timeout"]
    fetch(session, "select set_config(name, '15s', true) from pg_settings where name = any(%s)", (limits,))


def beat(session: Session, mine: Claim) -> bool:
    """Prolong the lease by a minute; False when the job is no longer ours."""
    return execute(session, _CHANGE + "lease_until = now() + interval '60 s'" + _MINE, _place(mine)) == 1


def finish(session: Session, mine: Claim) -> None:
    """The job is done. Raises LeaseLost."""
    _end(session, mine, _CHANGE + "state = 'done', finished_at = now(), lease_until = null, error = null" + _MINE)


def fail(session: Session, mine: Claim, error: str) -> None:
    """Try again later, or give it up visibly after its last attempt. `error` names the failure and never repeats a value."""
    _end(
        session,
        mine,
        _CHANGE + "state = case when attempt < max_attempts then 'queued' else 'quarantined' end, lease_until = null, error = %(error)s,"
        " finished_at = case when attempt < max_attempts then null else now() end, run_at = " + _LATER + _MINE,
        error[:ERROR_CHARACTERS_MAX],
    )


def release(session: Session, mine: Claim, delay_seconds: int = 0) -> None:
    """Put it back as if it had not been taken: we are stopping, or too old to know its kind."""
    statement: LiteralString = "state = 'queued', attempt = attempt - 1, lease_until = null, run_at = now() + %(delay)s * interval '1 s'"
    if execute(session, _CHANGE + statement + _MINE, {**_place(mine), "delay": delay_seconds}) == 0:
        raise LeaseLost


def _end(session: Session, mine: Claim, statement: LiteralString, error: str | None = None) -> None:
    if execute(session, statement, {**_place(mine), "error": error}) == 0:
        raise LeaseLost


def _place(mine: Claim) -> dict[str, object]:
    return {"id": mine.id, "fence": mine.fence}


def sweep(session: Session) -> Swept | None:
    """Bring back what was left lying; None while another worker is sweeping."""
    if not fetch(session, "select pg_try_advisory_xact_lock(%s)", (_SWEEP_LOCK,))[0][0]:
        return None
    quarantined = execute(
        session,
        "update job set state = 'quarantined', finished_at = now(), lease_until = null, error = coalesce(error, 'the worker died with it')"
        " where state = 'running' and lease_until < now() and attempt >= max_attempts",
    )
    returned = execute(session, "update job set state = 'queued', lease_until = null where state = 'running' and lease_until < now()")
    execute(session, "delete from job where state = 'done' and queue = 'sweep' and finished_at < now() - interval '1 day'")
    return Swept(overdue(session), returned, quarantined)


def overdue(session: Session) -> list[tuple[UUID, str]]:
    """Jobs that nobody has taken for 5 s: their bell was not heard."""
    rows = fetch(
        session,
        "select id, queue from job where state = 'queued' and queue = any(%s) and run_at < now() - interval '5 s'"
        " order by run_at limit 1000",
        (list(QUEUES),),
    )
    return [(row[0], row[1]) for row in rows]
