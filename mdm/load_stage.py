"""File -> rows made ready, piece by piece: each is read, cleaned, checked and compared with what its record says already.

A piece commits as a whole; begun again, staging goes on behind the last one. Rows that say nothing new cost a hash and no cleaning.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from matching.score import Scorer
from mdm.db import execute, fetch
from mdm.errors import InvalidRecord, NotFound
from mdm.guard import record_keys
from mdm.ids import new_record_id
from mdm.jsonio import dumps, loads
from mdm.load_files import open_table
from mdm.load_former import Former, Prints, read_former, write_same
from mdm.load_pool import Craft, hands
from mdm.load_profile import Finding, Profiler
from mdm.load_rows import Packed, Row, line, pack, unpack
from mdm.load_source import Source, source_of
from mdm.load_table import Cells, RawBatch, RowProblem, RowReject
from mdm.load_values import Converter
from mdm.models import current_scorer
from mdm.overlay import disagreement
from mdm.records import Incoming, Stored
from mdm.running import Run
from mdm.standardise import Delivery, Standard, content_hash, standardise
from mdm.statements import Assertion, read_assertions
from mdm.systems import SystemRegistry, registry

PIECE_ROWS = 1_000
LARGE_BYTES = 4_000_000
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Known:
    """What is stored of a key."""

    id: UUID
    hash: str
    version: int
    golden_id: UUID | None
    stored: Stored


@dataclass(frozen=True, slots=True)
class Fact:
    """What staging found out about a row. `planned` may still become something else where matching has the word."""

    no: int
    key: str | None
    planned: str
    record_id: UUID | None = None
    golden_id: UUID | None = None
    is_new: bool = False
    before: int | None = None
    detail: Mapping[str, Any] | None = None
    print: int | None = None


@dataclass(slots=True)
class _Piece:
    facts: list[Fact] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)

    def reject(self, no: int, key: str | None, cells: Cells, reject: RowReject) -> None:
        problems = [{"code": p.code, "column": p.column, "fix": p.fix} for p in reject.problems]
        detail = {"problems": problems, "cells": storable_cells(cells)}
        self.facts.append(Fact(no, None if key is None else _storable(key), "rejected", detail=detail))


@dataclass(frozen=True, slots=True)
class Staged:
    """The columns of the file, how many rows each named step changed, and what was found to be wrong with many cells at once."""

    header: Sequence[str]
    applied: Mapping[str, int]
    findings: Sequence[Finding]


def stage(run: Run, plan_id: UUID, source: Source, home: Path) -> Staged:
    """Make every row of the file ready."""
    table = open_table(source.path, name=source.name, options=source.options)
    converter = Converter(source.entity, source.system, table.header, source.columns, source.steps)
    done = run.effect(lambda session: {row[0] for row in fetch(session, _PIECES, (plan_id,))})
    profiler = Profiler(source.entity, table.header, source.columns)
    former = read_former(run, UUID(run.mine.payload["load"]), source)
    reader = _Reader(plan_id, converter, Prints(source, table.header), former)
    rows = 0
    with hands(run, home, Craft(_begin, _write_piece), are_many=source.path.stat().st_size > LARGE_BYTES) as crew:
        for number, batch in enumerate(table.batches(PIECE_ROWS)):
            profiler.add(batch.rows)
            read = reader.read(number, batch)
            rows += len(read.numbers)
            if number not in done:
                crew.give(read)
            if number % 10 == 0:
                run.tell_far("reading", rows)
        crew.finish()
    return Staged([_storable(name) for name in table.header], dict(converter.applied), profiler.findings())


def _begin(run: Run, home: Path) -> Source:
    source = run.effect(lambda session: source_of(session, UUID(run.mine.payload["load"]), home))
    if source is None:
        raise NotFound("the load is gone")
    return source


def _write_piece(run: Run, source: Source, read: "Read") -> None:
    run.effect(_Staging(source, read).write)


_PIECES: LiteralString = "select no from load_piece where plan_id = %s and way = 'staged'"
_Read = tuple[int, Cells, int | None, Delivery | RowReject]  # number, cells, print, and what it says or why it says nothing
_Same = tuple[str, int]  # key, and number in the former load


@dataclass(frozen=True, slots=True)
class Read:
    """The rows of one piece as they were read; `same`: numbers of those that say nothing new, here and in the plan `former`."""

    plan_id: UUID
    number: int
    rows: Sequence[_Read]
    former: UUID | None = None
    same: Sequence[tuple[int, int]] = ()

    @property
    def numbers(self) -> list[int]:
        return [*(row[0] for row in self.rows), *(no for no, _ in self.same)]


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads piece by piece. A key's second row is refused, because nobody could say which of the two is true."""

    plan_id: UUID
    converter: Converter
    prints: Prints
    former: Former
    seen: dict[str, int] = field(default_factory=dict)  # key -> the first row that has it

    def read(self, number: int, batch: RawBatch) -> Read:
        rows: list[_Read] = []
        same: list[tuple[int, int]] = []
        for no, cells, mark, row in self._in_order(batch):
            if isinstance(row, RowReject):
                rows.append((no, cells, None, row))
                continue
            first = self.seen.setdefault(row.key if isinstance(row, Delivery) else row[0], no)
            if first != no:
                rows.append((no, cells, None, _twice(first)))
            elif isinstance(row, Delivery):
                rows.append((no, cells, mark, row))
            else:
                same.append((no, row[1]))
        return Read(self.plan_id, number, rows, self.former.plan_id, same)

    def _in_order(self, batch: RawBatch) -> Iterable[tuple[int, Cells, int | None, Delivery | RowReject | _Same]]:
        prints = self.prints.of(batch.rows)
        made = zip(batch.numbers, batch.rows, prints, self._said(batch.rows, prints), strict=True)
        if not batch.rejected:
            return made
        bad = ((row.number, row.cells, None, row.reject) for row in batch.rejected)
        return sorted([*made, *bad], key=lambda each: each[0])

    def _said(self, rows: Sequence[Cells], prints: Sequence[int | None]) -> list[Delivery | RowReject | _Same]:
        """Of rows that the last load had just so nothing but their keys, of the others all that they say."""
        repaired, known = self.converter.repair(rows), self.former.numbers(prints)
        fresh = [row for row, number in zip(repaired, known, strict=True) if not number]
        wrong = self.converter.screen(fresh)
        said = iter([wrong.get(place) or self.converter.deliver_sound(row) for place, row in enumerate(fresh)])
        return [(self.converter.key(row), number) if number else next(said) for row, number in zip(repaired, known, strict=True)]


