"""XLSX by calamine: the first sheet with cells, or the one that was chosen; text as typed, numbers and dates as a person would write them.

A workbook is small (`load_archive.CELLS_MAX`), so its sheet is kept between two readings. Merged cells hide what stands under them: in the
header they refuse the file, below it they reject their rows.
"""

from collections.abc import Callable, Iterator
from itertools import islice

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from mdm.load_archive import look_through
from mdm.load_bytes import Stored, check_unchanged
from mdm.load_cells import written
from mdm.load_header import Header, Record, header_row, letter, read_header, row_problem
from mdm.load_table import Options, RawBatch, Table, refusal, rejected

_SAMPLE_ROWS = 200
_MERGED = rejected("merged_cells", "the row is part of merged cells: unmerge them and fill in each row")


def open_xlsx(file: Stored, options: Options) -> Table:
    """Raises UnusableFile."""
    extent = look_through(file)
    try:
        with CalamineWorkbook.from_path(file.path) as book:
            visible = [s.name for s in book.sheets_metadata if s.typ is SheetTypeEnum.WorkSheet and s.visible is SheetVisibleEnum.Visible]
            sheet = _chosen(file, book, visible, options.sheet)
    except CalamineError as error:
        raise refusal(
            file.name, "torn_workbook", "the workbook is damaged", "open it in a spreadsheet program and save it again"
        ) from error
    source = _Source(file, sheet)
    start = source.start()
    source.check_header(header_row(file.name, start, options.header_row))
    header = read_header(file.name, start, options.header_row)
    errors = f"{extent.errors} cells hold an error (#N/A, #REF! ...): they are read as empty" if extent.errors else ""
    return Table(
        name=file.name,
        format="xlsx",
        header=header.names,
        sha256=file.sha256,
        bytes=file.bytes,
        sheet=sheet.name,
        sheets=tuple(visible),
        notes=tuple(filter(None, (*header.notes, errors))),
        of_rejects=header.skipped > 0,
        read=source.reader(header),
    )


def _chosen(file: Stored, book: CalamineWorkbook, visible: list[str], name: str | None) -> CalamineSheet:
    """The sheet of that name, else the first one with cells; the others are never unpacked."""
    if name is not None and name not in visible:
        raise refusal(file.name, "unknown_sheet", "no visible sheet has the name that was chosen", f"there are {', '.join(visible)}")
    for each in visible if name is None else [name]:
        sheet = book.get_sheet_by_name(each)
        if sheet.height:
            return sheet
    raise refusal(file.name, "empty_file", "no sheet has a filled cell", "save the workbook with its rows")


class _Source:
    """The rows of one sheet, numbered as the sheet numbers them."""

    def __init__(self, file: Stored, sheet: CalamineSheet) -> None:
        self._file, self._sheet = file, sheet
        ranges = sheet.merged_cell_ranges or []
        self._merged = {row + 1 for (first, _), (last, _) in ranges for row in range(first, last + 1)}

    def start(self) -> list[tuple[str | None, ...]]:
        return [tuple(cells) for cells, _ in islice(self._records(), _SAMPLE_ROWS)]

    def check_header(self, row: int) -> None:
        """Raises UnusableFile when cells of the header are merged."""
        if row in self._merged:
            first = (self._sheet.start or (0, 0))[1]
            remedy = "leave one row of names, one above each column"
            raise refusal(self._file.name, "double_header", "cells of the header are merged", remedy, row=row, column=letter(first))

    def reader(self, header: Header) -> Callable[[int], Iterator[RawBatch]]:
        return lambda rows: self._batches(header, rows)

    def _batches(self, header: Header, rows: int) -> Iterator[RawBatch]:
        records, number = islice(self._records(), header.row, None), header.row + 1
        while chunk := list(islice(records, rows)):
            yield header.batch(number, chunk)
            number += len(chunk)
        check_unchanged(self._file)

    def _records(self) -> Iterator[Record]:
        for number, row in enumerate(self._sheet.iter_rows(), 1):
            cells = [written(cell) for cell in row]
            yield cells, _MERGED if number in self._merged and any(cells) else row_problem(cells)
