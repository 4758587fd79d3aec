"""One job of a load in a process of its own, measured: python -m tests.bench.load_job DATABASE_URL HOME JOB"""

import cProfile
import json
import os
import pstats
import resource
import sys
import time
from importlib import import_module
from pathlib import Path
from uuid import UUID

from mdm.db import Database
from mdm.load_jobs import load_handlers
from mdm.running import Hand


def _processor_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


if __name__ == "__main__":
    # A worker has loaded them long since; the further processes that it starts load only what they need
    for module in ("load_apply", "load_bulk", "load_plan", "load_undo"):
        import_module(f"mdm.{module}")
    url, home, job = sys.argv[1:]
    profile = cProfile.Profile() if os.environ.get("BENCH_PROFILE") else None
    began, used_before = time.perf_counter(), _processor_seconds()
    if profile is not None:
        profile.enable()
    Hand(Database(url), "bench", lambda: False, load_handlers(Path(home), 2)).take(UUID(job))
    took = time.perf_counter() - began
    if profile is not None:
        profile.disable()
        pstats.Stats(profile, stream=sys.stderr).sort_stats("cumulative").print_stats(45)
    processor = _processor_seconds() - used_before
    peak = sum(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024
    print(json.dumps({"seconds": round(took, 1), "processor_seconds": round(processor, 1), "peak_mb": round(peak)}))
