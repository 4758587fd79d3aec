"""A load taken back, as a durable job: what is true then is what would be true had it never been applied, but for what came later.

New records are withdrawn, updated ones get their former version back, others that the load brought elsewhere return. A row about whose
record a person has decided since, or that its system has delivered otherwise, stays; it is listed with the reason. Delivered unchanged it
goes: that leaves no trace, for nearly all deliveries are such, and cost no write. What a later file repeats, `load_outlook` warns of.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import audit
from mdm.access import Actor, Role
from mdm.apart import is_apart
from mdm.chunks import Tally, do_chunk, follow_chunks, plan_anew
from mdm.db import LOCKS_MAX, Row, array, execute, fetch, lock
from mdm.entities import ENTITY_TYPES
from mdm.entity import EntityType
from mdm.errors import NotFound
from mdm.jsonio import dumps
from mdm.load_outlook import CHANGED, LISTED, MOVES_LEFT, REASONS
from mdm.load_pool import Craft, hands
from mdm.overlay import supersede
from mdm.regain import REGAINED_MAX, regain
from mdm.running import Run
from mdm.updates import hold_again, restore
from mdm.withdraw import withdraw

LARGE_GOLDENS = 10_000
_RECORDS_MAX = 200  # of one transaction
_ROWS_READ = 50_000  # of one statement
_GOLDENS_READ = 20_000


@dataclass(frozen=True, slots=True)
class Work:
    """What is taken back, and by whom."""

    load_id: UUID
    plan_id: UUID
    entity: EntityType
    actor: Actor
    request_id: str


def undo_load(run: Run, home: Path) -> None:
    """The job: payload {load}. Begun again, it looks anew for what is left to take back."""
    began = time.monotonic()
    work = run.effect(lambda session: _work(session, run))
    touched = _touched(run, work)
    free = list(_pieces(each for each in touched if each.is_alone))
    ordered = list(_pieces(each for each in touched if not each.is_alone))
    first = run.effect(partial(plan_anew, mine=run.mine, rows=[len(piece) for piece in (*ordered, *free)]))
    pieces = [Piece(first + place, goldens, place >= len(ordered)) for place, goldens in enumerate((*ordered, *free))]
    with hands(run, home, Craft(_begin, _do), are_many=len(touched) > LARGE_GOLDENS) as crew:

        def in_lanes(_: Sequence[int]) -> Iterator[int]:
            done = crew.in_lanes(pieces[: len(ordered)], pieces[len(ordered) :])
            return (piece.no for piece in done)

        follow_chunks(run, "undoing", in_lanes)
    run.tell("giving back")
    _give_back(run, work)
    seconds = round(time.monotonic() - began, 2)
    run.conclude(lambda session: _conclude(session, work, seconds))


@dataclass(frozen=True, slots=True)
class Piece:
    """The golden records of one chunk; `is_alone`: the load stored all of their rows near nobody."""

    no: int
    goldens: Sequence[UUID]
    is_alone: bool


def _begin(run: Run, _: Path) -> Work:
    return run.effect(lambda session: _work(session, run))


def _do(run: Run, work: Work, piece: Piece) -> None:
    """Pieces of those who are apart do not wait for each other: nearly any two share some key, and would be done one after the other."""
    try:
        do_chunk(run, piece.no, lambda session, _: _undo_piece(session, work, piece.goldens, beside=piece.is_alone))
    except _NotApart:
        do_chunk(run, piece.no, lambda session, _: _undo_piece(session, work, piece.goldens, beside=False))


class _NotApart(Exception):
    """Others have come near since the load stored them."""


def _give_back(run: Run, work: Work) -> None:
    """Values that the load's rows made over-shared are evidence again, once these are gone. Done twice it changes nothing more."""
    asked = {"load": work.load_id, "plan": work.plan_id}
    records = run.effect(lambda session: [row[0] for row in fetch(session, _TOUCHED, asked)])
    for start in range(0, len(records), REGAINED_MAX):
        run.effect(partial(regain, entity=work.entity, records=records[start : start + REGAINED_MAX]))


_TOUCHED: LiteralString = (
    "select record_id from load_move where load_id = %(load)s union select record_id from load_row where plan_id = %(plan)s and undone"
    " and not is_new and became = 'updated' order by 1"
)


