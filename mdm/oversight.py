"""What people see of jobs and do to them: list, look, cancel, try again. And what must be true of the job tables at any moment (I6).

Whoever configures Concord sees every job; anybody else those that they asked for, and nothing of the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, LiteralString, TypedDict
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import audit, policy
from mdm.access import Actor, Verb
from mdm.db import DatabaseError, Row, execute, fetch
from mdm.errors import Conflict, NotFound
from mdm.jobs import ring_after_commit

PAGE_MAX = 200

# Each counts what must not be. Two rounds of the sweeper are 20 s; a round may have just missed a lease, hence 30.
PROMISES: Mapping[str, LiteralString] = {
    "no job runs on a lease that ran out": (
        "select count(*) from job where state = 'running' and coalesce(lease_until, '-infinity') < now() - interval '30 s'"
    ),
    "no job waits for longer than 15 minutes": "select count(*) from job where state = 'queued' and run_at < now() - interval '15 minutes'",
    "no job is tried more often than it may be": "select count(*) from job where attempt > max_attempts",
    "no job is quarantined": "select count(*) from job where state = 'quarantined'",
}


@dataclass(frozen=True, slots=True)
class ChunkCount:
    """What became of a job's chunks and of the rows in those that are done."""

    total: int
    done: int
    rows_ok: int
    rows_rejected: int


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as its row tells it. `cancel_asked`: it ends after the chunk under way."""

    id: UUID
    kind: str
    version: int
    queue: str
    priority: int
    state: str
    payload: Mapping[str, Any]
    progress: Mapping[str, Any]
    attempt: int
    max_attempts: int
    error: str | None
    created_by: str | None
    request_id: str | None
    created_at: datetime
    run_at: datetime
    heartbeat_at: datetime | None
    finished_at: datetime | None
    cancel_asked: bool
    chunks: ChunkCount | None = None


@dataclass(frozen=True, slots=True)
class JobPage:
    """Jobs, newest first, without their chunks; `next` is the cursor of the page after."""

    items: tuple[JobView, ...]
    next: UUID | None


class Wanted(TypedDict, total=False):
    """Which jobs: all of them, where nothing is said."""

    state: str | None
    queue: str | None
    kind: str | None
    cursor: UUID | None
    limit: int


_VIEW: LiteralString = (
    "select id, kind, version, queue, priority, state, payload, progress, attempt, max_attempts, error, created_by, request_id,"
    " created_at, run_at, heartbeat_at, finished_at,"
    " state in ('queued', 'running') and exists (select 1 from job_cancel c where c.job_id = job.id) from job "
)
_PAGE: LiteralString = (
    "where (%(state)s::text is null or state = %(state)s) and (%(queue)s::text is null or queue = %(queue)s)"
    " and (%(kind)s::text is null or kind = %(kind)s) and (%(mine)s::text is null or created_by = %(mine)s)"
    " and (%(cursor)s::uuid is null or id < %(cursor)s) order by id desc limit %(limit)s"
)


def list_jobs(session: Session, actor: Actor, wanted: Wanted) -> JobPage:
    limit = wanted.get("limit", PAGE_MAX)
    params = {
        "state": wanted.get("state"),
        "queue": wanted.get("queue"),
        "kind": wanted.get("kind"),
        "cursor": wanted.get("cursor"),
        "mine": None if _sees_all(actor) else actor.name,
        "limit": limit + 1,
    }
    items = [_view(row) for row in fetch(session, _VIEW + _PAGE, params)]
    return JobPage(tuple(items[:limit]), items[limit - 1].id if len(items) > limit else None)


def get(session: Session, actor: Actor, job_id: UUID) -> JobView:
    """One job with its chunks. Raises NotFound, also for one that is not theirs to see."""
    rows = fetch(session, _VIEW + "where id = %s", (job_id,))
    if not rows or not (_sees_all(actor) or _view(rows[0]).created_by == actor.name):
        raise NotFound("there is no such job")
    return replace(_view(rows[0]), chunks=_chunks(session, job_id))


def _sees_all(actor: Actor) -> bool:
    return policy.can(actor, Verb.CONFIGURE)


def _view(row: Row) -> JobView:
    return JobView(*row)


def _chunks(session: Session, job_id: UUID) -> ChunkCount:
    rows = fetch(
        session,
        "select count(*), count(*) filter (where state = 'done'), coalesce(sum(rows_ok), 0)::int8, coalesce(sum(rows_rejected), 0)::int8"
        " from job_chunk where job_id = %s",
        (job_id,),
    )
    return ChunkCount(*rows[0])


def cancel(session: Session, actor: Actor, job_id: UUID, request_id: str) -> JobView:
    """End a job: one that waits at once, a running one after the chunk under way. What was done stands. Twice is as once.

    Raises NotFound, and Conflict for a job that has ended otherwise.
    """
    kind = get(session, actor, job_id).kind
    ended = execute(
        session,
        "update job set state = 'cancelled', finished_at = now() where id = %s and state in ('queued', 'quarantined')",
        (job_id,),
    )
    if not ended:
        _ask(session, actor, job_id)
    audit.record(session, actor, "job:cancel", request_id=request_id, detail={"job": str(job_id), "kind": kind})
    return get(session, actor, job_id)


def _ask(session: Session, actor: Actor, job_id: UUID) -> None:
    state = fetch(session, "select state from job where id = %s", (job_id,))[0][0]
    if state in {"done", "failed"}:
        raise Conflict(f"the job is {state}: there is nothing to cancel")
    if state != "cancelled":  # should it be given back meanwhile, the sweeper ends it
        execute(session, "insert into job_cancel (job_id, asked_by) values (%s, %s) on conflict do nothing", (job_id, actor.name))


def retry(session: Session, actor: Actor, job_id: UUID, request_id: str) -> JobView:
    """Try a failed or quarantined job again, from the chunk where it stood, with all its attempts.

    Raises NotFound, and Conflict for a job in another state or one whose work is already queued anew.
    """
    kind = get(session, actor, job_id).kind
    execute(session, "delete from job_cancel where job_id = %s", (job_id,))
    rows = _queue_again(session, job_id)
    if not rows:
        raise Conflict("only a failed or quarantined job can be tried again")
    ring_after_commit(session, job_id, rows[0][0])
    audit.record(session, actor, "job:retry", request_id=request_id, detail={"job": str(job_id), "kind": kind})
    return get(session, actor, job_id)


def _queue_again(session: Session, job_id: UUID) -> list[Row]:
    statement: LiteralString = (
        "update job set state = 'queued', attempt = 0, run_at = now(), finished_at = null"
        " where id = %s and state in ('failed', 'quarantined') returning queue"
    )
    try:
        return fetch(session, statement, (job_id,))
    except DatabaseError as error:
        if "uq_job_live" in str(error):
            raise Conflict("the same work is queued already") from None
        raise
