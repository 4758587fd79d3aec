"""CSV and TSV: the delimiter found, the header checked, rows read one by one. After a broken row, the next one stands alone."""

import csv
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice, repeat

from mdm.load_bytes import Stored
from mdm.load_header import BAD_TEXT, SURROGATE, TOO_LONG, Header, Record, read_header
from mdm.load_table import CELL_LENGTH_MAX, REJECT_COLUMNS, Cells, Options, RawBatch, RowReject, Table, refusal, rejected
from mdm.load_text import Encoding, detect, text_of

_DELIMITERS = (",", ";", "\t", "|")
_SAMPLE_LINES = 200
_QUOTED_LINES_MAX = 1_000  # a cell of more lines is a quote that nobody closed

_BROKEN_QUOTES = rejected("broken_quotes", "a quotation mark opens or closes in the wrong place: double those inside a cell")
_ENDS = "\r\n"
_SHOWN = 1_000  # characters kept of a line that cannot be read


def open_csv(file: Stored, options: Options) -> Table:
    """Raises UnusableFile when it is no table."""
    encoding = detect(file, options.encoding)
    with text_of(file, encoding) as text:
        first = list(islice(text, _SAMPLE_LINES))
    sample = [line for line in first if len(line) <= CELL_LENGTH_MAX]
    if not first:
        raise refusal(file.name, "empty_file", "the file has no rows", "export it again: it should have a header and rows")
    delimiter, skipped = _delimiter(file, sample, options.delimiter)
    source = _Source(file, encoding, delimiter, skipped)
    header = read_header(file.name, source.start(), options.header_row)
    return Table(
        name=file.name,
        format="tsv" if delimiter == "\t" else "csv",
        header=header.names,
        sha256=file.sha256,
        bytes=file.bytes,
        encoding=encoding.name,
        delimiter=delimiter,
        notes=tuple(filter(None, (encoding.note, *header.notes))),
        of_rejects=header.skipped > 0,
        read=lambda rows: source.batches(header, rows),
    )


def _delimiter(file: Stored, sample: list[str], chosen: str | None) -> tuple[str, int]:
    """The delimiter and how many lines stand before the header: Excel writes and reads a first line `sep=;`."""
    if not sample:
        remedy = "export it with one row per line"
        raise refusal(file.name, "endless_line", f"the first line has more than {CELL_LENGTH_MAX} characters", remedy)
    if chosen is not None and len(chosen) != 1:
        raise refusal(file.name, "bad_delimiter", "a delimiter is one character", "use a comma, semicolon, tab or bar")
    first = sample[0].strip("\r\n")
    said = first[4:] if first[:4].lower() == "sep=" and len(first) == 5 else None
    skipped = 1 if said else 0
    ours = next((each for each in _DELIMITERS if first.startswith(each.join(REJECT_COLUMNS))), None)  # whatever stands in the cells
    return chosen or said or ours or max(_DELIMITERS, key=lambda each: _evidence(sample[skipped:], each)), skipped


def _evidence(sample: list[str], delimiter: str) -> tuple[int, int]:
    """How many rows have the width that most have, then that width: a delimiter that splits nothing is none."""
    widths = Counter(len(row) for row in csv.reader(sample, delimiter=delimiter) if row)
    width, count = max(widths.items(), key=lambda each: (each[1], each[0]), default=(0, 0))
    return (count, width) if width > 1 else (0, 0)


