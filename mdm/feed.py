"""The outbox: what happened, written last in the transaction that made it happen. No personal data: ids, types and versions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from mdm.db import write
from mdm.ids import new_id
from mdm.jsonio import dumps


@dataclass(frozen=True, slots=True)
class Happening:
    """One change of one golden record."""

    type: str
    golden_id: UUID
    data: Mapping[str, Any]


def publish(session: Session, domain: str, happenings: Sequence[Happening]) -> None:
    if not happenings:
        return
    rows = [{"event_id": new_id(), "golden_id": h.golden_id, "type": h.type, "data": dict(h.data)} for h in happenings]
    write(
        session,
        "insert into event (event_id, domain, golden_id, type, data) select x.event_id, %s, x.golden_id, x.type, x.data"
        " from jsonb_to_recordset(%s::jsonb) as x(event_id uuid, golden_id uuid, type text, data jsonb)",
        (domain, dumps(rows).decode()),
    )
