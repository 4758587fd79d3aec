"""Loads over HTTP: upload, plan, apply, undo, rejects; who may, and what bad input gets."""

import io

import pytest
from werkzeug.exceptions import RequestEntityTooLarge

from api.errors import http_problem
from api.loads import UPLOAD_BYTES_MAX
from mdm.db import execute, fetch
from mdm.jsonio import dumps
from mdm.load_jobs import load_handlers
from mdm.load_keep import FOLDER
from mdm.running import Hand

PEOPLE = b"key,name,city\nS1,Aldermoor Surgical Supply,Salem\nS2,Birchwood Linen,Boston\n,Dunmore Waste,Salem\n"


@pytest.fixture
def work(clean_database, settings):
    """Do whatever job waits."""
    return Hand(clean_database, "hand", lambda: False, load_handlers(settings.home, 1)).drain


def send(client, headers, content=PEOPLE, name="suppliers.csv", **fields):
    form = {"domain": "supplier", "system": "erp-north", **fields, "file": (io.BytesIO(content), name)}
    return client.post("/v1/loads", data=form, headers=headers, content_type="multipart/form-data")


_REASONS = "select detail ->> 'reason' from audit where action = 'load:apply'"


def test_a_file_is_uploaded_planned_applied_and_undone(client, key, work, clean_database):
    headers = key("loader")
    made = send(client, headers)
    assert made.status_code == 201
    address = f"/v1/loads/{made.json['load_id']}"
    assert client.post(f"{address}/plan", json={}, headers=headers).status_code == 202
    work()
    planned = client.get(address, headers=headers).json
    assert planned["counts"] == {"new": 2, "linked": 0, "review": 0, "updated": 0, "unchanged": 0, "rejected": 1, "absent": 0}
    refused = client.post(f"{address}/apply", json={}, headers=headers)
    assert (refused.status_code, refused.json["errors"][0]["code"]) == (409, "many_rejects")
    looked_at = {"despite": ["many_rejects"]}
    refused = client.post(f"{address}/apply", json=looked_at, headers=headers)
    assert (refused.status_code, refused.json["code"]) == (422, "reason_wanted")
    assert client.post(f"{address}/apply", json={**looked_at, "reason": "known of Mercy"}, headers=headers).status_code == 202
    assert clean_database.run(lambda session: fetch(session, _REASONS)) == [("known of Mercy",)]
    work()
    applied = client.get(address, headers=headers).json
    assert (applied["status"], applied["applied"]["new"]) == ("applied", 2)
    assert "missing_key" in client.get(f"{address}/rejects.csv", headers=headers).text
    assert client.get(f"{address}/undo", headers=headers).json["counts"]["withdrawn"] == 2
    assert client.post(f"{address}/undo", json={}, headers=headers).status_code == 202
    work()
    assert client.get(address, headers=headers).json["status"] == "undone"


def test_loads_are_listed_page_by_page(clean_database, client, key):
    headers = key("loader")
    made = [send(client, headers, name=f"{number}.csv").json["load_id"] for number in range(3)]
    first = client.get("/v1/loads?limit=2", headers=headers).json
    assert ([each["load_id"] for each in first["items"]], first["next"]) == (made[:0:-1], made[1])
    last = client.get(f"/v1/loads?limit=2&cursor={first['next']}", headers=headers).json
    assert ([each["load_id"] for each in last["items"]], last["next"]) == (made[:1], None)


def send_folder(client, headers, manifest, *files):
    form = {"manifest": (io.BytesIO(dumps(manifest)), "manifest.json"), "file": [(io.BytesIO(content), name) for name, content in files]}
    return client.post("/v1/loads/folder", data=form, headers=headers, content_type="multipart/form-data")


PAYERS = b"Id,Name\nP1,Aetna Health\n"
MANIFEST = {
    "system": "erp-north",
    "files": [
        {"file": "suppliers.csv", "domain": "supplier", "order": 2},
        {"file": "payers.csv", "domain": "payer", "order": 1, "columns": {"key": "Id", "name": "Name"}},
    ],
}


def test_files_are_uploaded_together_in_the_order_of_their_manifest(client, key, work):
    headers = key("loader")
    made = send_folder(client, headers, MANIFEST, ("suppliers.csv", PEOPLE), ("payers.csv", PAYERS))
    assert (made.status_code, [each["domain"] for each in made.json["items"]]) == (201, ["payer", "supplier"])
    for each in made.json["items"]:
        assert client.post(f"/v1/loads/{each['load_id']}/plan", json={}, headers=headers).status_code == 202
    work()
    planned = [client.get(f"/v1/loads/{each['load_id']}", headers=headers).json["counts"]["new"] for each in made.json["items"]]
    assert planned == [1, 2]


