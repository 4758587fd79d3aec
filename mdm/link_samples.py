"""Blind samples: pairs that the machine linked, drawn at random each week; a person who does not see the weight says whether it was right.

The draw is repeatable: the week and the pair decide, nobody's choice. A verdict here changes no link; what is wrong is parted on the
record's own page.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import audit, policy
from mdm.access import Actor, Verb
from mdm.db import execute, fetch
from mdm.entity import EntityType
from mdm.errors import Conflict, Invalid, NotFound
from mdm.ids import new_id
from mdm.models import scorer

SIZE = 50
VERDICTS = ("same", "different", "unsure")


@dataclass(frozen=True, slots=True)
class Sample:
    """A pair to judge, and the golden records that hold it now. Its weight is not told."""

    id: UUID
    domain: str
    week: date
    records: tuple[UUID, UUID]
    goldens: tuple[UUID, UUID]


# Linked by the machine: at or above `link`, in one golden record, without a word of anybody about the pair.
_LINKED: LiteralString = (
    "select e.low, e.high, e.weight, e.model_version from edge e join source_record r on r.id = e.low"
    " join link a on a.record_id = e.low and a.recorded_to is null join link b on b.record_id = e.high and b.recorded_to is null"
    " where r.domain = %(domain)s and e.verdict is null and e.weight >= %(link)s and a.golden_id = b.golden_id"
    " order by md5(date_trunc('week', now() at time zone 'utc')::date::text || e.low::text || e.high::text) limit %(size)s"
)


def draw(session: Session, entity: EntityType, actor: Actor, *, size: int = SIZE) -> int:
    """This week's sample of a domain; how many pairs are new in it. Drawn once a week: what is there is left as it is."""
    policy.check(actor, Verb.DECIDE, entity.name)
    week = fetch(session, "select date_trunc('week', now() at time zone 'utc')::date")[0][0]
    if fetch(session, "select 1 from link_sample where domain = %s and week = %s limit 1", (entity.name, week)):
        return 0
    link = scorer(session, entity).model.thresholds.link
    found = fetch(session, _LINKED, {"domain": entity.name, "link": link, "size": size})
    drawn = 0
    for low, high, weight, version in found:
        drawn += execute(
            session,
            "insert into link_sample (id, domain, week, low, high, weight, model_version) values (%s, %s, %s, %s, %s, %s, %s)"
            " on conflict do nothing",
            (new_id(), entity.name, week, low, high, weight, version),
        )
    audit.record(session, actor, "sample:draw", domain=entity.name, detail={"pairs": drawn})
    return drawn


_NEXT: LiteralString = (
    "select s.id, s.domain, s.week, s.low, s.high, a.golden_id, b.golden_id from link_sample s"
    " join source_record x on x.id = s.low join source_record y on y.id = s.high"
    " join link a on a.record_id = s.low and a.recorded_to is null join link b on b.record_id = s.high and b.recorded_to is null"
    " where s.verdict is null and s.domain = %(domain)s"
    " and (%(systems)s::text[] is null or (x.system = any(%(systems)s) and y.system = any(%(systems)s)))"
    " order by s.week, md5(s.id::text) limit 1"
)


def next_pair(session: Session, entity: EntityType, actor: Actor) -> Sample | None:
    """A pair that nobody has judged and that lies in the reader's scope."""
    policy.check(actor, Verb.DECIDE, entity.name)
    scope: Sequence[str] | None = None if actor.systems is None else sorted(actor.systems)
    rows = fetch(session, _NEXT, {"domain": entity.name, "systems": scope})
    return _sample(*rows[0]) if rows else None


def _sample(sample_id: UUID, domain: str, week: date, *of: UUID) -> Sample:
    return Sample(sample_id, domain, week, (of[0], of[1]), (of[2], of[3]))


def judge(session: Session, entity: EntityType, actor: Actor, sample_id: UUID, verdict: str) -> None:
    """What the person says. Raises Conflict where somebody has said already."""
    policy.check(actor, Verb.DECIDE, entity.name)
    if verdict not in VERDICTS:
        raise Invalid.at("unknown_choice", "/verdict", f"one of {', '.join(VERDICTS)}")
    rows = fetch(session, "select judged_by from link_sample where id = %s and domain = %s for update", (sample_id, entity.name))
    if not rows:
        raise NotFound("there is no such pair")
    if rows[0][0] is not None:
        raise Conflict("somebody has judged this pair already")
    execute(
        session,
        "update link_sample set verdict = %s, judged_by = %s, judged_at = clock_timestamp() where id = %s",
        (verdict, actor.name, sample_id),
    )
    audit.record(session, actor, "sample:judge", domain=entity.name, detail={"sample": str(sample_id), "verdict": verdict})
