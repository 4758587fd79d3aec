"""`mdm repair records`: what it counts, what it mends, and what a program reads of it."""

import json

import pytest

from mdm.db import execute


@pytest.fixture
def aged(mdm, sound):
    """The sound database, one record of which an earlier release compared without its name."""
    old = "update source_record set columns = columns - 'name' where id = (select min(id::text)::uuid from source_record)"
    sound.run(lambda session: execute(session, old))
    yield
    mdm("repair", "records")


def told(said):
    return {each["domain"]: each for each in json.loads(said.out)["domains"]}


@pytest.mark.usefixtures("aged")
def test_counted_without_a_change_mended_and_then_nothing_is_left(mdm):
    for _ in range(2):
        said = mdm("repair", "records", "--dry-run", "--json")
        assert (said.status, told(said)["supplier"]["old"], json.loads(said.out)["changed"]) == (0, 1, False)
    said = mdm("repair", "records", "--domain", "supplier")
    assert said.status == 0
    assert "1 read anew" in said.out
    assert told(mdm("repair", "records", "--json"))["supplier"]["old"] == 0


def test_a_domain_that_is_not_declared_is_named_with_those_that_are(mdm):
    said = mdm("repair", "records", "--domain", "ship")
    assert (said.status, "patient" in said.err) == (2, True)
