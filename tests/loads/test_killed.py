"""A load whose worker is killed at random moments ends as if nobody had been. CONCORD_LOAD_KILLS: kills per stage (1)."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mdm import loads
from mdm.access import SYSTEM_ACTOR
from mdm.db import execute
from mdm.invariants import violations
from tests.loads.conftest import as_csv, mercy, partition, rows, state

KILLS = int(os.environ.get("CONCORD_LOAD_KILLS", "1"))
ROOT = Path(__file__).parents[2]
LAST = ("applied", "undone")


@pytest.fixture
def killing(loader):
    chance = random.Random(20261128)

    def do(view, longest_seconds):
        """The job of this load, killed a few times on the way and then done."""
        for _ in range(KILLS):
            command = [sys.executable, "-m", "tests.loads.job", loader.database.url, str(loader.home), str(view.job_id)]
            with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as victim:
                victim.stdout.readline()
                time.sleep(chance.uniform(0, longest_seconds))
                victim.send_signal(signal.SIGKILL)
            loader.database.run(lambda session: execute(session, _LAPSED, (view.job_id,)))
        return loader.done(view)

    return do


_LAPSED = "update job set lease_until = now() - interval '1 s', attempt = 1 where id = %s and state = 'running'"


def test_a_load_ends_as_if_nobody_had_been_killed(people, loader, killing):
    before = state(people)
    content = as_csv(mercy(new=range(1_000, 1_150), again=range(50)))
    load_id = loader.upload(content).id
    planned = killing(people.run(lambda session: loads.ask_plan(session, SYSTEM_ACTOR, load_id, "t")), 4.0)
    assert state(people) == before
    assert sum(planned.counts[name] for name in planned.counts if name != "absent") == 200
    how = loads.Applying(1_000_000)
    applied = killing(people.run(lambda session: loads.ask_apply(session, SYSTEM_ACTOR, planned.plan_id, how, "t")), 2.0)
    assert {**planned.counts, "waiting": 0} == applied.applied
    assert rows(people, "select count(*) from source_record where system = 'ehr-mercy'") == [(200,)]
    disturbed = partition(people)
    assert people.run(lambda session: violations(session, deep=True)) == []
    undone = killing(people.run(lambda session: loads.ask_undo(session, SYSTEM_ACTOR, load_id, 1_000_000, "t")), 2.0)
    assert undone.status == "undone"
    assert state(people) == before
    assert partition_of_clean_run(people, loader, content) == disturbed


def partition_of_clean_run(database, loader, content):
    loader.load(content)
    return partition(database)
