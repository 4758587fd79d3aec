"""Record search among many patients: rare and common words, several, a date, a phone number, a local key, what nobody has.

python -m tests.bench.search --patients 200000 [--explain]
"""

import argparse
import statistics
import time

from mdm import golden
from mdm.access import SYSTEM_ACTOR
from mdm.db import Database, fetch, without
from mdm.entities import ENTITY_TYPES
from mdm.golden import search
from mdm.reading import Reader
from mdm.searches import look_up
from mdm.words import as_tsquery
from tests.bench.fill import hospital

PATIENT = ENTITY_TYPES["patient"]
ROUNDS = 15


def questions(database: Database) -> dict[str, str]:
    """Texts about a person who is there, and others."""
    with database.unit_of_work() as session:
        rows = fetch(session, "select values, g.id from golden_version v join golden_record g on g.id = v.golden_id offset 1000 limit 1")
        key = fetch(session, "select key from source_record offset 1000 limit 1")[0][0]
    values = rows[0][0]
    name, given = values["family_name"], values["given_name"]
    return {
        "family name": name,
        "family name, three letters": name[:3],
        "one letter": name[:1],
        "family and given name": f"{given} {name}",
        "birth date": values["birth_date"],
        "a year": values["birth_date"][:4],
        "local key": key,
        "nobody": "Zyxwvutsrq",
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--patients", type=int, default=200_000)
    parser.add_argument("--explain", action="store_true")
    arguments = parser.parse_args()
    with hospital(arguments.patients) as bench:
        database = Database(bench.url)
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("analyze")
        for label, text in questions(database).items():
            _measure(database, label, text, explain=arguments.explain)
        with database.unit_of_work() as session:
            sizes = "select pg_size_pretty(pg_relation_size('ix_golden_version_words')), pg_size_pretty(pg_table_size('golden_version'))"
            print("index, table:", *fetch(session, sizes)[0])
        _cost(database)
        database.close()


def _cost(database: Database) -> None:
    """What the index adds to writing a version: the same rows written with it and without, both taken back."""
    write = (
        'insert into golden_version (golden_id, version, "values", provenance, recorded_from, recorded_to, words)'
        ' select golden_id, 99, "values", provenance, now(), null, words from closed'
    )
    taken = "create temp table closed on commit drop as with c as (update golden_version set recorded_to = now() where golden_id in"
    taken += " (select golden_id from golden_version order by golden_id desc limit 4000) returning *) select * from c"
    for label, before in (("with", "select 1"), ("without", "drop index ix_golden_version_words")):
        with database.engine.connect() as connection:
            connection.exec_driver_sql(taken)
            connection.exec_driver_sql(before)
            begin = time.perf_counter()
            connection.exec_driver_sql(write)
            print(f"a version {label} the index: {(time.perf_counter() - begin) / 4000 * 1e6:.0f} us")
            connection.rollback()


def _measure(database: Database, label: str, text: str, *, explain: bool) -> None:
    reader, times = Reader(SYSTEM_ACTOR, "bench"), []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        hits = database.run(lambda session: search(session, PATIENT, text=text)).items
        times.append(time.perf_counter() - begin)
    begin = time.perf_counter()
    database.run(lambda session: look_up(session, PATIENT, reader, text, 50))
    whole = time.perf_counter() - begin
    told = f"p50 {statistics.median(times) * 1000:.1f} ms, worst {max(times) * 1000:.1f} ms; page {whole * 1000:.0f} ms"
    print(f"{label}: {len(hits)} hits, {told}")
    if explain:
        database.run(lambda session: _explain(session, text))


def _explain(session, text):
    params = {"query": as_tsquery(PATIENT, text, {}), "after": None, "limit": 51, "rare": golden.RARE}
    with without(session, "seqscan", "indexscan"):
        rows = fetch(session, "explain (analyze, buffers) " + golden._RARE, params)
    with without(session, "seqscan", "bitmapscan"):
        rows += fetch(session, "explain (analyze, buffers) " + golden._COMMON, params)
    print("\n".join("    " + row[0][:160] for row in rows))


if __name__ == "__main__":
    main()
