"""Many new records at once, stored as deliveries one by one would have left them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from mdm.access import Actor
from mdm.entity import EntityType
from mdm.ingest import Ready, deliver
from mdm.records import Incoming

ROWS_MAX = 40

Group = Sequence[Incoming]


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of the rows: golden ids by record; and rows whose source key somebody has delivered by now."""

    golden_of: Mapping[UUID, UUID]
    known: Sequence[Incoming]


def store(session: Session, entity: EntityType, actor: Actor, groups: Sequence[Group], request_id: str) -> Kept:
    rows = [Ready(0, row.standard, row.keys, row.record_id) for group in groups for row in group]
    delivered = deliver(session, entity, actor, rows, request_id)
    return Kept({r.record_id: r.golden_id for r in delivered.results if r.record_id and r.golden_id}, ())
