"""A plan applied, as a durable job: chunk by chunk, each one transaction, together with what became of its rows.

Rows that the plan found to be near nobody are stored in `bulk`; all others go the way of deliveries, scored against those alone whom the
plan found to be near (`known`). Rows that meet what somebody else delivered since the plan was made look for themselves (`online`). In the
end the outcomes are read from what is stored, not from the plan.
"""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from mdm.access import Actor, Role
from mdm.bulk_store import store
from mdm.chunks import Tally, do_chunk, follow_chunks, plan_once
from mdm.db import array, execute, fetch, savepoint
from mdm.entities import ENTITY_TYPES
from mdm.entity import EntityType
from mdm.errors import Conflict, FieldProblem, HierarchyLoop, InvalidRecord, NotFound
from mdm.ingest import Delivered, Ready, Result, chunks, deliver
from mdm.jsonio import dumps
from mdm.load_counts import count_outcomes
from mdm.load_files import open_table
from mdm.load_findings import write_counts
from mdm.load_loops import in_words
from mdm.load_newcomers import newcomers, settle_newcomers
from mdm.load_pool import Craft, hands
from mdm.load_rows import Row, read_groups
from mdm.load_source import source_of
from mdm.load_stage import PIECE_ROWS, storable_cells
from mdm.load_stale import has_begun
from mdm.load_waves import Wanted, is_of, left_of, wanted_of
from mdm.models import current_scorer
from mdm.running import Run

OUTCOMES_ROWS = 5_000
LARGE_ROWS = 10_000
_BECAME = {"quarantined": "review", "inactive": "updated"}


@dataclass(frozen=True, slots=True)
class Work:
    """What is applied, and by whom."""

    load_id: UUID
    plan_id: UUID
    entity: EntityType
    system: str
    actor: Actor
    request_id: str
    bulk: int
    online: int
    wave: Wanted
    planned_at: datetime
    as_planned: bool  # whether the model is the one by which the plan found who is near whom
    met: frozenset[int] = field(default=frozenset(), repr=False)  # keys of records that came or changed since the plan

    def knows(self, row: Row) -> bool:
        """Whether the plan still knows everybody who may be near the row."""
        return self.as_planned and self.met.isdisjoint(row.keys)


def apply_load(run: Run, home: Path) -> None:
    """The job: payload {load, plan}. Begun again, it goes on at the first chunk that is not done."""
    began = time.monotonic()
    work = run.effect(lambda session: _work(session, run))
    sizes = run.effect(lambda session: _sizes(session, work.plan_id))
    run.effect(lambda session: plan_once(session, run.mine, sizes))
    _apply_all(run, work, home, are_many=sum(sizes) > LARGE_ROWS)
    run.tell("settling")
    settle_newcomers(run, work.entity, work.plan_id, work.planned_at)
    _keep_cells(run, work, home)
    run.tell("counting")
    last = run.effect(lambda session: fetch(session, "select coalesce(max(no), 0) from load_row where plan_id = %s", (work.plan_id,))[0][0])
    for low in range(0, last + 1, OUTCOMES_ROWS):
        run.effect(partial(_read_outcomes, work=work, low=low))
    run.conclude(lambda session: _conclude(session, work, round(time.monotonic() - began, 2)))


def _apply_all(run: Run, work: Work, home: Path, *, are_many: bool) -> None:
    """Deliveries in the order of their pieces; what is near nobody, and so nobody's business, beside them."""
    with hands(run, home, Craft(_begin, _apply_piece), are_many=are_many) as crew:

        def in_lanes(numbers: Sequence[int]) -> Iterator[int]:
            return crew.in_lanes([no for no in numbers if no >= work.bulk], [no for no in numbers if no < work.bulk])

        follow_chunks(run, "applying", in_lanes)


def _begin(run: Run, _: Path) -> Work:
    """The work as whoever applies pieces has to know it: with what others delivered since the plan."""
    work = run.effect(lambda session: _work(session, run))
    came = newcomers(run, work.entity, work.plan_id, work.planned_at)
    return replace(work, met=frozenset(key for _, _, keys in came for key in keys))


def _apply_piece(run: Run, work: Work, no: int) -> None:
    do_chunk(run, no, lambda session, no: _apply(session, work, no))


