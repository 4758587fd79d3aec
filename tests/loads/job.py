"""A process that does one job of a load, to be killed: python -m tests.loads.job DATABASE_URL HOME JOB"""

import sys
from pathlib import Path
from uuid import UUID

import mdm.load_apply
import mdm.load_plan
import mdm.load_undo  # noqa: F401  (loaded before it says that it begins)
from mdm.db import Database
from mdm.load_jobs import load_handlers
from mdm.running import Hand

if __name__ == "__main__":
    url, home, job = sys.argv[1:]
    sys.stdout.write("begins\n")
    sys.stdout.flush()
    Hand(Database(url), "victim", lambda: False, load_handlers(Path(home), 1)).take(UUID(job))
