"""The sequencer: gives committed events their place in the change feed. Nobody else writes `event.seq`.

Gapless, because only the holder of the single row of `feed_position` counts. It never compares with the last number seen, so an event whose
transaction was slow gets a later number instead of being passed over.

Order per golden record is the order of commits, because events are written under its lock. A held event is passed over together with all
later ones of the same golden record.
"""

from typing import LiteralString

from sqlalchemy.orm import Session

from mdm.db import array, fetch

ROUND_MAX = 5_000

# Who is held back, once for the statement: asked for each event, a plan made for an empty table compares all with all.
_HELD: LiteralString = (
    "held as materialized (select golden_id, min(n) as n from event where seq is null and withdrawn_at is null and release_at is not null"
    " and release_at > now() group by golden_id)"
)
_DUE: LiteralString = (
    "e.seq is null and e.withdrawn_at is null and (e.release_at is null or e.release_at <= now())"
    " and not exists (select 1 from held h where h.golden_id = e.golden_id and h.n < e.n)"
)
# The statements that follow go by index, row by row, whatever the statistics say of a table that grows by the thousand.
_HOLD: LiteralString = (
    "select 1, set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),"
    " set_config('enable_mergejoin', 'off', true) from feed_position for update skip locked"
)
# Statements of their own, begun after the lock is held: their snapshots have the numbers that the last holder gave.
_WAITING: LiteralString = "with " + _HELD + " select e.n from event e where " + _DUE + " order by e.n limit %s for update of e"
# The rows come as an array, so that each is found by its key: joined with each other, five thousand would be compared with five thousand.
_NUMBER: LiteralString = (
    "with numbered as (update event e set seq = p.last_seq + x.place, epoch = p.epoch"
    " from unnest(%s::bigint[]) with ordinality x(n, place), feed_position p"
    " where e.n = x.n and e.seq is null and e.withdrawn_at is null returning e.n)"
    " update feed_position set last_seq = last_seq + (select count(*) from numbered) returning (select count(*) from numbered)"
)


def number_events(session: Session) -> int:
    """Number up to 5,000 committed events in the order in which they were written; how many, 0 while somebody else is at it."""
    if not has_unnumbered(session) or not fetch(session, _HOLD):
        return 0
    waiting = [row[0] for row in fetch(session, _WAITING, (ROUND_MAX,))]
    return int(fetch(session, _NUMBER, (array(waiting),))[0][0])


def has_unnumbered(session: Session) -> bool:
    """Whether there is an event to number now; one that is held back is not."""
    return bool(fetch(session, "with " + _HELD + " select exists (select 1 from event e where " + _DUE + ")")[0][0])
