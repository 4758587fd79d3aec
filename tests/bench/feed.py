"""The change feed: how late an event reaches a consumer at 200 changes a second, and how fast a backlog is read.

Ours: a worker that numbers, a web server, a consumer that polls long over HTTP with a key. Beside it R0: a connection to the same table
that asks every 0.2 s for rows beyond the last number of insertion, which is faster and loses the events of slow transactions.

    python -m tests.bench.feed [--seconds 25] [--rate 200] [--out result.json]

Goals (performance.md section 4): lag p99 <= 1 s; >= 5,000 events/s drained.
"""

import argparse
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from http.client import HTTPConnection
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import orjson
import psycopg

from mdm.db import Database, fetch
from mdm.feed import Happening, publish
from tests.bench.result import save
from tests.bench.world import ROOT, Bench, bench, server

WRITERS = 8
BACKLOG = 50_000
PAGE = 1_000
POLL_SECONDS = 0.2
SETTLE_SECONDS = 3.0


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=25.0)
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    with bench() as made, server("tests.bench.servers:ours", made, ("--workers-kill-timeout", "2")) as port, worker(made):
        figures = _lag(made, port, arguments.seconds, arguments.rate) | _drain(made, port)
    print(f"{'':>6} {'lag p50 ms':>11} {'lag p99 ms':>11} {'events/s drained':>17} {'missed':>7}")
    for name in ("ours", "R0"):
        p50, p99, rate, missed = (figures[f"{name}_{each}"] for each in ("p50_ms", "p99_ms", "drain", "missed"))
        print(f"{name:>6} {p50:>11.0f} {p99:>11.0f} {rate:>17,.0f} {missed:>7}")
    print(f"written {figures['written_per_second']:.0f}/s, a backlog numbered {figures['numbered_per_second']:,.0f}/s")
    print("goals: p99 <= 1,000 ms, >= 5,000 events/s")
    save(arguments.out, "feed", {"seconds": arguments.seconds, "rate": arguments.rate, "backlog": BACKLOG}, figures)


@contextmanager
def worker(made: Bench) -> Iterator[None]:
    """`mdm worker`, reading the table: the sequencer runs in it."""
    given = {"MDM_HOME": str(made.home), "MDM_PROFILE": "test", "MDM_DATABASE_URL": made.url, "MDM_BROKER_URL": "none"}
    with subprocess.Popen([sys.executable, "-m", "mdm.cli", "worker"], cwd=ROOT, env={**os.environ, **given}) as process:
        try:
            yield
        finally:
            process.terminate()


def _lag(made: Bench, port: int, seconds: float, rate: int) -> dict[str, float]:
    readers = {"ours": (consume, (port, made.key)), "R0": (look, (made.url,))}
    lines = {name: _start(*reader) for name, reader in readers.items()}
    for _, line in lines.values():
        line.recv()  # it reads
    started = time.monotonic()
    written = _write(made.url, seconds, rate)
    took = time.monotonic() - started
    time.sleep(SETTLE_SECONDS)
    figures = {"written_per_second": written / took}
    for name, (process, line) in lines.items():
        line.send("stop")
        lags = sorted(line.recv())
        process.join()
        figures |= {f"{name}_p50_ms": _at(lags, 0.5), f"{name}_p99_ms": _at(lags, 0.99), f"{name}_missed": written - len(lags)}
    return figures


def _start(reader: Any, arguments: tuple[Any, ...]) -> tuple[Any, Connection]:
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    process = context.Process(target=reader, args=(theirs, *arguments))
    process.start()
    return process, mine


def _at(lags: list[float], share: float) -> float:
    return lags[min(len(lags) - 1, int(len(lags) * share))] * 1000


