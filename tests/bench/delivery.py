"""Delivery over HTTP with everything on: key, policy, matching, survivorship, crosswalk, event, audit, one durable transaction.

Single and in batches of 1,000, against R0: the same rows of new persons as plain inserts from psycopg, ready made, nothing compared.

    python -m tests.bench.delivery [--patients 20000] [--rounds 3] [--seconds 10] [--out result.json]

Goals (performance.md section 4): >= 200 records/s with 8 clients; >= 25 % of R0; batches >= 1.5 x single, per record. What was delivered is
checked afterwards: how many of the known persons were found again, and whether two persons became one.
"""

import argparse
import multiprocessing
import statistics
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from mdm.db import Database
from mdm.ids import new_id
from mdm.standardise import Delivery
from mdm.systems import SystemRegistry, read_registry
from tests.bench import clients
from tests.bench.fill import COLUMNS, PATIENT, hospital, rows
from tests.bench.people import HOME, delivered, stream
from tests.bench.result import save
from tests.bench.world import Bench, server

CLIENTS = 8
BATCH = 1_000
_PROCESSES = 2  # of R0, so that one interpreter is not its limit
_RATE_MAX = 1_500  # records a second for which requests are made: none may be sent twice
_WARM_SECONDS = 3.0
Statement = tuple[str, Sequence[object]]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--patients", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    with hospital(arguments.patients) as made, server("tests.bench.servers:ours", made) as port:
        figures = _measure(made, port, arguments.patients, arguments.rounds, arguments.seconds)
        figures |= _truth(made)
    _tell(figures)
    settings = {
        "patients": arguments.patients,
        "rounds": arguments.rounds,
        "seconds": arguments.seconds,
        "clients": CLIENTS,
        "batch": BATCH,
    }
    save(arguments.out, "delivery", settings, figures)


def _measure(made: Bench, port: int, patients: int, rounds: int, seconds: float) -> dict[str, Any]:
    arrivals = Arrivals(made.key, patients)
    clients.closed(port, arrivals.singles(_WARM_SECONDS), _WARM_SECONDS, CLIENTS)
    found: dict[str, list[float]] = {name: [] for name in ("single", "batch", "plain", "p50_ms", "p99_ms", "errors")}
    print(f"{'round':>5} {'single/s':>9} {'p50 ms':>7} {'p99 ms':>7} {'batch/s':>9} {'R0/s':>9} {'errors':>7}")
    for number in range(rounds):
        single = clients.closed(port, arrivals.singles(seconds), seconds, CLIENTS)
        batch = clients.closed(port, arrivals.batches(seconds), seconds, _PROCESSES)
        of_round = {
            "single": single.rate,
            "p50_ms": single.percentile(0.5) * 1000,
            "p99_ms": single.percentile(0.99) * 1000,
            "batch": batch.rate * BATCH,
            "plain": plain_inserts(made.url, arrivals.take(int(seconds * _RATE_MAX)), seconds),
            "errors": float(single.errors + batch.errors),
        }
        for name, value in of_round.items():
            found[name].append(value)
        columns = ("single", "p50_ms", "p99_ms", "batch", "plain", "errors")
        print(f"{number + 1:>5} " + " ".join(f"{of_round[name]:>9.1f}" for name in columns))
    return dict(found)


class Arrivals:
    """Rows that were not sent before, as requests."""

    def __init__(self, key: str, patients: int) -> None:
        self._key = key
        self._patients = patients
        self._next = 0

    def take(self, count: int) -> range:
        self._next += count
        return range(self._next - count, self._next)

    def singles(self, seconds: float) -> list[bytes]:
        return [put(delivery, self._key) for delivery in self._stream(int(seconds * _RATE_MAX))]

    def batches(self, seconds: float) -> list[bytes]:
        count = _PROCESSES + int(seconds * _RATE_MAX / BATCH)
        chunks = [self._stream(BATCH) for _ in range(count)]
        bodies = [[{"system": d.system, "key": d.key, **_body(d)} for d in chunk] for chunk in chunks]
        return [clients.post(f"/v1/{PATIENT.path}/sources:batch", {"records": body}, self._key) for body in bodies]

    def _stream(self, count: int) -> list[Delivery]:
        taken = self.take(count)
        return stream(self._patients, taken.start, len(taken))


def put(delivery: Delivery, key: str) -> bytes:
    path = f"/v1/{PATIENT.path}/sources/{delivery.system}/{delivery.key}"
    return b"PUT" + clients.post(path, _body(delivery), key).removeprefix(b"POST")


def _body(delivery: Delivery) -> dict[str, object]:
    held = [{"system": system, "value": value} for system, value in delivery.identifiers]
    return {"attributes": delivery.attributes, "identifiers": held}


def plain_inserts(url: str, numbers: range, seconds: float) -> float:
    """R0: persons a second, written by CLIENTS connections, one durable transaction each."""
    context = multiprocessing.get_context("spawn")
    parts = [(url, numbers[n::_PROCESSES], seconds) for n in range(_PROCESSES)]
    with context.Pool(_PROCESSES) as pool:
        return sum(pool.starmap(_insert_part, parts))


