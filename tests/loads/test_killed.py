"""A load whose worker, database or web process is killed at random moments ends as if nobody had been.

CONCORD_LOAD_KILLS: how often in each of plan, apply and undo; without it once, of a small file. The web process does no job: it is killed
while it is asked for one, and in the gate only for the apply.
"""

import http.client
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from mdm import embedded, loads, serving
from mdm.access import SYSTEM_ACTOR, NewPrincipal, Role, create_client
from mdm.db import Database, execute
from mdm.embedded.process import running, wait_until
from mdm.invariants import violations
from mdm.migrate import migrate
from mdm.settings import Settings
from tests.bench.people import delivered
from tests.conftest import register_systems
from tests.faults.kit.crew import children_of
from tests.loads.conftest import Loader, as_csv, deliver, mercy, partition, rows, state
from tests.ports import free_port

KILLS = int(os.environ.get("CONCORD_LOAD_KILLS", "1"))
STORED, NEW, AGAIN = (
    (200, 150, 50) if KILLS > 1 else (40, 40, 20)
)  # persons of the north; of the file those that only Mercy knows, and others
CONTENT = as_csv(mercy(new=range(1_000, 1_000 + NEW), again=range(AGAIN)))
ROOT = Path(__file__).parents[2]
READY_SECONDS = 180  # a busy machine may take long for what takes two
HOW = loads.Applying(1_000_000)
_LAPSED = (
    "update job set state = 'queued', run_at = now(), lease_until = null, attempt = 1 where id = %s and state in ('queued', 'running')"
)


def ends_undisturbed(loader, killing, longest_seconds):
    """Plan, apply and undo of a load, each with kills, against a run of the same without."""
    database, (plan, apply, undo) = loader.database, longest_seconds
    before = state(database)
    load_id = loader.upload(CONTENT).id
    planned = killing(database.run(lambda session: loads.ask_plan(session, SYSTEM_ACTOR, load_id, "t")), plan)
    assert state(database) == before
    assert sum(planned.counts[name] for name in planned.counts if name != "absent") == NEW + AGAIN
    applied = killing(database.run(lambda session: loads.ask_apply(session, SYSTEM_ACTOR, planned.plan_id, HOW, "t")), apply)
    assert {**planned.counts, "waiting": 0} == applied.applied
    changed = sum(applied.applied[name] for name in ("new", "linked", "review"))
    assert rows(database, "select count(*) from source_record where system = 'ehr-mercy'") == [(changed,)]
    disturbed = partition(database)
    assert database.run(lambda session: violations(session, deep=True)) == []
    undone = killing(database.run(lambda session: loads.ask_undo(session, SYSTEM_ACTOR, load_id, loads.Undoing(1_000_000), "t")), undo)
    assert undone.status == "undone"
    assert state(database) == before
    loader.load(CONTENT)
    assert partition(database) == disturbed


@pytest.mark.parametrize("how", [(), ("many",)], ids=["one process", "further processes"])
def test_a_load_ends_as_if_no_worker_had_been_killed(clean_database, loader, how):
    chance = random.Random(20261128)
    deliver(clean_database, [delivered(number) for number in range(STORED)])

    def killing(view, longest_seconds):
        for _ in range(KILLS):
            command = [sys.executable, "-m", "tests.loads.job", loader.database.url, str(loader.home), str(view.job_id), *how]
            with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as victim:
                victim.stdout.readline()
                time.sleep(chance.uniform(0, longest_seconds))
                children = children_of(victim.pid)
                victim.send_signal(signal.SIGKILL)
            # They see that nobody waits for them, long before a lease lapses
            assert wait_until(lambda living=children: not any(Path(f"/proc/{pid}").exists() for pid in living), READY_SECONDS)
            loader.database.run(lambda session: execute(session, _LAPSED, (view.job_id,)))
        return loader.done(view)

    longest = (4.0, 2.0, 2.0) if KILLS > 1 else (1.5, 1.0, 1.0)
    ends_undisturbed(loader, killing, tuple(seconds + 3 * len(how) for seconds in longest))  # they need two seconds to begin


@dataclass(frozen=True)
class Mortal:
    """A server that nobody else asks, so that it may die."""

    settings: Settings
    database: Database

    def die(self):
        """The postmaster first, so that it starts no new child, then those of its children that are still there."""
        data = self.settings.home / "postgres" / "data"
        master = running(data / "postmaster.pid", data)
        children = children_of(master)
        for pid in (master, *children):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in (master, *children)), READY_SECONDS)

    def rise(self):
        embedded.ensure_postgres(self.settings)