def _write(url: str, seconds: float, rate: int) -> int:
    """Transactions of writers that keep to a clock: each locks a golden record and tells of it last. One in fifty takes its time."""
    with closing(Database(url, pool_size=WRITERS)) as database:
        goldens = [row[0] for row in database.run(lambda session: fetch(session, "select id from golden_record limit 2000"))]
        each = int(seconds * rate / WRITERS)
        threads = [
            threading.Thread(target=_writer, args=(database, goldens[number::WRITERS], each, WRITERS / rate)) for number in range(WRITERS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return each * WRITERS


def _writer(database: Database, goldens: list[Any], count: int, pause: float) -> None:
    started = time.monotonic()
    for number in range(count):
        time.sleep(max(0.0, started + number * pause - time.monotonic()))
        golden_id, slow = goldens[number % len(goldens)], number % 50 == 0

        def work(session: Any, golden_id: Any = golden_id, *, slow: bool = slow) -> None:
            fetch(session, "select 1 from golden_record where id = %s for update", (golden_id,))
            publish(session, "department", [Happening("golden.updated", golden_id, {"version": 2})])
            if slow:
                fetch(session, "select pg_sleep(0.02)")

        database.run(work)


def consume(line: Connection, port: int, key: str) -> None:
    """Follow the feed as a consumer does; seconds from each event's time to its arrival."""
    lags: list[float] = []
    with closing(HTTPConnection("127.0.0.1", port)) as connection:
        after = _page(connection, key, "")["next"]
        line.send("reading")
        while not line.poll():
            page = _page(connection, key, f"&wait=1&after={after}")
            now = time.time()
            lags += [now - datetime.fromisoformat(event["time"]).timestamp() for event in page["events"]]
            after = page["next"]
    line.send(lags)


def _page(connection: HTTPConnection, key: str, query: str) -> Any:
    connection.request("GET", f"/v1/changes?limit={PAGE}{query}", headers={"Authorization": f"Bearer {key}"})
    return orjson.loads(connection.getresponse().read())


def look(line: Connection, url: str) -> None:
    """R0: whatever has been inserted behind the last number seen."""
    lags: list[float] = []
    with psycopg.connect(url, autocommit=True) as connection:
        last = 0
        line.send("reading")
        while not line.poll():
            rows = connection.execute("select n, known_at from event where n > %s order by n", (last,)).fetchall()
            now = time.time()
            lags += [now - row[1].timestamp() for row in rows]
            last = rows[-1][0] if rows else last
            time.sleep(POLL_SECONDS)
    line.send(lags)


def _drain(made: Bench, port: int) -> dict[str, float]:
    with closing(Database(made.url)) as database:
        goldens = [row[0] for row in database.run(lambda session: fetch(session, "select id from golden_record limit %s", (BACKLOG,)))]
        database.run(lambda s: publish(s, "department", [Happening("golden.updated", each, {"version": 3}) for each in goldens]) and None)
        committed = time.monotonic()
        while database.run(lambda session: fetch(session, "select exists (select 1 from event where seq is null)"))[0][0]:
            time.sleep(0.05)
        numbered = BACKLOG / (time.monotonic() - committed)
    with closing(HTTPConnection("127.0.0.1", port)) as connection:
        ours = _rate(lambda after: _page(connection, made.key, f"&after={after}" if after else ""), lambda page: len(page["events"]))
    with psycopg.connect(made.url, autocommit=True) as direct:
        plain = _rate(lambda after: _rows(direct, after), lambda page: page["count"])
    return {"ours_drain": ours, "R0_drain": plain, "numbered_per_second": numbered}


def _rate(read: Any, count: Any) -> float:
    started, total, after = time.monotonic(), 0, None
    while True:
        page = read(after)
        if not count(page):
            return total / (time.monotonic() - started)
        total += count(page)
        after = page["next"]


def _rows(connection: Any, after: Any) -> dict[str, Any]:
    statement = "select seq, event_id, domain, golden_id, type, data, known_at from event where seq > %s order by seq limit %s"
    rows = connection.execute(statement, (after or 0, PAGE)).fetchall()
    return {"count": len(rows), "next": rows[-1][0] if rows else after}


if __name__ == "__main__":
    main()
