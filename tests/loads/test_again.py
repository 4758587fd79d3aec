"""The next file of a system, and rejected rows that come back: what earlier loads left to them, and what they are compared with."""

import pytest

from mdm.load_steps import Step
from tests.loads.conftest import rows

PAYERS = {"domain": "payer", "system": "billing-north", "columns": "key=Acct,name=Name"}
PAD = {**Step("pad_zeros", "Acct", width=5).as_json(), "pairs": []}  # as JSON has it
NAMES = ("Aldermoor", "Birchwood", "Coastal", "Dunmore", "Eastwick", "Fernhill", "Glenview", "Harborside", "Ironwood", "Juniper")


def file_of(names, *more, header="Acct,Name"):
    lines = [f"{number},{name} Health Plan" for number, name in enumerate(names, 1)]
    return "\n".join([header, *lines, *more, ""]).encode()


@pytest.fixture
def padded(loader):
    """The payers of a system whose spreadsheet took the zeros of its keys, loaded with the step that gives them back."""
    loader.load(file_of(NAMES), **PAYERS, steps=[PAD])


def versions(database):
    return rows(database, "select version, steps from load_template order by 1")


def test_the_next_file_is_repaired_as_the_last_one_was(clean_database, loader, padded):
    view = loader.plan(file_of([*NAMES, "Kingsway"]), **{**PAYERS, "columns": ""})
    assert (view.counts["new"], view.counts["unchanged"], view.counts["absent"]) == (1, 10, 0)
    assert view.options["steps"] == [PAD]
    assert versions(clean_database) == [(1, [PAD])]


def test_whoever_wants_no_steps_says_so(clean_database, loader, padded):
    view = loader.upload(file_of(NAMES), **PAYERS, steps=[])
    assert view.options["steps"] == []
    assert versions(clean_database) == [(1, [PAD]), (2, [])]


def test_a_step_of_a_column_that_the_file_has_not_is_not_taken(loader, padded):
    view = loader.upload(file_of(NAMES, header="No,Name"), **{**PAYERS, "columns": "key=No,name=Name"})
    assert view.options["steps"] == []
