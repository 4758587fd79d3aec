"""A plan, made as a durable job: it changes nothing, and gives every row of the file exactly one outcome.

Staging goes on where it stopped; matching and what follows are done again from the staged rows. Rows that nobody else is near are packed
for the bulk way, all others for the way of deliveries, in the order in which they will be applied.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from math import inf
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID

import numpy as np
from sqlalchemy.orm import Session

from matching.arrays import Flags, Rows
from matching.model import Model
from matching.sql import is_native
from mdm.bulk_store import ROWS_MAX
from mdm.copied import NULL, copied_json, copied_text
from mdm.db import LOCKS_MAX, copy, execute
from mdm.errors import NotFound
from mdm.ingest import CHUNK_MAX
from mdm.load_compare import match_staged
from mdm.load_findings import SAMPLES_MAX, Making, Sample, conclude, conclude_same
from mdm.load_rows import Near, pack_groups, read
from mdm.load_source import source_of
from mdm.load_stage import stage
from mdm.load_staged import Facts, StagedPiece, staged_pieces, write_piece
from mdm.load_verdicts import DECIDED, Neighbours, Verdicts
from mdm.loads import same_load
from mdm.models import current_scorer
from mdm.pile import NOBODY
from mdm.running import Run

_SLOW_ROWS = 8
_PIECE_MAX = 200  # rows whose neighbours are known; had all of them to look for themselves, they would lock some 3,400 keys


def plan_load(run: Run, home: Path, memory_gb: int) -> None:
    """The job: payload {load, plan}; `memory_gb` is what comparing in bulk may take before it spills to disk."""
    began = time.monotonic()
    load_id, plan_id = UUID(run.mine.payload["load"]), UUID(run.mine.payload["plan"])
    source = run.effect(lambda session: source_of(session, load_id, home))
    if source is None:
        raise NotFound("there is no such load, or its domain is no longer declared")
    run.effect(partial(_begin, plan_id=plan_id, domain=source.entity.name))
    same = run.effect(lambda session: same_load(session, load_id))
    if same is not None:
        run.conclude(lambda session: conclude_same(session, load_id, plan_id, same))
        return
    staged = stage(run, plan_id, source, home)
    run.tell("comparing")
    matched = match_staged(run, source, plan_id, memory_gb)
    run.effect(lambda session: _forget(session, plan_id))
    model = run.effect(lambda session: current_scorer(session, source.entity).model)
    arranging = Arranging(source.system, matched.verdicts, matched.neighbours, _online_max(model))
    _arrange(run, plan_id, arranging)
    run.effect(lambda session: execute(session, "analyze load_row, load_same"))  # a million rows that no statistic knows yet
    making = Making(load_id, plan_id, source, matched, staged, arranging.samples, round(time.monotonic() - began, 2))
    run.conclude(lambda session: conclude(session, making))


def _arrange(run: Run, plan_id: UUID, arranging: "Arranging") -> None:
    """Every staged piece on its way; while the database writes some, the next ones are made."""
    arranged = 0
    with ThreadPoolExecutor(1, "arranging") as writer:
        writing: Future[None] | None = None
        for staged in staged_pieces(run, plan_id):
            run.tell_far("arranging", arranged)
            rows, pieces = list[str](), list[Piece]()
            for each in staged:
                arranged += len(each.facts)
                rows += arranging.take(each, pieces)
            if writing is not None:
                writing.result()
            writing = writer.submit(run.effect, partial(_write, plan_id=plan_id, rows=rows, pieces=pieces))
        if writing is not None:
            writing.result()
    run.effect(partial(_write, plan_id=plan_id, rows=(), pieces=arranging.rest()))


def _online_max(model: Model) -> int:
    """Rows that one transaction delivers: texts compared word by word take a millisecond a pair, and each row may have up to 200 pairs.

    It has but a few where the plan knows its neighbours; the more it has to be ready for somebody who came since, or for another model.
    """
    is_slow = any(not is_native(test) for comparison in model.comparisons for level in comparison.levels for test in level.any_of)
    return _SLOW_ROWS if is_slow else _PIECE_MAX


def _begin(session: Session, plan_id: UUID, domain: str) -> None:
    """What is newer than this mark the plan may not know. Set once: the plan of a job that was begun again is no newer."""
    execute(
        session,
        "update load_plan set mark = (select coalesce(max(n), 0) from event where domain = %s) where id = %s and mark < 0",
        (domain, plan_id),
    )


def _forget(session: Session, plan_id: UUID) -> None:
    """What an attempt that died had arranged; rows that say nothing new another release wrote here while it staged them."""
    execute(session, "delete from load_row where plan_id = %s and planned <> 'unchanged'", (plan_id,))
    execute(session, "delete from load_piece where plan_id = %s and way <> 'staged'", (plan_id,))


@dataclass(slots=True)
class _Group:
    """Lines on their way into a piece, and how many of them belong together each time."""

    lines: list[bytes] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    near: list[Near | None] = field(default_factory=list)  # of those that are delivered, line by line

    def add(self, text: bytes, no: int) -> None:
        self.lines.append(text)
        self.numbers.append(no)

    def add_one(self, text: bytes, no: int) -> None:
        """One row that belongs together with no other."""
        self.add(text, no)
        self.sizes.append(1)

    def add_all(self, other: "_Group") -> None:
        self.lines += other.lines
        self.numbers += other.numbers
        self.near += other.near
        self.sizes.append(len(other.lines))


Piece = tuple[str, int, _Group]  # way, number, content


@dataclass(slots=True)
class Arranging:
    """Where the rows go: a unit's that nobody is near, and a part's that are delivered, stay together.

    Delivered one after the other, two rows that may not be one would each see the other too late: the first has joined by then. An online
    piece keeps within the locks of one transaction, as long as the plan still knows who is near its rows.
    """

    system: str
    verdicts: Verdicts
    neighbours: Neighbours
    online_max: int = _PIECE_MAX  # rows in a piece that is delivered
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    _waiting: dict[int, _Group] = field(default_factory=dict)  # by place
    _open: dict[str, _Group] = field(default_factory=lambda: {"bulk": _Group(), "online": _Group()})
    _locks: int = 0
    _numbers: Counter[str] = field(default_factory=Counter)
    # By verdict, and one more in the end for rows that have none (NOBODY)
    _places: Rows = field(init=False)  # what the row stays together with: its unit, if nobody is near that, else its part
    _sizes: Rows = field(init=False)  # how many rows do
    _alone: Flags = field(init=False)

    def __post_init__(self) -> None:
        found = self.verdicts
        places = np.where(found.alone, found.units, found.units.max(initial=0) + 1 + found.parts)
        sizes = np.bincount(places)[places]
        # Else each by itself, delivered after those before it
        fits = sizes <= np.where(found.alone, CHUNK_MAX, min(CHUNK_MAX, self.online_max))
        self._places = np.append(places, NOBODY)
        self._sizes = np.append(np.where(fits, sizes, 1), 1)
        self._alone = np.append(found.alone & fits, [False])

    def take(self, staged: StagedPiece, full: list[Piece]) -> list[str]:
        """Add the rows of a staged piece, and to `full` what is full thereby; its rows of `load_row` for COPY, without the plan."""
        facts, made, lines = staged.facts, staged.made, staged.lines()
        rows = self.verdicts.rows_of(facts.numbers)
        decided = self.verdicts.outcomes[np.maximum(rows, 0)].tolist() if len(self.verdicts) else [0] * len(facts)
        placed = rows.tolist()
        outcomes = [told if row == NOBODY else DECIDED[n] for told, row, n in zip(facts.planned, placed, decided, strict=True)]
        self._keep_samples(facts, outcomes, dict(zip(made, lines, strict=True)))
        numbers = [facts.numbers[place] for place in made]
        self._add_all([placed[place] for place in made], numbers, lines, full)
        return list(map(_as_copied, facts.rows(), outcomes, self._near(facts, rows)))

    def _keep_samples(self, facts: Facts, outcomes: Sequence[str], lines: Mapping[int, bytes]) -> None:
        """The first rows of each outcome."""
        for outcome in dict.fromkeys(outcomes):
            kept = self.samples.setdefault(outcome, [])
            places = (place for place, each in enumerate(outcomes) if each == outcome) if len(kept) < SAMPLES_MAX else ()
            for place in islice(places, SAMPLES_MAX - len(kept)):
                fact, text = facts[place], lines.get(place)
                kept.append(Sample(fact, self.verdicts.get(fact.no), None if text is None else read(self.system, text)))

    def rest(self) -> list[Piece]:
        """What is left in the end."""
        return [self._closed(way) for way, group in self._open.items() if group.lines]

    def _near(self, facts: Facts, rows: Rows) -> Iterator[tuple[UUID | str | None, float]]:
        """The golden record that each row joins, and its greatest weight."""
        found = self.verdicts.near(rows[rows != NOBODY])
        return (next(found) if row != NOBODY else (golden, -inf) for golden, row in zip(facts.goldens, rows.tolist(), strict=True))

    def _add_all(self, rows: Sequence[int], numbers: Sequence[int], lines: Sequence[bytes], full: list[Piece]) -> None:
        where = (self._places[list(rows)].tolist(), self._sizes[list(rows)].tolist(), self._alone[list(rows)].tolist())
        for row, no, text, place, size, is_alone in zip(rows, numbers, lines, *where, strict=True):
            if size == 1 and is_alone:
                self._room_in_bulk(1, full).add_one(text, no)
                continue
            group = _Group() if size == 1 else self._waiting.setdefault(place, _Group())
            group.add(text, no)
            if not is_alone:
                group.near.append(self.neighbours.near(row))
            if len(group.lines) == size:
                if size > 1:
                    del self._waiting[place]
                if is_alone:
                    self._room_in_bulk(size, full).add_all(group)
                else:
                    self._add_online(group, full)

    def _room_in_bulk(self, size: int, full: list[Piece]) -> _Group:
        """The piece that takes so many further rows."""
        if len(self._open["bulk"].lines) + size > ROWS_MAX:
            full.append(self._closed("bulk"))
        return self._open["bulk"]

    def _add_online(self, group: _Group, full: list[Piece]) -> None:
        rows = [read(self.system, text) for text in group.lines]
        # Only who looks for itself locks the keys by which it is found
        locked = (1 if near is not None else len(row.keys) for row, near in zip(rows, group.near, strict=True))
        wanted = sum(locked) + sum(len(row.standard.relationships or ()) for row in rows)
        waiting = self._open["online"].lines
        if waiting and (len(waiting) + len(rows) > self.online_max or self._locks + wanted > LOCKS_MAX // 2):
            full.append(self._closed("online"))
            self._locks = 0
        self._open["online"].add_all(group)
        self._locks += wanted

    def _closed(self, way: str) -> Piece:
        group, number = self._open[way], self._numbers[way]
        self._open[way] = _Group()
        self._numbers[way] += 1
        return way, number, group


def _as_copied(fact: Sequence[Any], outcome: str, near: tuple[UUID | str | None, float]) -> str:
    """A row of `load_row` as COPY reads it, without the plan."""
    no, key, _, record, _, is_new, before, detail, mark = fact
    golden, weight = near
    said = NULL if detail is None else copied_json(detail)
    least = NULL if weight == -inf else repr(weight)
    ids = f"{record or NULL}\t{golden or NULL}\t{'ft'[is_new]}"
    known = NULL if before is None else before
    return f"{no}\t{copied_text(key)}\t{outcome}\t{ids}\t{known}\t{least}\t{said}\t{NULL if mark is None else mark}"


_COLUMNS: LiteralString = "plan_id, no, key, planned, record_id, golden_id, is_new, before, weight, detail, print"


def _write(session: Session, plan_id: UUID, rows: Sequence[str], pieces: Sequence[Piece]) -> None:
    copy(session, "load_row", _COLUMNS, [f"{plan_id}\t{row}" for row in rows])
    for way, number, group in pieces:
        write_piece(session, plan_id, way, number, pack_groups(group.sizes, group.lines, group.numbers, group.near))
