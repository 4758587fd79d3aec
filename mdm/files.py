"""A CSV file as an operator hands it over: read whole, or refused with one reason that names file and line, never a cell's content."""

import csv
import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from mdm.errors import UnusableInput

_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Table:
    """The cells of a file below its header, trimmed; every row has one cell per column. Rows are counted from 1 in messages."""

    name: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def column(self, name: str) -> tuple[str, ...]:
        """One cell per row. Raises UnusableInput when there is no such column."""
        if name not in self.header:
            raise UnusableInput(f"{self.name} has no column called {name!r}; there are {', '.join(self.header)}")
        place = self.header.index(name)
        return tuple(row[place] for row in self.rows)


def read_table(path: Path) -> Table:
    """A CSV file in UTF-8 (a byte order mark is allowed), gzipped or not. Raises UnusableInput."""
    header, *rows = [*_lines(path)] or [()]
    if not any(header):
        raise UnusableInput(f"{path} is empty")
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise UnusableInput(f"{path} has two columns called {', '.join(map(repr, twice))}")
    if not rows:
        raise UnusableInput(f"{path} has a header but no rows")
    return Table(str(path), header, tuple(rows))


def _lines(path: Path) -> Iterator[tuple[str, ...]]:
    """The header and the rows, all of one width; blank lines are none."""
    reader = csv.reader(StringIO(_text(path), newline=""), strict=True)  # str.splitlines knows line ends that CSV does not
    width = None
    try:
        for cells in filter(None, reader):
            width = width or len(cells)
            if len(cells) != width:
                raise UnusableInput(f"{path}, line {reader.line_num}: {len(cells)} cells where the header has {width}")
            yield tuple(cell.strip() for cell in cells)
    except csv.Error as error:
        raise UnusableInput(f"{path}, line {reader.line_num}: no CSV: {error}") from error


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
        return (gzip.decompress(data) if data.startswith(_GZIP) else data).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnusableInput(f"{path} is not UTF-8 (byte {error.start}): save it as CSV in UTF-8") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UnusableInput(f"{path} is a damaged gzip file") from error
    except OSError as error:
        raise UnusableInput(f"{path}: {error.strerror}") from error
