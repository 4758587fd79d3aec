"""File -> rows made ready, piece by piece: each is read, cleaned, checked and compared with what its record says already.

A piece commits as a whole; begun again, staging goes on behind the last one. Rows that say nothing new cost a hash and no cleaning.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import compress
from operator import itemgetter
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID

import numpy as np
from sqlalchemy.orm import Session

from matching.score import Scorer
from mdm.db import array, fetch
from mdm.errors import InvalidRecord, NotFound
from mdm.guard import record_keys
from mdm.ids import new_record_id
from mdm.load_files import open_table
from mdm.load_former import NOT_KNOWN, Former, Numbers, Prints, read_former
from mdm.load_loops import closing
from mdm.load_pool import Craft, hands
from mdm.load_profile import Finder, Finding
from mdm.load_rows import Row, line
from mdm.load_same import Same, write_same
from mdm.load_source import Source, source_of
from mdm.load_staged import REJECTED, REVIEW, Fact, Piece, staged_numbers, write_staged
from mdm.load_table import Cells, Columns, RawBatch, RowProblem, RowReject
from mdm.load_values import Converter
from mdm.models import current_scorer
from mdm.overlay import disagreement
from mdm.records import Incoming, Stored
from mdm.running import Run
from mdm.standardise import KEY_LENGTH_MAX, Delivery, Standard, content_hash, standardise
from mdm.statements import Assertion, read_assertions
from mdm.systems import SystemRegistry, registry

PIECE_ROWS = 1_000
LARGE_BYTES = 4_000_000
_LIGHT = 10  # of so many rows one is to be made ready, or fewer: the database has more to do then than Python
_LIGHT_BYTES = 40_000_000  # in a file up to that; in a larger one the seconds in which processes begin are soon won back
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Known:
    """What is stored of a key, as far as it tells whether a row says anything new."""

    id: UUID
    hash: str
    version: int
    golden_id: UUID | None
    relationships: tuple[Assertion, ...] | None
    has_waiting: bool


@dataclass(frozen=True, slots=True)
class Staged:
    """The columns of the file, how many rows each named step changed, and what was found to be wrong with many cells at once.

    `of_rejects`: these are rows of another file, mended.
    """

    header: Sequence[str]
    applied: Mapping[str, int]
    findings: Sequence[Finding]
    of_rejects: bool


def stage(run: Run, plan_id: UUID, source: Source, home: Path) -> Staged:
    """Make every row of the file ready."""
    table = open_table(source.path, name=source.name, options=source.options)
    converter = Converter(source.entity, source.system, table.header, source.columns, source.steps)
    done = run.effect(lambda session: staged_numbers(session, plan_id))
    finder = Finder(source.entity, table.header, source.columns)
    former = read_former(run, UUID(run.mine.payload["load"]), source)
    reader = _Reader(plan_id, converter, Prints(source, table.header), former, closing(run, source, table))
    rows = 0
    craft = Craft(partial(_begin, header=table.header), _write_piece)
    size = source.path.stat().st_size
    with hands(run, home, craft, are_many=size > LARGE_BYTES) as crew:
        for number, batch in enumerate(table.batches(PIECE_ROWS)):
            finder.add_columns(batch.columns)
            read = reader.read(number, batch)
            rows += len(batch.numbers) + len(batch.rejected)
            if number not in done:
                crew.give(read, is_light=size < _LIGHT_BYTES and len(read.rows) * _LIGHT < PIECE_ROWS)
            if number % 10 == 0:
                run.tell_far("reading", rows)
        crew.finish()
    return Staged([_storable(name) for name in table.header], dict(converter.applied), finder.findings(), table.of_rejects)


@dataclass(frozen=True, slots=True)
class _Bench:
    """What making rows ready needs, in whatever process."""

    source: Source
    converter: Converter


def _begin(run: Run, home: Path, header: Sequence[str]) -> _Bench:
    source = run.effect(lambda session: source_of(session, UUID(run.mine.payload["load"]), home))
    if source is None:
        raise NotFound("the load is gone")
    return _Bench(source, Converter(source.entity, source.system, header, source.columns, source.steps))


def _write_piece(run: Run, bench: _Bench, read: "Read") -> None:
    run.effect(_Staging(bench.source, bench.converter, read).write)


_Read = tuple[int, Cells, int | None, Cells | RowReject]  # number, cells, print, and the cells after every step or why they say nothing


@dataclass(frozen=True, slots=True)
class Read:
    """The rows of one piece as they were read; `same`: those of which it is known already that they say nothing new.

    `keys`: of the rows that are rejected already and name one, by number.
    """

    plan_id: UUID
    number: int
    rows: Sequence[_Read]
    keys: Mapping[int, str]
    same: Same


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads piece by piece. A key's second row is refused, because nobody could say which of the two is true.

    `loops`: rows that close a loop, by number.
    """

    plan_id: UUID
    converter: Converter
    prints: Prints
    former: Former
    loops: Mapping[int, RowReject]
    seen: dict[str, int] = field(default_factory=dict)  # key -> the first row that has it

    def read(self, number: int, batch: RawBatch) -> Read:
        prints, columns = self.prints.of(batch.columns), self.converter.repair_columns(batch.columns)
        known = self.former.places(prints)
        fresh = np.flatnonzero(known == NOT_KNOWN).tolist()
        said = dict(zip(fresh, self._repaired(batch, columns, fresh), strict=True))
        told: dict[int, Cells | RowReject] = {**said, **self._rejects(said)}
        keys = self.converter.keys(columns)
        told |= self._twice(batch, keys, told)
        told |= {place: self.loops[no] for place, no in enumerate(batch.numbers) if no in self.loops}
        known[[*told]] = NOT_KNOWN
        same = np.flatnonzero(known != NOT_KNOWN)
        numbers = np.array(batch.numbers, dtype=np.int64)
        rejected = {batch.numbers[place]: keys[place] for place, made in told.items() if isinstance(made, RowReject)}
        rows, named = self._in_order(batch, told, prints), {no: key for no, key in rejected.items() if 0 < len(key) <= KEY_LENGTH_MAX}
        return Read(self.plan_id, number, rows, named, self.former.same(numbers[same], known[same]))

    def _repaired(self, batch: RawBatch, columns: Columns, places: Sequence[int]) -> Sequence[Cells]:
        """The rows in these places after every step."""
        if columns is batch.columns:
            return [batch.rows[place] for place in places]
        return [tuple(column[place] for column in columns) for place in places]

    def _rejects(self, said: Mapping[int, Cells]) -> dict[int, RowReject]:
        places = [*said]
        return {places[index]: reject for index, reject in self.converter.screen([*said.values()]).items()}

    def _twice(self, batch: RawBatch, keys: Sequence[str], told: Mapping[int, Cells | RowReject]) -> dict[int, RowReject]:
        """The rows, of those that are not rejected anyway, whose key a row before them has, by their places."""
        are_sound = [True] * len(keys)
        for place, made in told.items():
            are_sound[place] = not isinstance(made, RowReject)
        firsts = dict(compress(zip(keys, batch.numbers, strict=True), are_sound))
        if len(firsts) == sum(are_sound) and self.seen.keys().isdisjoint(firsts):
            self.seen.update(firsts)
            return {}
        first = [self.seen.setdefault(key, no) if sound else no for key, no, sound in zip(keys, batch.numbers, are_sound, strict=True)]
        return {place: _twice(first[place]) for place, no in enumerate(batch.numbers) if first[place] != no}

    def _in_order(self, batch: RawBatch, told: Mapping[int, Cells | RowReject], prints: Numbers) -> list[_Read]:
        """What is to be made ready or rejected."""
        rows: list[_Read] = [(row.number, row.cells, None, row.reject) for row in batch.rejected]
        for (place, made), mark in zip(told.items(), prints[[*told]].tolist(), strict=True):
            rows.append((batch.numbers[place], batch.rows[place], None if isinstance(made, RowReject) else mark or None, made))
        return sorted(rows, key=itemgetter(0))


