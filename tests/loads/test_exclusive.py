"""An identifier that one entity has alone, claimed for somebody else: the plan says so, compared few or many, as applying finds it."""

from dataclasses import replace

import pytest

from tests.bench.people import delivered, known
from tests.loads.conftest import as_csv, deliver, rows

MBIS = ("2FG5-TE6-MK84", "1EG4-TE5-MK73", "3EG4-TE5-MK72")
COLUMNS = "identifier:us-ssn=ssn,identifier:us-mbi=mbi"


def with_mbi(row, mbi, **more):
    return replace(row, identifiers=(("us-mbi", mbi),), **more)


def csv_of(*given):
    """Rows of (person, MBI)."""
    head, *lines = as_csv([row for row, _ in given]).decode().split("\r\n")
    told = [f"{line},{mbi}" for line, (_, mbi) in zip(lines, given, strict=False)]
    return "\r\n".join([f"{head},mbi", *told, ""]).encode()


@pytest.fixture(params=["few", "many"])
def way(request, monkeypatch):
    """Both ways of matching."""
    if request.param == "many":
        monkeypatch.setattr("mdm.load_near.FEW_MAX", 0)


def shared_of(view):
    return {rail["code"]: rail["count"] for rail in view.plan["report"]["guard_rails"]}.get("identifier_shared", 0)


def asked(database):
    return rows(database, "select count(*) from task where kind = 'shared_identifier' and status = 'open'")[0][0]


def test_a_row_that_claims_what_a_stored_record_of_somebody_else_has_is_counted(way, people, loader):
    deliver(people, [with_mbi(delivered(300), MBIS[0])])
    assert asked(people) == 0
    view = loader.plan(csv_of((delivered(700), MBIS[0]), (delivered(701), MBIS[1])), columns=COLUMNS)
    assert (view.counts["new"], shared_of(view), view.plan["report"]["steward_hours"]) == (2, 1, 0.02)
    loader.apply(view, despite=["identifier_shared"])
    assert asked(people) == 1


def test_a_row_of_the_same_person_is_not(way, people, loader):
    deliver(people, [with_mbi(delivered(300), MBIS[0])])
    view = loader.plan(csv_of((known(300), MBIS[0]), (delivered(701), MBIS[1])), columns=COLUMNS)
    assert (view.counts["linked"], shared_of(view)) == (1, 0)
    loader.apply(view)
    assert asked(people) == 0


def test_what_a_record_gives_up_in_this_very_file_is_free(way, people, loader):
    """And two rows of different persons, as ever, claim the value both."""
    loader.load(csv_of((delivered(700), MBIS[0])), columns=COLUMNS)
    view = loader.plan(csv_of((delivered(700), MBIS[1]), (delivered(701), MBIS[0])), columns=COLUMNS)
    assert (view.counts["updated"], view.counts["new"], shared_of(view)) == (1, 1, 0)
    view = loader.plan(csv_of((delivered(702), MBIS[2]), (delivered(703), MBIS[2])), columns=COLUMNS)
    assert shared_of(view) == 2
