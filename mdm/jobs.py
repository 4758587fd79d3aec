"""Durable jobs. The row is the truth; the message that names it is only a bell.

A job belongs to whoever holds its fence: every claim raises it, so that a worker that was thought dead and comes back can change nothing.
The database's clock is the only clock. The attempt is counted at the claim: a job that kills its process is quarantined, not looped.

    queued     -> running, cancelled
    running    -> done, failed (asked for the impossible), queued (again later, or given back), quarantined (attempts used up), cancelled
    failed, quarantined -> queued, by a person; quarantined -> cancelled, by a person
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, LiteralString, TypedDict, Unpack
from uuid import UUID

from sqlalchemy.orm import Session

from mdm.db import Row, connection, execute, fetch
from mdm.errors import Busy, Conflict
from mdm.ids import new_id
from mdm.jsonio import dumps

MATCH_ALL = "match_all"  # payload {domain}; see mdm.rematch
MODEL_EFFECT = "model_effect"  # payload {domain, version}; see mdm.learning
BULK = "bulk"
QUEUES = ("interactive", "feed", "sweep", BULK)  # in the order in which a worker without a broker looks into them
STATES = ("queued", "running", "done", "failed", "quarantined", "cancelled")
HEARTBEAT_SECONDS = 15
EFFECT_SECONDS_MAX = 15
UNHEARD_SECONDS = 5  # due for longer than this, a job's bell was not heard
RING_MAX = 1_000  # bells in one round of the sweeper
ERROR_CHARACTERS_MAX = 200
RUNG = "jobs to ring for"  # where a session keeps what `mdm.doorbell` rings for after the commit
_SWEEP_LOCK = 0x4A4F42
_TRANSACTION_TIMEOUT_SINCE = 170000


class LeaseLost(Conflict):
    """Somebody else has this job now."""


class Cancelled(Exception):
    """Somebody wants this job to end, between two of its effects."""


class How(TypedDict, total=False):
    """How a job is to be done. Of one queue the lowest priority goes first (0 is usual). `version` is that of the payload's shape."""

    queue: str
    priority: int
    version: int
    delay_seconds: float
    created_by: str | None
    request_id: str | None


