"""NDJSON: one object per line. Members of objects within it become columns `outer.inner`; numbers stay as they are written.

The header is every name that any line has, in the order in which they appear: no line is refused because a later one knows more.
"""

import json
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from mdm.load_bytes import Stored
from mdm.load_cells import MANY, UNSAID, written, written_list
from mdm.load_header import BAD_TEXT, Header, Record, named_header, row_problem
from mdm.load_table import CELL_LENGTH_MAX, COLUMNS_MAX, Cells, Options, RawBatch, RowReject, Table, refusal, rejected
from mdm.load_text import Encoding, detect, text_of

_DEPTH_MAX = 4
_SHOWN = 1_000
_NO_OBJECT = rejected("no_object", "the line is no JSON object: one object per line, without commas between lines")
_TWICE = rejected("duplicate_name", "the object has one name twice: leave one of them out")
_NESTED = rejected("nested_value", f"a list holds something that is no single value, or has a {MANY} in it: write it in members of its own")
_LINE_LENGTH_MAX = 10 * CELL_LENGTH_MAX


class _Refused(ValueError):
    """The line cannot be a row."""

    def __init__(self, reject: RowReject) -> None:
        super().__init__(reject.code)
        self.reject = reject


def open_ndjson(file: Stored, options: Options) -> Table:
    """Raises UnusableFile."""
    encoding = detect(file, options.encoding)
    names: dict[str, None] = {}
    rows = 0
    with text_of(file, encoding) as lines:
        for line in lines:
            rows += _gather(line, names)
            if len(names) > COLUMNS_MAX:
                raise refusal(
                    file.name, "too_many_columns", f"more than {COLUMNS_MAX} different names", "leave out those that are not needed"
                )
    if not names:
        raise refusal(file.name, "no_objects", "no line is a JSON object with members", "write one object per line", row=1)
    header = named_header(file.name, tuple(names), rows)
    notes = tuple(filter(None, (encoding.note, *header.notes)))
    return Table(
        name=file.name,
        format="ndjson",
        header=header.names,
        sha256=file.sha256,
        bytes=file.bytes,
        encoding=encoding.name,
        notes=notes,
        of_rejects=header.skipped > 0,
        read=_reader(file, encoding, header),
    )


def _gather(line: str, names: dict[str, None]) -> bool:
    try:
        names |= dict.fromkeys(_flat(line))
    except _Refused:
        return False
    return True


def _reader(file: Stored, encoding: Encoding, header: Header) -> Callable[[int], Iterator[RawBatch]]:
    """Rows are lines: an object's number is its line's."""

    def batches(rows: int) -> Iterator[RawBatch]:
        with text_of(file, encoding) as lines:
            number = 1
            while chunk := list(islice(lines, rows)):
                yield header.batch(number, [_record(line, header.names) for line in chunk])
                number += len(chunk)

    return batches


def _record(line: str, names: Cells) -> Record:
    if not line.strip():
        return [], None
    try:
        members = _flat(line)
    except _Refused as refused:
        return [line.rstrip("\r\n")[:_SHOWN]], refused.reject
    cells = [members.get(name) for name in names if name is not None]
    return cells, _NESTED if UNSAID in cells else row_problem(cells)


def _flat(line: str) -> dict[str, str | None]:
    if "\x00" in line or len(line) > _LINE_LENGTH_MAX:
        raise _Refused(BAD_TEXT)
    try:
        value = json.loads(line, parse_int=str, parse_float=str, parse_constant=str, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise error if isinstance(error, _Refused) else _Refused(_NO_OBJECT) from error
    if not isinstance(value, dict):
        raise _Refused(_NO_OBJECT)
    found: dict[str, str | None] = {}
    _flatten("", value, found)
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _Refused(_TWICE)
    return found


def _flatten(before: str, members: dict[str, Any], found: dict[str, str | None]) -> None:
    if before.count(".") >= _DEPTH_MAX:
        raise _Refused(_NESTED)
    for name, value in members.items():
        if isinstance(value, dict):
            _flatten(f"{before}{name}.", value, found)
        else:
            found[before + name] = written_list(value) if isinstance(value, list) else written(value)