def _insert_part(url: str, numbers: range, seconds: float) -> float:
    systems = _systems(url)
    # Keys of their own, so that they never meet what was delivered
    ready = [_statements(Delivery(HOME, f"R0-{n}", delivered(n).attributes), systems) for n in numbers]
    done: list[int] = []
    begin = time.perf_counter()
    threads = [
        threading.Thread(target=_insert, args=(url, ready[n :: CLIENTS // _PROCESSES], begin + seconds, done))
        for n in range(CLIENTS // _PROCESSES)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / (time.perf_counter() - begin)


def _systems(url: str) -> SystemRegistry:
    database = Database(url)
    with database.unit_of_work() as session:
        systems = read_registry(session)
    database.close()
    return systems


def _insert(url: str, people: Sequence[Sequence[Statement]], until: float, done: list[int]) -> None:
    with psycopg.connect(url, prepare_threshold=0) as connection:
        count = 0
        for statements in people:
            if time.perf_counter() > until:
                break
            for statement, values in statements:
                connection.execute(statement, values)
            connection.commit()
            count += 1
        done.append(count)


def _statements(delivery: Delivery, systems: SystemRegistry) -> list[Statement]:
    """What a delivery of somebody new writes, table by table."""
    made = [(_INSERTS[table], values) for table, values in _in_order(rows(delivery, systems))]
    source, golden = made[0][1], made[2][1]
    keys: Statement = ("insert into match_key (key, record_id) select k, %s from unnest(%s::bigint[]) k", (source[0], source[-1]))
    event: Statement = (
        "insert into event (event_id, domain, golden_id, type, data) values (%s, %s, %s, 'golden.created', '{}')",
        (new_id(), PATIENT.name, golden[0]),
    )
    audit: Statement = (
        (
            "insert into audit (principal, action, domain, subjects, request_id, outcome)"
            " values ('bench', 'record:deliver', %s, array[%s::uuid], '', 'done')"
        ),
        (PATIENT.name, golden[0]),
    )
    return [*made, keys, event, audit]


def _in_order(found: Any) -> list[tuple[str, Sequence[str]]]:
    """Golden records before what refers to them."""
    order = list(COLUMNS)
    return sorted(found, key=lambda row: order.index(row[0]))


def _insert_into(table: str, columns: str) -> str:
    names = [sql.Identifier(column) for column in columns.split(", ")]
    statement = sql.SQL("insert into {} ({}) values ({})").format(
        sql.Identifier(table), sql.SQL(", ").join(names), sql.SQL(", ").join([sql.Placeholder()] * len(names))
    )
    return statement.as_string()


_INSERTS = {table: _insert_into(table, columns) for table, columns in COLUMNS.items()}


def _truth(made: Bench) -> dict[str, Any]:
    """Of the known persons that came again: how many stand with their own golden record, and how many golden records hold two persons."""
    with psycopg.connect(made.url) as connection:
        again, found = connection.execute(_FOUND).fetchall()[0]
        mixed = connection.execute(_MIXED).fetchall()[0][0]
    return {"known": again, "found": found, "two_persons_in_one": mixed}


_PERSON = "(case when r.system = 'ehr-mercy' then split_part(substr(r.key, 2), '-', 1)::int when r.key !~ 'R0' then r.key::int end)"
_OPEN = (
    f"select l.golden_id, r.system, {_PERSON} as person from source_record r join link l on l.record_id = r.id and l.recorded_to is null"
)
_FOUND = (
    f"with o as ({_OPEN}) select count(*), count(*) filter (where exists (select 1 from o h where h.golden_id = o.golden_id"
    " and h.system = 'ehr-north' and h.person = o.person)) from o where system = 'ehr-mercy'"
)
_MIXED = f"with o as ({_OPEN}) select count(*) from (select golden_id from o group by golden_id having count(distinct person) > 1) m"


def _tell(figures: dict[str, Any]) -> None:
    single, batch, plain = (statistics.median(figures[name]) for name in ("single", "batch", "plain"))
    to_plain = [a / b for a, b in zip(figures["single"], figures["plain"], strict=True)]
    print(f"{'':<34} {'median':>8} {'worst':>8} {'goal':>6}")
    print(f"{'single deliveries/s, 8 clients':<34} {single:>8.0f} {min(figures['single']):>8.0f} {200:>6}")
    print(f"{'single against plain inserts (R0)':<34} {statistics.median(to_plain):>8.2f} {min(to_plain):>8.2f} {0.25:>6}")
    print(f"{'batch against single, per record':<34} {batch / single:>8.2f} {min(figures['batch']) / single:>8.2f} {1.5:>6}")
    print(f"R0 {plain:.0f}/s, batch {batch:.0f}/s")
    print(f"known persons found again: {figures['found']} of {figures['known']}; two persons in one: {figures['two_persons_in_one']}")


if __name__ == "__main__":
    main()
