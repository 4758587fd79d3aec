"""A delivered file as every reader hands it on: facts about it, a header, and batches of rows as text. Pure.

What is wrong with one row rejects that row and no other. What is wrong with the file as a whole is an UnusableFile that names file, row,
column and remedy; a cell's content is in no message. Rows count from 1, the header included, as a spreadsheet counts them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from mdm.errors import FieldProblem, UnusableFile

Cells = tuple[str | None, ...]
Columns = Sequence[Sequence[str | None]]  # the cells of rows, column by column

CELL_LENGTH_MAX = 100_000
COLUMNS_MAX = 1_000
CELLS_MAX = 500_000_000
DECODED_BYTES_MAX = 20 * 1024**3
RATIO_MAX = 100  # unpacked to packed, once more than RATIO_FREE_BYTES came out: small files of blanks are no attack
RATIO_FREE_BYTES = 32 * 1024**2

# Columns that a file of rejects has beside the original ones. A file that carries them is read as if it did not.
REJECT_COLUMNS = ("concord_row", "concord_code", "concord_column", "concord_fix")


@dataclass(frozen=True, slots=True)
class Options:
    """What a person chose where the file leaves it open; None is detected. `header_row`: the first row with anything in it unless said."""

    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    header_row: int | None = None


@dataclass(frozen=True, slots=True)
class RowProblem:
    """What is wrong with one row: a stable code, the column's name ("" for the row itself), and what to do."""

    code: str
    column: str
    fix: str


@dataclass(frozen=True, slots=True)
class RowReject:
    """Why one row is not taken: every problem that was found in it, at least one."""

    problems: tuple[RowProblem, ...]

    @property
    def code(self) -> str:
        return self.problems[0].code

    @property
    def column(self) -> str:
        return self.problems[0].column

    @property
    def fix(self) -> str:
        return self.problems[0].fix


@dataclass(frozen=True, slots=True)
class BadRow:
    """A rejected row, its cells as they were."""

    number: int
    cells: Cells
    reject: RowReject


@dataclass(frozen=True)
class RawBatch:
    """Rows in the order of the file: those of one cell per column, their numbers, and those that the reader rejects."""

    rows: list[Cells]
    numbers: list[int]
    rejected: list[BadRow]

    @cached_property
    def columns(self) -> Columns:
        """The rows column by column; no columns where there are no rows. Several ask for them, so they are made once."""
        return [*zip(*self.rows, strict=True)]

    @property
    def first_row(self) -> int:
        """The number of the first row of the batch, good or bad."""
        return min(*self.numbers[:1], *(bad.number for bad in self.rejected[:1]), 2**62)


@dataclass(frozen=True, slots=True)
class Table:
    """One table of one file. `notes`: what was guessed, in words. `sheets`: what else the workbook holds. `bytes`: as delivered, packed.

    `of_rejects`: rows that were rejected before, mended; not all that the system has.
    """

    name: str
    format: str
    header: tuple[str, ...]
    sha256: str
    bytes: int
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    sheets: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    of_rejects: bool = False
    read: Callable[[int], Iterator[RawBatch]] = field(default=lambda _: iter(()), repr=False)

    def batches(self, rows: int) -> Iterator[RawBatch]:
        """The rows below the header, so many at a time; may be called again. Raises UnusableFile where the file turns out broken."""
        return self.read(rows)


def refusal(name: str, code: str, fault: str, remedy: str, *, row: int | None = None, column: str | None = None) -> UnusableFile:
    """The error of a whole file: where it is, what is wrong, what to do."""
    place = ", ".join([name, *([f"row {row}"] if row else []), *([f"column {column}"] if column else [])])
    pointer = "".join([f"/rows/{row}" if row else "", f"/columns/{column}" if column else ""])
    return UnusableFile(f"{place}: {fault}", (FieldProblem(code, pointer, remedy),))


def rejected(code: str, fix: str, column: str = "") -> RowReject:
    """A row with one problem."""
    return RowReject((RowProblem(code, column, fix),))
