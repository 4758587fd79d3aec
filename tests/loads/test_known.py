"""Rows that are near others: the plan says near whom, and whoever came since is met all the same."""

from dataclasses import replace

import pytest

from mdm import ingest, load_apply, loads, models
from mdm.access import SYSTEM_ACTOR
from mdm.db import execute
from mdm.guard import guards
from mdm.ingest import CHUNK_MAX
from tests.bench.people import delivered
from tests.loads.conftest import as_csv, deliver, mercy, partition, rows
from tests.loads.test_load import sound
from tests.mdm.test_activation import CAREFUL, PATIENT
from tests.mdm.test_models import keep

AGAIN = range(40)


def ways(database):
    return dict(rows(database, "select way, count(*) from load_row where became is not null group by 1"))


@pytest.fixture
def looked_for(monkeypatch):
    """The keys whose holders deliveries ask for."""
    asked, read = [], ingest.read_blocks
    monkeypatch.setattr(ingest, "read_blocks", lambda session, keys, *rules: asked.extend(keys) or read(session, keys, *rules))
    return asked


def test_nobody_is_looked_for_whom_the_plan_did_not_find(people, loader, looked_for):
    view = loader.plan(as_csv(mercy(again=AGAIN)))
    del looked_for[:]
    applied = loader.apply(view)
    assert applied.applied["linked"] >= 30
    assert set(ways(people)) == {"bulk", "known"}
    assert len(looked_for) <= len(guards(PATIENT)) * len(AGAIN)
    assert applied.applied == {**view.counts, "waiting": 0}
    assert sound(people)


def test_rows_whose_neighbours_are_known_share_a_transaction(people, loader):
    view = loader.plan(as_csv(mercy(new=(), again=range(CHUNK_MAX * 2))))
    assert rows(people, "select rows from load_piece where way = 'online'") == [(CHUNK_MAX * 2,)]
    loader.apply(view)
    assert ways(people) == {"known": CHUNK_MAX * 2}
    assert sound(people)


# A little like each other, and like nobody else: a person is asked, and neither is linked
ROBERT = {"given_name": "William", "middle_name": "Robert", "family_name": "Grantberberg", "sex": "M", "birth_date": "1976-05-10"}
RICHARD = {"given_name": "William", "middle_name": "Richard", "family_name": "Garberberg", "sex": "M", "birth_date": "1976-05-11"}
WILLIAMS = [
    replace(delivered(0), system="ehr-mercy", key=key, attributes=who | where, identifiers=())
    for key, who, where in (
        ("robert", ROBERT, {"address_line": "399 Monby Avenue", "city": "Beckez", "state": "MA", "postal_code": "01249"}),
        ("richard", RICHARD, {"address_line": "22 Lindale Road", "city": "Claywood", "state": "MA", "postal_code": "01997"}),
    )
]
TWINS = [replace(row, system="billing-north", key=f"late {row.key}") for row in WILLIAMS]


@pytest.mark.parametrize("moment", ["before the first row", "while rows are stored"])
def test_whoever_comes_beside_rows_that_are_near_others_is_met(people, loader, monkeypatch, moment):
    view = loader.plan(as_csv(WILLIAMS))
    assert view.counts["review"] == 2
    find = load_apply.newcomers

    def late(*asked):
        before = [] if moment == "while rows are stored" else deliver(people, TWINS)
        came = list(find(*asked))
        return came if before else deliver(people, TWINS) and came

    monkeypatch.setattr(load_apply, "newcomers", late)
    loader.apply(view)
    for row in WILLIAMS:
        assert {("ehr-mercy", row.key), ("billing-north", f"late {row.key}")} in partition(people)
    assert sound(people)


def test_a_plan_by_another_model_knows_nobody_any_more(people, loader):
    """Whoever activates a model while the job waits."""
    view = loader.plan(as_csv(mercy(again=AGAIN)))
    loader.apply(view, wave={"sex": "F"})
    assert set(ways(people)) == {"bulk", "known"}
    asked = people.run(lambda s: loads.ask_apply(s, SYSTEM_ACTOR, view.plan_id, loads.Applying(1_000_000, reason="test"), "test"))
    keep(people, CAREFUL, active=True)
    people.run(lambda s: models.current_scorer(s, PATIENT))
    before = sum(ways(people).values())
    loader.done(asked)
    assert ways(people)["online"] == 100 - before
    people.run(lambda s: execute(s, "delete from match_model"))