@pytest.fixture
def mortal(tmp_path_factory):
    settings = Settings.from_env({"MDM_HOME": str(tmp_path_factory.mktemp("mortal")), "MDM_BROKER_URL": "none", "MDM_PROFILE": "test"})
    database = Database(embedded.ensure_postgres(settings))
    try:
        migrate(database)
        register_systems(database)
        yield Mortal(settings, database)
    finally:
        database.close()
        embedded.stop(settings)


def test_a_load_ends_as_if_the_database_had_not_died(mortal):
    """The process that does the job lives on, and meets a server that is gone, then one that recovers."""
    loader, chance = Loader(mortal.database, mortal.settings.home), random.Random(20261129)
    deliver(mortal.database, [delivered(number) for number in range(STORED)])

    def killing(view, longest_seconds):
        for _ in range(KILLS):
            job = threading.Thread(target=loader.hand.take, args=(view.job_id,))
            job.start()
            time.sleep(chance.uniform(0, longest_seconds))
            mortal.die()
            mortal.rise()
            job.join()
            again(lambda: mortal.database.run(lambda session: execute(session, _LAPSED, (view.job_id,))))
        return loader.done(view)

    ends_undisturbed(loader, killing, (2.0, 2.0, 2.0) if KILLS > 1 else (0.8, 0.8, 0.8))


def again(work):
    """Whoever still holds a connection to the server that died is told so once for each."""
    for _ in range(READY_SECONDS):
        with suppress(Exception):
            return work()
        time.sleep(0.05)
    return work()


class Web:
    """A web server over a database, asked as a client would; killed, it is started again."""

    def __init__(self, database, home):
        told = {"MDM_HOME": str(home), "MDM_DATABASE_URL": database.url, "MDM_BROKER_URL": "none", "MDM_PORT": str(free_port())}
        self._settings = Settings.from_env(told)
        self._environ = {"PATH": os.defpath, "MDM_WEB_WORKERS": "1", "MDM_LOG_LEVEL": "CRITICAL", **told}
        made = NewPrincipal("loader", Role.LOADER)
        self._key = database.run(lambda session: create_client(session, self._settings.key_pepper(), made, created_by="test"))[1]
        self._process = None

    def start(self):
        self._process = subprocess.Popen([sys.executable, "-m", "mdm.cli", "serve"], cwd=ROOT, env=self._environ, process_group=0)
        assert wait_until(lambda: serving.is_ready(self._settings), READY_SECONDS)

    def kill(self):
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def post(self, load_id, act):
        address = f"http://127.0.0.1:{self._settings.port}/v1/loads/{load_id}/{act}"
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        asked = urllib.request.Request(address, json.dumps({}).encode(), headers, method="POST")
        with suppress(OSError, http.client.HTTPException):  # it may die before it answers
            urllib.request.urlopen(asked, timeout=READY_SECONDS).close()


@pytest.fixture
def web(clean_database, tmp_path):
    made = Web(clean_database, tmp_path / "web")
    yield made
    made.kill()


def test_a_load_ends_whenever_the_web_process_was_killed(clean_database, loader, web):
    chance, content = random.Random(20261130), as_csv([delivered(number) for number in range(20)])
    load_id = loader.upload(content).id
    for act, ended in (("plan", "planned"), ("apply", "applied"), ("undo", "undone")):
        for _ in range(KILLS if act == "apply" or KILLS > 1 else 0):
            killed_while_asked(web, load_id, act, chance)
        assert rows(clean_database, "select count(*) from job where state in ('queued', 'running') and kind like 'load%%'") in (
            [(0,)],
            [(1,)],
        )
        view = clean_database.run(partial(ask, load_id=load_id, act=act))  # as the server does that is started again
        assert loader.done(view).status == ended
    assert clean_database.run(lambda session: violations(session, deep=True)) == []
    assert partition(clean_database) == set()


def killed_while_asked(web, load_id, act, chance):
    web.start()
    asking = threading.Thread(target=web.post, args=(load_id, act))
    asking.start()
    time.sleep(chance.uniform(0, 0.1))
    web.kill()
    asking.join()


def ask(session, load_id, act):
    view = loads.get(session, SYSTEM_ACTOR, load_id)
    if act == "plan":
        return loads.ask_plan(session, SYSTEM_ACTOR, load_id, "t")
    if act == "apply":
        return loads.ask_apply(session, SYSTEM_ACTOR, view.plan_id, HOW, "t")
    return loads.ask_undo(session, SYSTEM_ACTOR, load_id, loads.Undoing(1_000_000), "t")
