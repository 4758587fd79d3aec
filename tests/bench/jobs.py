"""What a job costs whoever asks for it: enqueueing inside an open transaction, against the same row inserted in raw psycopg.

    python -m tests.bench.jobs [--count 2000]

Goal (reliability.md section 2): at most 1 ms in the transaction.
"""

import argparse
import statistics
import tempfile
import time
from uuid import uuid4

import psycopg

from mdm import jobs
from mdm.db import Database
from mdm.embedded import ensure_postgres, stop
from mdm.migrate import migrate
from mdm.settings import Settings

_INSERT = "insert into job (id, kind, dedupe_key, payload) values (%s, 'noop', %s, '{}')"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=2000)
    count = parser.parse_args().count
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        settings = Settings.from_env({"MDM_HOME": folder, "MDM_PROFILE": "test"})
        try:
            _measure(ensure_postgres(settings), count)
        finally:
            stop(settings)


def _measure(url: str, count: int) -> None:
    database = Database(url)
    migrate(database)
    ours, raw = [], []
    with database.unit_of_work() as session, psycopg.connect(url, prepare_threshold=0) as connection:
        for number in range(count):  # in turn, so that both have the same machine
            begin = time.perf_counter()
            jobs.enqueue(session, "noop", {}, dedupe_key=f"ours {number}")
            between = time.perf_counter()
            connection.execute(_INSERT, (uuid4(), f"raw {number}"))
            ours.append(between - begin)
            raw.append(time.perf_counter() - between)
    database.close()
    for name, seconds in (("ours", ours), ("raw psycopg", raw)):
        median, high = statistics.median(seconds) * 1000, statistics.quantiles(seconds, n=100)[98] * 1000
        print(f"{name:<12} {median:.3f} ms median, {high:.3f} ms p99, of {count:,} jobs")


if __name__ == "__main__":
    main()