def _twice(first: int) -> RowReject:
    return RowReject((RowProblem("duplicate_key", "", f"row {first} has the same key: keep one of the two"),))


@dataclass(frozen=True, slots=True)
class _Staging:
    """One piece on its way into the database."""

    source: Source
    read: Read

    def write(self, session: Session) -> None:
        read, piece = self.read, self._made(session)
        if read.same and read.former is not None:
            write_same(session, read.plan_id, read.former, read.same)
        facts = dumps([_fact_json(fact) for fact in piece.facts])
        write_piece(session, read.plan_id, "staged", read.number, pack([facts, *piece.lines], read.numbers))

    def _made(self, session: Session) -> _Piece:
        source, piece = self.source, _Piece()
        systems, scorer = registry(session), current_scorer(session, source.entity)
        rest = self._changed(session, systems)
        known = _known(session, source, [row.key for *_, row in rest if isinstance(row, Delivery)])
        for no, cells, mark, row in rest:
            if isinstance(row, RowReject):
                piece.reject(no, None, cells, row)
                continue
            held = known.get(row.key)
            standard = self._standard(row, systems)
            if isinstance(standard, RowReject):
                piece.reject(no, row.key, cells, standard)
                continue
            keys = record_keys(source.entity, scorer.model, standard.columns)
            made = Row(no, held.id if held else new_record_id(), standard, keys)
            piece.facts.append(self._fact(session, scorer, made, held, mark))
            piece.lines.append(line(made))
        return piece

    def _changed(self, session: Session, systems: SystemRegistry) -> list["_Read"]:
        """The rows but for those that say what their records say already: these are written down at once, and cost nothing more."""
        entity, plan_id = self.source.entity, self.read.plan_id
        hashes = [
            (no, row.key, content_hash(entity, row, systems), mark) for no, _, mark, row in self.read.rows if isinstance(row, Delivery)
        ]
        same = _write_unchanged(session, self.source, plan_id, hashes)
        rest = [each for each in self.read.rows if each[0] not in same]
        inherited = _relationships(session, self.source, [row.key for *_, row in rest if isinstance(row, Delivery)])
        hashes = [
            (no, row.key, content_hash(entity, row, systems, inherited[row.key]), mark)
            for no, _, mark, row in rest
            if isinstance(row, Delivery) and row.key in inherited
        ]
        same = _write_unchanged(session, self.source, plan_id, hashes)
        return [each for each in rest if each[0] not in same]

    def _standard(self, row: Delivery, systems: SystemRegistry) -> Standard | RowReject:
        """What cleaning refuses, in the words of the file: the column, not the pointer."""
        try:
            return standardise(self.source.entity, row, systems)
        except InvalidRecord as error:
            columns = {each.target: each.column for each in self.source.columns}
            return RowReject(
                tuple(
                    RowProblem(p.code, columns.get(p.pointer.rpartition("/")[2], p.pointer.strip("/").replace("/", " ")), p.message)
                    for p in error.problems
                )
            )

    def _fact(self, session: Session, scorer: Scorer, row: Row, held: Known | None, mark: int | None) -> Fact:
        standard = row.standard
        if held is not None:
            standard = standard.inheriting(held.stored.relationships)
        golden = None if held is None else held.golden_id
        planned = self._update(session, scorer, row, held) if held is not None and golden is not None else "new"
        before = None if held is None else held.version
        return Fact(row.no, standard.delivery.key, planned, row.record_id, golden, golden is None, before, _warned(standard), mark)

    def _update(self, session: Session, scorer: Scorer, row: Row, held: Known) -> str:
        """An update that turns the record into somebody else will wait for a person."""
        incoming = Incoming(held.id, row.standard, held.stored, row.standard.columns, row.keys)
        return "updated" if disagreement(session, self.source.entity, scorer, incoming, held.stored) is None else "review"


