"""What readers see: cut to their systems, masked, and of patients audited. Out of scope reads like absent."""

import pytest

from mdm.db import fetch

MARIA = {
    "given_name": "Maria",
    "family_name": "Rivera",
    "birth_date": "1980-02-29",
    "sex": "F",
    "address_line": "12 Elm Street",
    "city": "Boston",
    "state": "MA",
    "postal_code": "02115",
    "phone": ["617-555-0134"],
}
SSN = "219-09-9918"
ABSENT = "00000000-0000-7000-8000-000000000000"


@pytest.fixture
def deliver(clean_database, client, key):
    headers = key("integration", grants=["phi"])

    def put(path, attributes, *identifiers):
        body = {"attributes": attributes, "identifiers": [{"system": system, "value": value} for system, value in identifiers]}
        answer = client.put(f"/v1/{path}", json=body, headers=headers)
        assert answer.status_code == 200, answer.json
        return answer.json

    return put


@pytest.fixture
def maria(deliver):
    return deliver("patients/sources/ehr-north/MRN-1", MARIA, ("USSSA", SSN))


@pytest.fixture
def read(client):
    return lambda path, headers: client.get(f"/v1/{path}", headers=headers)


def audited(database, action):
    with database.unit_of_work() as session:
        return fetch(session, "select principal, subjects, fields, request_id, outcome from audit where action = %s", (action,))


def test_a_client_with_the_grant_reads_patients_plain_but_no_secret(read, key, maria):
    golden = read(f"patients/golden/{maria['golden_id']}", key("integration", grants=["phi"])).json
    assert (golden["values"]["birth_date"], golden["values"]["address_line"]) == ("1980-02-29", "12 Elm Street")
    held = {identifier["system"]: identifier["value"] for identifier in golden["identifiers"]}
    assert held["ehr-north"] == "MRN-1"
    assert held["us-ssn"].endswith("9918")
    assert "219" not in held["us-ssn"]
    assert golden["records"] == [maria["record_id"]]
    assert golden["provenance"]["birth_date"]["record_id"] == maria["record_id"]


def test_a_steward_sees_year_town_and_last_digits(read, key, maria):
    values = read(f"patients/golden/{maria['golden_id']}", key("steward")).json["values"]
    assert (values["birth_date"], values["city"], values["address_line"]) == ("1980", "Boston", "•••")
    assert values["postal_code"].startswith("021")
    assert "115" not in values["postal_code"]
    assert values["phone"][0].endswith("34")
    assert "0134" not in values["phone"][0]


@pytest.mark.parametrize("path", ["sources/ehr-north/MRN-1", "golden/{}/history", "golden/{}/sources"])
def test_no_way_of_reading_shows_more_than_the_golden_record(read, key, maria, path):
    text = read("patients/" + path.format(maria["golden_id"]), key("steward")).text
    for secret in ("1980-02-29", "Elm", "0134", "02115", "219-09", "21909"):
        assert secret not in text


def test_a_secret_behind_an_alias_of_its_system_is_masked_too(read, key, maria):
    source = read("patients/sources/ehr-north/MRN-1", key("integration", grants=["phi"])).json
    assert [held["system"] for held in source["identifiers"]] == ["USSSA"]
    assert source["identifiers"][0]["value"] != SSN


def test_a_providers_birth_date_is_a_secret(read, key, deliver):
    made = deliver("providers/sources/ehr-north/P1", {"given_name": "Ada", "family_name": "Stone", "birth_date": "1970-05-06"})
    plain = key("integration")
    assert read(f"providers/golden/{made['golden_id']}", plain).json["values"]["birth_date"] == "1970"
    allowed = key("integration", grants=["unmask"])
    assert read(f"providers/golden/{made['golden_id']}", allowed).json["values"]["birth_date"] == "1970-05-06"


