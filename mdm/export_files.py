"""An extract as a file: CSV in UTF-8, in which no cell is a formula, or Parquet with types. Written beside its place, moved there whole."""

import csv
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from mdm.exports import Cell, Column, Extract
from mdm.jsonio import dumps
from mdm.load_formulas import neutralise

_KINDS: dict[str, Any] = {
    "text": pa.string(),
    "texts": pa.list_(pa.string()),
    "number": pa.int64(),
    "flag": pa.bool_(),
    "date": pa.date32(),
    "time": pa.timestamp("us", "UTC"),
}


def write(extract: Extract, form: str, file: BinaryIO) -> None:
    """Write every row; the extract knows its version afterwards."""
    _WRITERS[form](extract, file)


def write_csv(extract: Extract, file: BinaryIO) -> None:
    """A list stands as JSON in its cell. `mdm.load_formulas.restore` gives back what a cell was before it was made safe."""
    text = TextIOWrapper(file, "utf-8", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow(column.name for column in extract.columns)
    for chunk in extract.chunks:
        writer.writerows([_text(cell) for cell in record] for record in chunk)
    text.detach()


def _text(cell: Cell) -> str:
    if isinstance(cell, str):
        return neutralise(cell)
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, list):
        return neutralise(dumps(cell).decode())
    return str(cell) if isinstance(cell, int) else cell.isoformat()


def write_parquet(extract: Extract, file: BinaryIO) -> None:
    """One row group per chunk."""
    schema = pa.schema([(column.name, _KINDS[column.kind]) for column in extract.columns])
    with pq.ParquetWriter(file, schema) as writer:
        for chunk in extract.chunks:
            writer.write_table(pa.table(_columns(extract.columns, chunk), schema=schema))


def _columns(columns: Sequence[Column], chunk: Sequence[Sequence[Cell]]) -> dict[str, list[Cell]]:
    return {column.name: list(cells) for column, cells in zip(columns, zip(*chunk, strict=True), strict=True)}


_WRITERS: dict[str, Callable[[Extract, BinaryIO], None]] = {"csv": write_csv, "parquet": write_parquet}


@contextmanager
def placed(path: Path) -> Iterator[BinaryIO]:
    """A file that appears under its name when all went well, readable by its owner alone; else nothing is left of it."""
    try:
        beside = NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False)  # noqa: SIM115 - entered below
    except OSError as error:  # nobody asked for the file beside it
        raise OSError(error.errno, error.strerror, str(path)) from error
    with beside as file:
        try:
            yield cast("BinaryIO", file)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
