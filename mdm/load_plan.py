"""A plan, made as a durable job: it changes nothing, and gives every row of the file exactly one outcome.

Staging goes on where it stopped; matching and what follows are done again from the staged rows. Rows that nobody else is near are packed
for the bulk way, all others for the way of deliveries, in the order in which they will be applied.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy.orm import Session

from matching.model import Model
from matching.sql import is_native
from mdm.bulk_store import ROWS_MAX
from mdm.db import LOCKS_MAX, connection, execute, translated
from mdm.errors import NotFound
from mdm.ingest import CHUNK_MAX
from mdm.jsonio import dumps
from mdm.load_compare import match_staged
from mdm.load_findings import SAMPLES_MAX, Making, Sample, conclude, conclude_same
from mdm.load_match import Verdict
from mdm.load_rows import Packed, number_of, pack, read
from mdm.load_source import source_of
from mdm.load_stage import Fact, stage, staged_count, staged_piece, write_piece
from mdm.loads import same_load
from mdm.models import current_scorer
from mdm.running import Run

Outcomes = Mapping[int, Verdict]
_SLOW_ROWS = 8


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
    arranging = Arranging(source.system, matched.verdicts, _online_max(model))
    arranged = 0
    for number in range(run.effect(partial(staged_count, plan_id=plan_id))):
        run.tell_far("arranging", arranged)
        facts, lines = run.effect(partial(staged_piece, plan_id=plan_id, number=number))
        arranged += len(facts)
        pieces = arranging.take(facts, lines)
        run.effect(partial(_write, plan_id=plan_id, rows=arranging.rows_of(facts), pieces=pieces))
    run.effect(partial(_write, plan_id=plan_id, rows=(), pieces=arranging.rest()))
    run.effect(lambda session: execute(session, "analyze load_row"))  # a million rows that no statistic knows yet
    making = Making(load_id, plan_id, source, matched, staged, arranging.samples, round(time.monotonic() - began, 2))
    run.conclude(lambda session: conclude(session, making))


def _online_max(model: Model) -> int:
    """Rows that one transaction delivers: texts compared word by word take a millisecond a pair, and each row has up to 200 pairs."""
    is_slow = any(not is_native(test) for comparison in model.comparisons for level in comparison.levels for test in level.any_of)
    return _SLOW_ROWS if is_slow else CHUNK_MAX


def _begin(session: Session, plan_id: UUID, domain: str) -> None:
    """What is newer than this mark the plan may not know. Set once: the plan of a job that was begun again is no newer."""
    execute(
        session,
        "update load_plan set mark = (select coalesce(max(n), 0) from event where domain = %s) where id = %s and mark < 0",
        (domain, plan_id),
    )


def _forget(session: Session, plan_id: UUID) -> None:
    """What an attempt that died had arranged; rows that say nothing new were written down when they were staged."""
    execute(session, "delete from load_row where plan_id = %s and planned <> 'unchanged'", (plan_id,))
    execute(session, "delete from load_piece where plan_id = %s and way <> 'staged'", (plan_id,))


@dataclass(slots=True)
class _Group:
    """Lines on their way into a piece, and how many of them belong together each time."""

    lines: list[bytes] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def add(self, text: bytes, no: int) -> None:
        self.lines.append(text)
        self.numbers.append(no)

    def add_all(self, other: "_Group") -> None:
        self.lines += other.lines
        self.numbers += other.numbers
        self.sizes.append(len(other.lines))


Piece = tuple[str, int, Packed]  # way, number, content


def _place(verdict: Verdict) -> tuple[bool, int]:
    """What the row stays together with: its unit, if nobody is near that, else its part."""
    return (True, verdict.unit) if verdict.alone else (False, verdict.part)


@dataclass(slots=True)
class Arranging:
    """Where the rows go: a unit's that nobody is near, and a part's that are delivered, stay together.

    Delivered one after the other, two rows that may not be one would each see the other too late: the first has joined by then. An online
    piece keeps within the locks of one transaction.
    """

    system: str
    verdicts: Outcomes
    online_max: int = CHUNK_MAX  # rows in a piece that is delivered
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    _sizes: Counter[tuple[bool, int]] = field(default_factory=Counter)  # of units, and of the parts of all other rows
    _waiting: dict[tuple[bool, int], _Group] = field(default_factory=dict)
    _open: dict[str, _Group] = field(default_factory=lambda: {"bulk": _Group(), "online": _Group()})
    _locks: int = 0
    _numbers: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._sizes.update(_place(verdict) for verdict in self.verdicts.values())

    def take(self, facts: Sequence[Fact], lines: Sequence[bytes]) -> list[Piece]:
        """Add the rows of a staged piece; what is full thereby."""
        by_number = {number_of(text): text for text in lines}
        for fact in facts:
            kept = self.samples.setdefault(self._outcome(fact), [])
            if len(kept) < SAMPLES_MAX:
                text = by_number.get(fact.no)
                kept.append(Sample(fact, self.verdicts.get(fact.no), None if text is None else read(self.system, text)))
        return [piece for no, text in by_number.items() for piece in self._add(no, text)]

    def rows_of(self, facts: Sequence[Fact]) -> list[tuple[object, ...]]:
        """The rows of `load_row`, without the plan."""
        found: list[tuple[object, ...]] = []
        for fact in facts:
            verdict = self.verdicts.get(fact.no)
            golden = fact.golden_id if verdict is None else verdict.golden_id
            detail = None if fact.detail is None else Jsonb(dict(fact.detail))
            weight = None if verdict is None else verdict.weight
            known = (fact.record_id, golden, fact.is_new, fact.before)
            found.append((fact.no, fact.key, self._outcome(fact), *known, weight, detail, fact.print))
        return found

    def rest(self) -> list[Piece]:
        """What is left in the end."""
        return [self._closed(way) for way, group in self._open.items() if group.lines]

    def _outcome(self, fact: Fact) -> str:
        verdict = self.verdicts.get(fact.no)
        return fact.planned if verdict is None else verdict.outcome

    def _add(self, no: int, text: bytes) -> Iterator[Piece]:
        verdict = self.verdicts.get(no)
        place = None if verdict is None else _place(verdict)
        if verdict is None or place is None or self._sizes[place] > (CHUNK_MAX if verdict.alone else self.online_max):
            yield from self._add_online(_Group([text], [no]))
            return
        group = self._waiting.setdefault(place, _Group())
        group.add(text, no)
        if len(group.lines) < self._sizes[place]:
            return
        yield from (self._add_bulk if verdict.alone else self._add_online)(self._waiting.pop(place))

    def _add_bulk(self, group: _Group) -> Iterator[Piece]:
        if len(self._open["bulk"].lines) + len(group.lines) > ROWS_MAX:
            yield self._closed("bulk")
        self._open["bulk"].add_all(group)

    def _add_online(self, group: _Group) -> Iterator[Piece]:
        rows = [read(self.system, text) for text in group.lines]
        wanted = sum(len(row.keys) + len(row.standard.relationships or ()) for row in rows)
        waiting = self._open["online"].lines
        if waiting and (len(waiting) + len(rows) > self.online_max or self._locks + wanted > LOCKS_MAX // 2):
            yield self._closed("online")
            self._locks = 0
        self._open["online"].add_all(group)
        self._locks += wanted

    def _closed(self, way: str) -> Piece:
        group, number = self._open[way], self._numbers[way]
        self._open[way] = _Group()
        self._numbers[way] += 1
        return way, number, pack([dumps(group.sizes), *group.lines], group.numbers)


_COPY: LiteralString = "copy load_row (plan_id, no, key, planned, record_id, golden_id, is_new, before, weight, detail, print) from stdin"


def _write(session: Session, plan_id: UUID, rows: Sequence[tuple[object, ...]], pieces: Sequence[Piece]) -> None:
    with translated(), connection(session).cursor() as cursor, cursor.copy(_COPY) as copy:
        for row in rows:
            copy.write_row((plan_id, *row))
    for way, number, piece in pieces:
        write_piece(session, plan_id, way, number, piece)
