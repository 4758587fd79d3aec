"""Administration: who may open which page, changes that take two people, what is shown once, jobs, the audit and its signatures."""

import csv
import hmac
import re
from hashlib import sha256
from io import StringIO

import pytest

from mdm import access, jobs, people
from mdm.db import execute, fetch
from mdm.entities import ENTITY_TYPES
from mdm.learning import effect_of
from mdm.model_versions import active_version
from stewardship_ui import audits
from tests.ui.conftest import Browser

PAGES = (
    "/admin",
    "/admin/systems",
    "/admin/systems/ehr-north",
    "/admin/identifiers",
    "/admin/people",
    "/admin/roles",
    "/admin/keys",
    "/admin/queues",
    "/admin/models",
    "/admin/survivorship",
    "/admin/consumers",
    "/admin/webhooks",
    "/admin/jobs",
    "/audit",
    "/audit/emergency",
)

FORMS = (
    ("/admin/systems", {"code": "x", "name": "x", "kind": "ehr", "organization": "x"}),
    ("/admin/people", {"name": "x", "role": "admin", "reason": "x"}),
    ("/admin/keys", {"name": "x", "role": "admin"}),
    ("/admin/queues", {"queue": "x"}),
    ("/admin/queues/00000000-0000-0000-0000-000000000000/delete", {}),
    ("/admin/models/patient-1/ask", {"reason": "x"}),
    ("/admin/survivorship/payer", {}),
    ("/admin/consumers", {"code": "x", "name": "x", "contact": "x", "domains": "payer"}),
    ("/admin/webhooks", {"consumer": "x", "url": "https://example.org", "domains": "payer"}),
    ("/admin/jobs/00000000-0000-0000-0000-000000000000", {"act": "retry"}),
    ("/audit/emergency/00000000-0000-0000-0000-000000000000", {}),
    ("/quality/matching/payer/thresholds", {"review": "1", "link": "2"}),
)


@pytest.fixture
def sign_in(app, database, person):
    """sign_in(role, ...) -> a browser of somebody new."""

    def enter(role, **scope):
        made = Browser(app, database)
        made.name = person(role, **scope)
        made.enter_as(made.name)
        return made

    return enter


@pytest.fixture
def admin(sign_in):
    return sign_in("admin", grants=["phi"])


@pytest.fixture
def second(sign_in):
    return sign_in("admin", grants=["phi"])


def make(browser, path, **fields):
    """Send the form of a page that makes something, with the page's key."""
    key = re.search(r'name="idempotency_key" value="([^"]+)"', browser.get(path).text)[1]
    return browser.post(path, **{"idempotency_key": key, **fields})


def ask(database, statement, params=()):
    with database.unit_of_work() as session:
        return fetch(session, statement, params)


def test_administrators_open_every_page_auditors_the_audit_and_stewards_none(admin, steward, sign_in):
    auditor = sign_in("auditor")
    for path in PAGES:
        assert admin.get(path).status_code == 200, path
        assert "<h1>" in admin.get(path, headers={"HX-Request": "true"}).text
        assert steward.get(path).status_code == 403, path
        assert auditor.get(path).status_code == (200 if path.startswith("/audit") else 403), path


def test_a_steward_changes_nothing(steward, database):
    token = steward.token()
    for path, form in FORMS:
        assert steward.client.post(path, data={"csrf": token, **form}, headers={"Sec-Fetch-Site": "same-origin"}).status_code == 403, path
    assert ask(database, "select count(*) from audit where action not like 'session:%%'") == [(0,)]


def test_a_system_is_registered_and_changed(admin, database):
    form = {"code": "lab-north", "name": "North lab", "kind": "ehr", "organization": "Northfield", "aliases": "hl7 LABN\noid 1.2.3.4"}
    assert admin.post("/admin/systems", **form).status_code == 303
    assert "LABN" in admin.get("/admin/systems").text
    assert (
        admin.post(
            "/admin/systems", **{**form, "known": "lab-north", "name": "Lab of the north", "aliases": "", "version": "1"}
        ).status_code
        == 303
    )
    assert ask(database, "select name, version from system where code = 'lab-north'") == [("Lab of the north", 2)]
    taken = admin.post("/admin/systems", **{**form, "aliases": ""})
    assert (taken.status_code, "is there already" in taken.text) == (409, True)
    late = admin.post("/admin/systems", **{**form, "known": "lab-north", "version": "1"})
    assert (late.status_code, "now at version 2" in late.text) == (412, True)
    assert ask(database, "select name, version from system where code = 'lab-north'") == [("Lab of the north", 2)]


