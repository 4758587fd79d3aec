"""Relationships over HTTP: delivered, said by stewards, read as of a day and as known at a moment; trees, ways up, differences."""

from datetime import date

import pytest

from mdm.db import fetch
from mdm.invariants import violations

NAMES = ("Alder", "Birch", "Cedar", "Dogwood", "Elm", "Fir", "Ginkgo", "Hazel", "Iris", "Juniper", "Katsura", "Larch", "Maple", "Oak")
MOVED, DAY_BEFORE = "2026-07-01", "2026-06-30"


def edge(type_, value, **more):
    return {"type": type_, "system": "erp-north", "value": value, **more}


@pytest.fixture
def put(clean_database, client, key):
    headers = key("integration")

    def deliver(path, key, *said, status=200, **body):
        name = f"{NAMES[sum(key.encode()) % len(NAMES)]} {key}"
        attributes = (
            {"name": name, "company": "0100", "code": key} if path == "cost-centers" else {"name": name, "facility": "North Hospital"}
        )
        sent = {"attributes": attributes, **({"relationships": list(said)} if said else {}), **body}
        answer = client.put(f"/v1/{path}/sources/erp-north/{key}", json=sent, headers=headers)
        assert answer.status_code == status, answer.json
        return answer.json

    return deliver


@pytest.fixture
def get(clean_database, client, key):
    headers = key("integration")

    def read(path, **query):
        answer = client.get(f"/v1/{path}", query_string=query, headers=headers)
        assert answer.status_code == 200, answer.json
        return answer.json

    return read


@pytest.fixture
def say(clean_database, client, key):
    headers = key("steward")
    return lambda path, subject, **body: client.post(f"/v1/{path}/golden/{subject}/relationships", json=body, headers=headers)


@pytest.fixture
def end(clean_database, client, key):
    headers = key("steward")
    return lambda claim, **query: client.delete(f"/v1/relationships/{claim}", query_string=query, headers=headers)


@pytest.fixture
def tree(put):
    """TOTAL above SUMMARY above LEAF, until LEAF moves right under TOTAL."""
    made = {name: put("cost-centers", name)["golden_id"] for name in ("TOTAL",)}
    made["SUMMARY"] = put("cost-centers", "SUMMARY", edge("rolls_up_to", "TOTAL"))["golden_id"]
    before, after = edge("rolls_up_to", "SUMMARY", valid_to=DAY_BEFORE), edge("rolls_up_to", "TOTAL", valid_from=MOVED)
    made["LEAF"] = put("cost-centers", "LEAF", before, after)["golden_id"]
    return made


def center_on(get, department, **when):
    """The cost center that a department is charged to."""
    return [e["golden_id"] for e in get(f"departments/golden/{department}/relationships", direction="out", **when)["items"]]


def test_a_department_moved_to_another_cost_center(put, get, clean_database):
    """The old one for service dates before, the new one after, and what it answered last month for last month."""
    old, new = put("cost-centers", "CC-1")["golden_id"], put("cost-centers", "CC-2")["golden_id"]
    department = put("departments", "D1", edge("charges_to", "CC-1"))["golden_id"]
    with clean_database.unit_of_work() as session:
        last_month = fetch(session, "select clock_timestamp()")[0][0].isoformat()
    put("departments", "D1", edge("charges_to", "CC-2", valid_from=MOVED))
    assert center_on(get, department, as_of=DAY_BEFORE) == [old]
    assert center_on(get, department, as_of=MOVED) == [new]
    assert center_on(get, department, as_of=MOVED, known_at=last_month) == [old]
    assert center_on(get, department, as_of=DAY_BEFORE, known_at=last_month) == [old]
    assert set(center_on(get, department)) == {old, new}


