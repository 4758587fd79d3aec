"""What the last load of a system knows of the rows of a file like its own: a row whose cells are as they were says nothing new.

A row's *print* is a hash of those of its cells that become something, and of how they become it. Where the last applied load had a row of
that print, and the record is still in the version that it left, the row says what its record says: nobody need convert it, or clean it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from importlib.metadata import version
from operator import itemgetter
from typing import LiteralString
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from mdm.db import array, execute, fetch
from mdm.errors import Conflict
from mdm.jsonio import dumps
from mdm.load_source import Source
from mdm.load_table import Cells
from mdm.load_targets import RELATIONSHIP
from mdm.running import Run

_BYTES = 8
_PIECE_ROWS = 50_000
_NONE = 0  # rows count from 1

Numbers = NDArray[np.int64]


class Prints:
    """Makes the prints of one file's rows. Another release of Concord may convert otherwise, so it makes other ones."""

    def __init__(self, source: Source, header: Sequence[str]) -> None:
        place = {name: index for index, name in enumerate(header)}
        self._mapped = itemgetter(*(place[each.column] for each in source.columns))
        columns = [[each.target, each.column] for each in source.columns]
        way = [version("concord"), source.entity.name, source.system, columns, [step.as_json() for step in source.steps]]
        self._begun = blake2b(digest_size=_BYTES, key=blake2b(dumps(way)).digest())

    def of(self, rows: Sequence[Cells]) -> list[int | None]:
        """A whole number of 64 bits for each row; None for one with characters that no system writes."""
        return [self._print(cells) for cells in map(self._mapped, rows)]

    def _print(self, cells: Cells) -> int | None:
        try:
            text = dumps(cells)
        except TypeError:  # half a character
            return None
        found = self._begun.copy()
        found.update(text)
        return int.from_bytes(found.digest(), "big", signed=True)


@dataclass(frozen=True, slots=True)
class Former:
    """Rows of the last applied load whose records are as it left them: their prints, ascending, and their numbers in its file."""

    plan_id: UUID | None = None
    _prints: Numbers = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    _numbers: Numbers = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    def numbers(self, prints: Sequence[int | None]) -> list[int]:
        """Per print the number of the row that had it, or 0."""
        if not len(self._prints) or not prints:
            return [_NONE] * len(prints)
        asked = np.array([each or _NONE for each in prints], dtype=np.int64)
        places = np.minimum(np.searchsorted(self._prints, asked), len(self._prints) - 1)
        found: list[int] = np.where(self._prints[places] == asked, self._numbers[places], _NONE).tolist()
        return found


def read_former(run: Run, load_id: UUID, source: Source) -> Former:
    """What is known of the rows of this load's file. What a row says of others depends on what systems are called: such files have none."""
    if any(each.target.startswith(RELATIONSHIP) for each in source.columns):
        return Former()
    found = run.effect(lambda session: fetch(session, _LAST, (load_id,)))
    if not found:
        return Former()
    plan_id, last = found[0]
    rows = [
        row
        for low in range(0, last + 1, _PIECE_ROWS)
        for row in run.effect(partial(_rows, asked={"plan": plan_id, "low": low, "high": low + _PIECE_ROWS}))
    ]
    prints = np.array([row[0] for row in rows], dtype=np.int64)
    order = np.argsort(prints)
    return Former(plan_id, prints[order], np.array([row[1] for row in rows], dtype=np.int64)[order])


_LAST: LiteralString = (
    "select o.plan_id, (select coalesce(max(no), 0) from load_row where plan_id = o.plan_id) from load l join load o"
    " on o.domain = l.domain and o.system = l.system and o.options = l.options and o.id <> l.id and o.status = 'applied'"
    " and o.same_as is null where l.id = %s order by o.applied_at desc limit 1"
)


def _rows(session: Session, *, asked: dict[str, object]) -> list[tuple[int, int]]:
    return [(row[0], row[1]) for row in fetch(session, _AS_LEFT, asked)]


_AS_LEFT: LiteralString = (
    # Record by record: for each piece of a large file the planner would walk all records to find a twentieth of them
    "select x.print, x.no from load_row x cross join lateral (select version from source_record where id = x.record_id offset 0) r"
    " where x.plan_id = %(plan)s and x.no >= %(low)s and x.no < %(high)s and x.print is not null"
    " and r.version = coalesce(x.wrote, x.before)"
    # While another version of the record waits, whoever says again what is true takes its place, as a delivery does.
    " and x.record_id not in (select records[1] from task where kind = 'overlay' and status = 'open')"
)


def write_same(session: Session, plan_id: UUID, former: UUID, rows: Sequence[tuple[int, int]]) -> None:
    """Write rows down as unchanged: number, and number in the plan `former`. Raises Conflict where that plan is gone meanwhile."""
    numbers, known = zip(*rows, strict=True)
    asked = {"plan": plan_id, "former": former, "numbers": array(numbers), "known": array(known)}
    if execute(session, _SAME, asked) != len(rows):
        raise Conflict("the load before this one was taken away meanwhile: plan again")


_SAME: LiteralString = (
    "insert into load_row (plan_id, no, key, planned, record_id, golden_id, is_new, before, print)"
    " select %(plan)s, w.no, x.key, 'unchanged', x.record_id, l.golden_id, false, coalesce(x.wrote, x.before), x.print"
    " from unnest(%(numbers)s::int[], %(known)s::int[]) w(no, known)"
    " cross join lateral (select * from load_row where plan_id = %(former)s and no = w.known offset 0) x"
    " left join lateral (select golden_id from link where record_id = x.record_id and recorded_to is null offset 0) l on true"
)