def test_a_bad_system_is_refused_and_keeps_what_was_typed(admin, database):
    good = {"code": "lab-north", "name": "North lab", "kind": "ehr", "organization": "Northfield of the hills"}
    for form, said in (
        ({"code": "Bad Code"}, "lower-case letters"),
        ({"kind": "zeppelin"}, "kind:"),
        ({"name": ""}, "name:"),
        ({"aliases": "hl7"}, "aliases:"),
        ({"aliases": "fax 123"}, "aliases:"),
        ({"code": "us-npi"}, "standard identifier system"),
    ):
        answer = admin.post("/admin/systems", **{**good, **form})
        assert answer.status_code == 422
        assert said in answer.text
        assert "Northfield of the hills" in answer.text
    assert ask(database, "select count(*) from system where code in ('lab-north', 'us-npi')") == [(0,)]


def change_of(database, kind):
    return ask(database, "select id from pending_change where kind = %s and state = 'open'", (kind,))[0][0]


def test_a_person_signs_in_once_a_second_administrator_agrees(admin, second, database, browser):
    answer = admin.post("/admin/people", name="Ann", role="steward", domains="payer", reason="joins the team")
    password = re.search(r'class="secret">([^<]+)<', answer.text)[1]
    assert browser.sign_in("Ann", password).status_code == 401
    change = change_of(database, "rights")
    assert admin.post(f"/admin/changes/{change}", answer="agree").status_code == 403
    assert browser.sign_in("Ann", password).status_code == 401
    assert "joins the team" in second.get("/admin/people").text
    assert second.post(f"/admin/changes/{change}", answer="agree").status_code == 303
    assert browser.sign_in("Ann", password).status_code == 303
    assert ask(database, "select role, domains, disabled from principal where name = 'Ann'") == [("steward", ["payer"], False)]
    assert password not in admin.get("/admin/people").text


def test_who_lost_what_they_sign_in_with_gets_it_anew_from_two_administrators(admin, second, sign_in, database, browser):
    ann = sign_in("steward")
    ann_id = ask(database, "update principal set totp_secret = 'x' where name = %s returning id", (ann.name,))[0][0]
    answer = admin.post(f"/admin/people/{ann_id}/reset", what="password", reason="forgot it")
    password = re.search(r'class="secret">([^<]+)<', answer.text)[1]
    assert admin.post(f"/admin/people/{ann_id}/reset", what="factor", reason="lost the phone").status_code == 303
    assert browser.sign_in(ann.name, password).status_code == 401
    for kind in ("password", "factor"):
        change = change_of(database, kind)
        assert admin.post(f"/admin/changes/{change}", answer="agree").status_code == 403
        page = second.get("/admin/people").text
        assert "argon2" not in page
        assert second.post(f"/admin/changes/{change}", answer="agree").status_code == 303
    assert ann.get("/tasks").location.startswith("/sign-in")
    assert browser.sign_in(ann.name, password).status_code == 303
    assert browser.get("/tasks").location == "/me"


def test_nobody_gets_into_the_account_of_who_holds_more(admin, second, sign_in, database):
    poor = sign_in("admin")
    rich = ask(database, "select id from principal where name = %s", (second.name,))[0][0]
    assert poor.post(f"/admin/people/{rich}/reset", what="password", reason="x").status_code == 403
    admin.post(f"/admin/people/{rich}/reset", what="factor", reason="lost")
    assert poor.post(f"/admin/changes/{change_of(database, 'factor')}", answer="agree").status_code == 403


def test_a_change_is_settled_once(admin, second, database):
    admin.post("/admin/people", name="Ann", role="steward", reason="joins")
    change = change_of(database, "rights")
    assert second.post(f"/admin/changes/{change}", answer="refuse").status_code == 303
    assert second.post(f"/admin/changes/{change}", answer="agree").status_code == 409
    assert ask(database, "select disabled from principal where name = 'Ann'") == [(True,)]


def test_rights_that_changed_meanwhile_are_not_overwritten(admin, second, database, person):
    ann = person("steward")
    ann_id = ask(database, "select id from principal where name = %s", (ann,))[0][0]
    assert admin.post(f"/admin/people/{ann_id}/rights", role="auditor", version="1", reason="moves").status_code == 303
    assert admin.post(f"/admin/people/{ann_id}", act="disable").status_code == 303
    assert second.post(f"/admin/changes/{change_of(database, 'rights')}", answer="agree").status_code == 412
    assert ask(database, "select role, disabled from principal where id = %s", (ann_id,)) == [("steward", True)]


