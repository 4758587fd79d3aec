"""Mapping sets over HTTP: versions, refusals, and the shapes that are taken."""

import pytest

DEFINITION = {"label": "Posting", "inputs": [{"name": "department"}], "outputs": [{"name": "account"}]}
RULE = {"conditions": {"department": "4410"}, "outputs": {"account": "1"}}


@pytest.fixture
def call(clean_database, client, key):
    """call(method, path, body, who=..., if_match=...): below /v1/mappings, as one of two stewards, a flow or an administrator."""
    headers = {"ann": key("steward"), "bob": key("steward"), "flow": key("integration"), "admin": key("admin")}

    def send(method, path, body=None, who="ann", if_match=None):
        extra = {} if if_match is None else {"If-Match": f'"{if_match}"'}
        return client.open(f"/v1/mappings{path}", method=method, json=body, headers={**headers[who], **extra})

    send("PUT", "/posting", DEFINITION, "admin")
    return send


def draft(call, **other):
    (made,) = call("POST", "/posting/rules", {**RULE, **other}).json["items"]
    return made


def approve(call, *rules):
    return call("POST", "/posting/approvals", {"rules": [{"id": rule["id"], "version": rule["version"]} for rule in rules]}, "bob")


def test_a_set_is_changed_under_its_revision(call):
    changed = {**DEFINITION, "label": "Renamed"}
    assert call("PUT", "/posting", changed, "admin").status_code == 428
    assert call("PUT", "/posting", changed, "admin", if_match=7).json["code"] == "stale"
    answer = call("PUT", "/posting", changed, "admin", if_match=1)
    assert (answer.status_code, answer.headers["ETag"], answer.json["version"]) == (200, '"2"', 2)
    assert call("GET", "").json["items"][0]["label"] == "Renamed"


def test_a_draft_is_edited_and_withdrawn_under_its_version(call):
    rule = draft(call)
    path = f"/posting/rules/{rule['id']}"
    assert call("PUT", path, RULE).status_code == 428
    assert call("PUT", path, RULE, if_match=2).status_code == 412
    assert call("PUT", path, RULE, "bob", if_match=1).status_code == 403
    assert call("PUT", path, RULE, if_match=1).headers["ETag"] == '"2"'
    assert call("DELETE", path + "?reason=x", if_match=1).status_code == 412
    assert call("DELETE", path, if_match=2).status_code == 422
    assert call("DELETE", path + "?reason=x", if_match=2).json["status"] == "retired"
    assert call("GET", path).headers["ETag"] == '"3"'


def test_all_drafts_are_approved_under_the_sets_revision(call):
    draft(call)
    assert call("POST", "/posting/approvals", {}, "bob").status_code == 428
    assert call("POST", "/posting/approvals", {}, "bob", if_match=1).status_code == 412
    assert len(call("POST", "/posting/approvals", {}, "bob", if_match=2).json["approved"]) == 1


def test_a_clash_is_a_conflict_that_names_the_rule(call):
    rule = draft(call)
    assert approve(call, rule).status_code == 200
    answer = approve(call, draft(call))
    assert (answer.status_code, answer.json["errors"][0]["code"]) == (409, "overlap")
    assert rule["id"] in answer.json["errors"][0]["message"]


def test_an_approved_rule_is_not_edited(call):
    rule = draft(call)
    approve(call, rule)
    assert call("PUT", f"/posting/rules/{rule['id']}", RULE, if_match=2).status_code == 409


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"items": []},
        {"inputs": {}, "items": [{"inputs": {}}]},
        {"items": [{"inputs": {}}] * 1001},
        {"inputs": {"department": "1"}, "known_at": "2026-01-01T00:00:00"},
        {"inputs": {"department": "1"}, "as_of": "x"},
    ],
)
def test_questions_of_a_wrong_shape_are_refused(call, body):
    assert call("POST", "/posting/resolve", body, "flow").status_code == 422


