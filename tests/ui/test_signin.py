"""Signing in and out: sessions on the server, cookies that other sites cannot use, lockout, forms from elsewhere refused."""

import html
import re
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest

from api.app import create_app
from mdm import authentication
from mdm.db import execute, fetch
from mdm.errors import Invalid
from mdm.settings import SecondFactor, Settings
from stewardship_ui.sessions import cookie
from stewardship_ui.site import add_pages
from tests.ui.conftest import PASSWORD, Browser

HERE = {"Sec-Fetch-Site": "same-origin"}


def rows(database, statement):
    with database.unit_of_work() as session:
        return fetch(session, statement)


def change(database, statement):
    with database.unit_of_work() as session:
        execute(session, statement)


def test_a_person_signs_in_and_out(browser, person):
    name = person()
    answer = browser.sign_in(name)
    assert (answer.status_code, answer.location) == (303, "/")
    assert name in browser.get("/").text
    answer = browser.post("/sign-out")
    assert (answer.status_code, answer.location) == (303, "/sign-in")
    assert "cookies" in answer.headers["Clear-Site-Data"]
    assert browser.get("/").status_code == 303


def test_the_cookie_is_bound_to_host_and_tls(browser, person):
    header = browser.sign_in(person()).headers["Set-Cookie"]
    assert header.startswith("__Host-concord=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Strict"} <= set(header.split("; "))
    assert "Domain" not in header


@pytest.mark.parametrize(
    ("profile", "host", "secure"),
    [
        ("demo", "127.0.0.1", False),
        ("demo", "localhost", False),
        ("demo", "0.0.0.0", True),
        ("production", "127.0.0.1", True),
        ("test", "::1", True),
    ],
)
def test_only_a_demo_on_this_machine_speaks_plain_http(tmp_path, profile, host, secure):
    made = cookie(Settings.from_env({"MDM_HOME": str(tmp_path), "MDM_PROFILE": profile, "MDM_HOST": host}))
    assert (made.secure, made.name.startswith("__Host-")) == (secure, secure)


def test_the_table_holds_no_secret(browser, person, database):
    secret = browser.sign_in(person()).headers["Set-Cookie"].split("=")[1].split(";")[0]
    assert len(secret) >= 22
    assert secret not in repr(rows(database, "select hash, csrf from user_session"))


def test_each_sign_in_is_a_new_session_and_ends_the_old_one(browser, person, database):
    name = person()
    first = browser.sign_in(name).headers["Set-Cookie"]
    assert browser.sign_in(name).headers["Set-Cookie"] != first
    assert rows(database, "select count(*) from user_session") == [(1,)]


@pytest.mark.parametrize(
    ("name", "password"), [("known", "wrong password wrong"), ("nobody", "wrong password wrong"), ("", ""), ("a\x00b", "\x00")]
)
def test_every_failure_looks_alike_and_is_audited(browser, person, database, name, password):
    wanted = person() if name == "known" else name
    answer = browser.sign_in(wanted, password)
    assert answer.status_code == 401
    assert "do not belong together" in answer.text
    assert password == "" or password not in answer.text
    assert rows(database, "select principal, action, outcome from audit") == [("anonymous", "session:open", "refused")]


def test_guesses_at_once_are_all_counted_and_lock_the_account(app, person, database):
    name = person()

    def guess(_):
        return app.test_client().post("/sign-in", data={"name": name, "password": "wrong"}, headers=HERE).status_code

    with ThreadPoolExecutor(5) as pool:
        assert set(pool.map(guess, range(10))) == {401}
    assert rows(database, "select failed_logins, locked_until > now() from principal") == [(10, True)]
    assert app.test_client().post("/sign-in", data={"name": name, "password": "correct horse battery"}, headers=HERE).status_code == 401


@pytest.mark.parametrize(
    "past", ["seen_at = now() - interval '15 minutes'", "created_at = now() - interval '12 hours'"], ids=["idle", "absolute"]
)
def test_a_session_runs_out(steward, database, past):
    change(database, f"update user_session set {past}")
    assert steward.get("/").location == "/sign-in?next=/"


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ("/tasks?domain=supplier&kind=review&sort=age", "/tasks?domain=supplier&kind=review&sort=age"),
        ("/tasks?sort=due&cursor=2026-05-01T10:00:00%2B00:00_x", "/tasks?sort=due&cursor=2026-05-01T10:00:00%2B00:00_x"),
        ("/tasks?x=<script>", "/tasks"),
    ],
)
def test_whoever_signs_in_again_is_where_they_were_with_its_filters(browser, person, asked, kept):
    for again in (browser.get(asked).location, browser.get("/tasks", headers={"HX-Request": "true", "Referer": f"https://h{asked}"})):
        where = again if isinstance(again, str) else again.headers["HX-Redirect"]
        assert parse_qs(urlsplit(where).query)["next"] == [kept]
    assert browser.sign_in(person(), next=kept).location == kept


def test_use_keeps_a_session_alive(steward, database):
    change(database, "update user_session set seen_at = now() - interval '14 minutes'")
    assert steward.get("/").status_code == 200
    assert rows(database, "select now() - seen_at < interval '1 minute' from user_session") == [(True,)]


