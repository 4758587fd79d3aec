"""Match everything that is stored, in bulk: pairs are found beside the database, what changed is settled in small transactions.

The bulk executor finds the pairs at or above `review`; only those that differ from the stored edges are worked on. Each piece takes the
same locks as a delivery, scores again what is there by then, and settles its components, so that stewards and deliveries go on meanwhile
and what they did since counts. A person's verdict on a pair is never touched.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from uuid import UUID

import numpy as np
import pyarrow as pa
from sqlalchemy.orm import Session

from matching.arrays import Rows, Weighed
from matching.bulk import Room, bulk
from matching.components import components
from matching.model import Columns, Model
from matching.score import Scorer, Total
from mdm.chunks import Tally, do_chunks, plan_anew
from mdm.db import execute, fetch, lock
from mdm.entities import ENTITY_TYPES
from mdm.entity import EntityType
from mdm.errors import NotFound
from mdm.feed import publish
from mdm.model_versions import lock_activation
from mdm.models import current_scorer
from mdm.pile import Pile, as_uuid
from mdm.records import read_columns, write_edges
from mdm.resolve import Change, settle
from mdm.running import Run
from mdm.stock import Edges, read_edges, read_stock
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
    stock = read_stock(run.database, entity, scorer.model.columns)
    run.tell("comparing")
    ids = stock.ids
    found = found_pairs(scorer.model, stock, Room(f"{match_memory_gb}GB"))
    left, right = changed_pairs(found, read_edges(run.database, entity, scorer.model.version, ids), len(ids))
    pieces = list(_pieces(left, right, len(ids)))
    first = run.effect(partial(plan_anew, mine=run.mine, rows=[len(piece) for piece in pieces]))

    def settle_piece(session: Session, no: int) -> Tally:
        piece = pieces[no - first]
        sides = (map(as_uuid, ids.take(pa.array(side[piece])).to_pylist()) for side in (left, right))
        return settle_pairs(session, entity, list(zip(*sides, strict=True)))

    do_chunks(run, "settling", settle_piece)
    return scorer.model.version


def found_pairs(model: Model, stock: Pile, room: Room) -> Weighed:
    """Every pair at or above `review`, with its weight. The columns of the stock are gone afterwards."""
    with bulk(model, stock.records(model), room=room) as executor:
        executor.block(model.thresholds.review)
        return executor.weigh(model, model.thresholds.review)


def changed_pairs(found: Weighed, stored: Edges, size: int) -> tuple[Rows, Rows]:
    """New pairs, pairs of another weight or model, and stored ones that are no longer met and that no person has judged."""
    met, known = found.left * size + found.right, stored.left * size + stored.right
    gone = known[~np.isin(known, met) & ~stored.judged]
    order = np.argsort(known)
    known, weights, current = known[order], stored.weights[order], stored.current[order]
    place = np.minimum(np.searchsorted(known, met), max(0, len(known) - 1))
    stands = np.zeros(len(met), dtype=np.bool_)
    if len(known):
        stands = (known[place] == met) & (np.abs(weights[place] - found.weights) <= _SAME_WEIGHT) & current[place]
    left, right = np.divmod(np.concatenate([met[~stands], gone]), max(1, size))
    return left, right


def _pieces(left: Rows, right: Rows, size: int) -> Iterator[Rows]:
    """Which pairs are settled together: those of one component one after the other, of at most PIECE_RECORDS records."""
    part = components(left, right, size)[left]
    piece: list[int] = []
    records: set[int] = set()
    order = np.lexsort((right, left, part))
    for place, pair in zip(order.tolist(), zip(left[order].tolist(), right[order].tolist(), strict=True), strict=True):
        if piece and len(records | {*pair}) > PIECE_RECORDS:
            yield np.array(piece)
            piece, records = [], set()
        piece.append(place)
        records |= {*pair}
    if piece:
        yield np.array(piece)


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
