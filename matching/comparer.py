"""Splink's settings as SQL over a table of records: worked out once for each model and layout, for nothing of a small set takes longer."""

import json
import logging
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

import duckdb
from splink import DuckDBAPI, Linker

_KEPT_MAX = 64  # of some 50 kB each; a domain has two, times the sets of columns that its files fill


@dataclass(frozen=True, slots=True)
class Comparer:
    """A table of pairs, and what Splink says of them: a query, in parentheses."""

    asked: str
    told: str


@dataclass(frozen=True, slots=True)
class _Said:
    """The table that Splink would read, the columns it must have, and what it says of their rows."""

    asked: str
    columns: str
    sql: str


_KEPT: OrderedDict[str, _Said] = OrderedDict()
_LOCK = Lock()


def comparer(connection: duckdb.DuckDBPyConnection, settings: Mapping[str, Any]) -> Comparer:
    """What says, of pairs of rows of `record`, what these settings ask. The measures that they name are registered already."""
    said = _remembered(connection, settings)
    connection.execute(f"create or replace table {said.asked} ({said.columns})")
    # No table: dozens of columns that nobody reads would be written out. No view: so long a text takes time to look through, twice
    return Comparer(said.asked, f"({said.sql})")


def _remembered(connection: duckdb.DuckDBPyConnection, settings: Mapping[str, Any]) -> _Said:
    key = json.dumps([_columns(connection, "record"), settings])
    with _LOCK:
        if key in _KEPT:
            _KEPT.move_to_end(key)
            return _KEPT[key]
    said = _said(connection, settings)
    with _LOCK:
        _KEPT[key] = said
        while len(_KEPT) > _KEPT_MAX:
            _KEPT.popitem(last=False)
    return said


def _said(connection: duckdb.DuckDBPyConnection, settings: Mapping[str, Any]) -> _Said:
    api = DuckDBAPI(connection=connection)  # its own, because two linkers would call their tables alike
    # Made from a checked model: looking for slips in it takes a fifth of the time of a small set
    linker = Linker(api.register("record"), dict(settings), validate_settings=False)
    logging.getLogger("splink").setLevel(logging.ERROR)  # after the linker, which sets its own
    asked = linker.inference.compute_blocked_pairs_for_predict()
    answer = linker.inference.predict(warning_mode="never")
    sql = str(answer.sql_used_to_create).strip().rstrip(";")
    answer.drop_table_from_database_and_remove_from_cache()
    return _Said(asked.physical_name, ", ".join(_columns(connection, asked.physical_name)), sql)


def _columns(connection: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    return [f'"{name}" {kind}' for name, kind, *_ in connection.execute(f"describe {table}").fetchall()]