def test_nobody_hands_out_more_than_they_hold(sign_in, database):
    poor = sign_in("admin")
    assert poor.post("/admin/people", name="Eve", role="admin", grants="phi", reason="x").status_code == 403
    assert make(poor, "/admin/keys", name="eve", role="integration", grants="unmask").status_code == 403
    assert ask(database, "select count(*) from principal where name in ('Eve', 'eve')") == [(0,)]


def test_what_one_administrator_asked_another_with_less_cannot_agree_to(admin, sign_in, database):
    admin.post("/admin/people", name="Ann", role="admin", grants="phi", reason="joins")
    poor = sign_in("admin")
    assert poor.post(f"/admin/changes/{change_of(database, 'rights')}", answer="agree").status_code == 403
    assert ask(database, "select disabled from principal where name = 'Ann'") == [(True,)]


def test_disabling_ends_sessions_at_once_and_nobody_disables_themselves(admin, steward, database):
    steward_id = ask(database, "select id from principal where name = %s", (steward.name,))[0][0]
    own = ask(database, "select id from principal where name = %s", (admin.name,))[0][0]
    assert admin.post(f"/admin/people/{steward_id}", act="disable").status_code == 303
    assert steward.get("/tasks").status_code == 303
    assert admin.post(f"/admin/people/{own}", act="disable").status_code == 403


def test_a_key_is_shown_once_and_revoked(admin, database):
    answer = make(admin, "/admin/keys", name="ward-app", role="integration", domains="payer")
    token = re.search(r'class="secret">([^<]+)<', answer.text)[1]
    assert access.is_well_formed(token)
    page = admin.get("/admin/keys").text
    assert "ward-app" in page
    assert token not in page
    key = ask(database, "select id from api_key")[0][0]
    assert admin.post(f"/admin/keys/{key}/revoke").status_code == 303
    assert ask(database, "select revoked_at is not null from api_key") == [(True,)]


@pytest.mark.parametrize(
    ("path", "form", "table"),
    [
        ("/admin/keys", {"name": "ward-app", "role": "integration", "domains": "payer"}, "api_key"),
        ("/admin/webhooks", {"consumer": "warehouse", "url": "https://93.184.216.34/in", "domains": "payer"}, "webhook"),
    ],
)
def test_a_page_that_is_loaded_again_makes_nothing_again(admin, database, path, form, table):
    admin.post("/admin/consumers", code="warehouse", name="Warehouse", contact="x", domains="payer")
    sent = {**form, "idempotency_key": "of-this-page"}
    first, again = admin.post(path, **sent), admin.post(path, **sent)
    assert (first.status_code, 'class="secret"' in first.text) == (200, True)
    assert ("nothing was made again" in again.text, 'class="secret"' in again.text) == (True, False)
    assert ask(database, f"select count(*) from {table}") == [(1,)]
    other = admin.post(path, **{**sent, "domains": "item"})
    assert "this key stood for another form" in other.text
    assert admin.post(path, **form).status_code == 428
    assert make(admin, path, **form).status_code == 200
    assert ask(database, f"select count(*) from {table}") == [(2,)]


def test_a_key_that_settles_works_once_a_second_administrator_agrees(admin, second, database):
    form = {"name": "night-desk", "role": "steward", "domains": "payer"}
    assert make(admin, "/admin/keys", **form).status_code == 422
    answer = make(admin, "/admin/keys", **form, reason="settles at night")
    token = re.search(r'class="secret">([^<]+)<', answer.text)[1]

    def status():
        return admin.client.get("/v1/tasks", headers={"Authorization": f"Bearer {token}"}).status_code

    change = change_of(database, "key")
    assert status() == 401
    assert admin.post(f"/admin/changes/{change}", answer="agree").status_code == 403
    assert "settles at night" in second.get("/admin/keys").text
    assert second.post(f"/admin/changes/{change}", answer="agree", back="keys").location == "/admin/keys"
    assert status() == 200


def test_a_refused_key_never_works(admin, second, database):
    make(admin, "/admin/keys", name="night-desk", role="steward", reason="x")
    second.post(f"/admin/changes/{change_of(database, 'key')}", answer="refuse")
    assert ask(database, "select waiting, revoked_at is not null from api_key") == [(True, True)]


