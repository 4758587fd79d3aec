"""What is kept for a while and then goes: answers under a key, tickets that are closed, misses that were settled and are asked no more.

Nothing that says who is who ever goes; what goes is what flows left behind while asking.
"""

from typing import LiteralString

from sqlalchemy.orm import Session

from mdm.db import execute, fetch
from mdm.idempotency import KEPT_HOURS
from mdm.running import Run

CLEAN = "clean"
TICKET_DAYS = 30  # after it was closed: by then whoever waited has asked, or never will
MISS_DAYS = 90  # after it was last asked; a later question counts as a new miss
ROUND_MAX = 1_000

_OLD_MISS: LiteralString = (
    "select m.ctid from miss m where m.status in ('resolved', 'rejected') and m.last_seen < now() - %s * interval '1 day'"
    " and not exists (select 1 from ticket t where t.miss_id = m.id) limit %s"
)
_OLD: tuple[tuple[LiteralString, LiteralString, int], ...] = (
    ("idempotency", "select ctid from idempotency where created_at < now() - %s * interval '1 hour' limit %s", KEPT_HOURS),
    ("ticket", "select ctid from ticket where closed_at < now() - %s * interval '1 day' limit %s", TICKET_DAYS),
    ("miss", _OLD_MISS, MISS_DAYS),
)


def clean(run: Run) -> None:
    """The job: a thousand rows per effect, until nothing is old."""
    while run.effect(_clean_some):
        pass


def _clean_some(session: Session) -> int:
    return sum(execute(session, f"delete from {table} where ctid = any(array({old}))", (age, ROUND_MAX)) for table, old, age in _OLD)


def has_old(session: Session) -> bool:
    """Whether there is anything to do."""
    return any(fetch(session, old, (age, 1)) for _, old, age in _OLD)
