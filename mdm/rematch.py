"""Match everything that is stored, in bulk: pairs are found beside the database, what changed is settled in small transactions.

The bulk executor finds the pairs at or above `review`; only those that differ from the stored edges are worked on. Each piece takes the
same locks as a delivery, scores again what is there by then, and settles its components, so that stewards and deliveries go on meanwhile
and what they did since counts. A person's verdict on a pair is never touched.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from uuid import UUID

import numpy as np
from sqlalchemy.orm import Session

from matching.bulk import Room, bulk
from matching.components import components
from matching.model import Columns, Model
from matching.score import Scorer, Total
from matching.table import lay_out
from mdm.chunks import Tally, do_chunks, plan_anew
from mdm.db import execute, fetch, lock
from mdm.entities import ENTITY_TYPES
from mdm.entity import EntityType
from mdm.errors import NotFound
from mdm.feed import publish
from mdm.model_versions import lock_activation
from mdm.models import current_scorer
from mdm.records import read_columns, write_edges
from mdm.resolve import Change, settle
from mdm.running import Run
from mdm.stock import Stock, StoredPair, read_pairs, read_stock
from mdm.systems import registry

PIECE_RECORDS = 20  # with some forty keys each within the lock budget of one transaction, and soon done
_SAME_WEIGHT = 1e-6

Pair = tuple[UUID, UUID]


def match_all(run: Run, match_memory_gb: int) -> None:
    """The job: payload {domain}. It brings edges, golden records and tasks of a domain to what the active model says.

    Begun again after a crash it looks anew for what is left to do: done pairs no longer differ, and deliveries went on. So it does when
    another version was activated meanwhile, whose job this one is too.
    """
    entity = ENTITY_TYPES.get(str(run.mine.payload["domain"]))
    if entity is None:
        raise NotFound("this domain is no longer declared")
    while True:
        version = _match(run, entity, match_memory_gb)
        try:
            run.conclude(partial(_check_active, entity=entity, version=version))
        except _Replaced:
            continue
        return


class _Replaced(Exception):
    """Another version of the model is active by now."""


def _check_active(session: Session, *, entity: EntityType, version: str) -> None:
    """With the job's end, under the lock of activation: whoever activates later finds no job, and begins one."""
    lock_activation(session, entity)
    if current_scorer(session, entity).model.version != version:
        raise _Replaced


def _match(run: Run, entity: EntityType, match_memory_gb: int) -> str:
    """Once; the version of the model by which everything was matched."""
    scorer = run.effect(partial(current_scorer, entity=entity))
    run.tell("reading")
    stock = read_stock(run.database, entity)
    run.tell("comparing")
    found = found_pairs(scorer.model, stock, Room(f"{match_memory_gb}GB"))
    pieces = list(_pieces(changed_pairs(found, read_pairs(run.database, entity), stock, scorer.model.version), stock))
    first = run.effect(partial(plan_anew, mine=run.mine, rows=[len(piece) for piece in pieces]))
    do_chunks(run, "settling", lambda session, no: settle_pairs(session, entity, pieces[no - first]))
    return scorer.model.version


def found_pairs(model: Model, stock: Stock, room: Room) -> dict[Pair, float]:
    """Every pair at or above `review`, with its weight."""
    with bulk(model, lay_out(model, stock.columns), room=room) as executor:
        executor.block(model.thresholds.review)
        weighed = executor.weigh(model, model.thresholds.review)
    ids = stock.ids
    return {
        (min(ids[left], ids[right]), max(ids[left], ids[right])): weight
        for left, right, weight in zip(weighed.left.tolist(), weighed.right.tolist(), weighed.weights.tolist(), strict=True)
    }


def changed_pairs(found: dict[Pair, float], stored: Sequence[StoredPair], stock: Stock, version: str) -> list[Pair]:
    """New pairs, pairs of another weight or model, and stored ones that are no longer met and that no person has judged."""
    rows = stock.rows()
    known = {(p.low, p.high): p for p in stored}
    changed = [
        pair
        for pair, weight in found.items()
        if (p := known.get(pair)) is None or abs(p.weight - weight) > _SAME_WEIGHT or p.model_version != version
    ]
    gone = [pair for pair, p in known.items() if pair not in found and p.verdict is None and pair[0] in rows and pair[1] in rows]
    return changed + gone


def _pieces(changed: Sequence[Pair], stock: Stock) -> Iterator[list[Pair]]:
    """The pairs of one component one after the other, at most PIECE_RECORDS records at a time."""
    if not changed:
        return
    rows = stock.rows()
    left = np.array([rows[low] for low, _ in changed], dtype=np.int64)
    right = np.array([rows[high] for _, high in changed], dtype=np.int64)
    part = components(left, right, len(stock.ids))[left]
    piece: list[Pair] = []
    records: set[UUID] = set()
    for place in np.lexsort((right, left, part)).tolist():
        pair = changed[place]
        if piece and len(records | set(pair)) > PIECE_RECORDS:
            yield piece
            piece, records = [], set()
        piece.append(pair)
        records |= set(pair)
    yield piece


def settle_pairs(session: Session, entity: EntityType, pairs: Sequence[Pair]) -> Tally:
    """Score these pairs as their records are now, store or drop their edges, and settle who is who."""
    records = sorted({record for pair in pairs for record in pair})
    keys = fetch(session, "select keys from source_record where id = any(%s) and status = 'active'", (records,))
    lock(session, f"block:{entity.name}", {key for (held,) in keys for key in held})
    scorer = current_scorer(session, entity)
    columns = read_columns(session, records)
    scored = _scored(scorer, pairs, columns)
    write_edges(session, scorer, scored, frozenset())
    gone = [pair for pair in pairs if pair not in scored]
    if gone:
        execute(
            session,
            "delete from edge e using unnest(%s::uuid[], %s::uuid[]) x(low, high)"
            " where e.low = x.low and e.high = x.high and e.verdict is null",
            ([low for low, _ in gone], [high for _, high in gone]),
        )
    settled = settle(session, entity, scorer, registry(session), Change(frozenset(records), only_weighed=True))
    publish(session, entity.name, settled.happenings)
    return Tally(len(pairs))


def _scored(scorer: Scorer, pairs: Sequence[Pair], columns: Mapping[UUID, Columns]) -> dict[Pair, Total]:
    floor = scorer.model.thresholds.review
    found = {
        (low, high): scorer.total_from(columns[low], columns[high], floor) for low, high in pairs if low in columns and high in columns
    }
    return {pair: score for pair, score in found.items() if score is not None}
