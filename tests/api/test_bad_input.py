"""Whatever is wrong with a request: a problem document with a stable code and a pointer, status 4xx, and nothing written."""

import pytest

from api.app import create_app
from mdm.db import fetch

PAYER = "/v1/payers/sources/erp-north/7"
SOUND = {"attributes": {"name": "Blue Shield"}}
JSON = "application/json"


@pytest.fixture
def send(client, key):
    headers = key("integration")

    def put(body=None, path=PAYER, method="PUT", **options):
        if body is not None:
            options["json"] = body
        return client.open(path, method=method, headers={**headers, **options.pop("headers", {})}, **options)

    return put


@pytest.fixture
def written(database):
    """How many deliveries were stored since the test began."""

    def count():
        with database.unit_of_work() as session:
            return fetch(session, "select count(*) from source_record_version")[0][0]

    before = count()
    return lambda: count() - before


def is_problem(answer, status, code):
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    assert (answer.json["status"], answer.json["code"]) == (status, code)
    return answer.json.get("errors", [])


FIELDS = [
    ({}, "/attributes", "required"),
    ([], "", None),
    ("text", "", None),
    ({"attributes": []}, "/attributes", None),
    ({"attributes": {"name": 7}}, "/attributes/name", "wrong_type"),
    ({"attributes": {"name": None}}, "/attributes/name", "null"),
    ({"attributes": {"name": ["a", "b"]}}, "/attributes/name", "wrong_type"),
    ({"attributes": {"name": "x" * 5000}}, "/attributes/name", None),
    ({"attributes": {"name": "a\x00b"}}, "/attributes/name", "bad_text"),
    ({"attributes": {"name": "A", "wings": "2"}}, "/attributes/wings", "unknown_field"),
    ({"attributes": {"name": "A", "phone": ["1"] * 51}}, "/attributes/phone", None),
    ({"attributes": {"name": "A", "phone": [1]}}, "/attributes/phone/0", "wrong_type"),
    ({**SOUND, "golden_id": "1"}, "/golden_id", "unknown_field"),
    ({**SOUND, "status": "gone"}, "/status", None),
    ({**SOUND, "valid_from": "yesterday"}, "/valid_from", "wrong_type"),
    ({**SOUND, "valid_from": "2026-02-01", "valid_to": "2026-01-01"}, "/valid_to", "invalid_period"),
    ({**SOUND, "identifiers": [{"system": "us-ein"}]}, "/identifiers/0/value", "required"),
    ({**SOUND, "identifiers": [{"system": "not-there", "value": "1"}]}, "/identifiers/0/system", "unknown_system"),
    ({**SOUND, "identifiers": [{"system": "us-ein", "value": "1"}] * 201}, "/identifiers", None),
]


@pytest.mark.parametrize(("body", "pointer", "code"), FIELDS)
def test_a_bad_field_is_pointed_at_and_nothing_is_written(send, written, body, pointer, code):
    answer = send(body)
    assert answer.status_code == 422
    errors = is_problem(answer, 422, answer.json["code"])
    assert pointer in [error["pointer"] for error in errors]
    assert code is None or code in [error["code"] for error in errors if error["pointer"] == pointer]
    assert written() == 0


def test_a_blank_required_value_is_missing(send, written):
    errors = is_problem(send({"attributes": {"name": "  "}}), 422, "invalid_record")
    assert [error["pointer"] for error in errors] == ["/attributes/name"]
    assert written() == 0


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[1,]", b'{"a": NaN}', b'"\xff"', b'{"attributes": {"name": "\\ud800"}}', b"[" * 100_000, b"{'a': 1}"]
)
def test_what_is_no_json_is_malformed(send, written, raw):
    is_problem(send(data=raw, content_type=JSON), 400, "malformed_request")
    assert written() == 0


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", ""])
def test_another_media_type_is_refused(send, media_type):
    is_problem(send(data=b"{}", content_type=media_type), 415, "unsupported_media_type")


def test_ten_megabytes_are_too_large(send, written):
    is_problem(send(data=b"[" + b" " * 10_000_000 + b"]", content_type=JSON), 413, "too_large")
    assert written() == 0


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/unicorns/match", "/v1/unicorns/sources/erp-north/1", "/v1/payers/", "/V1/payers/match"])
def test_an_unknown_address_or_domain_is_not_found(send, path):
    is_problem(send(SOUND, path), 404, "not_found")


def test_an_unknown_system_is_named_so(send, written):
    errors = is_problem(send(SOUND, "/v1/payers/sources/not-there/1"), 404, "unknown_system")
    assert errors[0]["pointer"] == "/system"
    assert written() == 0


