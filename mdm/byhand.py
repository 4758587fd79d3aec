"""Two golden records that a steward put beside each other: merged under the same tiers as a task would be, and never around them."""

from functools import partial
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import asking, policy, tiers
from mdm.access import Verb
from mdm.db import array, fetch
from mdm.decisions import DIFFERENT, said
from mdm.desk import MERGE
from mdm.entity import EntityType
from mdm.errors import Conflict
from mdm.identity import Act, Saying, merge, say, taken_together


def open_task(session: Session, left: UUID, right: UUID) -> UUID | None:
    """The open review that asks about this pair already: there it is decided."""
    rows = fetch(
        session,
        "select id from task where kind = 'review' and status = 'open' and goldens @> %(pair)s::uuid[]"
        " and goldens[1] = any(%(pair)s::uuid[]) order by impact desc limit 1",
        {"pair": array([left, right])},
    )
    return rows[0][0] if rows else None


def merge_pair(session: Session, entity: EntityType, left: UUID, right: UUID, act: Act) -> UUID | None:
    """The two are one; the older id survives. Where a second person decides too it is proposed; the answer: the task on which it goes on.

    Raises ReasonWanted where a doubt wants a reason.
    """
    _check(session, entity, left, right, act)
    kept, gone = sorted((left, right))
    act_now = partial(merge, session, entity, kept, [gone], act)
    found = tiers.of_merge(session, entity, [left, right])
    if found.level == 3:
        told = asking.propose(session, entity, asking.Asked(kind=MERGE, goldens=[kept, gone], verdict="same"), act, act_now)
        return UUID(told["task"]) if told["outcome"] in asking.UNDECIDED else None
    tiers.check_reason(found, act.reason)
    act_now()
    return None


def part_pair(session: Session, entity: EntityType, left: UUID, right: UUID, act: Act) -> None:
    """The two are different, for good: every pair of their records is parted, whatever the weights say later."""
    _check(session, entity, left, right, act)
    members = taken_together(session, entity, [min(left, right), max(left, right)], act.if_match, living=True)
    pairs = [(a.id, b.id) for a in members[left] for b in members[right]]
    records = [member.id for found in members.values() for member in found]
    say(session, entity, Saying("different", records, said(DIFFERENT, pairs)), act)


def _check(session: Session, entity: EntityType, left: UUID, right: UUID, act: Act) -> None:
    policy.check(act.actor, Verb.DECIDE, entity.name)
    policy.check_visible(session, act.actor, [left, right])
    if open_task(session, left, right) is not None:
        raise Conflict("a task asks about this pair; decide it there")
