"""Two real web workers over a database of their own, for races over HTTP."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mdm import serving
from mdm.access import PHI, NewPrincipal, Role, create_client
from mdm.db import Database
from mdm.embedded.process import wait_until
from mdm.ids import new_id
from mdm.migrate import migrate
from mdm.settings import Settings
from tests.conftest import register_systems
from tests.ports import free_port

ROOT = Path(__file__).parents[2]


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


@pytest.fixture(scope="module")
def served(new_database: Any, tmp_path_factory: Any) -> Any:
    database = new_database()
    migrate(database)
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
    server = subprocess.Popen([sys.executable, "-m", "mdm.cli", "serve"], cwd=ROOT, env={"PATH": os.defpath, **variables}, process_group=0)
    try:
        assert wait_until(lambda: serving.is_ready(settings), 60)
        yield Served(database, settings.port, settings)
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