def test_an_edge_names_both_ends_who_says_it_and_since_when(put, get):
    center = put("cost-centers", "CC-1")["golden_id"]
    department = put("departments", "D1", edge("charges_to", "CC-1"))["golden_id"]
    (seen,) = get(f"cost-centers/golden/{center}/relationships", direction="in")["items"]
    assert (seen["golden_id"], seen["domain"], seen["type"], seen["direction"]) == (department, "department", "charges_to", "in")
    assert (seen["system"], seen["key"], seen["recorded_to"], seen["display"]) == ("erp-north", "D1", None, "Fir D1, North Hospital")


def test_lists_are_paged(put, get):
    center = put("cost-centers", "CC-1")["golden_id"]
    departments = {put("departments", f"D{n}", edge("charges_to", "CC-1"))["golden_id"] for n in range(3)}
    first = get(f"cost-centers/golden/{center}/relationships", limit=2)
    second = get(f"cost-centers/golden/{center}/relationships", limit=2, cursor=first["next"])
    assert {e["golden_id"] for e in [*first["items"], *second["items"]]} == departments
    assert second["next"] is None


def test_what_is_said_and_not_in_force_is_shown_with_the_reason(put, get):
    put("cost-centers", "CC-1")
    department = put("departments", "D1", edge("charges_to", "CC-1"), edge("located_at", "L9"))["golden_id"]
    (idle,) = get(f"departments/golden/{department}/relationships")["idle"]
    assert (idle["type"], idle["state"], idle["system"], idle["value"]) == ("located_at", "pending", "erp-north", "L9")


@pytest.mark.parametrize(
    ("said", "code", "pointer"),
    [
        ({"type": "charges_to", "system": "moon", "value": "1"}, "unknown_system", "/relationships/0/system"),
        ({"type": "charges_to", "system": "erp-north"}, "one_end", "/relationships/0"),
        ({"type": "charges_to"}, "one_end", "/relationships/0"),
        ({"type": "charges_to", "golden_id": "018f0000-0000-7000-8000-000000000000"}, "unknown_target", "/relationships/0/golden_id"),
        ({"type": "flies_to", "system": "erp-north", "value": "1"}, "invalid", "/relationships/0/type"),
        ({"type": "charges_to", "system": "erp-north", "value": "1", "weight": 3}, "unknown_field", "/relationships/0/weight"),
    ],
)
def test_a_bad_statement_has_a_problem_for_its_field(put, said, code, pointer):
    answer = put("departments", "D1", said, status=422)
    assert [(e["code"], e["pointer"]) for e in answer["errors"]] == [(code, pointer)]


def test_patients_have_none(clean_database, client, key):
    sent = {"attributes": {"family_name": "Smith"}, "relationships": []}
    answer = client.put("/v1/patients/sources/ehr-north/1", json=sent, headers=key("integration"))
    assert (answer.status_code, answer.json["errors"][0]["code"]) == (422, "unknown_field")


def test_a_loop_is_refused_by_name_and_changes_nothing(put, tree, clean_database):
    answer = put("cost-centers", "TOTAL", edge("rolls_up_to", "LEAF"), status=422)
    (problem,) = answer["errors"][:1]
    assert problem["code"] == "hierarchy_loop"
    assert {tree["TOTAL"], tree["LEAF"]} <= set(problem["message"].split())
    with clean_database.unit_of_work() as session:
        assert violations(session, deep=True) == []
        assert fetch(session, "select version from source_record where key = 'TOTAL'") == [(1,)]


def test_a_steward_outranks_a_source_and_takes_it_back(put, get, say, end):
    old, new = put("cost-centers", "CC-1")["golden_id"], put("cost-centers", "CC-2")["golden_id"]
    department = put("departments", "D1", edge("charges_to", "CC-1"))["golden_id"]
    said = say("departments", department, type="charges_to", golden_id=new, valid_from=MOVED, reason="moved")
    assert (said.status_code, said.json["golden_id"]) == (201, new)
    assert center_on(get, department, as_of=MOVED) == [new]
    assert center_on(get, department, as_of=DAY_BEFORE) == [old]
    assert end(said.json["id"]).status_code == 200
    assert center_on(get, department, as_of=MOVED) == [old]
    assert end(said.json["id"]).status_code == 409


