"""Nothing is above itself: the plan rejects the row that would put it there, and applying finds none left."""

import pytest

from tests.loads.conftest import rows
from tests.loads.test_load import sound

WARDS = {"domain": "location", "system": "ehr-mercy", "columns": "key=Code,name=Name,relationship:part_of=Parent"}
NAMES = {"A": "Aldermoor Tower", "B": "Birchwood Pavilion", "C": "Coastal Wing", "D": "Dunmore Annex"}


def file_of(*edges):
    """Rows of code and parent, such as "A B"."""
    lines = [f"{code},{NAMES[code]},{parent}" for code, _, parent in (edge.partition(" ") for edge in edges)]
    return "\n".join(["Code,Name,Parent", *lines, ""]).encode()


def rejected(view):
    found = view.plan["report"]["samples"].get("rejected", ())
    return {each["key"]: (problem["code"], problem["column"], problem["fix"]) for each in found for problem in each["problems"]}


def planned_and_applied(database, loader, content):
    """The plan, which comes true."""
    view = loader.plan(content, **WARDS)
    rails = [rail["code"] for rail in view.plan["report"]["guard_rails"]]
    assert loader.apply(view, despite=rails).applied == {**view.counts, "waiting": 0}
    assert sound(database)
    return view


def test_a_row_that_is_its_own_parent_is_rejected_by_the_plan_with_column_and_keys(clean_database, loader):
    view = planned_and_applied(clean_database, loader, file_of("A A", "B"))
    assert (view.counts["new"], view.counts["rejected"]) == (1, 1)
    [(code, column, fix)] = rejected(view).values()
    assert (code, column) == ("hierarchy_loop", "Parent")
    assert fix.startswith("A -> A leads back")


def test_of_rows_that_close_a_loop_the_last_one_is_rejected_and_the_others_are_loaded(clean_database, loader):
    view = planned_and_applied(clean_database, loader, file_of("A B", "B C", "C A", "D A"))
    assert (view.counts["new"], [*rejected(view)]) == (3, ["C"])
    assert rows(clean_database, "select count(*) from relationship where recorded_to is null and not looped") == [(2,)]


@pytest.mark.parametrize("content", [file_of("A B"), file_of("A B", "B A"), file_of("B A", "A B")])
def test_what_is_stored_above_counts_and_the_row_that_is_new_is_rejected(clean_database, loader, content):
    loader.load(file_of("A", "B A"), **WARDS)
    view = planned_and_applied(clean_database, loader, content)
    assert (view.counts["updated"], [*rejected(view)]) == (0, ["A"])


def test_what_the_file_itself_takes_away_is_no_step(clean_database, loader):
    loader.load(file_of("A", "B A", "C B"), **WARDS)
    view = planned_and_applied(clean_database, loader, file_of("B", "A B", "C A"))
    assert (view.counts["updated"], view.counts["rejected"]) == (3, 0)


def test_a_row_that_is_rejected_for_something_else_closes_nothing(clean_database, loader):
    view = loader.plan(file_of("A B", "B A").replace(b"Aldermoor Tower", b""), **WARDS)
    assert (view.counts["new"], {key: code for key, (code, *_) in rejected(view).items()}) == (1, {"A": "required"})


def test_where_dates_speak_applying_rejects_by_column_and_keys(clean_database, loader):
    content = b"Code,Name,Parent,From\nA,Aldermoor Tower,B,2026-01-01\nB,Birchwood Pavilion,A,2026-01-01\n"
    view = loader.plan(content, **{**WARDS, "columns": WARDS["columns"] + ",valid_from=From"})
    assert view.counts["new"] == 2
    applied = loader.apply(view)
    assert (applied.applied["new"], applied.applied["rejected"]) == (1, 1)
    [[problem]] = [row[0] for row in rows(clean_database, "select detail -> 'problems' from load_row where became = 'rejected'")]
    assert (problem["code"], problem["column"]) == ("hierarchy_loop", "Parent")
    assert problem["fix"] in {f"{one} would be above itself, since {other} stands below it: correct Parent" for one, other in ("AB", "BA")}
    assert sound(clean_database)
