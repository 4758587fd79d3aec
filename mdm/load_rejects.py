"""Rejected rows as a CSV file that can be mended and sent again as it is: number, code, column and fix stand before the original cells.

The reader knows the four columns and leaves them out, and it takes away again what keeps a spreadsheet from running a cell as a formula:
reading the file gives the rows that were rejected.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO

from mdm.load_formulas import neutralise
from mdm.load_table import REJECT_COLUMNS, BadRow

_MARK = "\ufeff"  # without it, Excel reads UTF-8 as something else
_ROWS_PER_PART = 1_000


def write_rejects(header: Sequence[str], rows: Iterable[BadRow]) -> Iterator[bytes]:
    """The file, part by part."""
    text = StringIO(newline="")
    text.write(_MARK)
    writer = csv.writer(text)
    writer.writerow((*REJECT_COLUMNS, *map(neutralise, header)))
    for count, bad in enumerate(rows, 1):
        writer.writerow((*_why(bad), *(neutralise(cell or "") for cell in bad.cells)))
        if count % _ROWS_PER_PART == 0:
            yield _taken(text)
    yield _taken(text)


def _why(bad: BadRow) -> tuple[str, str, str, str]:
    problems = bad.reject.problems
    columns = "; ".join(dict.fromkeys(each.column for each in problems if each.column))
    return (
        str(bad.number),
        "; ".join(dict.fromkeys(each.code for each in problems)),
        neutralise(columns),
        "; ".join(each.fix for each in problems),
    )


def _taken(text: StringIO) -> bytes:
    found = text.getvalue()
    text.seek(0)
    text.truncate()
    return _bytes(found)


def _bytes(text: str) -> bytes:
    """UTF-8; bytes that were none when they came go out as they came, other halves of characters as a question mark."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")
