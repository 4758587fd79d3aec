"""One person's day: what waits for them, what they have proposed, and how they go on. Days are in UTC."""

from dataclasses import dataclass
from typing import LiteralString

from sqlalchemy.orm import Session

from mdm import worklist
from mdm.access import Actor
from mdm.db import fetch
from mdm.measures import PAUSE_SECONDS
from mdm.worklist import Filters, Own

DUE_COUNTED = 1_000  # beyond it the number says nothing more than "many"


@dataclass(frozen=True, slots=True)
class Today:
    """`own`: what waits for them and by them; `due` within a day; `done`: their decisions of the day, taking back not among them.

    `median_seconds` between two of these, pauses left out.
    """

    own: Own
    due: int
    done: int
    median_seconds: float | None


def today(session: Session, actor: Actor) -> Today:
    """As far as they may see it."""
    due = len(worklist.matching(session, actor, Filters(due="today"), DUE_COUNTED))
    done, median = fetch(session, _MINE, {"me": actor.name, "pause": PAUSE_SECONDS})[0]
    return Today(worklist.own(session, actor), due, done, median)


_MINE: LiteralString = (
    "with g as (select extract(epoch from created_at - lag(created_at) over (order by created_at)) as gap from decision"
    " where actor = %(me)s and revokes is null and created_at >= date_trunc('day', now() at time zone 'utc') at time zone 'utc')"
    " select (select count(*) from g),"
    " (select (percentile_cont(0.5) within group (order by gap) filter (where gap <= %(pause)s))::float8 from g)"
)
