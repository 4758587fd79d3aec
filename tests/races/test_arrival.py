"""C3 over HTTP: the same deliveries, one after the other or all at once against two web workers, make the same golden records and reviews.

The gate runs a few rounds; CONCORD_RACE_ROUNDS sets another number (200).
"""

import os
import random

import pytest

from mdm.access import Role
from tests.conftest import empty
from tests.mdm.test_laws import IDENTIFIERS, NOISE, PEOPLE, outcome
from tests.races.conftest import Caller, at_once

ROUNDS = int(os.environ.get("CONCORD_RACE_ROUNDS", "3"))
SYSTEMS = ("ehr-north", "ehr-mercy", "billing-north")


def deliveries(number):
    """Six deliveries of people who resemble each other, the same in every run: path and body."""
    die = random.Random(number)
    found = {}
    for key in range(6):
        person = {**die.choice(PEOPLE), **die.choice(NOISE), **die.choice(NOISE)}
        attributes = {name: value for name, value in person.items() if value is not None}
        identifiers = [{"system": system, "value": value} for system, value in die.choice(IDENTIFIERS)]
        found[f"/v1/patients/sources/{die.choice(SYSTEMS)}/{key + 1}"] = {"attributes": attributes, "identifiers": identifiers}
    return found


@pytest.mark.race
@pytest.mark.parametrize("number", range(ROUNDS))
def test_all_at_once_gives_what_one_after_the_other_gives(served, number):
    rows = deliveries(number)
    empty(served.database)
    caller = Caller(served, Role.INTEGRATION)
    assert {caller.ask("PUT", path, body)[0] for path, body in rows.items()} == {200}
    in_turn = outcome(served.database)
    empty(served.database)
    callers = [Caller(served, Role.INTEGRATION) for _ in rows]
    calls = [lambda caller=caller, row=row: caller.ask("PUT", *row) for caller, row in zip(callers, rows.items(), strict=True)]
    assert {status for status, _ in at_once(*calls)} == {200}
    assert outcome(served.database) == in_turn
