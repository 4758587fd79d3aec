"""The five steps of a load by its pages, as somebody without JavaScript goes through them: nothing is lost, nothing done twice."""

import re
from io import BytesIO

import pytest

from mdm.db import fetch
from mdm.entities import ENTITY_TYPES
from mdm.load_jobs import load_handlers
from mdm.running import Hand
from tests.ui.conftest import HERE, Browser

ROWS = "PAYER_NO,PAYER_NM,TOWN,NOTE\np1,Harbor Health Plan,Bath,x\np2,Tidal Mutual,Orono,x\np3,,Saco,x\np1,Harbor Again,Bath,x\n"


@pytest.fixture
def home(app):
    return app.extensions["concord"].settings.home


@pytest.fixture
def work(database, home):
    """work() does what is queued."""
    hand = Hand(database, "test", lambda: False, load_handlers(home, 1))
    return hand.drain


@pytest.fixture
def enter(app, database, person):
    def enter(role="loader", **scope):
        made = Browser(app, database)
        made.name = person(role, **scope)
        made.enter_as(made.name)
        return made

    return enter


@pytest.fixture
def loader(enter):
    return enter()


def send(browser, content=ROWS, name="payers.csv", domain="payer", system="billing-north"):
    token = re.search(r'name="csrf" value="([^"]+)"', browser.get("/loads/new").text)[1]
    data = {"csrf": token, "domain": domain, "system": system, "file": (BytesIO(content.encode()), name)}
    return browser.client.post("/loads", data=data, headers=HERE, content_type="multipart/form-data")


def post(browser, path, **fields):
    token = re.search(r'name="csrf" value="([^"]+)"', browser.get("/loads").text)[1]
    return browser.client.post(path, data={"csrf": token, **fields}, headers=HERE)


def ask(database, statement, params=()):
    with database.unit_of_work() as session:
        return fetch(session, statement, params)


COLUMNS = {"target-0": "key", "target-1": "name", "target-2": "city", "target-3": ""}


def planned(browser, work, content=ROWS):
    """A load with its plan; its address."""
    at = send(browser, content).location.removesuffix("/upload")
    assert post(browser, f"{at}/columns", **COLUMNS).status_code == 303
    assert post(browser, f"{at}/plan").status_code == 303
    work()
    return at


def test_a_file_becomes_records_in_five_steps_and_is_taken_back(loader, work, database):
    answer = send(loader)
    assert (answer.status_code, answer.location.endswith("/upload")) == (303, True)
    at = answer.location.removesuffix("/upload")
    page = loader.get(answer.location).text
    assert "Harbor Health Plan" in page
    assert "PAYER_NM" in page
    page = loader.get(f"{at}/columns").text
    assert "Becomes" in page
    assert post(loader, f"{at}/columns", **COLUMNS).location == f"{at}/values"
    page = loader.get(f"{at}/values").text
    assert "would be rejected" in page
    assert ask(database, "select count(*) from source_record") == [(0,)]
    assert post(loader, f"{at}/plan").location == f"{at}/plan"
    assert f'data-poll="{at}/progress"' in loader.get(f"{at}/plan").text
    assert "progress" in loader.get(f"{at}/progress").text
    work()
    ended = loader.get(f"{at}/progress")
    assert (ended.status_code, ended.headers["HX-Refresh"]) == (204, "true")
    page = loader.get(f"{at}/plan").text
    counts = ask(database, "select rows, new, rejected from load_count where stage = 'plan'")
    assert counts == [(4, 2, 2)]
    assert re.findall(r"(New|Rejected) <b>(\d+)</b>", page) == [("New", "2"), ("Rejected", "2")]
    assert ask(database, "select count(*) from source_record") == [(0,)]
    plan = ask(database, "select plan_id from load")[0][0]
    assert "Nothing of this load was applied" in loader.get(f"{at}/undo").text
    answer = post(loader, f"{at}/apply", plan=str(plan))
    assert answer.status_code == 409  # guard rails: a key that stands twice, many rejects
    assert "Tick what you have looked at" in answer.text
    assert "despite:" not in answer.text
    rails = [row[0] for row in ask(database, "select jsonb_path_query(report, '$.guard_rails[*].code') #>> '{}' from load_plan")]
    assert post(loader, f"{at}/apply", plan=str(plan), despite=rails).status_code == 422  # and nobody has said why
    assert post(loader, f"{at}/apply", plan=str(plan), despite=rails, reason="both are known").status_code == 303
    work()
    assert ask(database, "select count(*) from source_record where status = 'active'") == [(2,)]
    page = loader.get(f"{at}/apply").text
    assert "What came out" in page
    assert "duplicate key" in loader.get(f"{at}/report").text
    rejects = loader.get(f"{at}/rejects.csv").text
    assert "concord_code" in rejects
    assert "missing" in rejects or "required" in rejects
    page = loader.get(f"{at}/undo").text
    assert "new records withdrawn" in page
    assert post(loader, f"{at}/undo", reason="the wrong file").status_code == 303
    assert ask(database, "select detail ->> 'reason' from audit where action = 'load:undo'") == [("the wrong file",)]
    work()
    page = loader.get(f"{at}/undo").text
    assert "This load is undone" in page
    assert '<b>2</b><span class="soft">new records withdrawn' in page
    assert ask(database, "select status from load") == [("undone",)]
    assert ask(database, "select count(*) from golden_record where status = 'active'") == [(0,)]


