"""Two real web workers and a worker beside them over a database of their own, for races over HTTP.

Rounds run in blocks: the first of each begins with an empty database, so that people of one block are strangers to those of another.
"""

import http.client
import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from mdm import serving
from mdm.access import PHI, NewPrincipal, Role, create_client
from mdm.db import Database
from mdm.embedded.process import wait_until
from mdm.ids import new_id
from mdm.settings import Settings
from tests.conftest import empty, register_systems
from tests.ports import free_port

ROOT = Path(__file__).parents[2]
BLOCK = 20
BUSY = 503  # the one refusal of a server that may be met; with Retry-After


@dataclass(frozen=True)
class Served:
    """The database, the port of the two web workers, and keys for them."""

    database: Database
    port: int
    settings: Settings

    def key(self, role: Role) -> str:
        who = NewPrincipal(f"race {new_id()}", role, grants=frozenset({PHI}))
        with self.database.unit_of_work() as session:
            return create_client(session, self.settings.key_pepper(), who, created_by="test")[1]

    def begin(self, number: int) -> None:
        if number % BLOCK == 0:
            empty(self.database)


class Caller:
    """One client: its key, and a way to ask. Whoever is told to come again does; no other fault of the server's is ever an answer."""

    def __init__(self, served: Served, role: Role) -> None:
        self._port, self._key = served.port, served.key(role)

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        for _ in range(5):
            status, content, again = self._once(method, path, body, headers)
            if status != BUSY:
                assert status < 500, content
                return status, content
            assert again is not None
        return status, content

    def _once(self, method: str, path: str, body: object, headers: dict[str, str]) -> tuple[int, Any, str | None]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        sent = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json", **headers}
        connection.request(method, path, None if body is None else json.dumps(body), sent)
        answer = connection.getresponse()
        found = answer.status, json.loads(answer.read() or b"null"), answer.headers.get("Retry-After")
        connection.close()
        return found


def at_once(*calls: Any) -> list[Any]:
    """Every call from a thread of its own, begun together."""
    barrier = Barrier(len(calls))

    def run(call: Any) -> Any:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


@pytest.fixture(scope="module")
def served(new_database: Any, tmp_path_factory: Any) -> Any:
    database = new_database.migrated()
    register_systems(database)
    variables = {
        "MDM_HOME": str(tmp_path_factory.mktemp("home")),
        "MDM_DATABASE_URL": database.url,
        "MDM_BROKER_URL": "none",
        "MDM_PORT": str(free_port()),
        "MDM_WEB_WORKERS": "2",
        "MDM_LOG_LEVEL": "CRITICAL",
    }
    settings = Settings.from_env(variables)
    started = [
        subprocess.Popen([sys.executable, "-m", "mdm.cli", command], cwd=ROOT, env={"PATH": os.defpath, **variables}, process_group=0)
        for command in ("serve", "worker")
    ]
    try:
        assert wait_until(lambda: serving.is_ready(settings), 60)
        yield Served(database, settings.port, settings)
        assert started[1].poll() is None  # the worker beside has been there all the time
    finally:
        for process in started:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