def _twice(first: int) -> RowReject:
    return RowReject((RowProblem("duplicate_key", "", f"row {first} has the same key: keep one of the two"),))


@dataclass(frozen=True, slots=True)
class _Staging:
    """One piece on its way into the database."""

    source: Source
    converter: Converter
    read: Read

    def write(self, session: Session) -> None:
        read, same = self.read, Same()
        piece = self._made(session, same)
        write_same(session, read.plan_id, read.number, (read.same, same))
        write_staged(session, read.plan_id, read.number, piece)

    def _made(self, session: Session, same: Same) -> Piece:
        """What is to be looked at further; `same` takes those that say what is stored."""
        rows, piece = self.read.rows, Piece()
        systems, scorer = registry(session), current_scorer(session, self.source.entity)
        known = _known(session, self.source, [self.converter.key(row) for *_, row in rows if not isinstance(row, RowReject)])
        changes = self._changes(systems, known, same)
        stored = _stored(session, [known[row.key] for row in changes.values() if row is not None])
        for no, cells, mark, row in rows:
            if isinstance(row, RowReject):
                _reject(piece, no, self.read.keys.get(no), cells, row)
                continue
            delivery = changes[no] if no in changes else self.converter.deliver_sound(row)
            if delivery is None:
                continue
            standard = self._standard(delivery, systems)
            if isinstance(standard, RowReject):
                _reject(piece, no, delivery.key, cells, standard)
                continue
            keys = record_keys(self.source.entity, scorer.model, standard.columns)
            held = known.get(delivery.key)
            made = Row(no, held.id if held else new_record_id(), standard, keys)
            piece.add(self._fact(session, scorer, made, held, mark, stored), standard.columns, line(made))
        return piece

    def _changes(self, systems: SystemRegistry, known: Mapping[str, Known], same: Same) -> dict[int, Delivery | None]:
        """The rows of known records, by number, None in place of those that say what is stored."""
        found = dict[int, Delivery | None]()
        for no, _, mark, row in self.read.rows if known else ():
            if isinstance(row, RowReject) or (held := known.get(self.converter.key(row))) is None:
                continue
            said = self.converter.deliver_sound(row)
            found[no] = said if self._is_change(said, held, systems) else None
            if found[no] is None:
                same.add(no, said.key, held.id, held.version, mark)
        return found

    def _is_change(self, row: Delivery, held: Known, systems: SystemRegistry) -> bool:
        """While another version of the record waits, whoever says again what is true takes its place, as a delivery does.

        A row that is silent of relationships leaves them as they are.
        """
        return held.has_waiting or content_hash(self.source.entity, row, systems, held.relationships) != held.hash

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

    def _fact(
        self, session: Session, scorer: Scorer, row: Row, held: Known | None, mark: int | None, stored: Mapping[UUID, Stored]
    ) -> Fact:
        key, detail = row.standard.delivery.key, _warned(row.standard)
        if held is None:
            return Fact(row.no, key, "new", row.record_id, None, True, None, detail, mark)
        planned = "new" if held.golden_id is None else self._update(session, scorer, row, stored[held.id])
        return Fact(row.no, key, planned, row.record_id, held.golden_id, held.golden_id is None, held.version, detail, mark)

    def _update(self, session: Session, scorer: Scorer, row: Row, stored: Stored) -> str:
        """An update that turns the record into somebody else will wait for a person."""
        incoming = Incoming(stored.id, row.standard, stored, row.standard.columns, row.keys)
        return "updated" if disagreement(session, self.source.entity, scorer, incoming, stored) is None else REVIEW


