"""`mdm mapping load` writes drafts, and says which rows it could not."""

import json
from datetime import date

import pytest

from mdm.access import SYSTEM_ACTOR
from mdm.mapping_sets import By, Definition, Input, Output, has_set, put_set


@pytest.fixture
def posting(sound):
    with sound.unit_of_work() as session:
        if not has_set(session, "posting"):
            definition = Definition("Posting", (Input("kind"),), (Output("account"),))
            put_set(session, By(SYSTEM_ACTOR, "r", date(2026, 7, 1)), "posting", definition, if_match=None)
    return "posting"


def test_rules_are_loaded_once_and_rejects_come_back(mdm, posting, tmp_path):
    file, rejects = tmp_path / "r.csv", tmp_path / "bad.csv"
    file.write_text("kind,account\na,1\nb,\n")
    said = mdm("mapping", "load", str(file), "--set", posting, "--rejects", str(rejects), "--json")
    assert (said.status, json.loads(said.out)) == (1, {"drafts": 1, "unchanged": 0, "rejected": 1})
    rejects.write_text(rejects.read_text(encoding="utf-8-sig").replace("b,", "b,2"))
    said = mdm("mapping", "load", str(rejects), "--set", posting)
    assert (said.status, said.out) == (0, "1 drafts, 0 unchanged, 0 rejected\n")
    assert mdm("mapping", "load", str(file), "--set", posting).out.splitlines()[:1] == ["0 drafts, 1 unchanged, 1 rejected"]


def test_what_is_not_there_is_named(mdm, posting, tmp_path):
    (tmp_path / "r.csv").write_text("kind,account\na,1\n")
    assert mdm("mapping", "load", str(tmp_path / "r.csv"), "--set", "none").status == 1
    assert mdm("mapping", "load", str(tmp_path / "none.csv"), "--set", posting).status == 2