@dataclass(frozen=True, slots=True)
class Claim:
    """A job in our hands, for as long as nobody raises its fence."""

    id: UUID
    kind: str
    payload: Mapping[str, Any]
    fence: int
    attempt: int
    version: int = 1
    queue: str = "interactive"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is: of `total` rows (0: unknown) `done`, lately so many a second."""

    stage: str
    done: int = 0
    total: int = 0
    rate: float | None = None


@dataclass(frozen=True, slots=True)
class Swept:
    """What a round of the sweeper found: jobs to ring for (id, queue), leases that ran out, jobs given up, jobs somebody had cancelled."""

    due: Sequence[tuple[UUID, str]]
    returned: int
    quarantined: int
    cancelled: int


_CLAIMED: LiteralString = (
    "update job set state = 'running', fence = fence + 1, attempt = attempt + 1, worker = %(worker)s,"
    " lease_until = now() + interval '60 s', heartbeat_at = now() where id = (select id from job where attempt < max_attempts and "
)
_RETURNING: LiteralString = " for update skip locked) returning id, kind, payload, fence, attempt, version, queue"
_CLAIM: LiteralString = (
    _CLAIMED + "id = %(id)s and (state = 'queued' and run_at <= now() or state = 'running' and lease_until < now())" + _RETURNING
)
# Leases that ran out are the sweeper's business: leaving them out here makes it one step in one index.
_CLAIM_NEXT: LiteralString = (
    _CLAIMED + "queue = %(queue)s and state = 'queued' and run_at <= now() - %(waited)s * interval '1 s'"
    " order by priority, run_at limit 1" + _RETURNING
)
_CHANGE: LiteralString = "update job set "
_MINE: LiteralString = " where id = %(id)s and fence = %(fence)s and state = 'running'"
_HOLD: LiteralString = "select exists (select 1 from job_cancel c where c.job_id = job.id) from job" + _MINE + " for key share of job"
_LIMITS: LiteralString = "select set_config(name, %s, true) from unnest(%s::text[]) name"
_LIMITED = ("statement_timeout", "idle_in_transaction_session_timeout")
# 5 s, doubled with each attempt up to 15 minutes, plus up to a quarter of it, so that jobs which failed together do not return together.
_LATER: LiteralString = "now() + least(5 * 2 ^ (attempt - 1), 900) * (1 + random() / 4) * interval '1 s'"
_ENDED: LiteralString = "finished_at = now(), lease_until = null"


def enqueue(session: Session, kind: str, payload: Mapping[str, object], *, dedupe_key: str, **how: Unpack[How]) -> UUID:
    """Write a job beside the business rows, or find the live one of the same key. The payload holds ids only, never a value.

    A worker may already be running the live one: a job must read what is there to do, not rely on being called once per request.
    """
    queue, delay = how.get("queue", "interactive"), how.get("delay_seconds", 0)
    if queue not in QUEUES:
        raise ValueError(f"no such queue: {queue}")
    given = (kind, how.get("version", 1), queue, how.get("priority", 0), dedupe_key, dumps(dict(payload)).decode())
    for _ in range(3):
        made = fetch(
            session,
            "insert into job (id, kind, version, queue, priority, dedupe_key, payload, run_at, created_by, request_id)"
            " values (%s, %s, %s, %s, %s, %s, %s::jsonb, now() + %s * interval '1 s', %s, %s)"
            " on conflict (dedupe_key) where state in ('queued', 'running') do nothing returning id, queue",
            (new_id(), *given, delay, how.get("created_by"), how.get("request_id")),
        )
        live = made or fetch(session, "select id, queue from job where dedupe_key = %s and state in ('queued', 'running')", (dedupe_key,))
        if live:  # else: it ended between the two statements
            if delay <= 0:
                ring_after_commit(session, live[0][0], live[0][1])
            return UUID(str(live[0][0]))
    raise Busy


def ring_after_commit(session: Session, job_id: UUID, queue: str) -> None:
    session.info.setdefault(RUNG, []).append((job_id, queue))


def claim(session: Session, job_id: UUID, worker: str) -> Claim | None:
    """Take this job for a minute; None when somebody else has it, or it is done, or not due: the message is dropped."""
    return _claimed(fetch(session, _CLAIM, {"id": job_id, "worker": worker}))


def claim_next(session: Session, queues: Sequence[str], worker: str, *, waited_seconds: float = 0) -> Claim | None:
    """Take what is due, and has been for so long, from the first of these queues that has anything: the way without a bell."""
    for queue in queues:
        found = _claimed(fetch(session, _CLAIM_NEXT, {"queue": queue, "worker": worker, "waited": waited_seconds}))
        if found is not None:
            return found
    return None


def _claimed(rows: Sequence[Row]) -> Claim | None:
    return Claim(*rows[0]) if rows else None


def check_fence(session: Session, mine: Claim) -> None:
    """The first statement of every effect: raises LeaseLost when the job is no longer ours, Cancelled when somebody wants its end.

    It holds the job until the commit against whoever would take it over (`for update`), not against heartbeats and progress: several
    processes may do effects of one job beside each other without a pause. An effect ends within 15 s; a process that stands still in the
    middle of one loses its transaction. Not every server knows transaction_timeout.
    """
    held = fetch(session, _HOLD, _place(mine))
    if not held:
        raise LeaseLost
    if held[0][0]:
        raise Cancelled
    is_known = connection(session).info.server_version >= _TRANSACTION_TIMEOUT_SINCE
    fetch(session, _LIMITS, (f"{EFFECT_SECONDS_MAX}s", [*_LIMITED, *(["transaction_timeout"] if is_known else [])]))


def beat(session: Session, mine: Claim) -> bool:
    """Prolong the lease by a minute; False when the job is no longer ours."""
    return execute(session, _CHANGE + "lease_until = now() + interval '60 s', heartbeat_at = now()" + _MINE, _place(mine)) == 1


def tell(session: Session, mine: Claim, progress: Progress) -> None:
    """Say how far the job is, in the transaction that made it so. Raises LeaseLost."""
    _change(session, mine, "progress = %(progress)s::jsonb", progress=dumps(asdict(progress)).decode())


def finish(session: Session, mine: Claim) -> None:
    """The job is done. Raises LeaseLost."""
    _change(session, mine, "state = 'done', error = null, " + _ENDED)


def refuse(session: Session, mine: Claim, error: str) -> None:
    """The job asks for what cannot be, and would tomorrow. `error` never repeats a value. Raises LeaseLost."""
    _change(session, mine, "state = 'failed', error = %(error)s, " + _ENDED, error=error[:ERROR_CHARACTERS_MAX])


def end_cancelled(session: Session, mine: Claim) -> None:
    """The job ended because somebody wanted it to; what was done stands, and its progress says how much. Raises LeaseLost."""
    _change(session, mine, "state = 'cancelled', " + _ENDED)


def fail(session: Session, mine: Claim, error: str) -> None:
    """Try again later, or give it up visibly after its last attempt. `error` names the failure and never repeats a value."""
    _change(
        session,
        mine,
        "state = case when attempt < max_attempts then 'queued' else 'quarantined' end, lease_until = null, error = %(error)s,"
        " finished_at = case when attempt < max_attempts then null else now() end, run_at = " + _LATER,
        error=error[:ERROR_CHARACTERS_MAX],
    )


def release(session: Session, mine: Claim, delay_seconds: int = 0) -> None:
    """Put it back as if it had not been taken: we are stopping, or too old to know its kind."""
    given_back: LiteralString = "state = 'queued', attempt = attempt - 1, lease_until = null, run_at = now() + %(delay)s * interval '1 s'"
    _change(session, mine, given_back, delay=delay_seconds)


def _change(session: Session, mine: Claim, what: LiteralString, **values: object) -> None:
    if execute(session, _CHANGE + what + _MINE, {**_place(mine), **values}) == 0:
        raise LeaseLost


def _place(mine: Claim) -> dict[str, object]:
    return {"id": mine.id, "fence": mine.fence}


def sweep(session: Session) -> Swept | None:
    """Bring back what was left lying; None while another worker is sweeping."""
    if not fetch(session, "select pg_try_advisory_xact_lock(%s)", (_SWEEP_LOCK,))[0][0]:
        return None
    quarantined = execute(
        session,
        "update job set state = 'quarantined', error = coalesce(error, 'the worker died with it'), "
        + (_ENDED + _LAPSED + " and attempt >= max_attempts" + _UNLOCKED),
    )
    returned = execute(session, "update job set state = 'queued', lease_until = null" + _LAPSED + " and attempt < max_attempts" + _UNLOCKED)
    wanted: LiteralString = " where state = 'queued' and id in (select job_id from job_cancel)"
    cancelled = execute(session, "update job set state = 'cancelled', " + _ENDED + wanted)
    for statement in _OUTLIVED:
        execute(session, statement)
    return Swept(overdue(session), returned, quarantined, cancelled)


_LAPSED: LiteralString = " where id in (select id from job where state = 'running' and lease_until < now()"
_UNLOCKED: LiteralString = " for update skip locked)"  # a worker that is late, but in the middle of an effect, is left to the next round
_OUTLIVED: tuple[LiteralString, ...] = (
    # They come by the thousand and say nothing once they are done.
    "delete from job where state = 'done' and finished_at < now() - interval '10 minutes' and queue = 'feed'",
    "delete from job where state = 'done' and finished_at < now() - interval '1 hour' and kind = 'canary'",
    "delete from job where state in ('done', 'failed', 'cancelled') and finished_at < now() - interval '30 days'",
)


def overdue(session: Session) -> list[tuple[UUID, str]]:
    """Jobs that nobody has taken for 5 s: their bell was not heard."""
    rows = fetch(
        session,
        "select id, queue from job where state = 'queued' and queue = any(%s) and run_at < now() - %s * interval '1 s'"
        " order by priority, run_at limit %s",
        (list(QUEUES), UNHEARD_SECONDS, RING_MAX),
    )
    return [(row[0], row[1]) for row in rows]
