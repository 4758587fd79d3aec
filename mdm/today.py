"""What waits for one person now: late and due tasks, theirs, questions put to them, proposals; and what they have done today.

Counts of tasks stop at COUNTED: beyond it the number itself says nothing more than "many".
"""

from dataclasses import dataclass
from typing import LiteralString

from sqlalchemy.orm import Session

from mdm import policy, worklist
from mdm.access import Actor, Verb
from mdm.db import fetch
from mdm.worklist import Filters

COUNTED = 1_000
_PAUSE_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Today:
    """Counts of one person's day; `median_seconds` between two of their decisions, pauses left out."""

    late: int
    due: int
    mine: int
    questions: int
    proposals: int
    approvals: int
    done: int
    median_seconds: float | None


def today(session: Session, actor: Actor) -> Today:
    """Their day, as far as they may see it; days are in UTC."""
    late, due, mine = (
        len(worklist.matching(session, actor, filters, COUNTED))
        for filters in (Filters(due="late"), Filters(due="today"), Filters(owner="me"))
    )
    params = {"me": actor.name, "approve": sorted(policy.domains(actor, Verb.APPROVE)), "pause": _PAUSE_SECONDS}
    row = fetch(session, _OTHERS, params)[0]
    return Today(late, due, mine, *row)


_OTHERS: LiteralString = (
    "with g as (select extract(epoch from created_at - lag(created_at) over (order by created_at)) as gap from decision"
    " where actor = %(me)s and revokes is null and created_at >= date_trunc('day', now() at time zone 'utc') at time zone 'utc')"
    " select (select count(distinct c.task_id) from task_comment c join task t on t.id = c.task_id where c.kind = 'question'"
    " and c.asked = %(me)s and t.status = 'open' and t.waits_for = 'answer'),"
    " (select count(*) from proposal where proposer = %(me)s and status = 'open'),"
    " (select count(*) from proposal p join task t on t.id = p.task_id where p.status = 'open' and p.proposer <> %(me)s"
    " and t.status = 'open' and t.domain = any(%(approve)s)),"
    " (select count(*) from g), (select (percentile_cont(0.5) within group (order by gap) filter (where gap <= %(pause)s))::float8 from g)"
)
