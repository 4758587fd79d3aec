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
from typing import Any, LiteralString
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from mdm.db import fetch, without
from mdm.jsonio import dumps
from mdm.load_same import NO_PRINT, Same
from mdm.load_source import Source
from mdm.load_table import Columns
from mdm.load_targets import RELATIONSHIP
from mdm.running import Run

_BYTES = 8
_PIECE_ROWS, _PIECES = 50_000, 50
NOT_KNOWN = -1
# No cell that is read holds a NUL, so each begins one of these two, and no other cells give the same text. Whoever changes how cells are
# put together counts on _FORM: prints of before are other ones then.
_BETWEEN, _ABSENT = "\x00,", "\x00-"
_FORM = 2
_NO_PRINT = NO_PRINT.to_bytes(_BYTES)
_ID = "V16"
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
    """Rows of the last applied load whose records are as it left them, in the order of their prints.

    Each with the record, its version and the key.
    """

    _prints: Numbers = field(default_factory=no_numbers)
    _records: NDArray[np.void] = field(default_factory=lambda: np.empty(0, dtype=_ID))
    _versions: Numbers = field(default_factory=no_numbers)
    _keys: NDArray[np.object_] = field(default_factory=lambda: np.empty(0, dtype=object))

    def places(self, prints: Numbers) -> Numbers:
        """Per print the place of the row that had it, or NOT_KNOWN."""
        if not len(self._prints):
            return np.full(len(prints), NOT_KNOWN, dtype=np.int64)
        places = np.minimum(np.searchsorted(self._prints, prints), len(self._prints) - 1)
        return np.where(self._prints[places] == prints, places, NOT_KNOWN)

    def same(self, numbers: Numbers, places: Numbers) -> Same:
        """Rows of a new file that are those in these places."""
        records = [record.hex() for record in self._records[places].tolist()]
        keys, versions, prints = (each[places].tolist() for each in (self._keys, self._versions, self._prints))
        return Same(numbers.tolist(), keys, records, versions, prints)


def read_former(run: Run, load_id: UUID, source: Source) -> Former:
    """What is known of the rows of this load's file. What a row says of others depends on what systems are called: such files have none."""
    if any(each.target.startswith(RELATIONSHIP) for each in source.columns):
        return Former()
    found = run.effect(lambda session: fetch(session, _LAST, (load_id,)))
    if not found:
        return Former()
    plan_id, rows, pieces = found[0]
    windows = [(_ROWS_LEFT, low, _PIECE_ROWS) for low in range(0, rows, _PIECE_ROWS)]
    windows += [(_SAME_LEFT, low, _PIECES) for low in range(0, pieces, _PIECES)]
    read = [
        run.effect(partial(_read, statement=statement, asked={"plan": plan_id, "low": low, "high": low + size}))
        for statement, low, size in windows
    ]
    if not read:
        return Former()
    prints, records, versions, keys = (np.concatenate(parts) for parts in zip(*read, strict=True))
    order = np.argsort(prints)
    return Former(prints[order], records[order], versions[order], keys[order])


# Of loads and their plans `o` and `p`: mended rows of another file say neither how many rows a system sends nor what they are
WHOLE: LiteralString = " and not coalesce((p.report ->> 'of_rejects')::boolean, false)"
_LAST: LiteralString = (
    "select o.plan_id, (select coalesce(max(no) + 1, 0) from load_row where plan_id = o.plan_id),"
    " (select coalesce(max(no) + 1, 0) from load_same where plan_id = o.plan_id) from load l join load o"
    " on o.domain = l.domain and o.system = l.system and o.options = l.options and o.id <> l.id and o.status = 'applied'"
    " and o.same_as is null join load_plan p on p.id = o.plan_id" + WHOLE + " where l.id = %s order by o.applied_at desc limit 1"
)


def _read(session: Session, *, statement: LiteralString, asked: dict[str, object]) -> tuple[Any, ...]:
    """Prints, records, versions and keys; as packets where they can be: rows that nobody looks at need not be made one by one."""
    with without(session, "nestloop"):
        prints, records, versions, keys = fetch(session, statement, asked)[0]
    return _numbers(prints, ">i8"), np.frombuffer(records, dtype=_ID), _numbers(versions, ">i4"), np.array(keys, dtype=object)


# Records by an array of ids, which the index reads in its order: of records that came one after the other, page by page, not one by one.
# Nobody knows before how many there are, and loops within loops over both lists would be worse than anything.
_AS_LEFT: LiteralString = (
    "), r as materialized (select id, version from source_record where id = any(array(select record_id from x)))"
    " select coalesce(string_agg(int8send(x.print), ''), ''), coalesce(string_agg(uuid_send(x.record_id), ''), ''),"
    " coalesce(string_agg(int4send(x.version), ''), ''), coalesce(array_agg(x.key), '{}')"
    " from x join r on r.id = x.record_id and r.version = x.version"
)
# While another version of the record waits, whoever says again what is true takes its place, as a delivery does.
_NOT_WAITING: LiteralString = " and record_id not in (select records[1] from task where kind = 'overlay' and status = 'open')"
_ROWS_LEFT: LiteralString = (
    "with x as materialized (select print, record_id, coalesce(wrote, before) as version, key from load_row"
    " where plan_id = %(plan)s and no >= %(low)s and no < %(high)s and print is not null" + _NOT_WAITING + _AS_LEFT
)
_SAME_LEFT: LiteralString = (
    "with x as materialized (select * from (select unnest(prints) as print, unnest(records) as record_id, unnest(versions) as version,"
    " unnest(keys) as key from load_same where plan_id = %(plan)s and no >= %(low)s and no < %(high)s) u"
    f" where u.print <> {NO_PRINT}" + _NOT_WAITING + _AS_LEFT
)
