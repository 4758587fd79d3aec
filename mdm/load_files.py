"""A delivered file, whatever its kind, as a table of text: opened, checked as a whole, read in batches.

    table = open_table(path, name="patients.csv")        # raises UnusableFile: file, row, column, remedy
    for batch in table.batches(2_000):
        batch.rows, batch.numbers                        # cells of good rows in the order of `table.header`; "" and None are absent
        batch.rejected                                   # BadRow(number, cells, reject): the reader's own rejects

`table.format`, `.encoding`, `.delimiter`, `.sheet` say what was detected, `.notes` what was guessed; `Options` overrules them.
"""

from pathlib import Path

from mdm.load_bytes import stored
from mdm.load_csv import open_csv
from mdm.load_table import Options, Table

FORMATS = ("csv", "tsv", "xlsx", "parquet", "ndjson")


def open_table(path: Path, *, name: str, options: Options | None = None) -> Table:
    """Raises UnusableFile. `name`: what the file is called in messages, and by whose ending its kind is told."""
    file = stored(path, name)
    return open_csv(file, options or Options())
