"""Real workers that are killed, stopped and told to end in the middle of a job (rows 2, 3, 9 and 10 of the fault matrix)."""

import os
import random
import signal
import time

from mdm import jobs, oversight
from mdm.access import SYSTEM_ACTOR
from mdm.db import execute, fetch
from mdm.doorbell import celery_app, send
from tests.faults.kit.crew import children_of, hands_of

SEED = int(os.environ.get("CONCORD_SEED", "1"))
CHUNKS = 20
SOON = 60  # seconds that a busy machine may take for what takes a few


def eventually(claim, seconds=SOON):
    deadline = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def chunked(database, broker, seconds=0.2):
    payload = {"chunks": CHUNKS, "seconds": seconds}
    job_id = database.run(lambda session: jobs.enqueue(session, "chunked", payload, dedupe_key="chunked", queue="bulk"))
    send(celery_app(broker), job_id, "bulk")
    return job_id


def look(database, job_id):
    return database.run(lambda session: oversight.get(session, SYSTEM_ACTOR, job_id))


def entries(database):
    return database.run(lambda session: fetch(session, "select no, fence from ledger order by at"))


def lapse(database):
    database.run(lambda session: execute(session, "update job set lease_until = now() - interval '1 s' where state = 'running'"))


def test_killed_at_a_random_chunk_it_goes_on_there(crew, ledger, broker):
    workers = crew(("--sweep-seconds", "1"))
    process = workers.start("--concurrency", "1")
    job_id = chunked(ledger, broker)
    killed_at = random.Random(SEED).randrange(1, CHUNKS - 2)
    eventually(lambda: look(ledger, job_id).chunks.done >= killed_at)
    os.kill(hands_of(process.pid)[0], signal.SIGKILL)
    lapse(ledger)
    eventually(lambda: look(ledger, job_id).state == "done")
    found = entries(ledger)
    assert [no for no, _ in found] == list(range(CHUNKS))  # in order, none twice
    assert {fence for _, fence in found} == {1, 2}
    assert look(ledger, job_id).attempt == 2


def test_a_worker_that_was_stopped_for_longer_than_its_lease_changes_nothing_more(crew, ledger, broker):
    first = crew().start("--concurrency", "1")
    job_id = chunked(ledger, broker)
    eventually(lambda: look(ledger, job_id).chunks.done >= 3)
    group = [*children_of(first.pid), first.pid]
    for pid in group:
        os.kill(pid, signal.SIGSTOP)
    # What it was in the middle of is ended by the server after 15 s; here at once, as its backend may be in the middle of a chunk.
    ledger.run(lambda s: fetch(s, "select pg_terminate_backend(pid) from pg_stat_activity where state like 'idle in transaction%%'"))
    lapse(ledger)
    crew(("--sweep-seconds", "1")).start("--concurrency", "1")
    eventually(lambda: look(ledger, job_id).chunks.done >= 6)
    for pid in group:
        os.kill(pid, signal.SIGCONT)
    eventually(lambda: look(ledger, job_id).state == "done")
    time.sleep(1)
    found = entries(ledger)
    assert [no for no, _ in found] == list(range(CHUNKS))
    assert [fence for _, fence in found] == sorted(fence for _, fence in found)  # no row of the old fence after one of the new


def test_told_to_end_it_finishes_the_chunk_and_gives_back(crew, ledger, broker):
    process = crew().start("--concurrency", "1")
    job_id = chunked(ledger, broker)
    eventually(lambda: look(ledger, job_id).chunks.done >= 2)
    process.terminate()
    assert process.wait(30) == 0
    found = look(ledger, job_id)
    assert (found.state, found.attempt, found.chunks.done) == ("queued", 0, len(entries(ledger)))
    assert found.chunks.done < CHUNKS


def test_poison_is_quarantined_and_the_others_are_done(crew, ledger, broker):
    crew(("--sweep-seconds", "1")).start("--concurrency", "2")
    poison = ledger.run(lambda session: jobs.enqueue(session, "poison", {}, dedupe_key="poison"))
    others = [ledger.run(lambda session, n=n: jobs.enqueue(session, "plain", {}, dedupe_key=f"n{n}")) for n in range(20)]
    app = celery_app(broker)
    for job_id in (poison, *others):
        send(app, job_id, "interactive")

    def is_over():
        lapse(ledger)
        return look(ledger, poison).state == "quarantined"

    eventually(is_over, 2 * SOON)
    eventually(lambda: all(look(ledger, job_id).state == "done" for job_id in others))
    assert len(entries(ledger)) == len(others)
    assert (look(ledger, poison).attempt, look(ledger, poison).error) == (5, "the worker died with it")


def test_without_a_broker_several_hands_work_at_once_and_bulk_leaves_one_free(crew, ledger):
    crew(broker_url="none").start("--concurrency", "2")
    payload = {"chunks": CHUNKS, "seconds": 0.5}
    bulk = [ledger.run(lambda s, n=n: jobs.enqueue(s, "chunked", payload, dedupe_key=f"b{n}", queue="bulk")) for n in range(2)]
    eventually(lambda: look(ledger, bulk[0]).state == "running")
    job_id = ledger.run(lambda session: jobs.enqueue(session, "plain", {}, dedupe_key="quick"))
    eventually(lambda: look(ledger, job_id).state == "done")
    assert [look(ledger, each).state for each in bulk] == ["running", "queued"]


def test_a_child_that_dies_before_the_worker_serves_does_not_end_it(crew, ledger, broker, tmp_path):
    note = tmp_path / "stillborn"
    process = crew(("--stillborn", str(note))).start("--concurrency", "1")
    job_id = ledger.run(lambda session: jobs.enqueue(session, "plain", {}, dedupe_key="plain"))
    eventually(lambda: note.exists() and send(celery_app(broker), job_id, "interactive") and look(ledger, job_id).state == "done")
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(SOON) == 0
