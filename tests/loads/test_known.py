"""Rows that are near others: the plan says near whom, and whoever came since is met all the same."""

from dataclasses import replace

import pytest

from mdm import ingest, load_apply, models
from mdm.db import execute
from mdm.guard import guards
from tests.bench.people import delivered, known
from tests.conftest import register_systems
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


@pytest.fixture
def delivered_alike(new_database):
    """What deliveries make of the same people of the north and of others."""

    def make(*others):
        database = new_database.migrated()
        register_systems(database)
        for some in ([delivered(number) for number in range(200)], *others):
            deliver(database, some)
        return partition(database)

    return make


def test_nobody_is_looked_for_whom_the_plan_did_not_find(people, loader, looked_for):
    view = loader.plan(as_csv(mercy(again=AGAIN)))
    del looked_for[:]
    applied = loader.apply(view)
    assert applied.applied["linked"] >= 30
    assert set(ways(people)) == {"bulk", "known"}
    assert len(looked_for) <= len(guards(PATIENT)) * len(AGAIN)
    assert applied.applied == {**view.counts, "waiting": 0}
    assert sound(people)


def twins():
    """Third records of the people whom the file has, too."""
    return [replace(known(number, 5), system="billing-north", key=f"late {number}") for number in AGAIN]


@pytest.mark.parametrize("moment", ["before the first row", "while rows are stored"])
def test_whoever_comes_beside_rows_that_are_near_others_is_met(people, loader, monkeypatch, delivered_alike, moment):
    view = loader.plan(as_csv(mercy(again=AGAIN)))
    find = load_apply.newcomers

    def late(*asked):
        before = [] if moment == "while rows are stored" else deliver(people, twins())
        came = list(find(*asked))
        return came if before else deliver(people, twins()) and came

    monkeypatch.setattr(load_apply, "newcomers", late)
    loader.apply(view)
    assert partition(people) == delivered_alike(twins(), [replace(row, system="ehr-mercy") for row in mercy(again=AGAIN)])
    assert sound(people)


def test_a_plan_by_another_model_knows_nobody_any_more(people, loader):
    view = loader.plan(as_csv(mercy(again=AGAIN)))
    loader.apply(view, wave={"sex": "F"})
    assert set(ways(people)) == {"bulk", "known"}
    keep(people, CAREFUL, active=True)
    people.run(lambda s: models.current_scorer(s, PATIENT))
    before = sum(ways(people).values())
    loader.apply(view)
    assert ways(people)["online"] == 100 - before
    people.run(lambda s: execute(s, "delete from match_model"))
