"""The outbox: what happened, written last in the transaction that made it happen. No personal data: ids, types and versions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from mdm.db import fetch, write
from mdm.entities import ENTITY_TYPES
from mdm.errors import Conflict
from mdm.event_types import check
from mdm.ids import new_id
from mdm.jsonio import dumps


@dataclass(frozen=True, slots=True)
class Happening:
    """One change of one golden record, or of something else that has an id of its own."""

    type: str
    golden_id: UUID
    data: Mapping[str, Any]


def publish(session: Session, domain: str, happenings: Sequence[Happening], release_at: datetime | None = None) -> tuple[UUID, ...]:
    """Write events; the sequencer numbers them after the commit, or from `release_at` on. Their ids, by which they can be withdrawn.

    Raises ValueError for a type or data that `mdm.event_types` does not declare. Later events about the same ids wait with a held one.
    """
    if not happenings:
        return ()
    entity = ENTITY_TYPES.get(domain)
    for each in happenings:
        check(each.type, each.data, phi=entity is not None and entity.phi)
    ids = tuple(new_id() for _ in happenings)
    rows = [
        {"event_id": event_id, "golden_id": h.golden_id, "type": h.type, "data": dict(h.data)}
        for event_id, h in zip(ids, happenings, strict=True)
    ]
    write(
        session,
        "insert into event (event_id, domain, golden_id, type, data, release_at)"
        " select x.event_id, %s, x.golden_id, x.type, x.data, %s::timestamptz from jsonb_to_recordset(%s::jsonb)"
        " as x(event_id uuid, golden_id uuid, type text, data jsonb)",
        (domain, release_at, dumps(rows).decode()),
    )
    return ids


def withdraw(session: Session, event_ids: Sequence[UUID]) -> None:
    """These events were never said. Raises Conflict when one of them is in the feed already: then only a further event can undo it.

    For an act that was undone while its events were held back, together with the events of the undoing. Whoever read one of the golden
    records meanwhile, for an earlier event, saw what is not so any more: each of them is told to be read again.
    """
    wanted = list(dict.fromkeys(event_ids))
    fetch(session, "select 1 from feed_position for update")  # the sequencer counts before it writes: nothing may vanish in between
    rows = fetch(
        session,
        "update event set withdrawn_at = clock_timestamp() where event_id = any(%s) and seq is null and withdrawn_at is null"
        " returning domain, golden_id",
        (wanted,),
    )
    if len(rows) != len(wanted):
        raise Conflict("some of these events have been published or withdrawn already")
    for domain in sorted({row[0] for row in rows}):
        subjects = sorted({row[1] for row in rows if row[0] == domain})
        publish(session, domain, [Happening("golden.restated", golden_id, {}) for golden_id in subjects])
