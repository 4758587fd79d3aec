"""Parquet by pyarrow, in batches: text as it is, numbers and dates as a person would write them, lists of single values in one cell."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mdm.load_bytes import Stored, check_unchanged
from mdm.load_cells import MANY, UNSAID, written, written_list
from mdm.load_header import Header, Record, named_header, row_problem
from mdm.load_table import CELL_LENGTH_MAX, CELLS_MAX, Cells, Options, RawBatch, RowReject, Table, refusal, rejected

_GROUP_BYTES_MAX = 2 * 1024**3
_ARROW_WRITES = (pa.types.is_integer, pa.types.is_boolean, pa.types.is_date32, pa.types.is_decimal, pa.types.is_large_string)
_NESTED = rejected("nested_value", f"a list holds something that is no single value, or has a {MANY} in it: write it in columns of its own")


def open_parquet(file: Stored, _: Options) -> Table:
    """Raises UnusableFile."""
    with _opened(file) as parquet:
        schema, facts = parquet.schema_arrow, parquet.metadata
        groups = [facts.row_group(index).total_byte_size for index in range(facts.num_row_groups)]
        rows = facts.num_rows
    for field in schema:
        if not _is_readable(field.type):
            remedy = "write its parts as columns of text, numbers or dates"
            raise refusal(file.name, "nested_column", f"column {field.name!r} is of type {field.type}", remedy)
    if rows * len(schema) > CELLS_MAX or max(groups, default=0) > _GROUP_BYTES_MAX:
        raise refusal(file.name, "too_many_cells", f"more than {CELLS_MAX:,} cells, or a row group of more than 2 GiB", "split it")
    header = named_header(file.name, schema.names, rows)
    return Table(
        name=file.name,
        format="parquet",
        header=header.names,
        sha256=file.sha256,
        bytes=file.bytes,
        notes=header.notes,
        of_rejects=header.skipped > 0,
        read=_reader(file, header),
    )


@contextmanager
def _opened(file: Stored) -> Iterator[Any]:
    try:
        texts = [field.name for field in pq.read_schema(file.path) if pa.types.is_string(field.type)]
        with pq.ParquetFile(file.path, read_dictionary=texts) as parquet:
            yield parquet
    except (pa.ArrowException, OSError, ValueError) as error:
        raise refusal(file.name, "torn_parquet", "the Parquet file is damaged, cut off or encrypted", "write it again, in plain") from error
    check_unchanged(file)


def _is_readable(kind: Any) -> bool:
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return not pa.types.is_nested(kind.value_type) and _is_readable(kind.value_type)
    if pa.types.is_dictionary(kind):
        return _is_readable(kind.value_type)
    return not (
        pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
    )


def _reader(file: Stored, header: Header) -> Callable[[int], Iterator[RawBatch]]:
    def batches(rows: int) -> Iterator[RawBatch]:
        with _opened(file) as parquet:
            number = header.row + 1
            for batch in parquet.iter_batches(batch_size=rows):
                yield header.batch(number, _records(batch))
                number += batch.num_rows

    return batches


def _records(batch: Any) -> list[Record]:
    columns = [_texts(column) for column in batch.columns]
    return [(cells, _problem(cells)) for cells in zip(*columns, strict=True)]


def _problem(cells: Cells) -> RowReject | None:
    return _NESTED if UNSAID in cells else row_problem(cells)


def _texts(column: Any) -> list[str | None]:
    """A column as text. What Arrow writes as we do, it writes, many times faster."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _repeated(column)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return [None if values is None else written_list(values) for values in column.to_pylist()]
    if any(check(kind) for check in _ARROW_WRITES):
        return list(column.cast(pa.string()).to_pylist())
    if pa.types.is_timestamp(kind):
        column = column.cast(pa.timestamp("us", kind.tz), safe=False)
    return [written(value) for value in column.to_pylist()]


def _repeated(column: Any) -> list[str | None]:
    """A repeated text is measured before it is repeated: a small file can hold one megabyte a billion times."""
    longest = pc.max(pc.binary_length(column.dictionary)).as_py() or 0
    if longest <= CELL_LENGTH_MAX:
        return list(column.cast(pa.string()).to_pylist())
    values = [text if len(text) <= CELL_LENGTH_MAX else text[: CELL_LENGTH_MAX + 1] for text in column.dictionary.to_pylist()]
    return [None if index is None else values[index] for index in column.indices.to_pylist()]
