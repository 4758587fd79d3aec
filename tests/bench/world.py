"""A crosswalk large enough to measure, filled by COPY into a fresh embedded database, and the servers that answer from it."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from mdm.access import NewPrincipal, Role, create_client
from mdm.db import Database
from mdm.embedded import ensure_postgres, stop
from mdm.ids import new_id
from mdm.migrate import migrate
from mdm.settings import Settings
from mdm.systems import put_system, registry
from tests.ports import free_port

GOLDENS = 100_000
SYSTEMS = ("erp", "ehr", "hr")  # one key each: 300,000 rows
THREADS = 4
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Bench:
    """The database's URL, a key, the systems' numbers, and the folder that the servers share."""

    url: str
    key: str
    ids: dict[str, int]
    home: Path


def value_of(system: str, number: int) -> str:
    return f"{system.upper()}-{number:07d}"


@contextmanager
def bench() -> Iterator[Bench]:
    """A database of its own, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        settings = Settings.from_env({"MDM_HOME": folder, "MDM_PROFILE": "test"})
        try:
            yield _filled(settings)
        finally:
            stop(settings)


def _filled(settings: Settings) -> Bench:
    url = ensure_postgres(settings)
    database = Database(url)
    migrate(database)
    with database.unit_of_work() as session:
        for code in SYSTEMS:
            put_system(session, code, name=code, kind="erp", organization="Northfield")
        ids = dict(registry(session).ids)
        _, key = create_client(session, settings.key_pepper(), NewPrincipal("bench", Role.INTEGRATION), created_by="bench")
    database.close()
    _copy(url, ids)
    return Bench(url, key, ids, settings.home)


def _copy(url: str, ids: dict[str, int]) -> None:
    goldens = [str(new_id()) for _ in range(GOLDENS)]
    with psycopg.connect(url, autocommit=True) as connection, connection.cursor() as cursor:
        # Checking 600,000 references one by one would take longer than the benchmark; at the end it is one pass.
        connection.execute("alter table xref drop constraint fk_xref_golden_id, drop constraint fk_xref_system_id")
        with cursor.copy("copy golden_record (id, domain, status) from stdin") as copy:
            for golden in goldens:
                copy.write_row((golden, "department", "active"))
        with cursor.copy("copy xref (domain, system_id, value, golden_id, status, own, exclusive, pending) from stdin") as copy:
            for code in SYSTEMS:
                for number, golden in enumerate(goldens):
                    # Scattered, so that neighbours in one system are none in another
                    value = value_of(code, number * 7919 % GOLDENS)
                    copy.write_row(("department", ids[code], value, golden, "active", True, True, False))
        connection.execute(
            "alter table xref add constraint fk_xref_golden_id foreign key (golden_id) references golden_record (id),"
            " add constraint fk_xref_system_id foreign key (system_id) references identifier_system (id)"
        )
        connection.execute("vacuum analyze")


@contextmanager
def server(target: str, made: Bench, options: Sequence[str] = ()) -> Iterator[int]:
    """A granian server of one application factory, as many processes as cores; yields its port."""
    port = free_port()
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--factory", target, "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", str(os.cpu_count() or 2), "--blocking-threads", str(THREADS), "--no-ws", "--log-level", "warning", *options]
    # "production" settings but for the database: authentication, access log and metrics are on
    environment = {**os.environ, "MDM_HOME": str(made.home), "MDM_PROFILE": "test", "BENCH_URL": made.url}
    with (
        (made.home / "server.log").open("w") as log,
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log) as process,
    ):
        try:
            _wait_for(port)
            yield port
        finally:
            process.terminate()


def _wait_for(port: int) -> None:
    for _ in range(1200):  # a busy machine imports slowly
        with socket.socket() as door:
            if door.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError("the server did not start")
