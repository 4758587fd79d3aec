"""Canaries: a small job through every queue, so that "alive but not consuming" shows. Their age is the health of the workers."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy.orm import Session

from mdm.db import execute, fetch
from mdm.jobs import QUEUES, enqueue

CANARY = "canary"  # payload {queue}
EVERY_SECONDS = 30  # with a round of the sweeper and its own way it is heard within the minute
STALE_SECONDS = 120


def send_canaries(session: Session) -> list[tuple[UUID, str]]:
    """A canary into every queue that has not heard one for 30 s: the jobs to ring for. A new queue counts as just heard."""
    execute(session, "insert into canary (queue) select unnest(%s::text[]) on conflict do nothing", (list(QUEUES),))
    rows = fetch(session, "select queue from canary where heard_at < now() - %s * interval '1 s'", (EVERY_SECONDS,))
    return [(enqueue(session, CANARY, {"queue": queue}, dedupe_key=f"{CANARY}:{queue}", queue=queue), queue) for (queue,) in rows]


def hear(session: Session, queue: str) -> None:
    execute(session, "update canary set heard_at = now() where queue = %s", (queue,))


def ages(session: Session) -> Mapping[str, float]:
    """Seconds since each queue last heard its canary; nothing while no worker has ever been here."""
    rows = fetch(session, "select queue, extract(epoch from clock_timestamp() - heard_at)::float8 from canary order by queue")
    return {row[0]: row[1] for row in rows}
