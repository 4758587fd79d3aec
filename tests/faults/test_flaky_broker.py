"""Jobs over a broker that drops half and doubles half of the messages, while workers are killed: all done once, nothing twice.

The gate runs a few hundred and saves the minutes in which nothing happens: the sweeper comes round every 2 s, a dead worker's lease ends at
once. CONCORD_JOBS=10000 saves nothing. CONCORD_SEED chooses the misfortunes.
"""

import os
import random
import time

from mdm.db import fetch
from mdm.oversight import PROMISES
from tests.faults.kit.work import CHUNKS

JOBS = int(os.environ.get("CONCORD_JOBS", "0"))
SEED = int(os.environ.get("CONCORD_SEED", "1"))
COUNT, FULL = (JOBS, True) if JOBS else (300, False)
WORKERS = 2
KILL_SECONDS = (2.0, 6.0) if FULL else (1.0, 2.5)
GIVE_UP_SECONDS = 1800


def test_all_is_done_once(crew, ledger, capsys):
    clean, _ = drain(crew(), ledger, None)
    wanted = effects(ledger)
    assert_done_once(ledger)
    ledger.run(lambda session: session.connection().exec_driver_sql("truncate ledger, job, canary cascade"))
    sweeps = () if FULL else ("--sweep-seconds", "2")
    flaky, killed = drain(crew(("--flaky", str(SEED), *sweeps)), ledger, random.Random(SEED))
    again = fetch_one(ledger, "select sum(attempt - 1), max(attempt) from job where kind in ('plain', 'chunked')")
    with capsys.disabled():
        said = f"clean {clean:.1f} s, flaky {flaky:.1f} s (bound {2 * clean + 90:.0f} s), killed {killed}"
        print(f"\n{COUNT} jobs, seed {SEED}: {said}; {again[0]} attempts repeated, at most {again[1]}")  # noqa: T201  (the figures)
    assert_done_once(ledger)
    assert effects(ledger) == wanted
    assert killed.get("child", 0) > 0
    assert killed["revived"] <= killed.get("attendant", 0)
    if FULL:
        assert flaky <= 2 * clean + 90


def drain(crew, database, die):
    """Seconds from the first job to the end of the last, and what was killed meanwhile."""
    for _ in range(WORKERS):
        crew.start("--concurrency", "2")
    begun_at, killed = time.monotonic(), {}
    submitting = crew.submit(COUNT)
    next_kill, revived = time.monotonic() + 3, 0
    while submitting.poll() is None or open_jobs(database):
        assert time.monotonic() - begun_at < GIVE_UP_SECONDS, "it did not end"
        if die is not None and time.monotonic() > next_kill:
            what = crew.kill_one(die)
            killed[what] = killed.get(what, 0) + 1
            next_kill = time.monotonic() + die.uniform(*KILL_SECONDS)
        revived += crew.revive()
        if not FULL:
            crew.lapse_dead()
        time.sleep(0.2)
    seconds = time.monotonic() - begun_at
    crew.end()
    return seconds, {**killed, "revived": revived}


def open_jobs(database):
    return fetch_one(database, "select count(*) from job where kind in ('plain', 'chunked') and state in ('queued', 'running')")[0]


def effects(database):
    return fetch_one(database, "select count(*), count(distinct (job_id, no)) from ledger")


def assert_done_once(database):
    """By the ledger: the sweeper clears away what is done, that of the feed after ten minutes already."""
    assert fetch_one(database, "select count(distinct job_id) from ledger") == (COUNT,)
    assert fetch_one(database, "select count(*) from job where kind in ('plain', 'chunked') and state <> 'done'") == (0,)
    total, distinct = effects(database)
    chunked = fetch_one(database, "select count(distinct job_id) from ledger where no > 0")[0]
    assert total == distinct == COUNT + (CHUNKS - 1) * chunked
    assert fetch_one(database, "select count(*) from job_chunk where state <> 'done'") == (0,)
    for promise, statement in PROMISES.items():
        assert fetch_one(database, statement)[0] == 0, promise


def fetch_one(database, statement):
    return database.run(lambda session: fetch(session, statement))[0]
