"""Fills a migrated database with persons whom nobody delivered: what stands there afterwards is what deliveries would have written, had no
two of them been alike. Python makes the rows in processes of their own, COPY takes them, and indexes are built when the rows are there.

    python -m tests.bench.fill postgresql://... --patients 100000
"""

import argparse
import multiprocessing
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from matching.blocking import blocking_keys
from mdm.access import NewPrincipal, Role, create_client
from mdm.db import Database
from mdm.derive import as_json, golden_values, holdings
from mdm.embedded import ensure_postgres, stop
from mdm.entities import ENTITY_TYPES
from mdm.ids import new_golden_id, new_record_id
from mdm.jsonio import dumps
from mdm.members import Member
from mdm.migrate import migrate
from mdm.records import Incoming, row_of
from mdm.settings import Settings
from mdm.standardise import Delivery, standardise
from mdm.systems import SystemRegistry, put_system, read_registry
from mdm.words import as_tsvector, lexemes
from tests.bench.people import ELSEWHERE, HOME, delivered
from tests.bench.world import Bench

PATIENT = ENTITY_TYPES["patient"]
_PROCESSES = 2
_BLOCK = 2_000
COLUMNS = {
    "source_record": "id, domain, system, key, status, version, hash, clean, columns, keys",
    "source_record_version": "record_id, version, state, raw, clean, notes, hash, status",
    "golden_record": "id, domain, status",
    "golden_version": "golden_id, version, values, provenance, words",
    "link": "record_id, golden_id, cause",
    "xref": "domain, system_id, value, golden_id, status, own, exclusive, pending",
}
_TABLES = [*COLUMNS, "match_key"]
_MATCH_KEYS = "insert into match_key (key, record_id) select k, r.id from source_record r, unnest(r.keys) k"


@contextmanager
def hospital(patients: int) -> Iterator[Bench]:
    """A server and a database of its own with so many patients, gone afterwards; the key may submit and match."""
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        settings = Settings.from_env({"MDM_HOME": folder, "MDM_PROFILE": "test"})
        try:
            yield _hospital(settings, patients)
        finally:
            stop(settings)


def _hospital(settings: Settings, patients: int) -> Bench:
    url = ensure_postgres(settings)
    database = Database(url)
    migrate(database)
    with database.unit_of_work() as session:
        _, key = create_client(session, settings.key_pepper(), NewPrincipal("bench", Role.INTEGRATION), created_by="bench")
    fill(url, patients)
    with database.unit_of_work() as session:
        ids = dict(read_registry(session).ids)
    database.close()
    return Bench(url, key, ids, settings.home)


def fill(url: str, count: int) -> None:
    """Persons 0 to `count`, as HOME delivers them. The database was empty."""
    register_systems(url)
    blocks = [(start, min(start + _BLOCK, count)) for start in range(0, count, _BLOCK)]
    context = multiprocessing.get_context("spawn")
    with psycopg.connect(url, autocommit=True) as connection:
        with _indexes_built_afterwards(connection):
            with context.Pool(_PROCESSES, initializer=_begin, initargs=(url,)) as pool:
                pool.map(_copy_block, blocks, chunksize=1)
            connection.execute(_MATCH_KEYS)
        connection.execute("vacuum analyze")


def register_systems(url: str) -> None:
    database = Database(url)
    with database.unit_of_work() as session:
        for code in (HOME, ELSEWHERE):
            put_system(session, code, name=code, kind="ehr", organization="Northfield")
    database.close()


@contextmanager
def _indexes_built_afterwards(connection: "psycopg.Connection[Any]") -> Iterator[None]:
    """Without the indexes and references of the filled tables; both are there again, and checked, in the end."""
    built = [row[0] for row in connection.execute(_INDEXES, (_TABLES,)).fetchall()]
    constraints = connection.execute(_CONSTRAINTS, {"tables": _TABLES}).fetchall()
    for table, name, _ in constraints:
        connection.execute(sql.SQL("alter table {} drop constraint {}").format(sql.Identifier(table), sql.Identifier(name)))
    for definition in built:
        connection.execute(sql.SQL("drop index {}").format(sql.Identifier(definition.split(" ON ")[0].split()[-1])))
    yield
    connection.execute("set maintenance_work_mem = '512MB'")
    for definition in built:
        connection.execute(definition)
    # Primary keys first: references need them
    for table, name, definition in reversed(constraints):
        connection.execute(
            sql.SQL("alter table {} add constraint {} {}").format(sql.Identifier(table), sql.Identifier(name), sql.SQL(definition))
        )