def test_a_model_is_used_once_a_second_administrator_agrees(admin, second, database):
    declared = ENTITY_TYPES["payer"].model
    answer = admin.post("/quality/matching/payer/thresholds", review="4", link="11.5")
    assert answer.status_code == 303
    version = answer.location.rsplit("/", 1)[1]
    page = admin.get(answer.location).text
    assert "Count what it would change first" in page
    assert admin.post(f"/admin/models/{version}/count").status_code == 303
    assert ask(database, "select payload ->> 'version' from job where kind = 'model_effect'") == [(version,)]
    assert "counting" in admin.get(answer.location).text
    admin.post(f"/admin/models/{version}/ask", reason="fewer false links")
    change = change_of(database, "model")
    assert admin.post(f"/admin/changes/{change}", answer="agree").status_code == 403
    assert second.post(f"/admin/changes/{change}", answer="agree", back="models").location == "/admin/models"
    assert database.run(lambda s: active_version(s, ENTITY_TYPES["payer"])) == version != declared.version
    assert ask(database, "select model -> 'thresholds' from match_model where version = %s", (version,)) == [
        ({"review": 4.0, "link": 11.5},)
    ]


def test_impossible_thresholds_make_no_version(admin, database):
    for review, link in (("5", "4"), ("nan", "4"), ("1", "inf"), ("x", "4"), ("", "4")):
        assert admin.post("/quality/matching/payer/thresholds", review=review, link=link).status_code == 422
    assert ask(database, "select count(*) from match_model") == [(0,)]


def test_survivorship_is_tried_and_nothing_written(admin, deliver, database):
    deliver("payer", "billing-north", {"name": "Harbor Health Plan", "city": "Bath"}, [("us-naic", "12345")])
    deliver("payer", "ehr-north", {"name": "Harbor", "city": "Bath"}, [("us-naic", "12345")])
    before = ask(database, "select golden_id, version, values from golden_version")
    answer = admin.post("/admin/survivorship/payer", **{"rule-name": "longest", "trust-name": ""})
    assert answer.status_code == 200
    assert "golden records looked at" in answer.text
    assert ask(database, "select golden_id, version, values from golden_version") == before
    assert admin.post("/admin/survivorship/payer", **{"rule-name": "by_moon"}).status_code == 422


def test_a_consumer_is_registered_and_somebody_elses_not_overwritten(admin, database):
    form = {"code": "warehouse", "name": "Warehouse", "contact": "dwh@example.org", "domains": "payer"}
    assert admin.post("/admin/consumers", **form).status_code == 303
    assert admin.post("/admin/consumers", **{**form, "name": "Thief"}).status_code == 409
    assert admin.post("/admin/consumers", **{**form, "known": "warehouse", "version": "1", "name": "The warehouse"}).status_code == 303
    assert admin.post("/admin/consumers", **{**form, "known": "warehouse", "version": "1", "name": "Late"}).status_code == 412
    assert ask(database, "select name from consumer") == [("The warehouse",)]


def test_a_webhook_is_made_with_its_secret_shown_once(admin, database):
    admin.post("/admin/consumers", code="warehouse", name="Warehouse", contact="x", domains="payer")
    form = {"consumer": "warehouse", "url": "https://93.184.216.34/in", "domains": "payer"}
    answer = make(admin, "/admin/webhooks", **form)
    secret = re.search(r'class="secret">(whsec_[^<]+)<', answer.text)[1]
    hook = ask(database, "select id from webhook")[0][0]
    page = admin.get(f"/admin/webhooks/{hook}")
    assert secret not in page.text
    assert admin.post(f"/admin/webhooks/{hook}", **{**form, "version": "1", "state": "paused"}).status_code == 303
    assert admin.post(f"/admin/webhooks/{hook}", **{**form, "version": "1", "state": "active"}).status_code == 412
    assert "whsec_" in admin.post(f"/admin/webhooks/{hook}/secret", version="2").text
    assert admin.post(f"/admin/webhooks/{hook}/secret", version="3").status_code == 409
    assert ask(database, "select state from webhook") == [("paused",)]
    assert make(admin, "/admin/webhooks", **{**form, "url": "http://127.0.0.1/"}).status_code == 422


def test_jobs_are_cancelled_and_tried_again(admin, database):
    with database.unit_of_work() as session:
        job = jobs.enqueue(session, "match_all", {"domain": "payer"}, dedupe_key="x", queue="bulk")
    assert str(job) in admin.get("/admin/jobs?state=queued&queue=bulk").text
    assert admin.post(f"/admin/jobs/{job}", act="cancel").status_code == 303
    assert admin.post(f"/admin/jobs/{job}", act="retry").status_code == 409
    with database.unit_of_work() as session:
        execute(session, "update job set state = 'failed' where id = %s", (job,))
    assert admin.post(f"/admin/jobs/{job}", act="retry").status_code == 303
    assert ask(database, "select state from job where id = %s", (job,)) == [("queued",)]
    assert admin.get("/admin/jobs?state=nonsense").status_code == 422
    assert admin.get("/admin/jobs/not-a-job").status_code == 404


