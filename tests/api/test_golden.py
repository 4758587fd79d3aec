"""Golden records over HTTP: now, as of a day, as known at a moment, redirected, retired."""

import pytest

PAYER = {"name": "Blue Shield of Boston", "city": "Boston"}
EIN = [{"system": "us-ein", "value": "04-1234567"}, {"system": "payer-id-alpha", "value": "BSB01"}]


@pytest.fixture
def send(clean_database, client, key):
    headers = key("integration")

    def put(place, attributes, **body):
        answer = client.put(f"/v1/payers/sources/{place}", json={"attributes": attributes, **body}, headers=headers)
        assert answer.status_code == 200, answer.json
        return answer.json

    return put


@pytest.fixture
def get(client, key):
    headers = key("integration")
    return lambda path: client.get(f"/v1/payers/{path}", headers=headers)


def test_a_delivery_answers_with_its_golden_record(send, get):
    made = send("erp-north/1", PAYER, identifiers=EIN)
    assert (made["outcome"], made["problems"], made["task_id"]) == ("new", [], None)
    answer = get(f"golden/{made['golden_id']}")
    assert (answer.json["values"], answer.json["status"], answer.json["redirected_from"]) == (PAYER, "active", None)
    assert answer.headers["ETag"] == f'"{answer.json["version"]}"'
    assert "Link" not in answer.headers


def test_the_same_delivery_again_changes_nothing(send):
    first, again = send("erp-north/1", PAYER), send("erp-north/1", PAYER)
    assert (again["outcome"], again["golden_id"], again["record_id"]) == ("unchanged", first["golden_id"], first["record_id"])


def test_a_second_system_is_linked_with_evidence(send):
    first, second = send("erp-north/1", PAYER, identifiers=EIN), send("billing-north/9", PAYER, identifiers=EIN)
    assert (second["outcome"], second["golden_id"]) == ("linked", first["golden_id"])
    assert second["weight"] > 0
    assert {"comparison", "level", "weight", "group"} == set(second["evidence"][0])


def test_history_is_every_version_newest_first(send, get):
    made = send("erp-north/1", PAYER)
    send("erp-north/1", {**PAYER, "city": "Salem"})
    items = get(f"golden/{made['golden_id']}/history").json["items"]
    assert [item["values"]["city"] for item in items] == ["Salem", "Boston"]
    assert items[0]["recorded_to"] is None
    assert items[1]["recorded_to"] <= items[0]["recorded_from"]


def test_known_at_answers_as_it_was_known(send, get):
    made = send("erp-north/1", PAYER)
    send("erp-north/1", {**PAYER, "city": "Salem"})
    moment = get(f"golden/{made['golden_id']}/history").json["items"][1]["recorded_from"].replace("+", "%2B")
    assert get(f"golden/{made['golden_id']}?known_at={moment}").json["values"]["city"] == "Boston"
    assert get(f"golden/{made['golden_id']}?known_at=2001-01-01T00:00:00Z").status_code == 404


def test_as_of_answers_as_it_was_in_the_world(send, get):
    made = send("erp-north/1", PAYER, valid_from="2024-01-01")
    send("erp-north/1", {**PAYER, "city": "Salem"}, valid_from="2025-01-01")
    assert get(f"golden/{made['golden_id']}?as_of=2024-06-30").json["values"]["city"] == "Boston"
    assert get(f"golden/{made['golden_id']}?as_of=2025-06-30").json["values"]["city"] == "Salem"


def test_a_deleted_source_is_inactive_and_still_answers(client, key, send, get):
    made = send("erp-north/1", PAYER)
    gone = client.delete("/v1/payers/sources/erp-north/1", headers=key("integration"))
    assert (gone.status_code, gone.json["outcome"], gone.json["golden_id"]) == (200, "inactive", made["golden_id"])
    assert get("sources/erp-north/1").json["status"] == "inactive"
    assert get(f"golden/{made['golden_id']}").json["status"] == "retired"
    absent = client.delete("/v1/payers/sources/erp-north/404", headers=key("integration"))
    assert (absent.status_code, absent.json["code"]) == (404, "not_found")


def test_a_golden_record_of_another_domain_is_not_there(client, key, send):
    made = send("erp-north/1", PAYER)
    assert client.get(f"/v1/suppliers/golden/{made['golden_id']}", headers=key("integration")).status_code == 404


def test_a_key_may_hold_slashes_and_blanks(send, get):
    send("erp-north/A%2F%2FB%20%231", PAYER)
    assert get("sources/erp-north/A%2F%2FB%20%231").json["key"] == "A//B #1"


def test_search_goes_on_where_the_page_ended(client, key, send):
    for name in ("Alpha", "Beta", "Gamma"):
        send(f"erp-north/{name}", {"name": f"Carrier {name}"})
    headers, found, cursor = key("integration"), [], None
    for _ in range(3):
        page = client.post("/v1/payers/search", json={"text": "carrier", "limit": 1, "cursor": cursor}, headers=headers).json
        found += [hit["display"] for hit in page["items"]]
        cursor = page["next"]
    assert sorted(found) == ["Carrier Alpha", "Carrier Beta", "Carrier Gamma"]
    assert cursor is None


def test_a_thousand_rows_may_be_sent_bare(clean_database, client, key):
    rows = [{"system": "erp-north", "key": str(n), "attributes": {"name": f"Carrier {n}"}} for n in (1, 2)]
    answer = client.post("/v1/payers/sources:batch", json=rows, headers=key("integration"))
    assert sum(answer.json["counts"].values()) == 2
    assert [result["key"] for result in answer.json["results"]] == ["1", "2"]