def _work(session: Session, run: Run) -> Work:
    load_id, plan_id = UUID(run.mine.payload["load"]), UUID(run.mine.payload["plan"])
    rows = fetch(
        session,
        "select l.domain, l.system, p.report -> 'wave', j.created_by, j.request_id, p.created_at, p.fingerprint ->> 'model' from load l"
        " join load_plan p on p.id = %s and p.id = l.plan_id join job j on j.id = %s where l.id = %s and l.status = 'applying'",
        (plan_id, run.mine.id, load_id),
    )
    if not rows or rows[0][0] not in ENTITY_TYPES:
        raise NotFound("there is no such plan, nobody asks for it any more, or its domain is no longer declared")
    domain, system, wave, by, request_id, made_at, model = rows[0]
    entity = ENTITY_TYPES[domain]
    ways: dict[str, int] = dict(fetch(session, "select way, count(*) from load_piece where plan_id = %s group by way", (plan_id,)))
    return Work(
        load_id,
        plan_id,
        entity,
        system,
        Actor(UUID(int=0), by or "system", Role.LOADER),
        request_id or "",
        ways.get("bulk", 0),
        ways.get("online", 0),
        wanted_of(entity, wave or {}),
        made_at,
        current_scorer(session, entity).model.version == model,
    )


def _sizes(session: Session, plan_id: UUID) -> list[int]:
    rows = fetch(session, "select rows from load_piece where plan_id = %s and way <> 'staged' order by way, no", (plan_id,))
    return [row[0] for row in rows]


def _apply(session: Session, work: Work, no: int) -> Tally:
    """One piece: those of its rows that are of this wave and that no earlier wave has applied."""
    way, number = ("bulk", no) if no < work.bulk else ("online", no - work.bulk)
    rows = fetch(session, "select content, rows from load_piece where plan_id = %s and way = %s and no = %s", (work.plan_id, way, number))
    content, size = rows[0]
    groups = read_groups(work.system, content)
    left = left_of(session, work.plan_id, [row.no for group in groups for row in group])
    wanted = [[row for row in group if row.no in left and is_of(row, work.wave)] for group in groups]
    alone: list[list[Row]] = []
    met: list[list[Row]] = []
    for group in wanted:
        is_free = way == "bulk" and all(work.knows(row) for row in group)
        (alone if is_free else met).append(group)
    others = [row for group in met for row in group]
    done = [*_in_bulk(session, work, [group for group in alone if group]), *_online(session, work, others)]
    _write_down(session, work, done)
    rejected = sum(each.became == "rejected" for each in done)
    return Tally(size - rejected, rejected)


@dataclass(frozen=True, slots=True)
class _Done:
    """What became of a row in its own transaction; later ones may bring it together with others."""

    no: int
    record_id: UUID
    became: str
    way: str
    problems: Sequence[FieldProblem] = ()


def _in_bulk(session: Session, work: Work, groups: Sequence[Sequence[Row]]) -> Iterator[_Done]:
    """Groups that no other can be near. Refused, they are halved until what cannot be stands alone: that group is delivered row by row."""
    if not groups:
        return
    rows = {row.record_id: row for group in groups for row in group}
    try:
        with savepoint(session):
            kept = store(session, work.entity, work.actor, [[row.incoming() for row in group] for group in groups], work.request_id)
    except (HierarchyLoop, InvalidRecord):  # a relationship cannot be
        if len(groups) == 1:
            yield from _online(session, work, groups[0])
            return
        middle = len(groups) // 2
        yield from _in_bulk(session, work, groups[:middle])
        yield from _in_bulk(session, work, groups[middle:])
        return
    known = {each.record_id for each in kept.known}
    for group in groups:
        here = [row for row in group if row.record_id not in known]
        for row in here:
            yield _Done(row.no, row.record_id, "new" if row is here[0] else "linked", "bulk")
    yield from _online(session, work, [rows[record] for record in known])


def _online(session: Session, work: Work, rows: Sequence[Row]) -> Iterator[_Done]:
    """The way of deliveries."""
    known: list[Row] = []
    left: list[Row] = []
    for row in rows:
        (known if row.near is not None and work.knows(row) else left).append(row)
    if known:
        ids = _ids(session, work, {no for row in known if row.near is not None for no in row.near.rows})
        yield from _deliver(session, work, [_ready(row, ids) for row in known], "known")
    for chunk in chunks([_ready(row) for row in left]):
        yield from _deliver(session, work, chunk, "online")


def _ids(session: Session, work: Work, numbers: Collection[int]) -> dict[int, UUID]:
    """The records that rows of the file are, or are to become."""
    return dict(fetch(session, "select no, record_id from load_row where plan_id = %s and no = any(%s)", (work.plan_id, list(numbers))))


