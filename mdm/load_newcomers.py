"""What others delivered since a plan was made, of which the plan knows nothing; settled with the rows that did not look for it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from mdm.candidates import read_blocks
from mdm.db import array, execute, fetch
from mdm.entity import EntityType
from mdm.rematch import PIECE_RECORDS, Pair, settle_pairs
from mdm.running import Run

PIECE_SCANNED = 50_000  # records looked at in one statement
_NEWCOMERS = 20  # records whose neighbours are read in one transaction
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
    end = fetch(session, _PIECE_END, {**asked, "low": low, "scanned": PIECE_SCANNED})
    high = end[0][0] if end else None
    rows = fetch(session, _IN_PIECE, {**asked, "low": low, "high": high or _LAST})
    return high, [(row[0], row[1], row[2]) for row in rows]


# Counted are those alone that came or changed: mostly they are few, and `ix_source_record_updated_at` tells where they lie
_PIECE_END: LiteralString = (
    "select id from source_record where id > %(low)s and domain = %(domain)s and updated_at >= %(since)s order by id"
    " offset %(scanned)s limit 1"
)
_IN_PIECE: LiteralString = (
    "select r.id, r.status, r.keys from source_record r where r.id > %(low)s and r.id <= %(high)s and r.domain = %(domain)s"
    # The bounds once more: in the end nearly all of them are of the plan, and are met by reading its part between the two in order
    " and r.updated_at >= %(since)s and not exists (select 1 from load_row x where x.record_id = r.id and x.plan_id = %(plan)s"
    " and x.record_id > %(low)s and x.record_id <= %(high)s)"
)


def settle_newcomers(run: Run, entity: EntityType, plan_id: UUID, since: datetime) -> None:
    """What others delivered while rows were stored whose neighbours the plan knew did not see these rows, nor they it."""
    came = newcomers(run, entity, plan_id, since)
    found = [record for record, status, _ in came if status == "active"]
    near: dict[UUID, list[UUID]] = {}
    for start in range(0, len(found), _NEWCOMERS):
        for row, newcomer in run.effect(partial(_near, plan_id=plan_id, records=found[start : start + _NEWCOMERS])):
            near.setdefault(row, []).append(newcomer)
    for pairs, settled in _pieces(near):
        run.effect(partial(_settle, entity=entity, plan_id=plan_id, pairs=pairs, settled=settled))


def _near(session: Session, plan_id: UUID, records: Sequence[UUID]) -> list[Pair]:
    """Rows that looked for nobody, each with a newcomer to which it may belong: the candidates that the newcomer would have had."""
    keys: dict[UUID, Sequence[int]] = dict(fetch(session, "select id, keys from source_record where id = any(%s)", (array(records),)))
    blocks = read_blocks(session, {key for held in keys.values() for key in held})
    found = [(row, newcomer) for newcomer, held in keys.items() for row in blocks.candidates(held)[0]]
    mine = fetch(
        session,
        "select record_id from load_row where plan_id = %s and record_id = any(%s) and way in ('bulk', 'known')",
        (plan_id, array({row for row, _ in found})),
    )
    unseeing = {row[0] for row in mine}
    return [pair for pair in found if pair[0] in unseeing]


def _pieces(near: Mapping[UUID, Sequence[UUID]]) -> Iterator[tuple[list[Pair], list[UUID]]]:
    """Pairs of as many records as one transaction may lock, and the rows that are settled with them: those with no pair left."""
    pairs: list[Pair] = []
    settled: list[UUID] = []
    records: set[UUID] = set()
    for row, others in sorted(near.items()):
        for newcomer in others:
            if pairs and len(records | {row, newcomer}) > PIECE_RECORDS:
                yield pairs, settled
                pairs, settled, records = [], [], set()
            pairs.append((min(row, newcomer), max(row, newcomer)))
            records |= {row, newcomer}
        settled.append(row)
    if pairs:
        yield pairs, settled


def _settle(session: Session, entity: EntityType, plan_id: UUID, pairs: Sequence[Pair], settled: Sequence[UUID]) -> None:
    """Begun again after a crash, only rows that are not marked here are looked at; their outcome is read anew."""
    settle_pairs(session, entity, pairs)
    execute(
        session,
        "update load_row set way = 'online' where plan_id = %s and record_id = any(%s)",
        (plan_id, array(settled)),
    )
