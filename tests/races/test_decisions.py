"""C2, C4, C5, C6 over HTTP against two web workers and a worker: crossing merges, both candidates of a task, lookups beside merges and
undos, two stewards on one task.

The gate runs a few rounds; CONCORD_RACE_ROUNDS sets another number (200).
"""

import os

import pytest

from mdm.access import Role
from mdm.db import fetch
from mdm.invariants import violations
from tests.races.conftest import BLOCK, Caller, at_once
from tests.races.test_two_web_workers import PLACES

ROUNDS = int(os.environ.get("CONCORD_RACE_ROUNDS", "3"))
LETTERS = "bcdfghjklmnpqrstvwxz"


@pytest.fixture
def callers(served, number):
    served.begin(number)
    return Caller(served, Role.INTEGRATION), Caller(served, Role.STEWARD), Caller(served, Role.STEWARD)


def payer(flow, key, number):
    """A payer like no other: its golden id."""
    word = "".join(LETTERS[(number // 20**place) % 20] + "ao"[place % 2] for place in range(4))
    body = {"attributes": {"name": f"{word.title()} {key} Health Plan"}}
    status, result = flow.ask("PUT", f"/v1/payers/sources/erp-north/{key}-{number}", body)
    assert status == 200, result
    return result["golden_id"]


def sound(served):
    with served.database.unit_of_work() as session:
        assert violations(session) == []


def merge(steward, kept, gone):
    _, view = steward.ask("GET", f"/v1/payers/golden/{kept}")
    match = {"If-Match": f'"{view["version"]}"'}
    return steward.ask("POST", f"/v1/payers/golden/{view['id']}/merges", {"from": [gone], "reason": "race"}, **match)


@pytest.mark.race
@pytest.mark.parametrize("number", range(ROUNDS))
def test_crossing_merges_leave_one_survivor(served, callers, number):
    flow, one, other = callers
    a, b, c = (payer(flow, key, number) for key in ("A", "B", "C"))
    update = {"attributes": {"name": "Renamed by its source"}, "valid_from": "2026-01-01"}
    answers = at_once(
        lambda: merge(one, a, b),
        lambda: merge(other, b, c),
        lambda: flow.ask("PUT", f"/v1/payers/sources/erp-north/B-{number}", update),
    )
    assert {status for status, _ in answers} <= {200, 404, 409, 412}, answers
    assert answers[2][0] == 200
    sound(served)
    for golden in (a, b, c):
        status, view = one.ask("GET", f"/v1/payers/golden/{golden}")
        assert status == 200
        assert view["status"] != "merged"


@pytest.mark.race
@pytest.mark.parametrize("number", range(ROUNDS))
def test_lookups_see_before_or_after_never_a_mix(served, callers, number):
    flow, steward, _ = callers
    a, b = payer(flow, "D", number), payer(flow, "E", number)
    question = {"domain": "payer", "from": "erp-north", "to": "erp-north", "values": [f"D-{number}", f"E-{number}"]}
    done = []

    def decide():
        for _ in range(4):
            status, merged = merge(steward, a, b)
            assert status == 200, merged
            status, undone = steward.ask("DELETE", f"/v1/decisions/{merged['decision_id']}")
            assert status == 200, undone
        done.append(True)

    def look():
        seen = set()
        while not done:
            status, answer = flow.ask("POST", "/v1/crosswalk/translate", question)
            assert status == 200, answer
            seen.add(tuple(result["golden_id"] for result in answer["results"]))
        return seen

    _, *seen = at_once(decide, look, look)
    assert set().union(*seen) <= {(a, b), (a, a)}
    sound(served)


@pytest.mark.race
@pytest.mark.parametrize("number", range(ROUNDS))
def test_the_second_steward_is_refused(served, callers, number):
    flow, one, other = callers
    person = {"given_name": "Maria", "birth_date": f"19{10 + number % BLOCK}-02-2{number % 9}", "sex": "F", "city": "Boston"}
    for place, name in (("ehr-mercy", "Rivera"), ("ehr-north", "Olsen")):
        attributes = {**person, "family_name": f"{name}{LETTERS[number % BLOCK]}"}
        _, result = flow.ask("PUT", f"/v1/patients/sources/{place}/F-{number}", {"attributes": attributes})
    task = result["task_id"]
    _, seen = one.ask("GET", f"/v1/tasks/{task}")
    match = {"If-Match": f'"{seen["version"]}"'}
    same = {"verdict": "same", "candidate": seen["goldens"][1], "reason": "race"}
    answers = at_once(
        lambda: one.ask("PUT", f"/v1/tasks/{task}/decision", same, **match),
        lambda: other.ask("PUT", f"/v1/tasks/{task}/decision", {"verdict": "different"}, **match),
    )
    assert sorted(status for status, _ in answers) in ([200, 409], [200, 412]), answers
    with served.database.unit_of_work() as session:
        [[decisions]] = fetch(session, "select count(*) from decision where detail ->> 'task' = %s", (task,))
    assert decisions == 1
    sound(served)


@pytest.mark.race
@pytest.mark.parametrize("number", range(ROUNDS))
def test_accepting_both_candidates_leaves_one_link(served, callers, number):
    """C2: two stewards take the subject of one task for two others; the record goes to one of them."""
    flow, one, other = callers
    turn = number % BLOCK
    person = {"given_name": PLACES[turn], "birth_date": f"19{10 + 4 * turn}-{1 + 7 * turn % 12:02d}-{1 + 11 * turn % 28:02d}", "sex": "F"}
    for place, name in (("ehr-mercy", "Rivera"), ("ehr-north", "Olsen"), ("billing-north", "Ngata")):
        attributes = {**person, "family_name": name, "city": PLACES[-turn]}
        _, result = flow.ask("PUT", f"/v1/patients/sources/{place}/I-{number}", {"attributes": attributes})
    _, seen = one.ask("GET", f"/v1/tasks/{result['task_id']}")
    assert len(seen["goldens"]) == 3, seen
    match = {"If-Match": f'"{seen["version"]}"'}
    path = f"/v1/tasks/{result['task_id']}/decision"
    answers = at_once(
        lambda: one.ask("PUT", path, {"verdict": "same", "candidate": seen["goldens"][1]}, **match),
        lambda: other.ask("PUT", path, {"verdict": "same", "candidate": seen["goldens"][2]}, **match),
    )
    assert sorted(status for status, _ in answers) in ([200, 409], [200, 412]), answers
    with served.database.unit_of_work() as session:
        links = fetch(
            session,
            "select count(*), count(distinct l.golden_id) from link l join source_record r on r.id = l.record_id"
            " where l.recorded_to is null and r.key = %s",
            (f"I-{number}",),
        )
    assert links == [(3, 2)]
    sound(served)


@pytest.mark.race
@pytest.mark.parametrize("number", range(ROUNDS))
def test_two_undos_of_one_decision_are_one(served, callers, number):
    flow, one, other = callers
    a, b = payer(flow, "G", number), payer(flow, "H", number)
    _, merged = merge(one, a, b)
    path = f"/v1/decisions/{merged['decision_id']}"
    answers = at_once(*(lambda who=who: who.ask("DELETE", path) for who in (one, other)))
    assert sorted(status for status, _ in answers) == [200, 409], answers
    sound(served)
    assert one.ask("GET", f"/v1/payers/golden/{b}")[1]["redirected_from"] is None
