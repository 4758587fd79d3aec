"""The header of a delivered table: found, checked, and what it makes of the rows below it. Pure.

One row of names, each once. Two rows of names, merged cells, a title above, a file without a header: refused with the remedy, because a
guess would put values under the wrong names.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mdm.load_formulas import restore
from mdm.load_table import CELL_LENGTH_MAX, COLUMNS_MAX, REJECT_COLUMNS, BadRow, Cells, RawBatch, RowReject, refusal, rejected

Record = tuple[Sequence[str | None], RowReject | None]

BAD_TEXT = rejected("bad_text", "the row has a NUL or characters that are not in the file's encoding: export it again")
TOO_LONG = rejected("cell_too_long", f"a cell has more than {CELL_LENGTH_MAX} characters: shorten it")
_SHOWN_LENGTH = 1_000
SURROGATE = re.compile("[\ud800-\udfff]")
_DATA = re.compile(r"[\d\s./:,+-]*\d[\d\s./:,+-]*")


@dataclass(frozen=True, slots=True)
class Header:
    """`row`: where it stands. `names`: one per column. `skipped`: columns before them that an earlier file of rejects has."""

    row: int
    names: tuple[str, ...]
    skipped: int = 0
    notes: tuple[str, ...] = ()

    def sound_batch(self, first: int, rows: Sequence[Sequence[str]]) -> RawBatch:
        """Rows of sound text: where all are as wide as the header and none is blank, nobody need look at them one by one."""
        if not self.skipped and {*map(len, rows)} == {len(self.names)}:
            sound = RawBatch([*map(tuple, rows)], [*range(first, first + len(rows))], [])
            if any(map(all, sound.columns)) or all(map(any, rows)):  # a column without gaps, as that of keys is, says it of all rows
                return sound
        return self.batch(first, [(row, None) for row in rows])

    def batch(self, first: int, records: Sequence[Record]) -> RawBatch:
        """The rows numbered from `first` on, good and bad ones apart; blank rows are none."""
        width = len(self.names)
        rows: list[Cells] = []
        numbers: list[int] = []
        bad: list[BadRow] = []
        for number, (cells, reject) in enumerate(records, first):
            if reject is None and len(cells) == width and not self.skipped and any(cells):
                rows.append(tuple(cells))
                numbers.append(number)
            elif reject is not None or any(cells):
                own = self._own(cells)
                why = reject or self._shape(own)
                if why is None:
                    rows.append(own[:width])
                    numbers.append(number)
                else:
                    bad.append(BadRow(number, tuple(map(_shown, own)) if why is TOO_LONG else own, why))
        return RawBatch(rows, numbers, bad)

    def _own(self, cells: Sequence[str | None]) -> Cells:
        """The cells without those that Concord wrote, and without what it put in front of formulas."""
        if not self.skipped:
            return tuple(cells)
        return tuple(None if cell is None else restore(cell) for cell in cells[self.skipped :])

    def _shape(self, cells: Cells) -> RowReject | None:
        width = len(self.names)
        if len(cells) < width or any(cells[width:]):
            fix = f"{len(cells)} cells where the header has {width}: a delimiter or line break inside a cell needs quotation marks"
            return rejected("ragged_row", fix)
        return None


def header_row(name: str, rows: Sequence[Cells], chosen: int | None) -> int:
    """In which row the names stand. Raises UnusableFile."""
    first = next((number for number, cells in enumerate(rows, 1) if any(cell and not cell.isspace() for cell in cells)), None)
    if first is None:
        raise refusal(name, "empty_file", "the file has no rows", "export it again: it should have a header and rows")
    if chosen is not None and not 0 < chosen <= len(rows):
        raise refusal(name, "bad_header_row", "there is no such row among the first ones", f"say a row from 1 to {len(rows)}")
    return first if chosen is None else chosen


def read_header(name: str, rows: Sequence[Cells], chosen: int | None) -> Header:
    """The header among the first rows. Raises UnusableFile."""
    row = header_row(name, rows, chosen)
    cells = [(cell or "").strip() for cell in rows[row - 1]]
    below = rows[row:]
    skipped = len(REJECT_COLUMNS) if tuple(cells[: len(REJECT_COLUMNS)]) == REJECT_COLUMNS else 0
    names = _trimmed(cells[skipped:])
    _check_names(name, row, names, [each[skipped:] for each in below])
    if not any(map(any, below)):
        raise refusal(name, "header_only", "there is a header but no rows", "export it again, or leave it out of the load", row=row)
    return Header(row, tuple(names), skipped, ("a file of rejects: its first four columns are not read",) if skipped else ())


def named_header(name: str, names: Sequence[str], rows: int) -> Header:
    """The header of a file whose format has names: it stands in row 1, as if it were written above the rows."""
    return read_header(name, [tuple(names), *([tuple("x" for _ in names)] if rows else [])], 1)


def _shown(cell: str | None) -> str | None:
    """A cell of megabytes is shown by its beginning: whoever mends the row needs no more."""
    return cell if cell is None or len(cell) <= CELL_LENGTH_MAX else cell[:_SHOWN_LENGTH] + " …"


def _trimmed(cells: list[str]) -> list[str]:
    """Without the unnamed columns at the end that spreadsheets leave."""
    width = max((index for index, cell in enumerate(cells, 1) if cell), default=0)
    return cells[:width]


def _check_names(name: str, row: int, names: list[str], below: Sequence[Cells]) -> None:
    if len(names) > COLUMNS_MAX:
        raise refusal(
            name,
            "too_many_columns",
            f"{len(names)} columns; at most {COLUMNS_MAX} are read",
            "leave out those that are not needed",
            row=row,
        )
    if not names or sum(_DATA.fullmatch(each) is not None for each in names) * 2 > len(names):
        raise refusal(name, "no_header", "the row does not look like names of columns", "put one name above each column", row=row)
    if _two_rows(names, below):
        remedy = "leave one row of names: unmerge the cells and delete titles above them, or say in which row the names stand"
        raise refusal(name, "double_header", "the header is more than one row, or a title stands above it", remedy, row=row)
    _check_each(name, row, names)


def _two_rows(names: list[str], below: Sequence[Cells]) -> bool:
    """A next row with text in (nearly) all places, under a row of gaps, or of far fewer cells: merged cells, or a title."""
    following = _trimmed([(cell or "").strip() for cell in next((each for each in below if any(each)), ())])
    looks = [each for each in following if each and _DATA.fullmatch(each) is None]
    width = max(len(names), len(following))
    is_named = len(set(looks)) == len(looks) and len(looks) * 10 >= width * 9
    return is_named and ("" in names or 2 * len(names) <= width)


def _check_each(name: str, row: int, names: list[str]) -> None:
    first: dict[str, int] = {}
    for place, each in enumerate(names):
        if not each:
            raise refusal(name, "unnamed_column", "the column has no name", "name it or delete it", row=row, column=letter(place))
        if len(each) > 200:
            raise refusal(name, "long_name", "the column's name has more than 200 characters", "shorten it", row=row, column=letter(place))
        if cell_problem(each) is not None:
            fault = "the column's name has a NUL or broken characters"
            raise refusal(name, "bad_name", fault, "write it anew, or choose the encoding", row=row, column=letter(place))
        other = first.setdefault(each.casefold(), place)
        if other != place:
            fault = f"the column has the name of column {letter(other)}"
            raise refusal(name, "duplicate_column", fault, "rename one of them", row=row, column=letter(place))


def cell_problem(cell: str) -> RowReject | None:
    """What keeps a text out of the database."""
    if len(cell) > CELL_LENGTH_MAX:
        return TOO_LONG
    return BAD_TEXT if "\x00" in cell or (not cell.isascii() and SURROGATE.search(cell)) else None


def row_problem(cells: Sequence[str | None]) -> RowReject | None:
    """The same of a whole row."""
    return next(filter(None, (cell_problem(cell) for cell in cells if cell)), None)


def letter(place: int) -> str:
    """A column as spreadsheets call it: A, B ... Z, AA."""
    place, last = divmod(place, 26)
    return (letter(place - 1) if place else "") + chr(ord("A") + last)
