"""Pinned values: a steward's word on one attribute, before every source, until it is taken back or runs out.

A pin hangs on one source record of the golden record, so that it goes where that record goes. `source_record.pins` repeats what the
standing decisions say; a golden record with several pins of one attribute has the latest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import mask
from mdm.access import Actor
from mdm.db import array, execute, fetch
from mdm.decisions import DecisionView
from mdm.entity import Attribute, EntityType
from mdm.errors import Conflict, Invalid, Stale
from mdm.identity import Act, Done, Saying, say, taken_together
from mdm.jsonio import dumps
from mdm.members import Member, homes, members_of

EXPIRED = "the pin ran out"


@dataclass(frozen=True, slots=True)
class NewPin:
    """A value for an attribute, as typed, and until when it holds (None: until it is taken back)."""

    attribute: str
    value: str | Sequence[str]
    expires_at: datetime | None = None


def pin(session: Session, entity: EntityType, golden_id: UUID, new: NewPin, act: Act) -> Done:
    """The attribute has this value from now on.

    Raises Invalid for an unknown attribute, a value that does not clean or has a problem, and a moment that is past; and as
    `mdm.identity.merge` does for the golden record.
    """
    attribute = next((a for a in entity.attributes if a.name == new.attribute), None)
    if attribute is None:
        raise Invalid.at("unknown_attribute", "/attribute", f"{entity.name} has no such attribute")
    if new.expires_at is not None and new.expires_at <= datetime.now(UTC):
        raise Invalid.at("past_moment", "/expires_at", "name a moment that is still to come")
    value = _clean(attribute, new.value)
    members = taken_together(session, entity, [golden_id], act.if_match)[golden_id]
    _check_whole(act.actor, attribute, value, members)
    holder = _holder(members, attribute.name, value)
    detail = {"attribute": attribute.name, "value": value, "expires_at": new.expires_at and new.expires_at.isoformat()}
    saying = Saying("pin", [holder.id], (), detail=detail)
    _note(session, holder.id, attribute.name, {**detail, "decision": str(saying.id)})
    return say(session, entity, saying, act)


def unpin(session: Session, entity: EntityType, decision: DecisionView, act: Act) -> Done:
    """Take a pin back; of an earlier one on the same record and attribute that still stands, the value holds again."""
    [record], name = decision.records, decision.detail["attribute"]
    taken_together(session, entity, homes(session, [record]), None)
    rows = fetch(
        session,
        "select d.id, d.detail from decision d where d.kind = 'pin' and d.records @> %s::uuid[] and d.detail ->> 'attribute' = %s"
        " and d.id <> %s and not exists (select 1 from decision r where r.revokes = d.id) order by d.created_at desc, d.id desc limit 1",
        (array([record]), name, decision.id),
    )
    _note(session, record, name, {**rows[0][1], "decision": str(rows[0][0])} if rows else None)
    return say(session, entity, Saying("unpin", [record], (), revokes=decision.id, detail={"attribute": name}), act)


def standing_pin(session: Session, entity: EntityType, golden_id: UUID, attribute: str) -> UUID:
    """The decision by which an attribute of a golden record is pinned. Raises Conflict when it is not."""
    rows = fetch(
        session,
        "select max(r.pins -> %(name)s ->> 'decision') from link l join source_record r on r.id = l.record_id"
        " where l.golden_id = %(id)s and l.recorded_to is null and r.domain = %(domain)s and r.pins ? %(name)s",
        {"name": attribute, "id": golden_id, "domain": entity.name},
    )
    if rows[0][0] is None:
        raise Conflict("this attribute is not pinned")
    return UUID(rows[0][0])


def expired(session: Session, limit: int = 100) -> list[tuple[UUID, str]]:
    """Pins that have run out and still hold: their decisions and domains."""
    rows = fetch(
        session,
        "select (p.value ->> 'decision')::uuid, r.domain from source_record r, jsonb_each(r.pins) p"
        " where r.pins is not null and (p.value ->> 'expires_at')::timestamptz <= now() limit %s",
        (limit,),
    )
    return [(row[0], row[1]) for row in rows]


def picked(session: Session, goldens: Sequence[UUID], picks: Mapping[str, UUID]) -> dict[str, str | list[str]]:
    """The values that were picked (attribute -> record), read from the records that say them: no value travels in a form.

    Raises Stale where a record says nothing of it any more.
    """
    if not picks:
        return {}
    found = {m.id: m for members in members_of(session, goldens).values() for m in members}
    values = {}
    for name, record in picks.items():
        value = found[record].attributes.get(name) if record in found else None
        if value is None:
            raise Stale("a value that was picked is not there any more")
        values[name] = value
    return values


def _note(session: Session, record_id: UUID, attribute: str, held: dict[str, Any] | None) -> None:
    if held is None:
        execute(session, "update source_record set pins = nullif(pins - %s, '{}'::jsonb) where id = %s", (attribute, record_id))
        return
    slim = {name: held[name] for name in ("value", "decision", "expires_at")}
    execute(
        session,
        "update source_record set pins = coalesce(pins, '{}'::jsonb) || %s::jsonb where id = %s",
        (dumps({attribute: slim}).decode(), record_id),
    )


def _holder(members: Sequence[Member], name: str, value: object) -> Member:
    """The record that says so itself, if one does, else the first: where the pin belongs if the golden record is ever parted."""
    agreeing = [m for m in members if m.attributes.get(name) == value]
    return min(agreeing or members, key=lambda m: m.name)


def _check_whole(actor: Actor, attribute: Attribute, value: str | list[str], members: Sequence[Member]) -> None:
    """A masked text, as a page shows it, is not the value, though it may look like one: 1961 for a day of that year."""
    said = [m.attributes[attribute.name] for m in members if attribute.name in m.attributes]
    if value in said or mask.sees(actor, attribute.sensitivity):
        return
    if value in [mask.value(actor, attribute, each) for each in said]:
        raise Invalid.at("masked_value", "/value", f"{attribute.title.lower()} as it is masked; choose the record whose value holds")


def _clean(attribute: Attribute, raw: str | Sequence[str]) -> str | list[str]:
    if isinstance(raw, str) == attribute.many:
        raise Invalid.at("wrong_type", "/value", f"{attribute.title} takes {'a list of texts' if attribute.many else 'one text'}")
    readings = [attribute.type.read(text) for text in ([raw] if isinstance(raw, str) else raw)]
    values = [r.value for r in readings if r.is_evidence and r.value is not None]
    if len(values) < len(readings) or not values:
        problem = next((r.problem for r in readings if r.problem), None)
        raise Invalid.at(problem or "not_clean", "/value", f"this is no usable {attribute.title.lower()}")
    return sorted(set(values)) if attribute.many else values[0]