_INDEXES = (
    "select pg_get_indexdef(i.indexrelid) from pg_index i where i.indrelid = any(%s::regclass[])"
    " and not exists (select 1 from pg_constraint c where c.conindid = i.indexrelid)"
)
_CONSTRAINTS = (
    "select conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint where contype in ('p', 'u', 'f')"
    " and (conrelid = any(%(tables)s::regclass[]) or confrelid = any(%(tables)s::regclass[])) order by contype = 'f' desc, conname"
)


class _Here:
    """What a worker process has."""

    connection: "psycopg.Connection[Any]"
    systems: SystemRegistry


def _begin(url: str) -> None:
    database = Database(url)
    with database.unit_of_work() as session:
        _Here.systems = read_registry(session)
    database.close()
    _Here.connection = psycopg.connect(url)


def _copy_block(block: tuple[int, int]) -> None:
    lines: dict[str, list[str]] = defaultdict(list)
    for number in range(*block):
        for table, values in rows(delivered(number), _Here.systems):
            lines[table].append("\t".join(values))
    with _Here.connection.cursor() as cursor:
        for table, columns in COLUMNS.items():
            with cursor.copy(sql.SQL("copy {} ({}) from stdin").format(sql.Identifier(table), _listed(columns))) as copy:
                copy.write("\n".join((*lines[table], "")))
    _Here.connection.commit()


def _listed(columns: str) -> sql.Composable:
    return sql.SQL(", ").join(sql.Identifier(column) for column in columns.split(", "))


def rows(delivery: Delivery, systems: SystemRegistry) -> Iterator[tuple[str, Sequence[str]]]:
    """Every row of one new person but the match keys, in the order of `COLUMNS`, written as COPY reads it."""
    standard = standardise(PATIENT, delivery, systems)
    keys = blocking_keys(PATIENT.name, PATIENT.model.blocking, standard.columns)
    incoming = Incoming(new_record_id(), standard, None, standard.columns, keys)
    row, record = row_of(incoming), str(incoming.record_id)
    clean, listed = _json(row["clean"]), "{" + ",".join(map(str, keys)) + "}"
    system, key, status = row["system"], _text(row["key"]), row["status"]
    yield (
        "source_record",
        (record, PATIENT.name, system, key, status, "1", row["hash"], clean, _json(row["columns"]), listed),
    )
    yield "source_record_version", (record, "1", "applied", _json(row["raw"]), clean, _json(row["notes"]), row["hash"], status)
    yield from _golden_rows(incoming.as_member(), systems)


def _golden_rows(member: Member, systems: SystemRegistry) -> Iterator[tuple[str, Sequence[str]]]:
    golden_id = new_golden_id()
    golden = str(golden_id)
    values, provenance = as_json(golden_values(PATIENT, [member], systems))
    yield "golden_record", (golden, PATIENT.name, "active")
    yield "golden_version", (golden, "1", _json(values), _json(provenance), as_tsvector(lexemes(PATIENT, values)))
    yield "link", (str(member.id), golden, "new")
    for held in holdings(PATIENT, systems, golden_id, [member]).values():
        flags = ("ft"[held.own], "ft"[held.exclusive], "f")
        yield "xref", (PATIENT.name, str(held.system_id), _text(held.value), golden, held.status, *flags)


def _json(value: object) -> str:
    return _text(dumps(value).decode())


def _text(text: str) -> str:
    """As COPY reads it; JSON has no raw tab or line end."""
    return text.replace("\\", "\\\\")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--patients", type=int, default=100_000)
    arguments = parser.parse_args()
    begin = time.perf_counter()
    fill(arguments.url, arguments.patients)
    print(f"{arguments.patients:,} patients in {time.perf_counter() - begin:.0f} s")


if __name__ == "__main__":
    main()
