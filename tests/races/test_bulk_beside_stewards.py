"""Everything is matched again while five stewards decide: no decision is refused, none is lost.

CONCORD_RACE_PERSONS asks for more persons than the gate has time for; CONCORD_RACE_STORED puts so many others beside them, and has the
stewards decide for as long as that is matched.
"""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from matching.model import Thresholds, to_json
from mdm import jobs, models, tasks
from mdm.access import SYSTEM_ACTOR
from mdm.db import execute, fetch
from mdm.entities import ENTITY_TYPES
from mdm.ingest import deliver_all
from mdm.invariants import violations
from mdm.jsonio import dumps
from mdm.rematch import match_all
from mdm.running import Hand
from mdm.tasks import Ruling
from tests.bench.fill import fill
from tests.bench.people import delivered, known

PATIENT = ENTITY_TYPES["patient"]
STEWARDS = 5
PERSONS = int(os.environ.get("CONCORD_RACE_PERSONS", "150"))
STORED = int(os.environ.get("CONCORD_RACE_STORED", "0"))
PAUSE_SECONDS = STORED / 1_000 / max(PERSONS, 1) * STEWARDS  # a steward thinks, so that all of them do for a millisecond a record
# Links next to nothing, asks about much; and a sister of it with other weights, so that every pair is weighed anew.
ASKING = replace(
    PATIENT.model, version="asking", prior=PATIENT.model.prior - 18.0, thresholds=Thresholds(review=-8.0, link=13.9), clip=14.0
)
WEIGHED_ANEW = replace(ASKING, version="asking-2", prior=ASKING.prior + 0.25)

pytestmark = pytest.mark.race


@pytest.fixture
def asked(clean_database):
    """Persons in two hospitals, nobody linked, one open task each."""
    activate(clean_database, ASKING)
    if STORED:
        fill(clean_database.url, STORED)
    rows = [*(delivered(n) for n in range(PERSONS)), *(known(n) for n in range(PERSONS))]
    deliver_all(clean_database, PATIENT, SYSTEM_ACTOR, rows, "test")
    yield clean_database
    clean_database.run(lambda s: execute(s, "delete from match_model"))


def activate(database, model):
    statement = "insert into match_model (domain, version, model, active) values ('patient', %s, %s::jsonb, true)"
    database.run(lambda s: execute(s, "update match_model set active = false"))
    database.run(lambda s: execute(s, statement, (model.version, dumps(to_json(model)).decode())))
    database.run(lambda s: models.current_scorer(s, PATIENT))


def open_reviews(database):
    found, cursor = [], None
    while True:
        page = database.run(lambda s, after=cursor: tasks.list_tasks(s, kind="review", limit=500, cursor=after))
        found += page.items
        cursor = page.next
        if cursor is None:
            return found


def judge(database, task):
    """A steward looks at the task and says of its first candidate that it is somebody else."""
    time.sleep(PAUSE_SECONDS)
    ruling = Ruling("different", task.version, candidate=task.goldens[1])
    database.run(lambda s: tasks.decide(s, PATIENT, task.id, SYSTEM_ACTOR, ruling, "test"))
    return task.goldens[0], task.goldens[1]


def test_no_decision_is_refused_or_lost(asked):
    waiting = [task for task in open_reviews(asked) if len(task.goldens) == 2]
    assert len(waiting) > 60
    activate(asked, WEIGHED_ANEW)
    asked.run(lambda s: jobs.enqueue(s, jobs.MATCH_ALL, {"domain": "patient"}, dedupe_key="race", queue="bulk"))
    hand = Hand(asked, "hand", lambda: False, {jobs.MATCH_ALL: lambda run: match_all(run, 1)})
    with ThreadPoolExecutor(STEWARDS + 1) as pool:
        running = pool.submit(hand.drain)
        judged = [pool.submit(judge, asked, task) for task in waiting]
        apart = [future.result() for future in judged]  # raises what was refused
        running.result()
    states = asked.run(lambda s: fetch(s, "select state, error from job where kind = %s", (jobs.MATCH_ALL,)))
    assert set(states) == {("done", None)}
    verdicts = asked.run(lambda s: fetch(s, "select count(*) from decision where kind = 'different'"))
    assert verdicts[0][0] == len(apart)
    weighed = asked.run(lambda s: fetch(s, "select distinct model_version from edge where verdict is null"))
    assert weighed == [(WEIGHED_ANEW.version,)]
    still = {(task.goldens[0], other) for task in open_reviews(asked) for other in task.goldens[1:]}
    assert not still & set(apart)
    with asked.unit_of_work() as session:
        assert violations(session, deep=True) == []
