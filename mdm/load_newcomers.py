"""What others delivered since a plan was made, of which the plan knows nothing."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any, LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from mdm.db import fetch
from mdm.entity import EntityType
from mdm.running import Run

PIECE_SCANNED = 50_000  # records looked at in one statement
_LAST = UUID(int=2**128 - 1)

Newcomer = tuple[UUID, str, Sequence[int]]  # record, status, keys


def newcomers(run: Run, entity: EntityType, plan_id: UUID, since: datetime) -> Iterator[Newcomer]:
    """Records of the domain that came or changed since the plan and are not of it.

    Piece by piece: of a million records, most of them of this very load, one statement would outlast an effect.
    """
    asked = {"plan": plan_id, "domain": entity.name, "since": since}
    low: UUID | None = UUID(int=0)
    while low is not None:
        low, found = run.effect(partial(_after, low=low, asked=asked))
        yield from found


def _after(session: Session, *, low: UUID, asked: dict[str, Any]) -> tuple[UUID | None, list[Newcomer]]:
    """Those of one piece, and where the next one begins."""
    end = fetch(session, _PIECE_END, (low, PIECE_SCANNED))
    high = end[0][0] if end else None
    rows = fetch(session, _IN_PIECE, {**asked, "low": low, "high": high or _LAST})
    return high, [(row[0], row[1], row[2]) for row in rows]


_PIECE_END: LiteralString = "select id from source_record where id > %s order by id offset %s limit 1"
_IN_PIECE: LiteralString = (
    "select r.id, r.status, r.keys from source_record r where r.id > %(low)s and r.id <= %(high)s and r.domain = %(domain)s"
    # Row by row (offset): to meet them all at once it would read the whole plan for each piece
    " and r.updated_at >= %(since)s and not exists (select 1 from load_row x where x.record_id = r.id and x.plan_id = %(plan)s offset 0)"
)
