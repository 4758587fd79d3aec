"""What the last load of a system knows of the rows of a file like its own: a row whose cells are as they were says nothing new.

A row's *print* is a hash of those of its cells that become something, and of how they become it. Where the last applied load had a row of
that print, and the record is still in the version that it left, the row says what its record says: nobody need convert it, or clean it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from importlib.metadata import version
from typing import LiteralString
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from mdm.db import array, execute, fetch, without
from mdm.errors import Conflict
from mdm.jsonio import dumps
from mdm.load_source import Source
from mdm.load_table import Columns
from mdm.load_targets import RELATIONSHIP
from mdm.running import Run

_BYTES = 8
_PIECE_ROWS = 50_000
NOT_KNOWN = 0  # rows count from 1
# No cell that is read holds a NUL, so each begins one of these two, and no other cells give the same text. Whoever changes how cells are
# put together counts on _FORM: prints of before are other ones then.
_BETWEEN, _ABSENT = "\x00,", "\x00-"
_FORM = 2
_NO_PRINT = bytes(_BYTES)
_HALF = re.compile("[\ud800-\udfff]")  # half a character

Numbers = NDArray[np.int64]


class Prints:
    """Makes the prints of one file's rows. Another release of Concord may convert otherwise, so it makes other ones."""

    def __init__(self, source: Source, header: Sequence[str]) -> None:
        place = {name: index for index, name in enumerate(header)}
        self._places = [place[each.column] for each in source.columns]
        columns = [[each.target, each.column] for each in source.columns]
        way = [_FORM, version("concord"), source.entity.name, source.system, columns, [step.as_json() for step in source.steps]]
        self._begun = blake2b(digest_size=_BYTES, key=blake2b(dumps(way)).digest())

    def of(self, columns: Columns) -> Numbers:
        """A whole number of 64 bits for each row, 0 for one with characters that no system writes."""
        if not columns:
            return no_numbers()
        mapped = [columns[place] for place in self._places]
        try:
            texts = [*map(_BETWEEN.join, zip(*mapped, strict=True))]
        except TypeError:
            said = [[_ABSENT if cell is None else cell for cell in column] for column in mapped]
            texts = [*map(_BETWEEN.join, zip(*said, strict=True))]
        try:
            made = [*map(self._print, map(str.encode, texts))]
        except UnicodeEncodeError:
            made = [_NO_PRINT if _HALF.search(text) else self._print(text.encode()) for text in texts]
        return _numbers(b"".join(made), ">i8")

    def _print(self, text: bytes) -> bytes:
        found = self._begun.copy()
        found.update(text)
        return found.digest()


def no_numbers() -> Numbers:
    return np.empty(0, dtype=np.int64)


def _numbers(content: bytes, kind: str) -> Numbers:
    return np.frombuffer(content, dtype=kind).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Former:
    """Rows of the last applied load whose records are as it left them: their prints, ascending, and their numbers in its file."""

    plan_id: UUID | None = None
    _prints: Numbers = field(default_factory=no_numbers)
    _numbers: Numbers = field(default_factory=no_numbers)

    def numbers(self, prints: Numbers) -> Numbers:
        """Per print the number of the row that had it, or 0."""
        if not len(self._prints):
            return np.full(len(prints), NOT_KNOWN, dtype=np.int64)
        places = np.minimum(np.searchsorted(self._prints, prints), len(self._prints) - 1)
        return np.where(self._prints[places] == prints, self._numbers[places], NOT_KNOWN)


def read_former(run: Run, load_id: UUID, source: Source) -> Former:
    """What is known of the rows of this load's file. What a row says of others depends on what systems are called: such files have none."""
    if any(each.target.startswith(RELATIONSHIP) for each in source.columns):
        return Former()
    found = run.effect(lambda session: fetch(session, _LAST, (load_id,)))
    if not found:
        return Former()
    plan_id, last = found[0]
    pieces = [
        run.effect(partial(_rows, asked={"plan": plan_id, "low": low, "high": low + _PIECE_ROWS}))
        for low in range(0, last + 1, _PIECE_ROWS)
    ]
    prints, numbers = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
    order = np.argsort(prints)
    return Former(plan_id, prints[order], numbers[order])


_LAST: LiteralString = (
    "select o.plan_id, (select coalesce(max(no), 0) from load_row where plan_id = o.plan_id) from load l join load o"
    " on o.domain = l.domain and o.system = l.system and o.options = l.options and o.id <> l.id and o.status = 'applied'"
    " and o.same_as is null where l.id = %s order by o.applied_at desc limit 1"
)


def _rows(session: Session, *, asked: dict[str, object]) -> tuple[Numbers, Numbers]:
    """Prints and numbers, which come as two packets: rows that nobody looks at one by one need not be made one by one."""
    with without(session, "nestloop"):
        prints, numbers = fetch(session, _AS_LEFT, asked)[0]
    return _numbers(prints, ">i8"), _numbers(numbers, ">i4")


# Records by an array of ids, which the index reads in its order: of records that came one after the other, page by page, not one by one.
# Nobody knows before how many there are, and loops within loops over both lists would be worse than anything.
_AS_LEFT: LiteralString = (
    "with x as materialized (select print, no, record_id, coalesce(wrote, before) as version from load_row"
    " where plan_id = %(plan)s and no >= %(low)s and no < %(high)s and print is not null"
    # While another version of the record waits, whoever says again what is true takes its place, as a delivery does.
    " and record_id not in (select records[1] from task where kind = 'overlay' and status = 'open')),"
    " r as materialized (select id, version from source_record where id = any(array(select record_id from x)))"
    " select coalesce(string_agg(int8send(x.print), ''), ''), coalesce(string_agg(int4send(x.no), ''), '')"
    " from x join r on r.id = x.record_id and r.version = x.version"
)


def write_same(session: Session, plan_id: UUID, former: UUID, rows: tuple[Numbers, Numbers]) -> None:
    """Write rows down as unchanged: numbers, and numbers in the plan `former`. Raises Conflict where that plan is gone meanwhile."""
    numbers, known = rows
    asked = {"plan": plan_id, "former": former, "numbers": array(numbers.tolist()), "known": array(known.tolist())}
    with without(session, "nestloop"):
        written = execute(session, _SAME, asked)
    if written != len(numbers):
        raise Conflict("the load before this one was taken away meanwhile: plan again")


_SAME: LiteralString = (
    "with w as materialized (select * from unnest(%(numbers)s::int[], %(known)s::int[]) w(no, known)),"
    " x as materialized (select no, key, record_id, coalesce(wrote, before) as version, print from load_row"
    " where plan_id = %(former)s and no = any(%(known)s::int[])),"
    " l as materialized (select record_id, golden_id from link"
    " where recorded_to is null and record_id = any(array(select record_id from x)))"
    " insert into load_row (plan_id, no, key, planned, record_id, golden_id, is_new, before, print)"
    " select %(plan)s, w.no, x.key, 'unchanged', x.record_id, l.golden_id, false, x.version, x.print"
    " from w join x on x.no = w.known left join l on l.record_id = x.record_id"
)