def test_what_is_signed_says_who_did_what_and_why(loader, work, database):
    at = planned(loader, work, "PAYER_NO,PAYER_NM,TOWN\np1,Harbor Health Plan,Bath\n")
    post(loader, f"{at}/apply", plan=str(ask(database, "select plan_id from load")[0][0]), reason="cutover of May")
    work()
    page = loader.get(f"{at}/report").text
    assert re.search(rf'<th scope="row">Applied</th><td><bdi>{loader.name}</bdi></td>.*?<bdi>cutover of May</bdi>', page)
    assert "<dt>Open review items</dt><dd>0</dd>" in page
    assert re.search(r'<th scope="row">New</th><td class="number">2</td>.*?Harbor Health Plan', page)
    assert '<th scope="row"><bdi>PAYER_NM</bdi></th><td>Name</td>' in page


def test_the_same_file_again_says_that_there_is_nothing_to_do(loader, work, database):
    content = "PAYER_NO,PAYER_NM,TOWN\np1,Harbor Health Plan,Bath\n"
    first = planned(loader, work, content)
    assert post(loader, f"{first}/apply", plan=str(ask(database, "select plan_id from load")[0][0])).status_code == 303
    work()
    again = send(loader, content).location.removesuffix("/upload")
    assert post(loader, f"{again}/plan").status_code == 303  # the template knows the columns
    work()
    page = loader.get(f"{again}/plan").text
    assert "nothing to do" in page
    plan = ask(database, "select plan_id from load order by created_at desc limit 1")[0][0]
    assert post(loader, f"{again}/apply", plan=str(plan)).status_code == 409


def test_a_draft_goes_on_where_it_stood_for_whoever_may_load_it(loader, enter, database):
    at = send(loader).location.removesuffix("/upload")
    post(loader, f"{at}/columns", **COLUMNS)
    other = enter()
    assert "Harbor Health Plan" in other.get(f"{at}/upload").text
    assert 'value="name" selected' in other.get(f"{at}/columns").text
    assert other.get(at).location == f"{at}/upload"
    for narrow in (enter(domains=["item"]), enter(systems=["ehr-north"])):
        for page in ("", "/upload", "/columns", "/values", "/plan", "/apply", "/report", "/undo", "/rejects.csv", "/progress"):
            assert narrow.get(at + page).status_code == 404, page
        assert at not in narrow.get("/loads").text
    for role in ("steward", "auditor", "integration"):
        nobody = enter(role)
        assert nobody.get("/loads").status_code == 403
        assert nobody.get(f"{at}/upload").status_code == 403


def test_cells_about_patients_are_shown_to_whoever_uploaded_them(loader, enter, database):
    content = "MRN,LAST,FIRST,DOB\nm1,Grayson,Maria,1961-04-12\n"
    at = send(loader, content, "patients.csv", "patient", "ehr-north").location.removesuffix("/upload")
    assert "Grayson" in loader.get(f"{at}/upload").text
    assert ask(database, "select count(*) from audit where action = 'load:look' and principal = %s", (loader.name,)) == [(1,)]
    other = enter()
    for page in ("upload", "columns", "values"):
        assert "Grayson" not in other.get(f"{at}/{page}").text
    assert "Grayson" not in str(ask(database, "select detail from audit"))


