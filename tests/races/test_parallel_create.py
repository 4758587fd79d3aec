"""C1: the same people delivered many times at once, by processes of their own, become exactly one golden record each."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from uuid import UUID

import pytest

from mdm.access import SYSTEM_ACTOR
from mdm.db import Database, fetch
from mdm.entities import ENTITY_TYPES
from mdm.ingest import deliver_all
from mdm.invariants import violations
from mdm.standardise import Delivery
from tests.conftest import empty

PEOPLE, TIMES, PROCESSES = 20, 8, 4
GIVEN = ("Maria", "John", "Aisha", "Wei", "Olga", "Peter", "Lucia", "Ahmed", "Grace", "Ivan")
FAMILY = ("Garcia", "Miller", "Khan", "Chen", "Petrova", "Schmidt", "Rossi", "Hassan", "Okafor", "Novak")

_connected: list[Database] = []  # the one of this process


def connect(url: str) -> None:
    _connected.append(Database(url))


def person(number: int) -> dict[str, str]:
    return {
        "given_name": GIVEN[number % 10],
        "family_name": FAMILY[(number * 3 + number // 10) % 10],
        "birth_date": f"19{50 + number}-0{1 + number % 9}-1{number % 9}",
        "sex": "F" if number % 2 else "M",
        "address_line": f"{100 + number} Harbor Street",
        "postal_code": f"02{100 + number}",
        "phone": f"617-253-{1000 + number}",
    }


def submit(place: tuple[int, int]) -> UUID:
    number, time = place
    attributes = person(number) if time % 3 else {**person(number), "address_line": f"{100 + number} Harbor St."}
    delivery = Delivery("ehr-north" if time % 2 else "ehr-mercy", f"{number}-{time}", attributes)
    (result,) = deliver_all(_connected[0], ENTITY_TYPES["patient"], SYSTEM_ACTOR, [delivery], "race")
    assert result.golden_id is not None, result
    return result.golden_id


@pytest.mark.race
@pytest.mark.parametrize("round_number", range(3))
def test_twenty_people_eight_times_each_are_twenty(clean_database, round_number):
    empty(clean_database)
    order = [((n * 7 + round_number) % PEOPLE, t) for t in range(TIMES) for n in range(PEOPLE)]
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn"), initializer=connect, initargs=(clean_database.url,)) as pool:
        answered = list(pool.map(submit, order))
    with clean_database.unit_of_work() as session:
        rows = fetch(session, "select id, coalesce(merged_into, id) from golden_record")
        assert violations(session, deep=True) == []
    survivor = dict(rows)
    named = {}
    for (number, _), golden_id in zip(order, answered, strict=True):
        named.setdefault(number, set()).add(survivor[golden_id])
    assert all(len(goldens) == 1 for goldens in named.values())
    assert len({g for goldens in named.values() for g in goldens}) == PEOPLE == len(set(survivor.values()))