@pytest.mark.parametrize(
    "item", [None, 1, {}, {"inputs": []}, {"inputs": {}, "x": 1}, {"inputs": {"department": 1}}, {"inputs": {"department": "a\x00"}}]
)
def test_a_bad_question_of_a_list_stops_no_other(call, item):
    approve(call, draft(call))
    results = call("POST", "/posting/resolve", [item, {"inputs": {"department": "4410"}}], "flow").json["results"]
    assert [result["outcome"] for result in results] == ["invalid_input", "found"]


def test_an_input_of_null_is_none(call):
    assert call("POST", "/posting/resolve", {"inputs": {"department": None}}, "flow").json["outcome"] == "no_rule"


def test_outputs_or_splits_but_not_both(call):
    both = {**RULE, "splits": [{"share": "100", "outputs": {"account": "1"}}]}
    assert call("POST", "/posting/rules", both).status_code == 422


def test_a_rule_is_shown_whole_however_it_is_read(call):
    splits = [{"share": "70", "outputs": {"account": "1"}}, {"share": "30", "outputs": {"account": "2"}}]
    (rule,) = call("POST", "/posting/rules", {"conditions": RULE["conditions"], "splits": splits}).json["items"]
    assert (rule["splits"], rule["outputs"], rule["written"]) == (splits, None, RULE["conditions"])
    assert call("GET", f"/posting/rules/{rule['id']}").json == rule
    assert call("GET", "/posting/rules").json["items"] == [rule]


def test_releases_are_compared_rule_by_rule(call):
    for department in ("1", "2"):
        approve(call, draft(call, conditions={"department": department}))
        revision = call("GET", "/posting").json["revision"]
        assert call("POST", "/posting/releases", {}, "bob", if_match=revision).status_code == 201
    found = call("GET", "/posting/releases/compare?before=1&after=2").json
    assert [(rule["conditions"], rule["splits"]) for rule in found["added"]] == [
        ({"department": "2"}, [{"share": "100", "outputs": {"account": "1"}}])
    ]
    assert (found["removed"], found["changed"]) == ([], [])


def test_coverage_weighs_questions_by_how_often_they_are_asked(call):
    call("PUT", "/counted", DEFINITION, "admin")  # a set of its own: the application's counts outlive a test
    call("POST", "/counted/rules", RULE)
    assert call("POST", "/counted/approvals", {}, "bob", if_match=2).status_code == 200
    call("POST", "/counted/resolve", {"items": [{"inputs": {"department": name}} for name in ("4410", "4410", "4410", "9")]}, "flow")
    call("POST", "/counted/resolve", {"inputs": {"department": "8"}, "on_miss": "ignore"}, "flow")
    assert call("GET", "/counted/coverage").json["asked"] == {
        "combinations": 2,
        "answered": 1,
        "questions": 4,
        "questions_answered": 3,
        "open": [{"inputs": {"department": "9"}, "outcome": "no_rule", "count": 1}],
    }


def test_what_is_not_there(call):
    for method, path in (("GET", "/none"), ("GET", "/posting/rules/1"), ("GET", "/posting/releases/x"), ("GET", "/none/coverage")):
        assert call(method, path).status_code == 404, path
    assert call("POST", "/none/resolve", {"inputs": {}}, "flow").status_code == 404


def test_rules_are_listed_in_pages(call):
    ids = [draft(call, conditions={"department": str(n)})["id"] for n in range(3)]
    first = call("GET", "/posting/rules?limit=2&status=draft").json
    second = call("GET", f"/posting/rules?limit=2&cursor={first['next']}").json
    assert [rule["id"] for rule in (*first["items"], *second["items"])] == ids
    assert second["next"] is None


def test_a_key_of_one_domain_sees_no_set_of_another(call, client, key):
    departments = {**DEFINITION, "inputs": [{"name": "department", "domain": "department"}]}
    call("PUT", "/other", departments, "admin")
    headers = key("integration", domains=["payer"])
    assert [each["code"] for each in client.get("/v1/mappings", headers=headers).json["items"]] == ["posting"]
    assert client.get("/v1/mappings/other", headers=headers).status_code == 403
    assert client.post("/v1/mappings/other/resolve", json={"inputs": {}}, headers=headers).status_code == 403
