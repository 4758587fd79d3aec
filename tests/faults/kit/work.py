"""Jobs whose every effect leaves a row without any constraint: what was done twice is there twice.

python -m tests.faults.kit.work [--flaky SEED] [--sweep-seconds S] [--stillborn FILE] worker ...      `mdm worker` that knows these kinds
python -m tests.faults.kit.work [--flaky SEED] submit COUNT                        COUNT jobs, each in a transaction of its own
"""

import argparse
import os
import random
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

from celery import signals

from mdm import cli, doorbell, jobs, running, worker
from mdm.chunks import Tally, do_chunks, plan_once
from mdm.db import Database, execute
from tests.faults.kit import flaky

LEDGER = "create table if not exists ledger (job_id uuid, no int, fence bigint, worker text, at timestamptz default clock_timestamp())"
CHUNKS, CHUNK_ROWS = 5, 100
CHUNKED_SHARE = 0.05


def enter(session, run, no):
    execute(session, "insert into ledger (job_id, no, fence) values (%s, %s, %s)", (run.mine.id, no, run.mine.fence))


def plain(run):
    run.conclude(lambda session: enter(session, run, 0))


def chunked(run):
    """Payload {chunks, seconds}: each chunk takes so long."""

    def do(session, no):
        enter(session, run, no)
        time.sleep(run.mine.payload["seconds"])
        return Tally(CHUNK_ROWS - 1, 1)

    run.effect(lambda session: plan_once(session, run.mine, [CHUNK_ROWS] * run.mine.payload["chunks"]))
    do_chunks(run, "counting", do)


def poison(_):
    os.kill(os.getpid(), signal.SIGKILL)


KINDS = {"plain": plain, "chunked": chunked, "poison": poison}


def submit(count):
    """One in twenty jobs has chunks; the bells are rung as a web process rings them."""
    database, die = Database(os.environ["MDM_DATABASE_URL"]), random.Random(count)
    bell = doorbell.Doorbell(os.environ["MDM_BROKER_URL"])
    bell.listen()
    for number in range(count):
        kind, payload = ("chunked", {"chunks": CHUNKS, "seconds": 0.01}) if die.random() < CHUNKED_SHARE else ("plain", {})
        database.run(lambda s, k=kind, p=payload, n=number: jobs.enqueue(s, k, p, dedupe_key=f"n{n}", queue=jobs.QUEUES[n % 4]))
    while not bell._waiting.empty():
        time.sleep(0.1)


def begin_with_a_death(note):
    def die_once(**_):
        with suppress(FileExistsError):
            note.touch(exist_ok=False)
            os.kill(os.getpid(), signal.SIGKILL)

    def wait_for_it(**_):
        while not note.exists():
            time.sleep(0.01)
        time.sleep(0.2)

    signals.worker_process_init.connect(die_once, weak=False)
    signals.worker_ready.connect(wait_for_it, weak=False)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--flaky", type=int)
    parser.add_argument("--sweep-seconds", type=float, default=worker.SWEEP_SECONDS)
    parser.add_argument("--stillborn", type=Path, help="the first child dies before its parent serves; noted in this file")
    parser.add_argument("rest", nargs=argparse.REMAINDER)
    asked = parser.parse_args()
    if asked.flaky is not None:
        flaky.install(asked.flaky, drop=0.5, double=0.5)
    if asked.rest[0] == "submit":
        return submit(int(asked.rest[1]))
    if asked.stillborn is not None:
        begin_with_a_death(asked.stillborn)
    worker.SWEEP_SECONDS = asked.sweep_seconds
    running.HANDLERS.update(KINDS)
    return cli.main(asked.rest)


if __name__ == "__main__":
    sys.exit(main())