def _reject(piece: Piece, no: int, key: str | None, cells: Cells, reject: RowReject) -> None:
    problems = [{"code": p.code, "column": p.column, "fix": p.fix} for p in reject.problems]
    detail = {"problems": problems, "cells": storable_cells(cells)}
    piece.facts.append(Fact(no, None if key is None else _storable(key), REJECTED, detail=detail))


def _warned(standard: Standard) -> Mapping[str, Any] | None:
    return {"notes": [f"{note.code} {note.pointer}" for note in standard.notes]} if standard.notes else None


def _known(session: Session, source: Source, keys: Sequence[str]) -> dict[str, Known]:
    """What is stored of these keys. Of a new system nothing is, and nobody need ask key by key."""
    place = {"domain": source.entity.name, "system": source.system}
    if not keys or not fetch(session, _ANY, place):
        return {}
    rows = fetch(session, _KNOWN, {"keys": list(keys), **place})
    return {row[0]: Known(row[1], row[2], row[3], row[4], read_assertions(row[5]), row[6]) for row in rows}


_ANY: LiteralString = "select 1 from source_record where domain = %(domain)s and system = %(system)s order by key limit 1"
# Key by key, whatever the planner believes of the tables
_KNOWN: LiteralString = (
    "select w.key, r.id, r.hash, r.version, l.golden_id, r.clean -> 'relationships', exists (select 1 from task t"
    " where t.dedupe_key = 'overlay:' || %(domain)s || ':' || r.id and t.status = 'open') from unnest(%(keys)s::text[]) w(key)"
    " cross join lateral (select id, hash, version, clean from source_record where domain = %(domain)s and system = %(system)s"
    " and key = w.key offset 0) r"
    " left join lateral (select golden_id from link where record_id = r.id and recorded_to is null offset 0) l on true"
)


def _stored(session: Session, known: Sequence[Known]) -> dict[UUID, Stored]:
    """The rest of what is stored of them."""
    if not known:
        return {}
    rows = fetch(session, "select id, keys, columns from source_record where id = any(%s)", (array(each.id for each in known),))
    found = {row[0]: row[1:] for row in rows}
    return {
        each.id: Stored(each.id, each.hash, tuple(found[each.id][0]), found[each.id][1], each.golden_id, each.relationships)
        for each in known
    }


def _storable(text: str) -> str:
    """PostgreSQL stores neither NUL nor half a character."""
    return _UNSTORABLE.sub("\ufffd", text)


def storable_cells(cells: Cells) -> list[str | None]:
    """Cells as a rejected row keeps them."""
    return [None if cell is None else _storable(cell) for cell in cells]
