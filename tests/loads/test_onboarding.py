"""docs/onboarding.md, its commands run in order as they stand."""

import json
import os
import re
import shlex
from pathlib import Path

import pytest

from mdm.cli import main
from mdm.db import fetch
from tests.loads.conftest import partition

DOCUMENT = (Path(__file__).parents[2] / "docs" / "onboarding.md").read_text()
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", DOCUMENT, re.DOTALL) for line in block.splitlines()]
STATUS = {"plan": [3, 0], "watch": [0]}


@pytest.fixture
def shell(clean_database, tmp_path, monkeypatch, capsysbinary):
    """run(line) -> status and what was said; names of earlier answers are filled in."""
    for name in [name for name in os.environ if name.startswith("MDM_")]:
        monkeypatch.delenv(name)
    given = {"MDM_HOME": str(tmp_path / "home"), "MDM_DATABASE_URL": clean_database.url, "MDM_BROKER_URL": "none", "MDM_PROFILE": "test"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)

    def run(line, **names):
        for name, value in names.items():
            line = line.replace(f"${name}", value)
        command, _, target = line.partition(" > ")
        capsysbinary.readouterr()
        status = main(shlex.split(command)[1:])
        out = capsysbinary.readouterr().out
        if target:
            Path(target).write_bytes(out)
        return status, out

    return run


def test_the_tutorial_does_what_it_says(shell, clean_database, tmp_path):
    from tests.conftest import register_systems

    register_systems(clean_database)
    with clean_database.unit_of_work() as session:
        from mdm.systems import put_system

        put_system(session, "erp-mercy", name="Mercy ERP", kind="erp", organization="Mercy")
    (tmp_path / "suppliers.csv").write_text(re.search(r"```csv suppliers.csv\n(.*?)```", DOCUMENT, re.DOTALL)[1])
    (tmp_path / "drops").mkdir()
    names, plans, said = {}, 0, {}
    for line in COMMANDS:
        status, out = shell(line, **names)
        verb = line.split()[2]
        expected = 3 if verb == "plan" and plans == 0 else 0
        assert status == expected, (line, out)
        if verb == "plan":
            plans += 1
            plan = json.loads(out)
            if plans == 1:
                names = {"LOAD": plan["load_id"], "PLAN": plan["plan_id"]}
                assert plan["counts"] == {"new": 3, "linked": 0, "review": 0, "updated": 0, "unchanged": 0, "rejected": 2, "absent": 0}
            else:
                assert plan["same_as"] == names["LOAD"]
        said[verb] = out
    assert json.loads(said["apply"])["counts"]["new"] == 3
    assert json.loads(said["undo"])["counts"]["withdrawn"] == 3
    assert b"V-1003" in (tmp_path / "rejects.csv").read_bytes()
    report = (tmp_path / "report.html").read_text()
    assert names["LOAD"] in report
    assert "duplicate_key" in report
    assert "the second V-1003 is known" in report
    assert partition(clean_database, "supplier") == set()


def test_a_dropped_file_is_loaded_and_a_broken_one_stops_the_watch(shell, clean_database, tmp_path):
    with clean_database.unit_of_work() as session:
        from mdm.systems import put_system

        put_system(session, "erp-mercy", name="Mercy ERP", kind="erp", organization="Mercy")
    drops = tmp_path / "drops"
    drops.mkdir()
    (drops / "1.csv").write_text("key,name\nA,Aldermoor Surgical Supply\nB,Birchwood Linen\n")
    (drops / "2.csv").write_text("key,name\nA,Aldermoor Surgical Supply\nA,Birchwood Linen\n")
    (drops / "3.csv").write_text("key,name\nC,Coastal Imaging\n")
    (drops / "done").mkdir()
    (drops / "done" / "1.csv").write_text("of yesterday")
    status, out = shell("mdm load watch drops --domain supplier --system erp-mercy --every 0.05 --json")
    taken = [json.loads(line) for line in out.splitlines()]
    assert (status, [each["name"] for each in taken]) == (3, ["1.csv", "2.csv"])
    assert "key_not_unique" in taken[1]["stopped"]
    assert sorted(path.name for path in (drops / "done").iterdir()) == ["1.2.csv", "1.csv"]
    assert (drops / "done" / "1.csv").read_text() == "of yesterday"
    assert (drops / "rejects" / "2.csv").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (drops / "stopped").iterdir()] == ["2.csv"]
    assert (drops / "3.csv").exists()
    assert clean_database.run(lambda session: fetch(session, "select key from source_record order by key")) == [("A",), ("B",)]


def test_a_folder_is_planned_in_the_order_of_its_manifest(shell, clean_database, tmp_path):
    folder = tmp_path / "mercy"
    folder.mkdir()
    (folder / "payers.csv").write_text("Id,Name\nP1,Aetna Health\n")
    (folder / "suppliers.csv").write_text("Vendor No,Vendor Name\nV1,Medline Industries\nV2,Cardinal Health\n")
    files = [
        {"file": "payers.csv", "domain": "payer", "order": 2, "columns": {"key": "Id", "name": "Name"}},
        {"file": "suppliers.csv", "domain": "supplier", "order": 1, "columns": {"key": "Vendor No", "name": "Vendor Name"}},
    ]
    (folder / "manifest.json").write_text(json.dumps({"system": "ehr-mercy", "files": files}))
    status, out = shell(f"mdm load plan {folder} --json")
    assert status == 0
    assert [each["counts"]["new"] for each in json.loads(out)["loads"]] == [2, 1]
    (folder / "manifest.json").unlink()
    assert shell(f"mdm load plan {folder} --json")[0] == 2