@pytest.mark.parametrize("end", ["delete from user_session", "update principal set disabled = true"])
def test_what_ends_a_session_works_on_the_next_request(steward, database, end):
    change(database, end)
    assert steward.get("/tasks").status_code == 303


FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "https://elsewhere.example"},
    {"Origin": "null"},
    {},
]


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize("path", ["/sign-in", "/sign-out"])
def test_a_form_from_elsewhere_is_refused(steward, database, path, headers):
    assert steward.post(path, headers=headers, name=steward.name, password="correct horse battery").status_code == 403
    assert rows(database, "select count(*) from user_session") == [(1,)]


def test_a_browser_that_sends_only_an_origin_is_known_by_its_host(steward):
    assert steward.post("/sign-out", headers={"Origin": "https://localhost"}).status_code == 303


@pytest.mark.parametrize("token", ["", "x", "é", "0" * 43])
def test_a_form_without_its_token_is_refused(steward, token):
    assert steward.client.post("/sign-out", data={"csrf": token}, headers=HERE).status_code == 403
    assert steward.get("/").status_code == 200


@pytest.mark.parametrize(
    ("asked", "reached"),
    [
        ("/tasks", "/tasks"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/tasks\nSet-Cookie: a=b", "/"),
        ("", "/"),
    ],
)
def test_signing_in_leads_to_our_own_pages_only(browser, person, asked, reached):
    assert browser.sign_in(person(), next=asked).location == reached


def test_a_bearer_route_ignores_the_cookie(steward):
    assert steward.get("/v1/tasks").status_code == 401


def test_a_second_factor_is_wanted_and_a_code_works_once(browser, person, database):
    name = person()
    browser.enter_as(name)
    secret = re.search(r'name="secret" value="([A-Z2-7]{32})"', browser.get("/me").text)[1]
    mistyped = browser.post("/me/factor", secret=secret, code="000000")
    assert mistyped.status_code == 422
    assert "not of this secret" in mistyped.text
    assert f'name="secret" value="{secret}"' in mistyped.text
    assert browser.post("/me/factor", secret=secret, code=pyotp.TOTP(secret).now()).status_code == 303
    assert browser.sign_in(name).status_code == 401
    change(database, "update principal set totp_step = null")
    code = pyotp.TOTP(secret).now()
    assert browser.sign_in(name, code=code).status_code == 303
    assert browser.sign_in(name, code=code).status_code == 401


def test_an_old_factor_must_be_shown_again(browser, person, database):
    browser.enter_as(person())
    change(database, "update user_session set factor_at = now() - interval '6 minutes'")
    answer = browser.post("/break-glass", domain="patient", reason="trauma <1>", ticket="y", minutes="5")
    assert (answer.status_code, "Show that it is you" in answer.text) == (403, True)
    carried = {name: html.unescape(value) for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', answer.text)}
    assert carried.pop("csrf")
    assert carried.pop("back") == "/"  # of the form that changes the colours
    assert carried == {"domain": "patient", "reason": "trauma <1>", "ticket": "y", "minutes": "5"}
    assert browser.post("/break-glass", **carried, step_up_proof="wrong").status_code == 403
    assert rows(database, "select count(*) from break_glass") == [(0,)]
    assert browser.post("/break-glass", **carried, step_up_proof=PASSWORD).location == "/tasks"
    assert rows(database, "select reason from break_glass") == [("trauma <1>",)]


@pytest.mark.parametrize("path", ["/audit.csv", "/audit.csv?action=session"])
def test_a_file_waits_for_a_fresh_factor_too(browser, person, database, path):
    browser.enter_as(person("auditor"))
    change(database, "update user_session set factor_at = now() - interval '6 minutes'")
    assert browser.get(path).location.startswith("/step-up")
    assert browser.post("/step-up", proof="wrong").status_code == 403
    assert browser.post("/step-up", proof=PASSWORD).status_code == 303
    assert browser.get(path).status_code == 200


@pytest.mark.parametrize("fields", [{"reason": ""}, {"ticket": ""}, {"minutes": "61"}, {"minutes": "0"}, {"minutes": "x"}])
def test_break_glass_without_its_reasons_is_refused(browser, person, database, fields):
    browser.enter_as(person())
    asked = {"domain": "patient", "reason": "x", "ticket": "y", "minutes": "15", **fields}
    assert browser.post("/break-glass", **asked).status_code == 422
    assert rows(database, "select count(*) from break_glass") == [(0,)]


OWN = "a password of my own"


def test_a_password_that_somebody_else_has_seen_opens_nothing_but_its_change(browser, person, database):
    name = person()
    change(database, "update principal set password_due = true")
    browser.sign_in(name)
    assert browser.get("/tasks").location == "/me"
    assert browser.client.get("/tasks", headers={"HX-Request": "true"}).headers["HX-Redirect"] == "/me"
    assert "Choose one of your own" in browser.get("/me").text
    fields = {"present": PASSWORD, "wanted": OWN, "again": OWN}
    token = re.search(r'name="csrf" value="([^"]+)"', browser.get("/me").text)[1]

    def send(**changes):
        return browser.client.post("/me/password", data={"csrf": token, **fields, **changes}, headers=HERE).status_code

    assert (send(again="x" * 20), send(wanted="short", again="short"), send(wanted=PASSWORD, again=PASSWORD)) == (422, 422, 422)
    assert send(present="wrong") == 403
    assert rows(database, "select failed_logins, password_due from principal") == [(1, True)]
    assert send() == 303
    assert browser.get("/tasks").status_code == 200
    assert browser.sign_in(name).status_code == 401
    assert browser.sign_in(name, OWN).status_code == 303


def test_a_password_that_is_guessed_first_is_not_taken(browser, person):
    name = person()
    browser.enter_as(name)
    answer = browser.post("/me/password", present=PASSWORD, wanted=f"{name}2026", again=f"{name}2026")
    assert (answer.status_code, "not guessed among the first" in answer.text) == (422, True)
    for common in ("passwordpassword", "qwertyuiopasdfgh", "123456789012345", "Summer2026Summer2026", "x" * 128):
        with pytest.raises(Invalid):
            authentication.check_guessed_late(common, name)
    for own in (OWN, "ein langer Satz aus Wörtern", authentication.new_password()):
        authentication.check_guessed_late(own, name)


def test_a_changed_password_ends_the_other_sessions(app, browser, person, database):
    name = person()
    other = Browser(app, database)
    browser.enter_as(name)
    other.enter_as(name)
    assert browser.post("/me/password", present=PASSWORD, wanted=OWN, again=OWN).status_code == 303
    assert (browser.get("/").status_code, other.get("/").status_code) == (200, 303)


def test_production_demands_a_second_factor(database, person, tmp_path):
    settings = {"MDM_HOME": str(tmp_path), "MDM_PROFILE": "test", "MDM_LOG_LEVEL": "CRITICAL"}
    assert Settings.from_env({**settings, "MDM_PROFILE": "production"}).second_factor is SecondFactor.DEMANDED
    assert Settings.from_env({**settings, "MDM_PROFILE": "demo"}).second_factor is SecondFactor.OFFERED
    strict = Browser(add_pages(create_app(database, Settings.from_env({**settings, "MDM_SECOND_FACTOR": "demanded"}))), database)
    strict.enter_as(person())
    assert strict.get("/tasks").location == "/me"
    page = strict.get("/me").text
    secret, token = (re.search(rf'name="{name}" value="([^"]+)"', page)[1] for name in ("secret", "csrf"))
    code = pyotp.TOTP(secret).now()
    assert strict.client.post("/me/factor", data={"csrf": token, "secret": secret, "code": code}, headers=HERE).status_code == 303
    assert strict.get("/tasks").status_code == 200


def end_sessions(database):
    with database.unit_of_work() as session:
        execute(session, "delete from user_session")


def carried(page):
    """The fields that a form of a page carries unseen."""
    return {name: html.unescape(value) for name, value in re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', page)}


def test_what_was_sent_after_the_session_ended_is_sent_after_signing_in(browser, person, review, database):
    name = person()
    browser.enter_as(name)
    token, typed = browser.token(), 'ask the "north" office'
    end_sessions(database)
    held = browser.client.post(f"{review}/comment", data={"csrf": token, "body": typed}, headers=HERE)
    assert held.status_code == 401
    wrong = browser.sign_in(name, "wrong", **carried(held.text))
    assert wrong.status_code == 401
    back = browser.sign_in(name, **carried(wrong.text))
    assert (back.status_code, f'action="{review}/comment"' in back.text) == (200, True)
    assert carried(back.text)["body"] == typed
    assert token not in back.text
    sent = browser.client.post(f"{review}/comment", data=carried(back.text.partition("<main")[2]), headers=HERE)
    assert sent.status_code == 303
    assert html.escape(typed, quote=True).replace("&quot;", "&#34;") in browser.get(review).text


def test_what_somebody_else_sent_is_dropped(browser, person, review, database):
    browser.enter_as(person())
    token = browser.token()
    with database.unit_of_work() as session:
        execute(session, "update user_session set seen_at = now() - interval '20 minutes'")
    held = browser.client.post(f"{review}/comment", data={"csrf": token, "body": "mine"}, headers=HERE)
    answer = browser.sign_in(person(), **carried(held.text))
    assert (answer.status_code, "mine" in answer.text) == (303, False)


def test_no_password_waits_and_no_form_from_elsewhere_does(browser, person, review, database):
    browser.enter_as(person())
    token = browser.token()
    end_sessions(database)
    held = browser.client.post("/me/password", data={"csrf": token, "password": "secret word"}, headers=HERE)
    assert (held.status_code, "secret word" in held.text, "held-at" in held.text) == (401, False, False)
    foreign = browser.client.post(f"{review}/comment", data={"csrf": token, "body": "x"}, headers={"Sec-Fetch-Site": "cross-site"})
    assert (foreign.status_code, "held-at" in foreign.text) == (403, False)
    there = {"held-at": "https://elsewhere.example/", "held.body": "x"}
    assert browser.sign_in(person(), **there).status_code == 303
