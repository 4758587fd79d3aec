"""`mdm load`: what it refuses, by which status, and what a program that reads standard output is told."""

import json
from pathlib import Path

import pytest

from mdm import audit
from mdm.access import SYSTEM_ACTOR, NewPrincipal, Role, insert_principal
from mdm.db import execute
from mdm.systems import put_system

OF = ("--domain", "supplier", "--system", "erp-lake")


@pytest.fixture
def folder(tmp_path, sound):
    sound.run(lambda session: put_system(session, "erp-lake", name="Lake ERP", kind="erp", organization="Lake"))
    (tmp_path / "drops").mkdir()
    return tmp_path


def file_of(folder, name, *rows, header="key,name,city"):
    path = folder / name
    path.write_text("\n".join([header, *rows]) + "\n")
    return str(path)


def told(said):
    return json.loads(said.out)


def test_what_cannot_be_used_is_status_2_and_a_problem_as_the_api_tells_it(mdm, folder):
    good = file_of(folder, "good.csv", "W1,Wendell Linen,Salem")
    for arguments in (
        ("plan", str(folder / "none.csv"), *OF),
        ("plan", good, "--domain", "supplier", "--system", "nowhere"),
        ("plan", good, *OF, "--encoding", "rot13"),
        ("plan", good, *OF, "--step", '{"kind": "pad_zeros", "column": "key", "width": 3.5}'),
        ("plan", good, "--domain", "nothing", "--system", "erp-lake"),
        ("apply", "no-id"),
    ):
        said = mdm("load", *arguments, "--json")
        assert (said.status, said.err.startswith("mdm: "), said.err.count("\n")) == (2, True, 1), arguments
        assert {"type", "title", "status", "code", "detail"} <= set(told(said)), arguments
    assert mdm("load", "plan", str(folder / "none.csv"), *OF).out == ""


def test_rails_stale_plans_and_second_persons_have_their_statuses(mdm, folder, sound):
    twice = told(mdm("load", "plan", file_of(folder, "twice.csv", "A1,Ash Linen,Salem", "A1,Ash Linen Inc,Salem"), *OF, "--json"))
    said = mdm("load", "apply", twice["plan_id"], "--json")
    assert (said.status, told(said)["status"], told(said)["code"]) == (3, 409, "conflict")
    assert {each["code"] for each in told(said)["errors"]} >= {"key_not_unique"}
    plan = told(mdm("load", "plan", file_of(folder, "b.csv", "B1,Birch Linen,Salem", "B2,Brook Imaging,Lynn"), *OF, "--json"))
    said = mdm("load", "apply", plan["plan_id"], "--json", MDM_LOAD_APPROVAL_ROWS="1")
    assert (said.status, told(said)["code"]) == (5, "second_person_needed")
    newer = told(mdm("load", "plan", plan["load_id"], "--json"))
    said = mdm("load", "apply", plan["plan_id"], "--json")
    assert (said.status, told(said)["code"]) == (4, "plan_stale")
    said = mdm("load", "apply", newer["plan_id"], "--wave", "city=Salme", "--json")
    assert (said.status, told(said)["errors"][0]["code"]) == (2, "empty_wave")
    assert "Salem" in told(said)["errors"][0]["message"]
    assert mdm("load", "apply", newer["plan_id"], "--wave", "city=salem", "--json").status == 0
    assert told(mdm("load", "status", plan["load_id"], "--json"))["applied"]["waiting"] == 1


def test_a_second_person_is_somebody_who_works_here_and_may_load(mdm, folder, sound):
    def people(session):
        for name, role in (("lea", Role.LOADER), ("stu", Role.STEWARD), ("max", Role.LOADER)):
            insert_principal(session, NewPrincipal(name, role), "client", None)
        execute(session, "update principal set disabled = true where name = 'max'")

    sound.run(people)
    plan = told(mdm("load", "plan", file_of(folder, "c.csv", "C1,Cedar Linen,Salem", "C2,Coast Imaging,Lynn"), *OF, "--json"))
    for name in ("", "nobody", "stu", "max", SYSTEM_ACTOR.name):
        said = mdm("load", "apply", plan["plan_id"], "--second", name, MDM_LOAD_APPROVAL_ROWS="1")
        assert (said.status, said.out) == (2, ""), name
    said = mdm("load", "apply", plan["plan_id"], "--second", "lea", "--json", MDM_LOAD_APPROVAL_ROWS="1")
    assert (said.status, told(said)["counts"]["new"]) == (0, 2)
    assert told(mdm("load", "status", plan["load_id"], "--json"))["approved_by"] == "lea"