class _Source:
    """The rows of one file, numbered; may be read again and again."""

    def __init__(self, file: Stored, encoding: Encoding, delimiter: str, skipped: int) -> None:
        self._file, self._encoding, self._delimiter, self._skipped = file, encoding, delimiter, skipped

    def start(self) -> list[Cells]:
        """The first rows, to find the header in."""
        with self._lines() as lines:
            return [tuple(cells) for cells, _ in islice(_records(lines, self._delimiter), _SAMPLE_LINES)]

    def batches(self, header: Header, rows: int) -> Iterator[RawBatch]:
        """The rows below the header."""
        with self._lines() as lines:
            number = 1 + sum(1 for _ in islice(_records(lines, self._delimiter), header.row))
            while chunk := list(islice(lines, rows)):
                plain = self._plainly(chunk)
                if plain is not None:
                    yield header.sound_batch(number, plain)
                    number += len(plain)
                else:
                    records = self._one_by_one(chunk, lines)
                    yield header.batch(number, records)
                    number += len(records)

    @contextmanager
    def _lines(self) -> Iterator[Iterator[str]]:
        with text_of(self._file, self._encoding) as text:
            yield islice(text, self._skipped, None)

    def _plainly(self, chunk: list[str]) -> Sequence[Sequence[str]] | None:
        """Every line one row and nothing wrong with any: nearly all there is, and many times faster."""
        together = "".join(chunk)
        if "\x00" in together or (self._encoding.lenient and SURROGATE.search(together)) or max(map(len, chunk)) > CELL_LENGTH_MAX:
            return None
        quoted = [line for line in chunk if '"' in line] if '"' in together else []
        plain = cut([line for line in chunk if '"' not in line] if quoted else chunk, self._delimiter)
        lines = chunk if plain is None else quoted
        try:
            rows = list(csv.reader(lines, delimiter=self._delimiter, strict=True))
        except csv.Error:
            return None
        if len(rows) != len(lines):
            return None
        return rows if plain is None else _merged(chunk, rows, plain)

    def _one_by_one(self, chunk: list[str], lines: Iterator[str]) -> list[Record]:
        """The rows that begin in these lines; the last one may take further lines."""
        return list(_records(lines, self._delimiter, deque(chunk)))


def _merged(chunk: list[str], quoted: Sequence[Sequence[str]], plain: Sequence[Sequence[str]]) -> Sequence[Sequence[str]]:
    """The rows of all lines, of which each is one row by itself: those with quotation marks, and the others."""
    if not quoted:
        return plain
    these, others = iter(quoted), iter(plain)
    return [next(these if '"' in line else others) for line in chunk]


def cut(lines: list[str], delimiter: str) -> list[tuple[str, ...]] | None:
    """Lines without quotation marks, cut where the delimiters stand, if all have as many; in a third of the time that the reader needs."""
    widths = {*map(str.count, lines, repeat(delimiter))}
    if len(widths) != 1 or widths == {0} or delimiter in _ENDS:
        return None
    together = "".join(lines)
    if "\r" in together:
        together = together.replace("\r\n", "\n").replace("\r", "\n")
    cells = iter(together.removesuffix("\n").replace("\n", delimiter).split(delimiter))
    return [*zip(*repeat(cells, widths.pop() + 1), strict=True)]


def _records(lines: Iterator[str], delimiter: str, waiting: deque[str] | None = None) -> Iterator[Record]:
    """Row by row: of `waiting` all, or where nothing waits all there are."""
    queue = deque() if waiting is None else waiting
    while waiting is None or queue:
        taken: list[str] = []
        record = _record(_feed(queue, lines, taken), taken, delimiter)
        if record is None:
            return
        if record[1] is _BROKEN_QUOTES:
            queue.extendleft(reversed(taken[1:]))
        yield record


def _feed(queue: deque[str], lines: Iterator[str], taken: list[str]) -> Iterator[str]:
    while len(taken) < _QUOTED_LINES_MAX:
        line = queue.popleft() if queue else next(lines, None)
        if line is None:
            return
        taken.append(line)
        yield line


def _record(feed: Iterator[str], taken: list[str], delimiter: str) -> Record | None:
    try:
        cells = next(csv.reader(feed, delimiter=delimiter, strict=True), None)
    except csv.Error:
        long = len(taken[0]) > CELL_LENGTH_MAX
        return [taken[0][:_SHOWN]], TOO_LONG if long else _BROKEN_QUOTES
    if cells is None:
        return None
    return cells, _text_problem("".join(taken))


def _text_problem(text: str) -> RowReject | None:
    return BAD_TEXT if "\x00" in text or SURROGATE.search(text) else None