def test_rejected_rows_about_patients_go_back_to_whoever_uploaded_them(loader, enter, work, database):
    content = "MRN,LAST,FIRST,DOB\n,Grayson,Maria,1961-04-12\n"
    at = send(loader, content, "patients.csv", "patient", "ehr-north").location.removesuffix("/upload")
    post(loader, f"{at}/plan")
    work()
    assert "Grayson" in loader.get(f"{at}/rejects.csv").text
    other = enter()
    refused = other.get(f"{at}/rejects.csv")
    assert (refused.status_code, "Grayson" in refused.text) == (403, False)
    assert "rejects.csv" not in other.get(f"{at}/plan").text
    assert ask(database, "select principal from audit where action = 'load:rejects'") == [(loader.name,)]


def test_what_cannot_be_read_is_said_and_nothing_kept(loader, database, home):
    for content, name, said in (("", "empty.csv", ""), ("a,b\n1,2\n", "file.docx", "kind"), ("\x00\x01\x02", "x.xlsx", "")):
        answer = send(loader, content, name)
        assert answer.status_code == 422
        assert said in answer.text
    assert send(loader, domain="zeppelin").status_code in {404, 422}
    assert send(loader, system="nowhere").status_code in {404, 422}
    assert ask(database, "select count(*) from load") == [(0,)]


def test_a_plan_needs_the_columns_that_no_load_can_do_without(loader, database):
    at = send(loader).location.removesuffix("/upload")
    post(loader, f"{at}/columns", **{**COLUMNS, "target-0": ""})
    assert "Required and still missing: key" in loader.get(f"{at}/columns").text
    assert loader.get(f"{at}/values").status_code == 422
    assert post(loader, f"{at}/plan").status_code == 422
    assert post(loader, f"{at}/columns", **{**COLUMNS, "target-3": "zeppelin"}).status_code == 303
    assert post(loader, f"{at}/plan").status_code == 422
    assert ask(database, "select count(*) from job") == [(0,)]


def test_whatever_is_changed_takes_a_plan_back(loader, work, database):
    at = planned(loader, work)
    plan = ask(database, "select plan_id from load")[0][0]
    assert post(loader, f"{at}/columns", **{**COLUMNS, "target-2": ""}).status_code == 303
    assert ask(database, "select status from load") == [("uploaded",)]
    assert post(loader, f"{at}/apply", plan=str(plan), despite=["key_not_unique", "many_rejects"]).status_code == 409
    post(loader, f"{at}/plan")
    work()
    assert post(loader, f"{at}/apply", plan=str(plan), despite=["key_not_unique", "many_rejects"]).status_code == 409
    assert "Other than the plan before" in loader.get(f"{at}/plan").text


def test_a_stale_plan_is_refused_and_says_what_moved(loader, work, deliver, database):
    deliver("payer", "billing-north", {"name": "Harbor Health Plan", "city": "Bath"}, key="p1")
    at = planned(loader, work, "PAYER_NO,PAYER_NM,TOWN\np1,Harbor Health Plan Inc,Bath\n")
    plan = ask(database, "select plan_id from load")[0][0]
    deliver("payer", "billing-north", {"name": "Harbor Health Plan of Maine", "city": "Bath"}, key="p1")
    assert "has moved on" in loader.get(f"{at}/plan").text
    assert post(loader, f"{at}/apply", plan=str(plan)).status_code == 409
    assert ask(database, "select status from load") == [("planned",)]


def test_repairs_are_added_switched_and_taken_away(loader, database):
    content = "PAYER_NO,PAYER_NM,TOWN\n p1 ,  Harbor   Health Plan ,Bath\np2,Tidal Mutual,Orono\n"
    at = send(loader, content).location.removesuffix("/upload")
    post(loader, f"{at}/columns", **COLUMNS)
    page = loader.get(f"{at}/values").text
    code, column, place = (re.search(f'name="{name}" value="([^"]+)"', page)[1] for name in ("code", "column", "place"))
    assert post(loader, f"{at}/values", act="add", code=code, column=column, place=place).status_code == 303
    assert "Switch off" in loader.get(f"{at}/values").text
    assert post(loader, f"{at}/values", act="switch", number="0").status_code == 303
    assert "Switch on" in loader.get(f"{at}/values").text
    assert post(loader, f"{at}/values", act="add", code="zeppelin", column=column, place="0").status_code == 409
    assert post(loader, f"{at}/values", act="remove", number="7").status_code == 409
    assert post(loader, f"{at}/values", act="remove", number="0").status_code == 303
    assert ask(database, "select options -> 'steps' from load") == [([],)]


