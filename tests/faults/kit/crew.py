"""Worker processes that can be killed at random, by seed, and only they."""

import os
import random
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from mdm.db import execute, fetch

ROOT = Path(__file__).parents[3]


class Crew:
    """Some `mdm worker` processes over one database and broker."""

    def __init__(self, database, broker, home, options=()):
        self._database = database
        self._environ = {
            "PATH": os.defpath,
            "MDM_HOME": str(home),
            "MDM_DATABASE_URL": database.url,
            "MDM_BROKER_URL": broker,
            "MDM_LOG_LEVEL": "CRITICAL",
        }
        self._options = list(options)
        self._log = Path(home) / "log"
        self._running, self._all = [], []

    def start(self, *arguments):
        process = self._spawn("worker", *arguments)
        self._running.append((process, arguments))
        return process

    def submit(self, count):
        return self._spawn("submit", str(count))

    def _spawn(self, *words):
        command = [sys.executable, "-m", "tests.faults.kit.work", *self._options, *words]
        with self._log.open("ab") as log:
            process = subprocess.Popen(command, cwd=ROOT, env=self._environ, stdout=log, stderr=log, process_group=0)
        self._all.append(process)
        return process

    def revive(self):
        """Start anew what ended by itself, as a supervisor does, and tell how many: none should but those that lost their attendant."""
        gone = [place for place, (process, _) in enumerate(self._running) if process.poll() is not None]
        for place in gone:
            arguments = self._running[place][1]
            self._running[place] = (self._spawn("worker", *arguments), arguments)
        return len(gone)

    def kill_one(self, die: random.Random, parent_share=0.25):
        """SIGKILL to a process of a worker; in words which, None while none is at work yet. A parent is started anew at once."""
        families = {place: children_of(process.pid) for place, (process, _) in enumerate(self._running)}
        at_work = [place for place, family in families.items() if len(family) > 1]
        if not at_work:
            return None
        place = die.choice(at_work)
        process, arguments = self._running[place]
        if die.random() >= parent_share:
            chosen = die.choice(families[place])
            _kill(chosen)
            return "attendant" if chosen == families[place][0] else "child"
        _kill(process.pid)  # its children live on until they notice
        process.wait()
        self._running[place] = (self._spawn("worker", *arguments), arguments)
        return "parent"

    def lapse_dead(self):
        """The leases of processes that are no more end now instead of within the minute."""
        named = self._database.run(lambda s: fetch(s, "select distinct split_part(worker, ':', 2) from job where state = 'running'"))
        gone = [pid for (pid,) in named if not Path(f"/proc/{pid}").exists()]
        statement = "update job set lease_until = now() - interval '1 s' where state = 'running' and split_part(worker, ':', 2) = any(%s)"
        self._database.run(lambda session: execute(session, statement, (gone,)))

    def end(self):
        for process in self._all:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # its children too, also those that outlived it
            process.wait()


def _kill(pid):
    with suppress(ProcessLookupError):  # it was at its end by itself
        os.kill(pid, signal.SIGKILL)


def children_of(pid):
    """The live children of a process that we started, the oldest first: of a worker that is its attendant."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append((int(fields[19]), int(stat.parent.name)))
    return [child for _, child in sorted(found)]


def hands_of(pid):
    """The children of a worker that do the jobs."""
    return children_of(pid)[1:]