@pytest.mark.parametrize(
    ("manifest", "files", "status"),
    [
        (MANIFEST, [("suppliers.csv", PEOPLE)], 422),
        (MANIFEST, [("suppliers.csv", PEOPLE), ("payers.csv", PAYERS), ("more.csv", PAYERS)], 422),
        (MANIFEST, [("suppliers.csv", PEOPLE), ("suppliers.csv", PEOPLE), ("payers.csv", PAYERS)], 422),
        (MANIFEST, [("suppliers.csv", b""), ("payers.csv", PAYERS)], 422),
        ({**MANIFEST, "system": "nowhere"}, [("suppliers.csv", PEOPLE), ("payers.csv", PAYERS)], 404),
        ([], [("payers.csv", PAYERS)], 422),
        (MANIFEST, [], 422),
    ],
    ids=["one is missing", "one too many", "one twice", "one cannot be read", "unknown system", "no manifest", "no file"],
)
def test_files_of_which_one_cannot_be_are_not_loaded_at_all(clean_database, client, key, settings, manifest, files, status):
    headers, kept = key("loader"), set((settings.home / FOLDER).glob("*"))
    refused = send_folder(client, headers, manifest, *files)
    assert (refused.status_code, refused.content_type) == (status, "application/problem+json")
    assert client.get("/v1/loads", headers=headers).json == {"items": [], "next": None}
    assert set((settings.home / FOLDER).glob("*")) == kept


def test_whoever_may_not_load_one_of_the_files_loads_none(clean_database, client, key):
    refused = send_folder(client, key("loader", domains=["payer"]), MANIFEST, ("suppliers.csv", PEOPLE), ("payers.csv", PAYERS))
    assert refused.status_code == 403
    assert client.get("/v1/loads", headers=key("loader")).json == {"items": [], "next": None}


def test_only_loaders_of_domain_and_system_may(client, key, clean_database):
    assert send(client, key("steward")).status_code == 403
    assert send(client, key("loader", domains=["payer"])).status_code == 403
    assert send(client, key("loader", systems=["erp-mercy"])).status_code == 403
    made = send(client, key("loader"))
    foreign = key("loader", systems=["erp-mercy"])
    assert client.get(f"/v1/loads/{made.json['load_id']}", headers=foreign).status_code == 404
    assert client.get("/v1/loads", headers=foreign).json == {"items": [], "next": None}


@pytest.mark.parametrize(
    ("content", "fields", "status"),
    [
        (b"", {}, 422),
        (b"key,name\n", {"domain": "nothing"}, 404),
        (b"key,name\nA,B\n", {"system": "nobody"}, 404),
        (b"who,what\nA,B\n", {}, 422),
        (PEOPLE, {"columns": "name=nothing"}, 422),
        (PEOPLE, {"steps": "{"}, 422),
        (PEOPLE, {"steps": "[5]"}, 422),
        (PEOPLE, {"steps": '[{"kind": "trim", "column": "Nmae"}]'}, 422),
        (PEOPLE, {"steps": '[{"kind": "split", "column": "name", "separator": 5}]'}, 422),
        (PEOPLE, {"encoding": "rot13"}, 422),
        (PEOPLE, {"steps": '[{"kind": "trim", "column": "name", "pairs": null}]'}, 422),
        (PEOPLE, {"steps": '[{"kind": "map_values", "column": "name", "pairs": ["abc"]}]'}, 422),
        (PEOPLE, {"header_row": "x"}, 422),
    ],
)
def test_bad_uploads_are_refused_and_nothing_is_kept(client, key, settings, clean_database, content, fields, status):
    before = set((settings.home / "loads").rglob("*"))
    answer = send(client, key("loader"), content, **fields)
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    assert set((settings.home / "loads").rglob("*")) == before


def test_a_stale_plan_is_a_conflict_that_says_what_changed(client, key, work):
    headers = key("loader")
    content = PEOPLE.rpartition(b"\n,")[0] + b"\n"
    address = f"/v1/loads/{send(client, headers, content).json['load_id']}"
    client.post(f"{address}/plan", json={}, headers=headers)
    work()
    submit = key("integration")
    client.put("/v1/suppliers/sources/erp-north/S1", json={"attributes": {"name": "Another"}}, headers=submit)
    refused = client.post(f"{address}/apply", json={}, headers=headers)
    assert (refused.status_code, refused.json["code"]) == (409, "plan_stale")
    assert [error["code"] for error in refused.json["errors"]] == ["records_changed"]