def test_many_rows_take_two_people(app, loader, enter, work, database, monkeypatch):
    rows = "".join(f"p{n},Payer number {n} of Bath,Bath\n" for n in range(3))
    at = planned(loader, work, "PAYER_NO,PAYER_NM,TOWN\n" + rows)
    import dataclasses

    concord = app.extensions["concord"]
    monkeypatch.setitem(
        app.extensions, "concord", dataclasses.replace(concord, settings=dataclasses.replace(concord.settings, load_approval_rows=1))
    )
    plan = str(ask(database, "select plan_id from load")[0][0])
    assert "take two people" in loader.get(f"{at}/apply").text
    assert post(loader, f"{at}/apply", plan=plan).status_code == 422  # so many rows want a reason
    assert post(loader, f"{at}/apply", plan=plan, reason="cutover").status_code == 303
    assert post(loader, f"{at}/apply", plan=plan, reason="cutover").status_code == 303
    assert ask(database, "select status, asked_by, approved_by from load") == [("planned", loader.name, None)]
    assert "Waits for a second person" in loader.get(f"{at}/apply").text
    second = enter()
    assert post(second, f"{at}/request").status_code == 403
    assert "Take the request back" not in second.get(f"{at}/apply").text
    assert "Take the request back" in loader.get(f"{at}/apply").text
    assert post(loader, f"{at}/request").status_code == 303
    assert ask(database, "select status, asked_by from load") == [("planned", None)]
    assert post(loader, f"{at}/request").status_code == 409
    assert post(loader, f"{at}/apply", plan=plan, reason="cutover").status_code == 303
    assert "You would be the second person" in second.get(f"{at}/apply").text
    assert post(second, f"{at}/apply", plan=plan, reason="agreed").status_code == 303
    said = ask(database, "select action, principal, detail ->> 'reason' from audit where action in ('load:ask', 'load:apply') order by n")
    assert said == [*[("load:ask", loader.name, "cutover")] * 3, ("load:apply", second.name, "agreed")]
    assert ask(database, "select status, approved_by from load") == [("applying", second.name)]


def test_a_second_person_sees_and_agrees_to_the_rows_that_were_asked_for(app, loader, enter, work, database, monkeypatch):
    import dataclasses

    from mdm import loads
    from mdm.access import SYSTEM_ACTOR

    concord = app.extensions["concord"]
    few = dataclasses.replace(concord.settings, load_approval_rows=1)
    monkeypatch.setitem(app.extensions, "concord", dataclasses.replace(concord, settings=few))
    at = planned(loader, work, "PAYER_NO,PAYER_NM,TOWN\np1,Harbor Health Plan,Bath\np2,Tidal Mutual,Orono\n")
    plan = ask(database, "select plan_id from load")[0][0]
    how = loads.Applying(1, {"city": "bath"}, (), "cutover")
    with database.unit_of_work() as session:
        loads.ask_apply(session, SYSTEM_ACTOR, plan, how, "test")
    assert "city = bath" in loader.get(f"{at}/apply").text
    assert post(loader, f"{at}/apply", plan=str(plan), reason="agreed").status_code == 303
    work()
    assert ask(database, "select planned, became from load_row order by no") == [("new", "new"), ("new", None)]


def test_a_job_is_ended_from_the_page(loader, database):
    at = send(loader).location.removesuffix("/upload")
    post(loader, f"{at}/columns", **COLUMNS)
    post(loader, f"{at}/plan")
    assert post(loader, f"{at}/columns", **COLUMNS).status_code in {303, 409}
    assert post(loader, f"{at}/cancel").status_code == 303
    assert ask(database, "select state from job") == [("cancelled",)]
    assert post(loader, f"{at}/cancel").status_code == 303  # twice is as once


def test_blank_workbooks_are_there_for_every_domain(loader):
    for name in ENTITY_TYPES:
        answer = loader.get(f"/loads/blank/{name}.xlsx")
        assert answer.data[:2] == b"PK"
    assert loader.get("/loads/blank/zeppelin.xlsx").status_code in {403, 404}


def test_no_page_of_a_load_has_code_or_style_of_its_own(loader, work):
    at = planned(loader, work)
    for page in ("/upload", "/columns", "/values", "/plan", "/apply", "/report"):
        text = loader.get(at + page).text
        assert "style=" not in text
        assert "<script>" not in text
        assert "onclick" not in text
