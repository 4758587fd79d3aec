"""Columns written as JSON -> arrays. DuckDB reads them without an object for each value, in a third of the time that Python takes."""

import json
from collections.abc import Collection, Sequence

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from matching.table import Chunk, compact


class Parser:
    """Reads JSON objects (column -> text, or list of texts) piece by piece; only columns called `names` are kept."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = sorted(names)
        self._lists: set[str] = set()  # columns in which some record has a list
        self._db = duckdb.connect(config={"threads": 1})

    def chunk(self, records: Sequence[str]) -> Chunk:
        """What `chunk_of` makes of the same records."""
        if not self._names:
            return Chunk(len(records), {})
        self._db.register("written", pa.table({"record": pa.array(records, pa.string())}))
        found = self._columns()
        more = self._arrays([name for name in self._names if name not in self._lists and _may_be_list(found[name])])
        if more:
            self._lists |= more
            found = self._columns()
        columns = ((name, found[name].combine_chunks()) for name in self._names)
        arrays = {name: array for name, array in columns if array.null_count < len(array)}
        listed = frozenset(name for name, array in arrays.items() if pa.types.is_list(array.type))
        return Chunk(len(records), {name: compact(array) for name, array in arrays.items()}, listed)

    def _arrays(self, names: Sequence[str]) -> set[str]:
        """In which of these columns a record has a list, and no text that looks like one."""
        asked = [f"bool_or(json_type(record::json, '{_pointer(name)}') = 'ARRAY')" for name in names]
        found = self._db.sql(f"select {', '.join(asked)} from written").fetchall()[0] if names else ()
        return {name for name, is_list in zip(names, found, strict=True) if is_list}

    def _columns(self) -> pa.Table:
        kinds = json.dumps({name: "JSON" if name in self._lists else "VARCHAR" for name in self._names})
        chosen = ", ".join(f"{_listed(name)} as {_quoted(name)}" if name in self._lists else _quoted(name) for name in self._names)
        return self._db.sql(
            f"select {chosen} from (select unnest(json_transform(record::json, $kinds)) from written)", params={"kinds": kinds}
        ).to_arrow_table()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _pointer(name: str) -> str:
    """RFC 6901, as a text of SQL."""
    return "/" + name.replace("~", "~0").replace("/", "~1").replace("'", "''")


def _listed(name: str) -> str:
    """A list of texts, whether it was one or is a single text."""
    value = _quoted(name)
    return f"case when {value} like '[%' then json_transform({value}, '[\"VARCHAR\"]') when {value} is not null then [{value} ->> '$'] end"


def _may_be_list(column: pa.ChunkedArray) -> bool:
    """A list that was asked for as a text comes as it was written."""
    return bool(pc.any(pc.starts_with(column, "[")).as_py())