@pytest.mark.parametrize(
    ("body", "finds"),
    [
        ({"text": "river"}, True),
        ({"attributes": {"family_name": "Rivera", "birth_date": "1980"}}, True),
        ({"attributes": {"birth_date": "1980-02-29"}}, True),
        ({"attributes": {"birth_date": "1980-02"}}, False),
        ({"text": "1980-02-2"}, False),
        ({"attributes": {"postal_code": "0211"}}, False),
    ],
)
def test_a_part_of_a_masked_value_finds_nothing(client, key, maria, body, finds):
    page = client.post("/v1/patients/search", json=body, headers=key("steward")).json
    assert [hit["id"] for hit in page["items"]] == ([maria["golden_id"]] if finds else [])
    assert "1980-02" not in str(page)


def test_match_shows_a_client_without_the_grant_no_line(client, key, maria):
    asked = {"attributes": MARIA}
    blind = client.post("/v1/patients/match", json=asked, headers=key("integration")).json["results"]
    steward = client.post("/v1/patients/match", json=asked, headers=key("steward")).json["results"]
    assert [result["golden_id"] for result in blind] == [result["golden_id"] for result in steward] == [maria["golden_id"]]
    assert (blind[0]["display"], "Rivera" in steward[0]["display"]) == ("", True)
    assert blind[0]["evidence"]


NEAR = [{**MARIA, "birth_date": f"19{year}-02-{day}"} for year in (79, 80) for day in (27, 28, 29) if (year, day) != (79, 29)]


def test_a_guess_at_a_masked_value_is_told_the_grade_alone(client, key, maria, deliver):
    """One who guesses birth dates, and lays a record of their own beside the true one, learns from answers of one grade nothing at all."""
    own = deliver("patients/sources/ehr-north/OWN-1", {**MARIA, "birth_date": "1980-02-28", "address_line": "4 Elm Street"})
    for role in ("integration", "steward"):
        headers = key(role)
        answers = [client.post("/v1/patients/match", json={"attributes": guess, "limit": 1}, headers=headers).json for guess in NEAR]
        assert all("birth date" in answer["withheld"] for answer in answers)
        told = [result for answer in answers for result in answer["results"]]
        assert {result["weight"] for result in told} == {None}
        assert {each["comparison"] for result in told for each in result["evidence"]}.isdisjoint(answers[0]["withheld"])
        by_grade = {}
        for result in told:
            by_grade.setdefault(result["grade"], set()).add(str({**result, "display": ""}))
        assert all(len(found) == 1 for found in by_grade.values()), (own, by_grade)


def test_who_sees_the_values_is_told_the_weights(client, key, maria):
    asked = {"attributes": MARIA, "identifiers": [{"system": "us-ssn", "value": "219-09-9999"}]}
    seeing = client.post("/v1/patients/match", json=asked, headers=key("integration", grants=["phi", "unmask"])).json
    assert (seeing["withheld"], seeing["results"][0]["weight"] > 0) == ([], True)
    half = client.post("/v1/patients/match", json=asked, headers=key("integration", grants=["phi"])).json
    assert (half["withheld"], half["results"][0]["weight"]) == (["social security number"], None)
    open_ones = {"attributes": {"given_name": "Maria", "family_name": "Rivera", "sex": "F"}}
    assert client.post("/v1/patients/match", json=open_ones, headers=key("steward")).json["withheld"] == []


def test_match_writes_nothing_but_the_audit_row(database, client, key, maria):
    def rows():
        with database.unit_of_work() as session:
            return fetch(session, "select (select count(*) from source_record_version), (select count(*) from event)")

    before = rows()
    client.post("/v1/patients/match", json={"attributes": MARIA}, headers=key("steward"))
    assert rows() == before


READS = [
    ("golden:read", "GET", "golden/{}", None),
    ("golden:history", "GET", "golden/{}/history", None),
    ("source:list", "GET", "golden/{}/sources", None),
    ("source:read", "GET", "sources/ehr-north/MRN-1", None),
    ("golden:search", "POST", "search", {"text": "Rivera"}),
    ("golden:match", "POST", "match", {"attributes": MARIA}),
]


