"""A delivered file, whatever its kind, as a table of text: opened, checked as a whole, read in batches.

    table = open_table(path, name="patients.csv")        # raises UnusableFile: file, row, column, remedy
    for batch in table.batches(2_000):
        batch.rows, batch.numbers                        # cells of good rows in the order of `table.header`; "" and None are absent
        batch.rejected                                   # BadRow(number, cells, reject): the reader's own rejects

`table.format`, `.encoding`, `.delimiter`, `.sheet` say what was detected, `.notes` what was guessed; `Options` overrules them.
"""

from collections.abc import Callable
from pathlib import Path

from mdm.load_bytes import Stored, stored
from mdm.load_csv import open_csv
from mdm.load_ndjson import open_ndjson
from mdm.load_table import Options, Table, refusal
from mdm.load_xlsx import open_xlsx


def open_parquet(file: Stored, options: Options) -> Table:
    from mdm.load_parquet import open_parquet as opened  # noqa: PLC0415  (pyarrow and numpy: a tenth of the start of a web process)

    return opened(file, options)


_OPEN: dict[str, Callable[[Stored, Options], Table]] = {
    ".csv": open_csv,
    ".tsv": open_csv,
    ".tab": open_csv,
    ".txt": open_csv,
    ".dat": open_csv,
    ".xlsx": open_xlsx,
    ".xlsm": open_xlsx,
    ".parquet": open_parquet,
    ".ndjson": open_ndjson,
    ".jsonl": open_ndjson,
}
FORMATS = ("csv", "tsv", "xlsx", "parquet", "ndjson")  # as `Table.format` says
_OTHERS = {
    ".xls": "a workbook of the old kind",
    ".xlsb": "a binary workbook",
    ".ods": "an OpenDocument sheet",
    ".json": "a JSON document",
    ".xml": "an XML document",
    ".pdf": "a PDF document",
    ".zip": "an archive",
}


def open_table(path: Path, *, name: str, options: Options | None = None) -> Table:
    """Raises UnusableFile. `name`: what the file is called in messages, and by whose ending its kind is told."""
    ending = Path(name.lower().removesuffix(".gz")).suffix
    if ending in _OTHERS:
        raise refusal(name, "unknown_kind", f"{_OTHERS[ending]} cannot be loaded", "save its table as .xlsx or CSV")
    if ending not in _OPEN or (name.lower().endswith(".gz") and _OPEN[ending] not in {open_csv, open_ndjson}):
        remedy = "name it .csv, .tsv, .xlsx, .parquet or .ndjson, for what it is; text may be packed as .gz"
        raise refusal(name, "unknown_kind", "the name does not tell what kind of file this is", remedy)
    return _OPEN[ending](stored(path, name), options or Options())
