"""A process that does one job of a load, to be killed: python -m tests.loads.job DATABASE_URL HOME JOB [many]

`many`: as if the file were a large one, with further processes and small pieces.
"""

import sys
from pathlib import Path
from uuid import UUID

import mdm.load_apply  # loaded before it says that it begins
import mdm.load_plan
import mdm.load_stage
import mdm.load_undo
from mdm.db import Database
from mdm.load_jobs import load_handlers
from mdm.running import Hand

if __name__ == "__main__":
    url, home, job, *many = sys.argv[1:]
    if many:
        mdm.load_stage.LARGE_BYTES = mdm.load_apply.LARGE_ROWS = mdm.load_undo.LARGE_GOLDENS = 1
        mdm.load_stage.PIECE_ROWS = mdm.load_plan.ROWS_MAX = mdm.load_undo._RECORDS_MAX = 10
    sys.stdout.write("begins\n")
    sys.stdout.flush()
    Hand(Database(url), "victim", lambda: False, load_handlers(Path(home), 1)).take(UUID(job))