def _work(session: Session, run: Run) -> Work:
    rows = fetch(
        session,
        "select l.id, l.plan_id, l.domain, j.created_by, j.request_id from load l join job j on j.id = %s where l.id = %s",
        (run.mine.id, UUID(run.mine.payload["load"])),
    )
    if not rows or rows[0][2] not in ENTITY_TYPES:
        raise NotFound("there is no such load, or its domain is no longer declared")
    load_id, plan_id, domain, by, request_id = rows[0]
    return Work(load_id, plan_id, ENTITY_TYPES[domain], Actor(UUID(int=0), by or "system", Role.LOADER), request_id or "")


@dataclass(frozen=True, slots=True)
class _Touched:
    """A golden record with rows or moved records of the load: what it takes to lock, and how many records it has."""

    id: UUID
    locks: int
    records: int
    is_alone: bool  # the load stored all of its rows near nobody, so that it may be undone beside others


def _touched(run: Run, work: Work) -> list[_Touched]:
    """In order of their ids; read piece by piece: of a million rows one statement would outlast an effect."""
    last = run.effect(lambda session: fetch(session, "select coalesce(max(no), 0) from load_row where plan_id = %s", (work.plan_id,))[0][0])
    found: dict[UUID, tuple[bool, bool]] = {}
    for low in range(0, last + 1, _ROWS_READ):
        for golden, is_bulk, is_update in run.effect(partial(_rows_of, work=work, low=low)):
            were_bulk, were_update = found.get(golden, (True, False))
            found[golden] = (were_bulk and is_bulk, were_update or is_update)
    moved = run.effect(lambda session: [row[2] for row in fetch(session, MOVES_LEFT, {"load": work.load_id})])
    found.update({golden: (False, found.get(golden, (False, False))[1]) for golden in moved})
    goldens = sorted(found)
    touched = []
    for start in range(0, len(goldens), _GOLDENS_READ):
        for golden, keys, records in run.effect(partial(_sizes, goldens=goldens[start : start + _GOLDENS_READ])):
            is_bulk, is_update = found[golden]
            touched.append(_Touched(golden, keys * (2 if is_update else 1), records, is_bulk))  # a former version has keys of its own
    return touched


def _rows_of(session: Session, work: Work, low: int) -> Sequence[Row]:
    return fetch(
        session,
        "select l.golden_id, bool_and(x.way = 'bulk'), bool_or(not x.is_new) from load_row x cross join lateral (select golden_id from link"
        " where record_id = x.record_id and recorded_to is null offset 0) l where x.no >= %(low)s and x.no < %(high)s and "
        + CHANGED
        + " group by l.golden_id",
        {"plan": work.plan_id, "low": low, "high": low + _ROWS_READ},
    )


def _sizes(session: Session, goldens: Sequence[UUID]) -> Sequence[Row]:
    return fetch(
        session,
        "select w.id, sum(r.keys)::int, count(*) from unnest(%s::uuid[]) w(id) cross join lateral (select record_id"
        " from link where golden_id = w.id and recorded_to is null offset 0) l cross join lateral (select cardinality(keys) as keys"
        " from source_record where id = l.record_id offset 0) r group by w.id order by w.id",
        (array(goldens),),
    )


def _pieces(goldens: Iterable[_Touched]) -> Iterator[list[UUID]]:
    """As many golden records as the locks of one transaction allow."""
    piece: list[UUID] = []
    locks = records = 0
    for golden in goldens:
        if piece and (locks + golden.locks > LOCKS_MAX or records + golden.records > _RECORDS_MAX):
            yield piece
            piece, locks, records = [], 0, 0
        piece.append(golden.id)
        locks, records = locks + golden.locks, records + golden.records
    if piece:
        yield piece


