"""C1 over HTTP: twenty people, eight deliveries each, at once against two web workers and a worker: twenty golden records, 160 answers.

The gate runs two rounds; CONCORD_RACE_ROUNDS sets another number (200).
"""

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations

import pytest

from matching.score import Scorer
from mdm.access import Role
from mdm.db import fetch
from mdm.entities import ENTITY_TYPES
from mdm.invariants import violations
from mdm.standardise import Delivery
from tests.entities.test_every_domain import standard
from tests.races.conftest import BLOCK, Caller
from tests.races.test_parallel_create import PEOPLE, TIMES, person

CLIENTS = 16
PATIENT = ENTITY_TYPES["patient"]
PLACES = (
    *("ash", "brook", "cliff", "dune", "elm", "fern", "glen", "heath", "isle", "junction"),
    *("knoll", "lake", "moor", "north", "oak", "pond", "quarry", "ridge", "stone", "thorn"),
)  # one per round of a block
ROUNDS = int(os.environ.get("CONCORD_RACE_ROUNDS", "2"))


def one_of(round_number, number):
    """A person of a round, unlike those of every other round: neighbours by one letter and one digit would rightly be taken for slips."""
    place = PLACES[round_number]
    return {
        **person(number),
        "family_name": place + person(number)["family_name"].lower(),
        "birth_date": f"19{(10 + 3 * number + 37 * round_number) % 90 + 10}-{1 + (number + round_number) % 12:02d}"
        f"-{1 + (5 * number + 7 * round_number) % 28:02d}",
        "postal_code": f"{10_000 + 4_001 * round_number + 211 * number}",
        "phone": f"617-{220 + 37 * round_number}-{1_000 + 211 * number + 13 * round_number}",
        "address_line": f"{100 + number} {place} Street",
    }


def test_no_two_people_of_all_rounds_are_alike():
    """What the rounds below count are errors of the race, not doubts of the matcher."""
    people = [Delivery("ehr-north", f"{r}-{n}", one_of(r, n)) for r in range(len(PLACES)) for n in range(PEOPLE)]
    columns = [standard(PATIENT, delivery).columns for delivery in people]
    scorer = Scorer(PATIENT.model)
    assert all(scorer.score_from(a, b, PATIENT.model.thresholds.review) is None for a, b in combinations(columns, 2))


def put(caller, round_number, number, time):
    """The status and golden id of one delivery; the street is written in two ways."""
    attributes = one_of(round_number % BLOCK, number)
    attributes["address_line"] += " N" if time % 3 else ""
    path = f"/v1/patients/sources/{'ehr-north' if time % 2 else 'ehr-mercy'}/{round_number}-{number}-{time}"
    status, body = caller.ask("PUT", path, {"attributes": attributes})
    return status, number, body.get("golden_id")


@pytest.mark.race
@pytest.mark.parametrize("round_number", range(ROUNDS))
def test_twenty_people_eight_times_at_once_are_twenty(served, round_number):
    served.begin(round_number)
    database, caller = served.database, Caller(served, Role.INTEGRATION)
    places = [((n * 7 + round_number) % PEOPLE, t) for t in range(TIMES) for n in range(PEOPLE)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = list(pool.map(lambda place: put(caller, round_number, *place), places))
    assert [status for status, _, _ in answers] == [200] * PEOPLE * TIMES
    with database.unit_of_work() as session:
        survivor = {str(row[0]): row[1] for row in fetch(session, "select id, coalesce(merged_into, id) from golden_record")}
        rows = fetch(
            session,
            "select count(distinct l.golden_id) from link l join source_record r on r.id = l.record_id"
            " where l.recorded_to is null and r.key like %s",
            (f"{round_number}-%",),
        )
        assert violations(session) == []
    named = {}
    for _, number, golden_id in answers:
        named.setdefault(number, set()).add(survivor[golden_id])
    assert rows[0][0] == PEOPLE
    assert all(len(goldens) == 1 for goldens in named.values())
