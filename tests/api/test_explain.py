"""Why two records match: the numbers of the scorer, values as this reader may see them, audited, nothing written."""

import pytest

from mdm.db import fetch

MARIA = {
    "given_name": "Maria",
    "family_name": "Rivera",
    "birth_date": "1980-02-29",
    "sex": "F",
    "address_line": "12 Elm Street",
    "city": "Boston",
}
MARIE = {**MARIA, "given_name": "Marie", "birth_date": "1980-02-28"}
SSN = "219-09-9918"
NORTH, MERCY = {"system": "ehr-north", "key": "MRN-1"}, {"system": "ehr-mercy", "key": "7"}


@pytest.fixture
def pair(clean_database, client, key):
    """Two patients of two systems, and what their second delivery answered."""
    headers = key("integration", grants=["phi"])
    identifiers = [{"system": "us-ssn", "value": SSN}]
    client.put("/v1/patients/sources/ehr-north/MRN-1", json={"attributes": MARIA, "identifiers": identifiers}, headers=headers)
    answer = client.put("/v1/patients/sources/ehr-mercy/7", json={"attributes": MARIE, "identifiers": identifiers}, headers=headers)
    assert answer.status_code == 200
    return answer.json


@pytest.fixture
def explain(client, key):
    def ask(left, right, headers=None, path="patients"):
        return client.post(f"/v1/{path}/explain", json={"left": left, "right": right}, headers=headers or key("steward"))

    return ask


def test_the_explanation_is_the_evidence_that_decided(explain, pair):
    found = explain(NORTH, MERCY).json
    evidence = {each["comparison"]: (each["level"], each["weight"]) for each in pair["evidence"]}
    assert {step["comparison"]: (step["level"], step["weight"]) for step in found["steps"]} == evidence
    assert found["total"] == pytest.approx(pair["weight"], abs=1e-9)
    assert found["start"] + sum(step["weight"] for step in found["steps"]) + found["cap"] == pytest.approx(found["total"], abs=1e-9)
    assert found["outcome"] == "link"
    assert found["golden_ids"] == [pair["golden_id"]] * 2
    assert all({"left", "right", "columns"}.isdisjoint(step) for step in found["steps"])
    assert [flip for flip in found["flips"] if flip["words"].startswith("if ")] == found["flips"]
    assert "phone" in {silent["comparison"] for silent in found["silent"]}


def test_values_are_masked_like_any_other_read(explain, key, pair):
    masked, plain = explain(NORTH, MERCY), explain(NORTH, MERCY, key("integration", grants=["phi"]))
    shown = str([(step["reason"], step["values"]) for step in masked.json["steps"]])
    assert all(secret not in masked.text for secret in ("1980-02", "198002", "Elm", "elm", "21909", "219-09"))
    assert all(secret not in shown for secret in ("219", "0229", "0228"))
    values = {value["name"]: value for step in plain.json["steps"] for value in step["values"]}
    assert (values["birth_date"]["left"], values["birth_date"]["right"]) == ("1980-02-29", "1980-02-28")
    assert "219" not in str(values["ssn"])


def test_a_record_that_nobody_delivered_is_explained_too(explain, key, pair):
    given = {"attributes": {**MARIA, "birth_date": "some day in spring"}, "identifiers": [{"system": "us-ssn", "value": SSN}]}
    found = explain(given, NORTH, key("integration", grants=["phi", "unmask"])).json
    assert found["golden_ids"] == [None, pair["golden_id"]]
    assert {"pointer": "/left/attributes/birth_date"}.items() <= found["notes"][0].items()
    assert next(s for s in found["silent"] if s["comparison"] == "birth date")["absent"] == ["left"]
    both = explain({"attributes": MARIA}, {"attributes": MARIA}).json
    assert both["golden_ids"] == [None, None]
    assert next(s for s in both["steps"] if s["comparison"] == "cross reference")["level"] == "none"


def test_a_masked_value_is_not_guessed_at(explain, key, pair):
    guess = {"attributes": {**MARIA, "birth_date": "1980-02-27"}, "identifiers": [{"system": "us-ssn", "value": SSN}]}
    for sides in ((guess, NORTH), (NORTH, guess)):
        answer = explain(*sides)
        assert (answer.status_code, answer.json["code"]) == (403, "masked_field")
        pointers = {problem["pointer"].partition("/")[2].partition("/")[2] for problem in answer.json["errors"]}
        assert pointers == {"attributes/birth_date", "attributes/address_line", "identifiers/0"}
        assert "weight" not in answer.text
    plain = explain(guess, NORTH, key("integration", grants=["phi"]))
    assert [problem["pointer"] for problem in plain.json["errors"]] == ["/left/identifiers/0"]
    alias = {"identifiers": [{"system": "http://hl7.org/fhir/sid/us-ssn", "value": SSN}]}
    assert explain(alias, NORTH).json["code"] == "masked_field"
    told = {"given_name": "Maria", "family_name": "Rivera", "city": "Boston"}
    assert explain({"attributes": told}, NORTH).status_code == 200
    assert explain(guess, guess).status_code == 200


@pytest.mark.parametrize(
    ("left", "pointer"),
    [
        ({}, "/left"),
        ({"system": "ehr-north"}, "/left"),
        ({**NORTH, "attributes": {}}, "/left"),
        ({"attributes": {"nonsense": "x"}}, "/left/attributes/nonsense"),
        ({"identifiers": [{"system": "nobody", "value": "1"}]}, "/left/identifiers/0/system"),
    ],
)
def test_a_bad_side_is_refused_with_its_place(explain, pair, left, pointer):
    answer = explain(left, NORTH)
    assert answer.status_code == 422
    assert [problem["pointer"] for problem in answer.json["errors"]] == [pointer]


def test_what_is_absent_and_what_is_out_of_scope_are_one(explain, key, pair):
    scoped = key("steward", systems=["ehr-north"])
    answers = [explain(NORTH, {"system": "ehr-mercy", "key": "absent"}), explain(NORTH, MERCY, scoped)]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert explain(NORTH, NORTH, scoped).status_code == 200
    assert explain(NORTH, MERCY, key("integration")).status_code == 403


def test_it_writes_the_audit_row_and_nothing_else(clean_database, explain, key, pair):
    def written():
        with clean_database.unit_of_work() as session:
            return fetch(
                session, "select (select count(*) from source_record_version), (select count(*) from event), (select count(*) from edge)"
            )

    before = written()
    explain(NORTH, MERCY)
    assert written() == before
    with clean_database.unit_of_work() as session:
        [(subjects, fields)] = fetch(session, "select subjects, fields from audit where action = 'source:explain'")
    assert {str(subject) for subject in subjects} == {pair["golden_id"]}
    assert {"birth_date", "given_name", "ssn"} <= set(fields)
    assert "Rivera" not in str(fields)


def test_reference_data_shows_its_values(explain, key, clean_database):
    side = {"attributes": {"name": "Harbor Health Plan", "city": "Bath"}}
    found = explain(side, {"attributes": {"name": "Harbor Health", "city": "Bath"}}, key("integration"), path="payers").json
    name = next(step for step in found["steps"] if step["comparison"] == "name")
    assert {"name": "name", "title": "Name", "left": "Harbor Health Plan", "right": "Harbor Health"} in name["values"]
