"""What a web process is made of before it is forked: no heavy library, no connection, no thread."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
HEAVY = {"alembic", "duckdb", "numpy", "openpyxl", "pandas", "polars", "pyarrow", "splink"}
PROGRAM = """
import json, os, sys, threading
from stewardship_ui.wsgi import prepare

prepare()
print(json.dumps({
    "modules": sorted(name for name in sys.modules if "." not in name),
    "threads": threading.active_count(),
    "sockets": sum(os.path.realpath(f"/proc/self/fd/{fd}").rpartition("/")[2].startswith("socket:") for fd in os.listdir("/proc/self/fd")),
}))
"""


def test_what_is_shared_by_a_fork_is_light_and_connects_to_nothing(database, tmp_path):
    environ = {
        "PATH": os.defpath,
        "MDM_HOME": str(tmp_path),
        "MDM_DATABASE_URL": database.url,
        "MDM_BROKER_URL": "none",
        "MDM_PROFILE": "test",
    }
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, env=environ, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    assert HEAVY.isdisjoint(told["modules"])
    assert (told["threads"], told["sockets"]) == (1, 0)
