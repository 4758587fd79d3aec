"""`mdm demo` as `make demo` runs it, over embedded services that already hold a world: ready, complete, and gone without a trace."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from mdm import audit, demo, embedded
from mdm.access import SYSTEM_ACTOR, Keyring
from mdm.db import Database, execute
from mdm.embedded.process import wait_until
from mdm.migrate import migrate
from mdm.settings import Settings
from tests.ports import free_port

ROOT = Path(__file__).parents[2]
READY_SECONDS = 90  # 3 s on a machine that does nothing else


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """An installation whose world is in, small as it is."""
    made = Settings.from_env({"MDM_HOME": str(tmp_path_factory.mktemp("demo") / "home"), "MDM_PORT": str(free_port())})
    database = Database(embedded.ensure_postgres(made))
    migrate(database)
    with database.unit_of_work() as session:
        audit.record(session, SYSTEM_ACTOR, demo.BEGUN)
        audit.record(session, SYSTEM_ACTOR, demo.SEEDED)
    database.close()
    embedded.stop(made)
    yield made
    embedded.stop(made)


class Running:
    """The demo as a process group of its own."""

    def __init__(self, settings):
        self.settings = settings
        environ = {"PATH": os.defpath, "MDM_HOME": str(settings.home), "MDM_PORT": str(settings.port)}
        words = [sys.executable, "-m", "mdm.cli", "demo"]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        self.process = subprocess.Popen(words, cwd=ROOT, env=environ, process_group=0, **pipes)
        self.file = settings.home / "demo.json"

    def wait_until_introduced(self):
        lines = []
        deadline = time.monotonic() + READY_SECONDS
        while not lines or "All of this" not in lines[-1]:
            lines.append(self.process.stdout.readline())
            assert lines[-1], "".join(lines)
            assert time.monotonic() < deadline
        return "".join(lines)

    def ask(self, path, **headers):
        request = urllib.request.Request(f"http://127.0.0.1:{self.settings.port}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    def stop(self, *signals):
        for each in signals:
            os.killpg(self.process.pid, each)
        started = time.monotonic()
        said, _ = self.process.communicate(timeout=60)
        return time.monotonic() - started, said

    def left(self):
        """Processes that name our home or our place, whoever started them."""
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                environ, words = path.read_bytes(), path.with_name("cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
            if os.fsencode(self.settings.home) in environ + words:
                found.append(words)
        return found


def port_is_taken(settings):
    with socket.socket() as door:
        return door.connect_ex((settings.host, settings.port)) == 0


@pytest.fixture
def running(settings):
    made = Running(settings)
    yield made
    if made.process.poll() is None:
        made.stop(signal.SIGKILL)


def test_ready_introduced_and_gone_without_a_trace(running):
    introduction = running.wait_until_introduced()
    known = json.loads(running.file.read_text())
    assert stat.S_IMODE(running.file.stat().st_mode) == 0o600
    assert running.ask("/readyz") == 200
    assert running.ask("/v1/keys", Authorization=f"Bearer {known['admin_key']}") == 200
    assert running.ask("/v1/keys", Authorization=f"Bearer {known['api_key']}") == 403
    assert known["url"] in introduction
    assert all(user["password"] in introduction for user in known["users"])
    seconds, said = running.stop(signal.SIGTERM, signal.SIGTERM)
    assert (running.process.returncode, running.left()) == (0, []), said
    assert seconds < 10  # 2 s on a machine that does nothing else


def test_ctrl_c_ends_it_and_the_credentials_stay(running):
    before = json.loads(running.file.read_text())
    running.wait_until_introduced()
    assert json.loads(running.file.read_text()) == before
    _, said = running.stop(signal.SIGINT)
    assert (running.process.returncode, running.left()) == (0, [])
    assert "Traceback" not in said


@pytest.mark.parametrize("sign", ["services.lock", "postgres/data/postmaster.pid", "valkey/log", "valkey/pid", "web.log"])
def test_told_to_stop_while_it_starts(settings, sign):
    """At the moments at which a server of ours is there already, and not yet in its pid file."""
    (settings.home / sign).unlink(missing_ok=True)
    running = Running(settings)
    assert wait_until((settings.home / sign).exists, READY_SECONDS)
    _, said = running.stop(signal.SIGTERM)
    assert running.left() == []
    assert "Traceback" not in said


def test_told_to_stop_while_a_connection_is_closed_nothing_is_said_of_it(new_database, caplog, monkeypatch):
    def told(connection):
        connection.close()
        raise demo.Ended

    database = new_database.migrated()
    database.check()
    monkeypatch.setattr(database.engine.pool._dialect, "do_close", told)
    with pytest.raises(demo.Ended):
        database.close()
    monkeypatch.undo()
    assert caplog.records == []


def test_a_killed_demo_takes_its_servers_along_and_starts_again(settings):
    killed = Running(settings)
    killed.wait_until_introduced()
    killed.stop(signal.SIGKILL)
    assert wait_until(lambda: not port_is_taken(settings), 10)
    again = Running(settings)
    try:
        again.wait_until_introduced()
        assert again.ask("/readyz") == 200
    finally:
        again.stop(signal.SIGTERM)


def test_lost_credentials_are_made_anew(new_database, tmp_path):
    database, settings = new_database.migrated(), Settings.from_env({"MDM_HOME": str(tmp_path)})
    first = demo.credentials(database, settings)
    demo.write_credentials(settings, first)
    assert demo.credentials(database, settings) == first
    (tmp_path / "demo.json").unlink()
    second = demo.credentials(database, settings)
    assert {user["name"] for user in first.users}.isdisjoint(user["name"] for user in second.users)
    assert Keyring(database, settings.key_pepper()).authenticate(second.steward_key) is not None


def test_credentials_of_another_database_are_not_shown(new_database, tmp_path):
    database, settings = new_database.migrated(), Settings.from_env({"MDM_HOME": str(tmp_path)})
    stale = demo.credentials(database, settings)
    demo.write_credentials(settings, stale)
    database.run(lambda session: execute(session, "update api_key set revoked_at = now()"))
    assert demo.credentials(database, settings) != stale