def test_saying_it_again_changes_nothing(put, say):
    center, department = put("cost-centers", "CC-1")["golden_id"], put("departments", "D1")["golden_id"]
    first = say("departments", department, type="charges_to", golden_id=center)
    again = say("departments", department, type="charges_to", golden_id=center)
    assert (first.status_code, again.status_code, again.json) == (201, 200, first.json)


def test_a_claim_ends_on_a_day(put, get, say, end):
    center, department = put("cost-centers", "CC-1")["golden_id"], put("departments", "D1")["golden_id"]
    said = say("departments", department, type="charges_to", golden_id=center, valid_from="2026-01-01").json
    assert end(said["id"], on="2025-12-31").status_code == 422
    assert end(said["id"], on=DAY_BEFORE).json["valid_to"] == DAY_BEFORE
    assert center_on(get, department, as_of=DAY_BEFORE) == [center]
    assert center_on(get, department, as_of=MOVED) == []


def test_what_a_source_says_only_the_source_takes_back(put, get, end):
    put("cost-centers", "CC-1")
    department = put("departments", "D1", edge("charges_to", "CC-1"))["golden_id"]
    (seen,) = get(f"departments/golden/{department}/relationships")["items"]
    assert end(seen["id"]).status_code == 409


def test_a_stewards_loop_is_a_conflict_that_names_it(say, tree, get):
    answer = say("cost-centers", tree["TOTAL"], type="rolls_up_to", golden_id=tree["LEAF"], valid_from="2026-01-01", valid_to="2026-12-31")
    assert (answer.status_code, answer.json["code"]) == (409, "hierarchy_loop")
    assert tree["LEAF"] in answer.json["detail"]
    assert get(f"cost-centers/golden/{tree['TOTAL']}/relationships", direction="out")["items"] == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"type": "charges_to", "golden_id": "018f0000-0000-7000-8000-000000000000"}, "unknown_target"),
        ({"type": "charges_to", "golden_id": "SELF"}, "unknown_target"),
        ({"type": "part_of", "golden_id": "SELF"}, "same_record"),
        ({"type": "charges_to", "golden_id": "SELF", "tree": "main"}, "no_hierarchy"),
        ({"type": "charges_to", "golden_id": "SELF", "valid_from": MOVED, "valid_to": DAY_BEFORE}, "invalid_period"),
    ],
)
def test_what_a_steward_cannot_say(put, say, body, code):
    department = put("departments", "D1")["golden_id"]
    answer = say("departments", department, **{**body, "golden_id": body["golden_id"].replace("SELF", department)})
    assert (answer.status_code, answer.json["errors"][0]["code"]) == (422, code)


def test_the_subtree_and_the_way_up_follow_the_day(get, tree):
    def below(name, **query):
        return {(n["golden_id"], n["parent_id"], n["depth"]) for n in get(f"cost-centers/golden/{tree[name]}/subtree", **query)["items"]}

    root = (tree["TOTAL"], None, 0)
    assert below("TOTAL", as_of=DAY_BEFORE) == {root, (tree["SUMMARY"], tree["TOTAL"], 1), (tree["LEAF"], tree["SUMMARY"], 2)}
    assert below("TOTAL", as_of=MOVED) == {root, (tree["SUMMARY"], tree["TOTAL"], 1), (tree["LEAF"], tree["TOTAL"], 1)}
    assert below("TOTAL", as_of=DAY_BEFORE, depth=1) == {root, (tree["SUMMARY"], tree["TOTAL"], 1)}
    assert below("LEAF", as_of=DAY_BEFORE) == {(tree["LEAF"], None, 0)}
    way = get(f"cost-centers/golden/{tree['LEAF']}/path", as_of=DAY_BEFORE)["items"]
    assert [step["golden_id"] for step in way] == [tree["LEAF"], tree["SUMMARY"], tree["TOTAL"]]
    assert [(step["valid_to"], step["depth"]) for step in way] == [(DAY_BEFORE, 0), (None, 1), (None, 2)]