@pytest.mark.parametrize("asked", READS, ids=lambda asked: asked[0])
def test_every_read_of_a_patient_says_who_whom_and_which_fields(database, client, key, maria, asked):
    action, method, path, body = asked
    headers = {**key("steward"), "X-Request-Id": "flow-0042"}
    answer = client.open("/v1/patients/" + path.format(maria["golden_id"]), method=method, json=body, headers=headers)
    assert answer.status_code == 200
    [(principal, subjects, fields, request_id, _)] = audited(database, action)
    assert (principal.split()[0], [str(subject) for subject in subjects], request_id) == ("steward", [maria["golden_id"]], "flow-0042")
    assert fields == sorted(fields)
    assert fields
    assert "Rivera" not in str(fields)


def test_reference_data_is_nobodys_secret(database, read, key, deliver):
    made = deliver("payers/sources/erp-north/1", {"name": "Blue Shield"})
    assert read(f"payers/golden/{made['golden_id']}", key("steward")).status_code == 200
    assert audited(database, "golden:read") == []


@pytest.fixture
def shared(deliver):
    """One payer known to Northfield's ERP and to Mercy's EHR, which alone knows its website."""
    ein = ("us-ein", "04-1234567")
    first = deliver("payers/sources/erp-north/1", {"name": "Blue Shield of Boston", "city": "Boston"}, ein, ("payer-id-alpha", "BSB01"))
    second = deliver(
        "payers/sources/ehr-mercy/A",
        {"name": "Blue Shield of Boston", "city": "Boston", "website": "https://blue.example"},
        ein,
        ("payer-id-alpha", "BSB01"),
        ("us-naic", "12345"),
    )
    assert first["golden_id"] == second["golden_id"]
    return first["golden_id"]


def test_values_of_other_systems_alone_are_hidden(read, key, shared):
    everything = read(f"payers/golden/{shared}", key("integration")).json
    assert {"website", "city"} <= set(everything["values"])
    part = read(f"payers/golden/{shared}", key("integration", systems=["erp-north"])).json
    assert "website" not in part["values"]
    assert part["values"]["city"] == "Boston"
    assert {held["system"] for held in part["identifiers"]} == {"erp-north", "us-ein", "payer-id-alpha"}
    assert len(part["records"]) == 1
    assert "ehr-mercy" not in str(part)


def test_other_systems_records_are_not_there(read, key, shared):
    narrow = key("integration", systems=["erp-north"])
    assert [item["system"] for item in read(f"payers/golden/{shared}/sources", narrow).json["items"]] == ["erp-north"]
    absent = read("payers/sources/ehr-mercy/NOT-THERE", narrow)
    hidden = read("payers/sources/ehr-mercy/A", narrow)
    assert (hidden.status_code, hidden.json) == (absent.status_code, absent.json)


@pytest.mark.parametrize("path", ["golden/{}", "golden/{}/history", "golden/{}/sources"])
def test_a_golden_record_out_of_scope_reads_like_an_absent_one(read, key, shared, path):
    stranger = key("integration", systems=["workforce-north"])
    hidden, absent = (read("payers/" + path.format(golden_id), stranger) for golden_id in (shared, ABSENT))
    assert hidden.status_code == absent.status_code == 404
    assert hidden.json["code"] == absent.json["code"]


def test_what_other_systems_alone_say_finds_nothing(client, key, shared):
    narrow = key("integration", systems=["erp-north"])
    for body, count in (({"text": "Blue Shield"}, 1), ({"text": "blue.example"}, 0)):
        page = client.post("/v1/payers/search", json=body, headers=narrow)
        assert len(page.json["items"]) == count
    stranger = key("integration", systems=["workforce-north"])
    assert client.post("/v1/payers/match", json={"attributes": {"name": "Blue Shield of Boston"}}, headers=stranger).json["results"] == []