def test_a_file_comes_as_a_form_and_the_limit_that_is_named_is_the_one_that_was_passed(client, key, app):
    headers = key("loader")
    answer = client.post("/v1/loads", json={}, headers=headers)
    assert (answer.status_code, answer.json["detail"]) == (415, "Send multipart/form-data.")
    with app.test_request_context("/v1/loads", method="POST") as context:
        context.request.max_content_length = UPLOAD_BYTES_MAX
        assert "larger than 20 GB" in http_problem(RequestEntityTooLarge()).json["detail"]
    large = client.post("/v1/payers/match", data=b" " * 6_000_000, content_type="application/json", headers=key())
    assert "larger than 5 MB" in large.json["detail"]


def test_files_have_their_content_type_in_the_document(client):
    paths = client.get("/openapi.json").json["paths"]
    for path, media in (("/v1/loads/{load_id}/rejects.csv", "text/csv"), ("/v1/consumers/{code}/rekey", "application/x-ndjson")):
        assert list(paths[path]["get"]["responses"]["200"]["content"]) == [media]


def test_rejected_rows_of_patients_go_back_to_their_uploader(client, key, work):
    headers = key("loader", grants=["phi"])
    content = b"key,given_name,family_name\n,Maria,Grayson\n"
    made = send(client, headers, content, "patients.csv", domain="patient", system="ehr-north")
    address = f"/v1/loads/{made.json['load_id']}"
    client.post(f"{address}/plan", json={}, headers=headers)
    work()
    assert "Grayson" in client.get(f"{address}/rejects.csv", headers=headers).text
    assert client.get(f"{address}/rejects.csv", headers=key("loader", grants=["phi"])).status_code == 403


def test_steps_that_nobody_sends_are_those_of_the_template_and_an_empty_list_is_none(client, key, clean_database):
    headers, pad = key("loader"), {"kind": "pad_zeros", "column": "key", "width": 5}
    ids = [send(client, headers, **said).json["load_id"] for said in ({"steps": dumps([pad]).decode()}, {}, {"steps": "[]"})]
    taken = "select jsonb_array_length(options -> 'steps') from load where id = %s"
    assert [clean_database.run(lambda session, asked=each: fetch(session, taken, (asked,)))[0][0] for each in ids] == [1, 1, 0]


def test_the_report_is_json_or_a_page_and_templates_are_listed(client, key, work):
    headers = key("loader")
    load_id = send(client, headers).json["load_id"]
    assert client.get(f"/v1/loads/{load_id}/report", headers=headers).status_code == 409
    client.post(f"/v1/loads/{load_id}/plan", json={}, headers=headers)
    work()
    told = client.get(f"/v1/loads/{load_id}/report", headers=headers)
    assert (told.status_code, told.json["planned"]["new"], told.json["load_id"]) == (200, 2, load_id)
    for page in (
        client.get(f"/v1/loads/{load_id}/report?format=html", headers=headers),
        client.get(f"/v1/loads/{load_id}/report", headers={**headers, "Accept": "text/html"}),
    ):
        assert (page.status_code, page.mimetype) == (200, "text/html")
    found = client.get("/v1/load-templates", headers=headers).json["items"]
    mine = next(each for each in found if (each["domain"], each["system"]) == ("supplier", "erp-north"))
    assert {"target": "name", "column": "name"} in mine["versions"][0]["columns"]
    assert client.get("/v1/load-templates", headers=key("loader", domains=["payer"])).json["items"] == []


def test_a_blank_workbook_is_for_whoever_may_load_its_domain(client, key):
    blank = client.get("/v1/load-templates/supplier/blank.xlsx", headers=key("loader"))
    assert (blank.status_code, blank.data[:2]) == (200, b"PK")
    assert client.get("/v1/load-templates/nothing/blank.xlsx", headers=key("loader")).status_code == 404
    assert client.get("/v1/load-templates/supplier/blank.xlsx", headers=key("loader", domains=["payer"])).status_code == 403


def test_who_asked_first_and_nobody_else_withdraws_the_request(client, key, work, clean_database):
    first, other = key("loader"), key("loader")
    load_id = send(client, first, b"key,name,city\nS1,Aldermoor Surgical,Salem\n").json["load_id"]
    address = f"/v1/loads/{load_id}"
    client.post(f"{address}/plan", json={}, headers=first)
    work()
    assert client.delete(f"{address}/request", headers=first).status_code == 409
    who = client.get(address, headers=first).json["created_by"]
    clean_database.run(lambda session: execute(session, "update load set asked_by = %s where id = %s", (who, load_id)))
    assert client.delete(f"{address}/request", headers=other).status_code == 403
    withdrawn = client.delete(f"{address}/request", headers=first)
    assert (withdrawn.status_code, withdrawn.json["asked_by"]) == (200, None)
