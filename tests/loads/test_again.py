"""The next file of a system, and rejected rows that come back: what earlier loads left to them, and what they are compared with."""

import pytest

from mdm.access import SYSTEM_ACTOR
from mdm.load_rejected import rejects_csv
from mdm.load_signoff import sign_off
from mdm.load_steps import Step
from mdm.load_values import Converter
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


def rejects_of(loader, view):
    return loader.database.run(lambda session: rejects_csv(session, SYSTEM_ACTOR, view.id))


def rails(view):
    return [rail["code"] for rail in view.plan["report"]["guard_rails"]]


def test_mended_rejects_are_not_compared_with_a_whole_file_nor_it_with_them(loader):
    """Nor is a file of which nothing could be taken."""
    first = loader.plan(file_of(NAMES, "11,"), **PAYERS)
    loader.apply(first, despite=rails(first))
    mended = loader.plan(rejects_of(loader, first).replace(b"11,\r", b"11,Kingsway\r"), **PAYERS)
    assert (mended.counts["new"], rails(mended)) == (1, [])
    loader.apply(mended)
    useless = loader.plan(b"Acct,Name\n12,\n", **PAYERS)
    assert "volume_off" in rails(useless)
    loader.apply(useless, despite=rails(useless))
    assert rails(loader.plan(file_of([*NAMES, "Kingsway", "Lakeland"]), **PAYERS)) == []
    assert rails(loader.plan(file_of(NAMES[:3]), **PAYERS)) == ["volume_off"]


def test_what_the_whole_file_left_is_known_though_mended_rows_came_since(loader, monkeypatch):
    first = loader.plan(file_of(NAMES, "11,"), **PAYERS)
    loader.apply(first, despite=rails(first))
    loader.load(rejects_of(loader, first).replace(b"11,\r", b"11,Kingsway Health Plan\r"), **PAYERS)
    converted, convert = [], Converter.deliver_sound
    monkeypatch.setattr(Converter, "deliver_sound", lambda converter, row: converted.append(row) or convert(converter, row))
    view = loader.plan(file_of([*NAMES, "Kingsway"]), **PAYERS)
    assert (view.counts["unchanged"], len(converted)) == (11, 1)


def test_a_row_that_is_rejected_names_its_record(clean_database, loader):
    loader.load(file_of(NAMES), **PAYERS)
    view = loader.plan(b"Acct,Name\n1,\n2,Birchwood Health Plan\n2,Birchwood Health Plan Inc\n,No Key\n12,\n", **PAYERS)
    assert (view.counts["rejected"], view.counts["unchanged"], view.counts["absent"]) == (4, 1, 8)
    found = rows(clean_database, "select no, key from load_row where plan_id = %s and planned = 'rejected' order by 1", (view.plan_id,))
    assert found == [(2, "1"), (4, "2"), (5, None), (6, "12")]


def test_rejected_rows_are_counted_not_their_problems(loader):
    columns = "key=Code,name=Name,valid_from=From,valid_to=To"
    view = loader.plan(b"Code,Name,From,To\nL1,Ward,nope,neither\nL2,Ward,nope,\n", domain="location", system="ehr-north", columns=columns)
    assert view.counts["rejected"] == 2
    report = loader.database.run(lambda session: sign_off(session, SYSTEM_ACTOR, view.id))
    assert report.rejects == {"invalid_date": 2}
    assert [(each["column"], each["rows"]) for each in view.plan["report"]["rejects"]] == [("From", 2), ("To", 1)]
