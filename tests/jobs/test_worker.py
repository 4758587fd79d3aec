"""Real worker processes: with a real broker, without one, and when it goes away."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import pytest

from mdm import embedded, jobs
from mdm.db import fetch
from mdm.doorbell import Doorbell, celery_app, is_answering, send
from mdm.feed import Happening, publish
from mdm.settings import Settings
from mdm.worker import SWEEP_SECONDS
from tests.faults.kit.crew import children_of

ROOT = Path(__file__).parents[2]
SOON = 60  # seconds that a busy machine may take for what takes one


@pytest.fixture(scope="session")
def broker(tmp_path_factory):
    settings = Settings.from_env({"MDM_HOME": str(tmp_path_factory.mktemp("broker")), "MDM_DATABASE_URL": "postgresql://u@h/unused"})
    yield embedded.ensure_valkey(settings)
    embedded.stop(settings)


@pytest.fixture
def worker(work, tmp_path):
    """worker(broker) -> a running `mdm worker`."""
    started = []

    def start(broker_url, *arguments):
        environ = {"PATH": os.defpath, "MDM_HOME": str(tmp_path), "MDM_DATABASE_URL": work.url, "MDM_BROKER_URL": broker_url}
        command = [sys.executable, "-m", "mdm.cli", "worker", *arguments]
        started.append(subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True, process_group=0))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def eventually(claim, seconds=SOON):
    deadline = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def sequencing(work):
    """An event to number, and the job that numbers it."""

    def both(session):
        publish(session, "payer", [Happening("golden.created", uuid4(), {"version": 1})])
        return jobs.enqueue(session, "sequence_events", {}, dedupe_key=f"k{uuid4()}", queue="feed")

    return work.run(both)


def state(work, job_id):
    return work.run(lambda session: fetch(session, "select state from job where id = %s", (job_id,)))[0][0]


def test_a_bell_brings_a_real_worker_to_do_the_job_once(work, worker, broker):
    running = worker(broker, "--concurrency", "1")
    first = sequencing(work)
    app = celery_app(broker)
    eventually(lambda: send(app, first, "feed") and state(work, first) == "done")  # rung again and again, done once
    started = time.monotonic()
    for _ in range(4):
        job_id = sequencing(work)
        for _ in range(5):
            send(app, job_id, "feed")
        eventually(lambda job_id=job_id: state(work, job_id) == "done")
    assert time.monotonic() - started < 2.5 * SWEEP_SECONDS  # the bell: the sweeper would take three rounds at least
    assert work.run(lambda session: fetch(session, "select distinct attempt from job where state = 'done'")) == [(1,)]
    running.send_signal(signal.SIGTERM)
    assert running.wait(30) == 0


def test_without_a_broker_the_table_is_read(work, worker):
    running = worker("none")
    job_id = sequencing(work)
    eventually(lambda: state(work, job_id) == "done")
    running.send_signal(signal.SIGTERM)
    assert running.wait(SOON) == 0


def test_once_does_what_is_due_and_ends(work, worker):
    job_id = sequencing(work)
    said, _ = worker("none", "--once").communicate(timeout=SOON)
    assert int(said) >= 1
    assert state(work, job_id) == "done"


def test_a_lost_broker_makes_work_slower_and_does_not_stop_it(work, worker, tmp_path):
    settings = Settings.from_env({"MDM_HOME": str(tmp_path / "lost"), "MDM_DATABASE_URL": "postgresql://u@h/unused"})
    url = embedded.ensure_valkey(settings)
    app = celery_app(url)
    worker(url, "--concurrency", "1")
    first = sequencing(work)
    eventually(lambda: send(app, first, "feed") and state(work, first) == "done")
    embedded.stop(settings)
    assert not is_answering(app)
    second = sequencing(work)
    eventually(lambda: state(work, second) == "done")


def test_a_worker_that_begins_while_the_broker_is_away_works_and_comes_to_hear_the_bell(work, worker, tmp_path):
    settings = Settings.from_env({"MDM_HOME": str(tmp_path / "late"), "MDM_DATABASE_URL": "postgresql://u@h/unused"})
    url = embedded.ensure_valkey(settings)
    embedded.stop(settings)
    worker(url, "--concurrency", "1")
    first = sequencing(work)
    eventually(lambda: state(work, first) == "done")
    assert embedded.ensure_valkey(settings) == url
    try:
        second, app = sequencing(work), celery_app(url)
        eventually(lambda: send(app, second, "feed") and state(work, second) == "done")
    finally:
        embedded.stop(settings)


def test_after_the_commit_and_only_then_the_bell_rings(work, broker, worker):
    worker(broker, "--concurrency", "1")
    bell = Doorbell(broker)
    bell.listen()
    warm = sequencing(work)
    eventually(lambda: state(work, warm) == "done")
    started = time.monotonic()
    job_id = sequencing(work)
    assert time.monotonic() - started < 1
    eventually(lambda: state(work, job_id) == "done", 4)


def test_a_broker_that_is_gone_never_holds_up_a_commit(work):
    bell = Doorbell("redis://127.0.0.1:9/0")
    started = time.monotonic()
    for _ in range(3_000):
        bell.ring(uuid4(), "feed")
    assert time.monotonic() - started < 1


def test_celery_forks_in_a_process_that_runs_nothing_else(work, worker, broker):
    """A child made while another thread held a lock would wait for it for ever: seen in 2 of 72 workers that began with a busy sweeper."""
    running = worker(broker, "--concurrency", "1")
    job_id = sequencing(work)
    eventually(lambda: send(celery_app(broker), job_id, "feed") and state(work, job_id) == "done")
    assert len(list(Path(f"/proc/{running.pid}/task").iterdir())) == 2  # Celery, and who waits for the attendant's end


def test_a_worker_without_its_attendant_ends_and_says_so(work, worker, broker):
    running = worker(broker, "--concurrency", "1")
    eventually(lambda: len(children_of(running.pid)) == 2)
    os.kill(children_of(running.pid)[0], signal.SIGKILL)
    assert running.wait(SOON) == 1


def test_an_attendant_ends_with_its_worker(work, worker, broker):
    running = worker(broker, "--concurrency", "1")
    eventually(lambda: len(children_of(running.pid)) == 2)
    beside = children_of(running.pid)
    running.kill()
    running.wait()
    eventually(lambda: not any(is_alive(pid) for pid in beside))


def is_alive(pid):
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_message_that_is_none_of_ours_is_dropped(work, broker, worker):
    worker(broker, "--concurrency", "1")
    app = celery_app(broker)
    for nonsense in ("not-an-id", str(uuid4()), ""):
        send(app, nonsense, "interactive")
    job_id = sequencing(work)
    eventually(lambda: send(app, job_id, "feed") and state(work, job_id) == "done")


def test_the_web_process_rings_for_what_it_commits(work, broker, tmp_path):
    program = """
import os
from mdm import jobs
from mdm.db import Database
from stewardship_ui.wsgi import prepare

prepare()()
database = Database(os.environ["MDM_DATABASE_URL"])
print(database.run(lambda session: jobs.enqueue(session, "noop", {}, dedupe_key="from the web")), flush=True)
input()
"""
    environ = {"PATH": os.defpath, "MDM_HOME": str(tmp_path), "MDM_DATABASE_URL": work.url, "MDM_BROKER_URL": broker}
    process = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process, celery_app(broker).connection_for_read() as connection:
        written = process.stdout.readline().strip()

        def rung():
            message = connection.default_channel.basic_get("interactive", no_ack=True)
            return message is not None and written.encode() in message.body

        eventually(rung)
        process.communicate("\n")
    assert process.returncode == 0