def test_the_audit_is_read_by_person_act_and_record_and_reading_it_is_audited(admin, steward, review, database):
    steward.get(review)
    golden = ask(database, "select subjects[1] from audit where principal = %s and subjects <> '{}' limit 1", (steward.name,))[0][0]
    assert steward.name in admin.get(f"/audit?principal={steward.name}&action=golden&subject={golden}").text
    assert "No such act" in admin.get("/audit?action=nothing").text
    for bad in ("since=yesterday", "subject=maria", "before=x"):
        assert admin.get(f"/audit?{bad}").status_code == 422
    assert ask(database, "select count(*) from audit where action = 'audit:read' and principal = %s", (admin.name,))[0][0] == 2


def test_the_audit_file_is_signed_and_harmless(admin, database, app):
    with database.unit_of_work() as session:
        execute(session, "insert into audit (principal, action, request_id, outcome) values ('=cmd()', 'x:y', '', 'done')")
    body = admin.get("/audit.csv").text
    signed, _, last = body.rstrip("\r\n").rpartition("\r\n")
    pepper = app.extensions["concord"].settings.key_pepper()
    assert last == "signature," + hmac.digest(pepper, b"audit file " + (signed + "\r\n").encode(), sha256).hex()
    rows = list(csv.DictReader(StringIO(signed)))
    assert "'=cmd()" in {row["principal"] for row in rows}


def test_the_audit_file_is_whole(admin, database, monkeypatch):
    monkeypatch.setattr(audits, "FILE_PAGE", 7)
    with database.unit_of_work() as session:
        execute(
            session, "insert into audit (principal, action, request_id, outcome) select 'x', 'x:y', '', 'done' from generate_series(1, 30)"
        )
    body = admin.get("/audit.csv?action=x").text
    assert len(body.splitlines()) == 32
    assert len(set(re.findall(r"^(\d+),", body, re.MULTILINE))) == 30


def open_glass(database, who, age="1 hour"):
    with database.unit_of_work() as session:
        return fetch(
            session,
            "insert into break_glass (id, principal, domain, reason, ticket, opened_at, ends_at) values (gen_random_uuid(), %s, 'patient',"
            " 'trauma', 'T-1', now() - %s::interval, now() - %s::interval + interval '15 minutes') returning id",
            (who, age, age),
        )[0][0]


def test_emergency_access_is_signed_off_by_another_person_once(admin, second, database):
    glass = open_glass(database, admin.name, "4 days")
    page = second.get("/audit/emergency").text
    assert "over 72 h" in page
    assert "1 to sign off" in second.get("/audit").text
    assert admin.post(f"/audit/emergency/{glass}").status_code == 409
    assert second.post(f"/audit/emergency/{glass}").status_code == 303
    assert second.post(f"/audit/emergency/{glass}").status_code == 409
    assert ask(database, "select reviewed_by from break_glass") == [(second.name,)]


def test_what_a_version_would_change_is_counted_by_a_worker_and_shown(admin, deliver, database, actor):
    from matching.bulk import Room
    from mdm.learning import _keep_effect
    from mdm.model_versions import with_thresholds

    for number in range(3):
        deliver("payer", "ehr-north", {"name": f"Harbor Health Plan {number}", "city": "Bath"})
    payer = ENTITY_TYPES["payer"]
    version = database.run(lambda session: with_thresholds(session, payer, (2.0, 9.0), actor))
    from mdm.model_versions import find_model

    _, model = database.run(lambda session: find_model(session, ENTITY_TYPES, version))
    effect = effect_of(database, payer, model, Room("1GB"))
    database.run(lambda session: _keep_effect(session, effect))
    page = admin.get(f"/admin/models/{version}").text
    assert "over 3 stored records" in page
    assert "Ask to use it" in page


def test_rights_are_kept_and_read_back_the_same():
    wanted = access.NewPrincipal("Ann", access.Role.STEWARD, frozenset({"payer"}), None, frozenset({"hold"}))
    assert people.wanted_of("Ann", people.rights(wanted, 3)) == wanted


def test_who_reads_nothing_of_a_domain_sees_no_value_whole(admin):
    page = admin.get("/admin/roles").text.split('id="masks"')[1]
    rows = re.findall(r'<tr><th scope="row">(.*?)</tr>', page.split("<summary>Payer")[1].split("</details>")[0], re.DOTALL)
    assert rows
    for row in rows:
        cells = [re.sub("<[^>]*>", "", cell) for cell in re.findall("<td>(.*?)</td>", row)[1:]]
        seen = dict(zip([role.value for role in access.Role], cells, strict=True))
        assert seen == {"integration": "whole", "steward": "whole", "loader": "–not read", "auditor": "–not read", "admin": "whole"}