def _undo_piece(session: Session, work: Work, goldens: Sequence[UUID], *, beside: bool) -> Tally:
    """Take back what the load did to these golden records, `beside` other such pieces if they are apart. Raises _NotApart."""
    keys = fetch(
        session,
        "select r.keys from link l join source_record r on r.id = l.record_id where l.golden_id = any(%s) and l.recorded_to is null",
        (list(goldens),),
    )
    wanted = sorted({key for (held,) in keys for key in held})
    beside = beside and len(wanted) <= LOCKS_MAX
    lock(session, f"block:{work.entity.name}", wanted[:LOCKS_MAX], shared=beside)
    rows = fetch(
        session,
        "select x.no, x.record_id, x.is_new, x.became, x.before, x.wrote from load_row x join link l on l.record_id = x.record_id"
        " and l.recorded_to is null where l.golden_id = any(%(goldens)s) and " + CHANGED + " order by x.no",
        {"goldens": list(goldens), "plan": work.plan_id},
    )
    if beside and not (all(row[2] for row in rows) and is_apart(session, goldens, [row[1] for row in rows])):
        raise _NotApart
    reasons: dict[int, str | None] = dict(fetch(session, REASONS, {"plan": work.plan_id, "records": [row[1] for row in rows]}))
    going = [row for row in rows if reasons.get(row[0]) is None]
    back = fetch(
        session,
        "select m.record_id, m.left_golden from (" + MOVES_LEFT + ") m where m.golden_id = any(%(goldens)s)",
        {"load": work.load_id, "goldens": list(goldens)},
    )
    places = {row[0]: row[1] for row in back}
    fresh = [row[1] for row in going if row[2]]
    if fresh or places:
        withdraw(session, work.entity, fresh, places)
    updates = [_Update(record, became, before, wrote) for _, record, is_new, became, before, wrote in going if not is_new]
    if updates:
        _revert(session, work.entity, updates)
    _write_down(session, work, rows, reasons)
    return Tally(len(goldens))


@dataclass(frozen=True, slots=True)
class _Update:
    """A record that the load updated: what became of it, its version before, and the one that the load wrote."""

    record_id: UUID
    became: str
    before: int
    wrote: int | None


def _revert(session: Session, entity: EntityType, updates: Sequence[_Update]) -> None:
    """The former versions once more; of updates that were held back, only the question goes. What waited before the load waits again."""
    mine = [each for each in updates if each.wrote is not None]  # else it waited already when the load said the same
    held = [each.record_id for each in mine if each.became == "review"]
    if held:
        supersede(session, entity, held)
    back = [each for each in mine if each.became != "review"]
    restore(session, entity, [each.record_id for each in back], [each.before for each in back])
    hold_again(session, entity, [each.record_id for each in mine], [each.wrote for each in mine if each.wrote is not None])


def _write_down(session: Session, work: Work, rows: Sequence[Sequence[Any]], reasons: Mapping[int, str | None]) -> None:
    told = [{"no": row[0], "why": reasons.get(row[0])} for row in rows]
    execute(
        session,
        "update load_row x set undone = d.why is null, detail = case when d.why is null then x.detail"
        " else coalesce(x.detail, '{}') || jsonb_build_object('kept', d.why) end from jsonb_to_recordset(%s::jsonb) as d(no int, why text)"
        " where x.plan_id = %s and x.no = d.no",
        (dumps(told).decode(), work.plan_id),
    )


def _conclude(session: Session, work: Work, seconds: float) -> None:
    counted = fetch(
        session,
        "select count(*) filter (where undone and is_new), count(*) filter (where undone and not is_new),"
        " count(*) filter (where not undone)"
        " from load_row where plan_id = %s",
        (work.plan_id,),
    )
    kept = fetch(
        session,
        "select no, detail ->> 'kept' from load_row where plan_id = %s and not undone order by no limit %s",
        (work.plan_id, LISTED),
    )
    moves = fetch(session, "select count(*) from load_move where load_id = %s and left_golden <> joined_golden", (work.load_id,))
    counts = dict(zip(("withdrawn", "reverted", "kept"), counted[0], strict=True)) | {"returned": moves[0][0]}
    told = {"counts": counts, "kept": [{"row": no, "why": why} for no, why in kept]}
    execute(
        session,
        "update load_plan set report = report || jsonb_build_object('undo', %s::jsonb) where id = %s",
        (dumps(told).decode(), work.plan_id),
    )
    execute(
        session,
        "update load set status = 'undone', undone_at = clock_timestamp(), seconds = seconds || jsonb_build_object('undo', %s::float8)"
        " where id = %s",
        (seconds, work.load_id),
    )
    audit.record(
        session,
        work.actor,
        "load:undone",
        domain=work.entity.name,
        request_id=work.request_id,
        detail={"load": str(work.load_id), **counts},
    )