def _ready(row: Row, ids: Mapping[int, UUID] | None = None) -> Ready:
    near = None if ids is None or row.near is None else frozenset([*row.near.records, *(ids[no] for no in row.near.rows)])
    return Ready(row.no, row.standard, row.keys, row.record_id, near)


def _deliver(session: Session, work: Work, chunk: Sequence[Ready], way: str) -> Iterator[_Done]:
    try:
        with savepoint(session):
            delivered = deliver(session, work.entity, work.actor, chunk, work.request_id)
    except (HierarchyLoop, InvalidRecord) as error:
        if len(chunk) > 1:
            for ready in chunk:
                yield from _deliver(session, work, [ready], way)
            return
        problems = in_words(session, work.entity, work.load_id, chunk[0].standard, error.problems)
        yield _Done(chunk[0].index, chunk[0].record_id or UUID(int=0), "rejected", way, problems)
        return
    _keep_moves(session, work, delivered)
    for ready, result in zip(chunk, delivered.results, strict=True):
        yield _Done(ready.index, _record(result, ready), _BECAME.get(result.outcome, result.outcome), way)


def _record(result: Result, ready: Ready) -> UUID:
    found = result.record_id or ready.record_id
    if found is None:
        raise Conflict("a delivered row has no record")
    return found


def _keep_moves(session: Session, work: Work, delivered: Delivered) -> None:
    """Records that others had delivered, and that went elsewhere or lost evidence because of these rows: undo has to know."""
    if delivered.moves:
        places = (
            array(move.record_id for move in delivered.moves),
            array(move.left for move in delivered.moves),
            array(move.joined for move in delivered.moves),
        )
        execute(session, _KEEP_MOVES, (work.load_id, *places, work.plan_id))
    if delivered.demoted:
        execute(session, _KEEP_DEMOTED, (work.load_id, array(delivered.demoted), work.plan_id))


_KEEP_MOVES: LiteralString = (
    "insert into load_move (load_id, record_id, left_golden, joined_golden) select %s, m.record_id, m.left_golden, m.joined_golden"
    " from unnest(%s::uuid[], %s::uuid[], %s::uuid[]) m(record_id, left_golden, joined_golden)"
    " where not exists (select 1 from load_row x where x.plan_id = %s and x.record_id = m.record_id and x.is_new)"
    " on conflict (load_id, record_id) do update set joined_golden = excluded.joined_golden"
)
_KEEP_DEMOTED: LiteralString = (
    "insert into load_move (load_id, record_id, left_golden, joined_golden) select %s, l.record_id, l.golden_id, l.golden_id"
    " from unnest(%s::uuid[]) d(record_id) join link l on l.record_id = d.record_id and l.recorded_to is null"
    " where not exists (select 1 from load_row x where x.plan_id = %s and x.record_id = d.record_id and x.is_new)"
    " on conflict (load_id, record_id) do nothing"
)


def _write_down(session: Session, work: Work, done: Sequence[_Done]) -> None:
    stored = [d for d in done if d.way == "bulk"]
    if stored:  # nearly all rows of a large load: each is the first version of the record that the plan named
        params = ([d.no for d in stored], [d.became for d in stored], work.plan_id)
        execute(session, _STORED, params)
    if len(stored) < len(done):
        _write_delivered(session, work, [d for d in done if d.way != "bulk"])


_STORED: LiteralString = (
    "update load_row x set became = d.became, way = 'bulk', wrote = 1 from unnest(%s::int[], %s::text[]) d(no, became)"
    " where x.plan_id = %s and x.no = d.no"
)


def _write_delivered(session: Session, work: Work, done: Sequence[_Done]) -> None:
    rows = [
        {"no": d.no, "record": d.record_id, "became": d.became, "way": d.way, "problems": [_problem(p) for p in d.problems] or None}
        for d in done
    ]
    execute(
        session,
        "update load_row x set became = d.became, way = d.way, record_id = d.record, wrote = case when d.became = 'review' and not x.is_new"
        " then " + _HELD + " else r.version end, before = (select max(v.version)"
        " from source_record_version v where v.record_id = d.record and v.state = 'applied' and v.version < r.version),"
        " detail = case when d.problems is null then x.detail else jsonb_build_object('problems', d.problems, 'cells', '[]'::jsonb) end"
        " from jsonb_to_recordset(%s::jsonb) as d(no int, record uuid, became text, way text, problems jsonb)"
        " left join source_record r on r.id = d.record where x.plan_id = %s and x.no = d.no",
        (dumps(rows).decode(), work.plan_id),
    )


