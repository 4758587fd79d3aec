"""What became of the rows of a plan, counted where it stands: while a load is applied, and where that ended before its end."""

from collections import Counter
from typing import LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from mdm.db import execute, fetch
from mdm.load_same import count_same

COUNTS = ("new", "linked", "review", "updated", "unchanged", "rejected", "absent")


def count_outcomes(session: Session, plan_id: UUID) -> dict[str, int]:
    """Rows by outcome, `waiting` for those that are still to come; `absent` is as planned."""
    counted: Counter[str] = Counter(dict(fetch(session, _OUTCOMES, (plan_id,))))
    counted["unchanged"] += count_same(session, plan_id)
    counted["absent"] = fetch(session, "select absent from load_count where plan_id = %s and stage = 'plan'", (plan_id,))[0][0]
    return {name: counted[name] for name in (*COUNTS, "waiting")}


_OUTCOMES: LiteralString = (
    "select coalesce(became, case when planned in ('unchanged', 'rejected') then planned else 'waiting' end), count(*) from load_row"
    " where plan_id = %s group by 1"
)


def forget_outcomes(session: Session, plan_id: UUID) -> None:
    """What an earlier wave came to is no longer true once the next one begins."""
    execute(session, "delete from load_count where plan_id = %s and stage = 'apply'", (plan_id,))