def test_a_load_that_is_there_is_read_as_is_said_now(mdm, folder):
    path = file_of(folder, "d.csv", "D1,Dell Linen,Salem,7", header="key,name,town,place")
    first = told(mdm("load", "plan", path, *OF, "--columns", "key=key,name=name,city=place", "--json"))
    step = '{"kind": "map_values", "column": "town", "pairs": [["Salem", "Boston"]]}'
    again = mdm("load", "plan", first["load_id"], "--columns", "city=town", "--step", step, "--json")
    assert (again.status, told(again)["steps"]) == (0, {"map_values town (1 values)": 1})
    status = told(mdm("load", "status", first["load_id"], "--json"))
    assert sorted(status["options"]["columns"]) == [["city", "town"], ["key", "key"], ["name", "name"]]
    for option in (("--columns", "city=nowhere"), ("--step", '{"kind": "trim", "column": "nowhere"}'), ("--domain", "supplier")):
        assert mdm("load", "plan", first["load_id"], *option).status == 2, option
    assert told(mdm("load", "status", first["load_id"], "--json"))["options"] == status["options"]


def test_a_manifest_says_which_steps_repair_a_file_and_nobody_else_does(mdm, folder):
    mercy = folder / "mercy"
    mercy.mkdir()
    file_of(mercy, "e.csv", "1,Elm Linen,Salem")
    step = {"kind": "pad_zeros", "column": "key", "width": 4}
    files = [{"file": "e.csv", "domain": "supplier", "steps": [step]}]
    manifest = mercy / "manifest.json"
    manifest.write_text(json.dumps({"system": "erp-lake", "files": files}))
    assert mdm("load", "plan", str(mercy), "--encoding", "latin-1").status == 2
    said = mdm("load", "plan", str(mercy), "--json")
    assert (said.status, told(said)["loads"][0]["steps"]) == (0, {"pad_zeros key (4)": 1})
    manifest.write_text(json.dumps({"system": "erp-lake", "files": [{**files[0], "steps": [{**step, "width": 3.5}]}]}))
    said = mdm("load", "plan", str(mercy))
    assert (said.status, "entry 1" in said.err, "width is a whole number" in said.err) == (2, True, True)


def test_a_watch_that_was_stopped_waits_until_somebody_has_looked(mdm, folder):
    drops = folder / "drops"
    file_of(drops, "1.csv", "F1,Fern Linen,Salem", "F1,Fern Linen Inc,Salem")
    how = ("load", "watch", str(drops), *OF, "--once", "--every", "0.05")
    assert mdm(*how).status == 3
    file_of(drops, "2.csv", "F2,Field Imaging,Lynn")
    said = mdm(*how, "--json")
    assert (said.status, "1.csv" in told(said)["detail"], (drops / "2.csv").exists()) == (3, True, True)
    Path(drops / "stopped" / "1.csv").unlink()
    assert mdm(*how).status == 0
    assert (drops / "done" / "2.csv").exists()


def test_who_asked_first_may_withdraw_the_request(mdm, folder, sound):
    sound.run(lambda session: put_system(session, "erp-willow", name="Willow ERP", kind="erp", organization="Willow"))
    file = file_of(folder, "w.csv", "W1,Willow Linen,Salem", "W2,Wren Imaging,Lynn")
    plan = told(mdm("load", "plan", file, "--domain", "supplier", "--system", "erp-willow", "--json"))
    said = mdm("load", "withdraw", plan["load_id"], "--json")
    assert (said.status, told(said)["code"]) == (1, "conflict")
    assert mdm("load", "apply", plan["plan_id"], "--json", MDM_LOAD_APPROVAL_ROWS="1").status == 5
    said = mdm("load", "withdraw", plan["load_id"], "--json")
    assert (said.status, told(said)["asked_by"]) == (0, None)
    assert mdm("load", "apply", plan["plan_id"], "--json").status == 0
    lines = mdm("load", "undo", plan["load_id"], "--preview").out.splitlines()
    assert any(line.startswith("withdrawn  row 2 of ") for line in lines), lines


def test_models_tell_who_activated_them_when_and_from_what(mdm, sound):
    insert = "insert into match_model (domain, version, model, metrics) values ('payer', 'payer-t1', '{}', %s::jsonb)"
    sound.run(lambda session: execute(session, insert, ('{"records": 7, "data": "f00d"}',)))
    said = mdm("match", "models", "--json")
    line = next(each for each in told(said) if each["version"] == "payer-t1")
    assert (line["metrics"], line["data"], line["activated_at"]) == ({"records": 7}, "f00d", None)
    detail = {"version": "payer-t1"}
    sound.run(lambda session: audit.record(session, SYSTEM_ACTOR, "model:activate", domain="payer", detail=detail))
    line = next(each for each in told(mdm("match", "models", "--json")) if each["version"] == "payer-t1")
    assert line["activated_at"] is not None
    assert "metrics records 7" in mdm("match", "models").out