# Of an update that waits for a person: its version, unless it waited before the load said the same.
_HELD: LiteralString = (
    "(select max(v.version) from source_record_version v join load_plan p on p.id = x.plan_id where v.record_id = d.record"
    " and v.state = 'quarantined' and v.recorded_at > p.created_at)"
)


def _problem(problem: FieldProblem) -> dict[str, str]:
    return {"code": problem.code, "column": problem.pointer, "fix": problem.message}


def _keep_cells(run: Run, work: Work, home: Path) -> None:
    """The cells of rows that were rejected just now, from the file: a delivery does not have them, and whoever mends them wants them."""
    bare = run.effect(lambda session: {row[0] for row in fetch(session, _WITHOUT_CELLS, (work.plan_id,))})
    source = run.effect(lambda session: source_of(session, work.load_id, home)) if bare else None
    if source is None or not source.path.is_file():
        return
    table = open_table(source.path, name=source.name, options=source.options)
    for batch in table.batches(PIECE_ROWS):
        rows = zip(batch.numbers, batch.rows, strict=True)
        found = [{"no": no, "cells": storable_cells(cells)} for no, cells in rows if no in bare]
        if found:
            run.effect(partial(_write_cells, plan_id=work.plan_id, found=found))


_WITHOUT_CELLS: LiteralString = "select no from load_row where plan_id = %s and became = 'rejected' and detail -> 'cells' = '[]'"


def _write_cells(session: Session, plan_id: UUID, found: Sequence[Mapping[str, object]]) -> None:
    execute(
        session,
        "update load_row x set detail = x.detail || jsonb_build_object('cells', d.cells) from jsonb_to_recordset(%s::jsonb)"
        " as d(no int, cells jsonb) where x.plan_id = %s and x.no = d.no",
        (dumps(found).decode(), plan_id),
    )


def _read_outcomes(session: Session, work: Work, low: int) -> None:
    """What the rows became, as it is stored: the first row of a golden record that the load made is new, the others are linked to it."""
    execute(session, _OUTCOMES, {"plan": work.plan_id, "domain": work.entity.name, "low": low, "high": low + OUTCOMES_ROWS})


_OUTCOMES: LiteralString = (
    "with mine as materialized (select x.no, x.record_id, l.golden_id from load_row x join link l"
    " on l.record_id = x.record_id and l.recorded_to is null where x.plan_id = %(plan)s and x.no >= %(low)s and x.no < %(high)s"
    " and x.is_new and x.way in ('known', 'online') and x.became in ('new', 'linked', 'review')), asked as materialized ("
    "select distinct unnest(goldens) as golden_id from task where domain = %(domain)s and status = 'open' and kind in ('review', 'cut')"
    " and goldens && array(select golden_id from mine))"
    " update load_row x set golden_id = m.golden_id, became = case when exists (select 1 from link o left join load_row y"
    " on y.plan_id = x.plan_id and y.record_id = o.record_id and y.is_new where o.golden_id = m.golden_id and o.recorded_to is null"
    " and o.record_id <> m.record_id and (y.no is null or y.no < m.no)) then 'linked'"
    " when m.golden_id in (select golden_id from asked) then 'review' else 'new' end"
    " from mine m where x.plan_id = %(plan)s and x.no = m.no"
)


def _conclude(session: Session, work: Work, seconds: float) -> None:
    counts = count_outcomes(session, work.plan_id)
    is_done = counts["waiting"] == 0
    if is_done or has_begun(session, work.plan_id):
        write_counts(session, work.plan_id, "apply", counts)
        plan_state, state = ("applied", "applied") if is_done else ("ready", "applying")
    else:  # nobody was of this wave: the load is planned, as before
        plan_state, state = None, "planned"
    execute(
        session,
        "update load_plan set state = coalesce(%s, state), report = report - 'wave' where id = %s",
        (plan_state, work.plan_id),
    )
    execute(
        session,
        "update load set status = %s, applied_at = case when %s = 'planned' then applied_at else clock_timestamp() end,"
        " seconds = seconds || jsonb_build_object('apply', coalesce((seconds ->> 'apply')::float8, 0) + %s) where id = %s",
        (state, state, seconds, work.load_id),
    )
    if is_done:
        execute(session, "delete from load_piece where plan_id = %s", (work.plan_id,))