def _warned(standard: Standard) -> Mapping[str, Any] | None:
    return {"notes": [f"{note.code} {note.pointer}" for note in standard.notes]} if standard.notes else None


_Hashed = tuple[int, str, str | None, int | None]  # row, key, hash, print


def _write_unchanged(session: Session, source: Source, plan_id: UUID, hashes: Sequence[_Hashed]) -> frozenset[int]:
    """The rows whose records have this hash, written down as unchanged; by their numbers."""
    if not hashes:
        return frozenset()
    numbers, keys, told, prints = map(list, zip(*hashes, strict=True))
    mine = {"plan": plan_id, "domain": source.entity.name, "system": source.system}
    params = {**mine, "numbers": numbers, "keys": keys, "hashes": told, "prints": prints}
    return frozenset(row[0] for row in fetch(session, _UNCHANGED, params))


_UNCHANGED: LiteralString = (
    "insert into load_row (plan_id, no, key, planned, record_id, golden_id, is_new, before, print)"
    " select %(plan)s, w.no, w.key, 'unchanged', r.id, l.golden_id, false, r.version, w.print"
    " from unnest(%(numbers)s::int[], %(keys)s::text[], %(hashes)s::text[], %(prints)s::bigint[]) w(no, key, hash, print)"
    " cross join lateral (select id, hash, version from source_record where domain = %(domain)s and system = %(system)s and key = w.key"
    " offset 0) r left join lateral (select golden_id from link where record_id = r.id and recorded_to is null offset 0) l on true"
    # While another version of the record waits, whoever says again what is true takes its place, as a delivery does.
    " where r.hash = w.hash and not exists (select 1 from task t where t.dedupe_key = 'overlay:' || %(domain)s || ':' || r.id"
    " and t.status = 'open') returning no"
)


def _relationships(session: Session, source: Source, keys: Sequence[str]) -> dict[str, tuple[Assertion, ...] | None]:
    """What is known of the relationships of these records, where anything is: a row that is silent of them leaves them as they are."""
    rows = fetch(
        session,
        "select r.key, r.clean -> 'relationships' from source_record r where r.domain = %s and r.system = %s and r.key = any(%s)"
        " and r.clean ? 'relationships'",
        (source.entity.name, source.system, list(keys)),
    )
    return {key: read_assertions(said) for key, said in rows}


def _known(session: Session, source: Source, keys: Sequence[str]) -> dict[str, Known]:
    rows = fetch(
        session,
        "select r.key, r.id, r.hash, r.version, l.golden_id, r.keys, r.columns, r.clean -> 'relationships' from source_record r"
        " left join link l on l.record_id = r.id and l.recorded_to is null where r.domain = %s and r.system = %s and r.key = any(%s)",
        (source.entity.name, source.system, list(keys)),
    )
    return {
        row[0]: Known(row[1], row[2], row[3], row[4], Stored(row[1], row[2], tuple(row[5]), row[6], row[4], read_assertions(row[7])))
        for row in rows
    }


def write_piece(session: Session, plan_id: UUID, way: str, number: int, piece: Packed) -> None:
    execute(
        session,
        "insert into load_piece (plan_id, way, no, first_row, last_row, rows, content) values (%s, %s, %s, %s, %s, %s, %s)",
        (plan_id, way, number, piece.first_row, piece.last_row, piece.rows, piece.content),
    )


def staged_count(session: Session, plan_id: UUID) -> int:
    """How many pieces of the plan are staged."""
    return int(fetch(session, "select count(*) from load_piece where plan_id = %s and way = 'staged'", (plan_id,))[0][0])


def staged_piece(session: Session, plan_id: UUID, number: int) -> tuple[list[Fact], list[bytes]]:
    """What is known of the rows of a staged piece that say something new or are rejected, and the lines that matching has to look at."""
    rows = fetch(session, "select content from load_piece where plan_id = %s and way = 'staged' and no = %s", (plan_id, number))
    facts, *lines = unpack(rows[0][0])
    return [_fact(raw) for raw in loads(facts)], lines


def _fact_json(fact: Fact) -> list[object]:
    return [fact.no, fact.key, fact.planned, fact.record_id, fact.golden_id, fact.is_new, fact.before, fact.detail, fact.print]


def _fact(raw: Sequence[Any]) -> Fact:
    no, key, planned, record, golden, is_new, before, detail, mark = raw
    return Fact(no, key, planned, record and UUID(record), golden and UUID(golden), is_new, before, detail, mark)


def _storable(text: str) -> str:
    """PostgreSQL stores neither NUL nor half a character."""
    return _UNSTORABLE.sub("\ufffd", text)


def storable_cells(cells: Cells) -> list[str | None]:
    """Cells as a rejected row keeps them."""
    return [None if cell is None else _storable(cell) for cell in cells]