def test_the_trees_there_are_and_their_pages(put, get, tree):
    put("cost-centers", "OTHER", edge("rolls_up_to", "TOTAL", tree="budget"))
    listed = {(each["id"], each["nodes"]) for each in get("hierarchies", as_of=MOVED)["items"]}
    assert listed == {("cost_center:main", 2), ("cost_center:budget", 1)}
    first = get("hierarchies/cost_center:main", as_of=MOVED, limit=1)
    second = get("hierarchies/cost_center:main", as_of=MOVED, limit=1, cursor=first["next"])
    assert {(i["golden_id"], i["parent_id"]) for i in [*first["items"], *second["items"]]} == {
        (tree["SUMMARY"], tree["TOTAL"]),
        (tree["LEAF"], tree["TOTAL"]),
    }


def test_two_days_of_a_tree_compared(put, get, tree):
    new = put("cost-centers", "NEW", edge("rolls_up_to", "TOTAL", valid_from=MOVED))["golden_id"]
    gone = put("cost-centers", "GONE", edge("rolls_up_to", "TOTAL", valid_to=DAY_BEFORE))["golden_id"]
    found = get("hierarchies/cost_center:main/diff", **{"from": DAY_BEFORE, "to": MOVED})["items"]
    assert {(f["golden_id"], f["change"], f["from_parent"], f["to_parent"]) for f in found} == {
        (new, "added", None, tree["TOTAL"]),
        (gone, "removed", tree["TOTAL"], None),
        (tree["LEAF"], "moved", tree["SUMMARY"], tree["TOTAL"]),
    }


def test_a_tree_as_it_was_known(put, get, clean_database, tree):
    with clean_database.unit_of_work() as session:
        then = fetch(session, "select clock_timestamp()")[0][0].isoformat()
    put("cost-centers", "LEAF", relationships=[])
    place = f"cost-centers/golden/{tree['TOTAL']}/subtree"
    assert len(get(place, as_of=MOVED)["items"]) == 2
    assert len(get(place, as_of=MOVED, known_at=then)["items"]) == 3


@pytest.mark.parametrize("name", ["patient:main", "moon:main", "provider:main"])
def test_a_hierarchy_that_cannot_be_is_not_found(client, key, name):
    assert client.get(f"/v1/hierarchies/{name}", headers=key("integration", grants=["phi"])).status_code == 404


def test_a_reader_of_one_system_meets_only_its_golden_records(client, key, tree):
    headers = key("integration", systems=["ehr-north"])
    assert client.get(f"/v1/cost-centers/golden/{tree['TOTAL']}/subtree", headers=headers).status_code == 404
    assert client.get("/v1/hierarchies/cost_center:main", headers=headers).json["items"] == []
    home = key("integration", systems=["erp-north"])
    assert len(client.get(f"/v1/cost-centers/golden/{tree['TOTAL']}/subtree", headers=home).json["items"]) == 3
    assert len(client.get("/v1/hierarchies/cost_center:main", headers=home).json["items"]) == 2


def test_every_change_is_told_once_and_audited(put, say, clean_database):
    center, department = put("cost-centers", "CC-1")["golden_id"], put("departments", "D1", edge("charges_to", "CC-1"))["golden_id"]
    say("departments", department, type="charges_to", golden_id=center, valid_from=date(2030, 1, 1).isoformat(), reason="agreed")
    with clean_database.unit_of_work() as session:
        told = fetch(session, "select domain, golden_id::text, data from event where type = 'relationship.changed' order by n")
        audited = fetch(session, "select subjects[1]::text, detail ->> 'reason' from audit where action = 'relationship:assert'")
    assert told == [("department", department, {"types": ["charges_to"]})] * 2
    assert audited == [(department, "agreed")]