@pytest.mark.parametrize(
    ("method", "path"), [("PATCH", PAYER), ("POST", PAYER), ("OPTIONS", PAYER), ("GET", "/v1/payers/match"), ("TRACE", "/livez")]
)
def test_a_method_that_no_route_has_is_refused_with_those_it_has(send, method, path):
    answer = send(method=method, path=path)
    is_problem(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"]


@pytest.mark.parametrize(
    "path", ["/v1/payers/sources/erp-north/%00", "/v1/payers/sources/%00/1", "/v1/payers/golden/7", "/v1/payers/golden/%00"]
)
def test_what_cannot_be_a_key_or_an_id_is_not_found(send, path):
    is_problem(send(method="GET", path=path), 404, "not_found")


def test_a_key_of_many_characters_is_refused(send):
    is_problem(send(SOUND, "/v1/payers/sources/erp-north/" + "k" * 201), 422, "invalid_record")


@pytest.mark.parametrize("query", ["as_of=soon", "known_at=2026-01-01T00:00:00", "colour=red", "as_of=%00", "as_of=2026-02-30"])
def test_a_bad_or_unknown_parameter_is_refused(send, query):
    is_problem(send(method="GET", path=f"/v1/payers/golden/00000000-0000-0000-0000-000000000000?{query}"), 422, "invalid_request")


@pytest.mark.parametrize(
    "body",
    [
        {"limit": 0},
        {"limit": 101},
        {"limit": "5"},
        {"limit": True},
        {"limit": 10**15},
        {"limit": 5.5},
        {"text": ""},
        {"text": "a\x00"},
        {"text": ["a"]},
        {"cursor": "not a cursor"},
        {"attributes": {"wings": "2"}},
    ],
)
def test_a_bad_search_is_refused(send, body):
    answer = send(body, "/v1/payers/search", "POST")
    assert answer.status_code in {400, 422}
    is_problem(answer, answer.status_code, answer.json["code"])


@pytest.mark.parametrize("rows", [[], [{}] * 1001, {}, "rows", 7, None])
def test_a_batch_has_one_to_a_thousand_rows(send, rows):
    is_problem(send({"records": rows}, "/v1/payers/sources:batch", "POST"), 422, "invalid_request")


def test_a_bad_row_says_why_and_the_others_go_on(clean_database, send, written):
    sound = {"system": "erp-north", "attributes": {"name": "Aetna"}}
    rows = [
        {**sound, "key": "1"},
        {**sound, "key": "2", "attributes": {"name": 5}},
        "no object",
        {**sound, "key": "3", "system": "not-there"},
        {**sound, "key": "4", "wings": "2"},
        {**sound, "key": "5", "attributes": {"name": "Humana"}},
    ]
    results = send({"records": rows}, "/v1/payers/sources:batch", "POST").json["results"]
    assert [row["outcome"] for row in results] == ["new", "rejected", "rejected", "rejected", "rejected", "new"]
    assert [row["problems"][0]["pointer"] for row in results if row["problems"]] == ["/attributes/name", "", "/system", "/wings"]
    assert [row["key"] for row in results] == ["1", "2", "", "3", "4", "5"]
    assert written() == 2


def test_an_identifier_with_a_bad_check_digit_is_noted_and_kept(send):
    answer = send({**SOUND, "identifiers": [{"system": "us-npi", "value": "1497758545"}]})
    assert answer.status_code == 200
    assert {"code": "check_digit", "pointer": "/identifiers/0/value"} in answer.json["notes"]


@pytest.mark.parametrize("code", ["Upper", "-a", "a-", "a_b", "us-npi", "concord", "x" * 64])
def test_a_bad_system_code_is_refused(client, key, code):
    body = {"name": "X", "kind": "ehr", "organization": "Y"}
    answer = client.put(f"/v1/systems/{code}", json=body, headers=key("admin"))
    assert is_problem(answer, 422, "invalid_request")[0]["pointer"] == "/code"


def test_what_nobody_foresaw_says_nothing_but_where_to_look(database, settings):
    def burst():
        raise KeyError("Maria Rivera")

    made = create_app(database, settings)
    made.add_url_rule("/burst", "burst", burst)
    answer = made.test_client().get("/burst", headers={"X-Request-Id": "request-0001"})
    assert is_problem(answer, 500, "internal_error") == []
    assert b"Maria" not in answer.data
    assert answer.headers["X-Request-Id"] == "request-0001"
