"""Webhooks end to end: signed, in order, again until they arrive, each endpoint by itself."""

import hmac
import os
import time
from base64 import b64decode, b64encode
from hashlib import sha256
from threading import Event, current_thread

import pytest

from mdm import outbound
from mdm.couriers import Couriers, prepare
from mdm.embedded.process import wait_until
from mdm.errors import Invalid
from mdm.running import Hand
from mdm.sending import SEND_WEBHOOK, Outlet, Verdict, judge, send_webhook
from mdm.settings import Settings
from mdm.webhooks import headers
from tests.feed.receiver import receiving
from tests.ports import free_port

FULL_OUTAGE = float(os.environ.get("CONCORD_OUTAGE_SECONDS", "0"))


@pytest.fixture
def receiver():
    with receiving() as made:
        yield made


@pytest.fixture
def admin(client, key):
    return key("admin", grants=["phi"])


@pytest.fixture
def consumer(client, admin):
    body = {"name": "Billing", "contact": "billing@example.org", "domains": ["payer", "item"]}
    assert client.put("/v1/consumers/billing", json=body, headers=admin).status_code == 201
    return "billing"


@pytest.fixture
def hook(client, admin, consumer):
    """hook(url, **more) -> the answer that makes a webhook."""

    def make(url, **more):
        answer = client.post("/v1/webhooks", json={"consumer": consumer, "url": url, "domains": ["payer"], **more}, headers=admin)
        assert answer.status_code == 201, answer.json
        return answer.json

    return make


@pytest.fixture
def send(clean_database, settings):
    """Number what is there and send what is due, as a worker does."""
    outlet = Outlet.of(settings)
    hand = Hand(clean_database, "hand", lambda: False, {SEND_WEBHOOK: lambda run: send_webhook(run, outlet)})

    def go():
        for job_id in prepare(clean_database, None):
            hand.take(job_id)

    return go


@pytest.fixture
def view(client, admin):
    return lambda made: client.get(f"/v1/webhooks/{made['id']}", headers=admin).json


@pytest.fixture
def due(rows):
    """Time has passed: what waits to be tried again is due."""
    return lambda: rows("update webhook set next_try_at = now()")


def verify(secret, sent, body):
    """As a receiver does it."""
    names = {name.lower(): value for name, value in sent.items()}
    signed = f"{names['webhook-id']}.{names['webhook-timestamp']}.".encode() + body
    wanted = "v1," + b64encode(hmac.digest(b64decode(secret.removeprefix("whsec_")), signed, sha256)).decode()
    return wanted in names["webhook-signature"].split(" ")


def test_the_signature_is_that_of_the_standard():
    # The worked example of Standard Webhooks.
    secret = b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    signed = headers("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body, [secret])
    assert signed["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert (signed["webhook-id"], signed["webhook-timestamp"]) == ("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330")


def test_events_arrive_signed_in_order_as_cloud_events(receiver, hook, tell, send, view):
    made = hook(receiver.url)
    tell(1, 2, 3)
    tell(9, domain="item")
    send()
    assert receiver.versions == [1, 2, 3]
    for sent, body in zip(receiver.headers, receiver.raw, strict=True):
        assert verify(made["secret"], sent, body)
        assert not verify(made["secret"], sent, body + b" ")
        assert sent["content-type"] == "application/cloudevents+json"
    assert [sent["webhook-id"] for sent in receiver.headers] == [event["id"] for event in receiver.got]
    assert (view(made)["behind"], view(made)["failures"]) == (0, 0)


def test_only_the_types_asked_for(receiver, hook, deliver, send):
    hook(receiver.url, types=["mdm.golden.retired"])
    deliver("erp-north", "1", name="Blue Shield of Oregon")
    deliver("erp-north", "1", name="Blue Shield of Oregon", status="inactive")
    send()
    assert [event["type"] for event in receiver.got] == ["mdm.golden.retired"]


def test_a_receiver_that_is_down_loses_nothing_and_keeps_the_order(receiver, hook, tell, send, due, view):
    made = hook(receiver.url)
    receiver.answers = 503
    for version in range(1, 6):
        tell(version)
        send()
        due()
    assert receiver.got == []
    assert view(made)["last_error"] == "HTTP 503"
    receiver.answers = 204
    send()
    assert receiver.versions == [1, 2, 3, 4, 5]
    assert view(made)["last_error"] is None
    ids = [sent["webhook-id"] for sent in receiver.headers]
    assert ids[0] == ids[5]  # the same id on every try


def test_between_tries_it_waits_longer_and_longer(receiver, hook, tell, send, rows, due):
    hook(receiver.url)
    receiver.answers = 500
    tell(1)
    waits = []
    for _ in range(14):
        send()
        waits.append(float(rows("select extract(epoch from next_try_at - now()) from webhook")[0][0]))
        send()  # not due: nothing is sent
        due()
    assert len(receiver.raw) == 14
    for number, wait in enumerate(waits):
        least = min(5 * 2**number, 3600)
        assert least * 0.9 < wait < least * 1.26


def test_after_a_day_it_is_paused_with_its_backlog_and_goes_on_when_told(receiver, hook, tell, send, rows, due, view, client, admin):
    made = hook(receiver.url)
    receiver.answers = 500
    tell(1)
    send()
    rows("update webhook set failing_since = now() - interval '25 hours'")
    due()
    send()
    paused = view(made)
    assert (paused["state"], paused["behind"]) == ("paused", 1)
    tell(2)
    receiver.answers = 204
    send()
    assert receiver.got == []
    body = {"url": receiver.url, "domains": ["payer"], "state": "active"}
    path = f"/v1/webhooks/{made['id']}"
    assert client.put(path, json=body, headers={**admin, "If-Match": f'"{paused["version"]}"'}).status_code == 200
    send()
    assert receiver.versions == [1, 2]


@pytest.mark.parametrize("status", [400, 413, 422])
def test_an_event_refused_for_good_is_a_dead_letter_and_the_next_one_follows(receiver, hook, tell, send, client, admin, status):
    made = hook(receiver.url)
    receiver.answers = lambda body: status if b'"version":2' in body else 204
    ids = tell(1, 2, 3)
    send()
    assert receiver.versions == [1, 3]
    [letter] = client.get(f"/v1/webhooks/{made['id']}/dead-letters", headers=admin).json["items"]
    assert (letter["event_id"], letter["status"]) == (str(ids[1]), status)
    receiver.answers = 204
    answer = client.post(f"/v1/webhooks/{made['id']}/replay", json={"from": letter["position"]}, headers=admin)
    assert answer.status_code == 200
    send()
    assert receiver.versions == [1, 3, 2, 3]


def test_who_refuses_everything_twice_leaves_one_dead_letter_for_each(receiver, hook, tell, send, client, admin):
    path, start = f"/v1/webhooks/{hook(receiver.url)['id']}", client.get("/v1/changes", headers=admin).json["next"]
    ids = [str(each) for each in tell(1, 2, 3)]
    for status in (400, 422):
        receiver.answers = status
        assert client.post(f"{path}/replay", json={"from": start}, headers=admin).status_code == 200
        send()
        letters = client.get(f"{path}/dead-letters", headers=admin).json["items"]
        assert [(each["event_id"], each["status"]) for each in letters] == [(each, status) for each in reversed(ids)]


def test_a_receiver_that_wants_no_more_is_asked_no_more(receiver, hook, tell, send, view):
    made = hook(receiver.url)
    receiver.answers = 410
    tell(1, 2)
    send()
    assert (view(made)["state"], view(made)["behind"], len(receiver.raw)) == ("disabled", 2, 1)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_redirect_is_followed(receiver, hook, tell, send, view, status):
    made = hook(receiver.url)
    receiver.answers = status
    tell(1)
    send()
    assert len(receiver.raw) == 1
    assert view(made)["last_error"] == f"HTTP {status}"


def test_what_every_status_means():
    assert [judge(status) for status in (200, 202, 204)] == [Verdict.DELIVERED] * 3
    assert [judge(status) for status in (400, 413, 422)] == [Verdict.REFUSED] * 3
    assert judge(410) is Verdict.GONE
    assert {judge(status) for status in (100, 301, 401, 403, 404, 408, 429, 500, 503)} == {Verdict.LATER}


def test_a_courier_that_stumbles_takes_its_webhook_in_the_next_round(hook, tell, receiver, clean_database, settings):
    outlet, stumbled = Outlet.of(settings), []
    hand = Hand(clean_database, "hand", lambda: False, {SEND_WEBHOOK: lambda run: send_webhook(run, outlet)})

    def hands():
        if current_thread().name == "courier" and not stumbled:
            stumbled.append(True)
            raise OSError("too many open files")
        return hand

    couriers = Couriers(hands, None)
    hook(receiver.url)
    tell(1, numbered=False)
    started = time.monotonic()
    while not receiver.got and time.monotonic() - started < 10:
        couriers.round()
        time.sleep(0.02)
    couriers.rest()
    assert (stumbled, receiver.versions) == ([True], [1])


def test_a_slow_receiver_delays_no_other(hook, tell, clean_database, settings, monkeypatch):
    patience = 60.0
    monkeypatch.setattr(outbound, "SECONDS_MAX", patience)
    outlet, stop = Outlet.of(settings), Event()
    hand = Hand(clean_database, "hand", stop.is_set, {SEND_WEBHOOK: lambda run: send_webhook(run, outlet)})
    couriers = Couriers(lambda: hand, None)
    with receiving() as slow, receiving() as other_slow, receiving() as quick:
        for each in (slow, other_slow):
            each.answers, each.slow_seconds = "slow", patience
            hook(each.url)
        hook(quick.url)
        for version in range(1, 11):
            tell(version, numbered=False)
            couriers.round()

        def arrived():
            couriers.round()
            return len(quick.got) == 10

        assert wait_until(arrived, patience / 2)  # before a slow one has answered
        assert quick.versions == list(range(1, 11))
        assert max(len(slow.raw), len(other_slow.raw)) <= 1
        stop.set()
        for each in (slow, other_slow):
            each.released.set()
        couriers.rest()


def test_an_outage_loses_nothing_and_delays_no_other(hook, tell, clean_database, settings, monkeypatch):
    """Real couriers, and nobody listening. CONCORD_OUTAGE_SECONDS=600 takes the whole ten minutes, with the real waits between tries."""
    if not FULL_OUTAGE:
        monkeypatch.setattr("mdm.sending.WAIT_SECONDS", 0.02)
    outlet, stop, port = Outlet.of(settings), Event(), free_port()
    hand = Hand(clean_database, "hand", stop.is_set, {SEND_WEBHOOK: lambda run: send_webhook(run, outlet)})
    couriers, told = Couriers(lambda: hand, None), []
    hook(f"http://127.0.0.1:{port}/")
    with receiving() as other:
        hook(other.url)
        seconds = FULL_OUTAGE or 1.5
        ends, late = time.monotonic() + seconds, []
        while time.monotonic() < ends:
            told.extend(tell(len(told), numbered=False))
            late.append(_round_until(couriers, lambda: len(other.got) == len(told), 5.0))
            time.sleep(min(0.05 if not FULL_OUTAGE else 1.0, max(0.0, ends - time.monotonic())))
        assert max(late) < 2.0
        with receiving(port) as back:
            recovered = _round_until(couriers, lambda: len(back.got) == len(told), 2 * seconds + 10)
            assert [event["id"] for event in back.got] == [event["id"] for event in other.got] == [str(each) for each in told]
            assert recovered < 1.3 * seconds + 5  # the wait that was running when it came back, a quarter more at most
            stop.set()
            couriers.rest()


def _round_until(couriers, is_there, seconds):
    """Rounds as a worker goes them until it is so; how long that took."""
    began = time.monotonic()
    while not is_there() and time.monotonic() - began < seconds:
        couriers.round()
        time.sleep(0.01)
    return time.monotonic() - began


def test_a_new_webhook_gets_what_happens_from_now_on_and_a_replay_all(receiver, hook, tell, send, client, admin):
    tell(1, 2)
    start = client.get("/v1/changes?limit=1", headers=admin).json["next"]
    made = hook(receiver.url)
    tell(3)
    send()
    assert receiver.versions == [3]
    client.post(f"/v1/webhooks/{made['id']}/replay", json={"from": start}, headers=admin)
    send()
    assert receiver.versions == [3, 2, 3]


def test_a_replay_while_sending_wins(receiver, hook, tell, send, client, admin):
    tell(0)
    start = client.get("/v1/changes", headers=admin).json["next"]
    made = hook(receiver.url)
    tell(1, 2, 3)

    def replay_meanwhile(_body):
        if len(receiver.raw) == 2:
            client.post(f"/v1/webhooks/{made['id']}/replay", json={"from": start}, headers=admin)
        return 204

    receiver.answers = replay_meanwhile
    send()
    assert receiver.versions == [1, 2, 3, 1, 2, 3]


def test_rotated_secrets_overlap_for_a_day(receiver, hook, tell, send, client, admin, rows):
    made = hook(receiver.url)
    path, match = f"/v1/webhooks/{made['id']}/secret", {**admin, "If-Match": '"1"'}
    fresh = client.post(path, headers=match).json
    assert fresh["secret"] != made["secret"]
    tell(1)
    send()
    assert all(verify(secret, receiver.headers[0], receiver.raw[0]) for secret in (made["secret"], fresh["secret"]))
    assert client.post(path, headers={**admin, "If-Match": '"2"'}).status_code == 409
    rows("update webhook set former_secret_until = now()")
    tell(2)
    send()
    assert verify(fresh["secret"], receiver.headers[1], receiver.raw[1])
    assert not verify(made["secret"], receiver.headers[1], receiver.raw[1])


def test_the_secret_is_shown_once_and_is_nowhere_in_the_database(receiver, hook, client, admin, rows):
    made = hook(receiver.url)
    assert made["secret"].startswith("whsec_")
    assert 24 <= len(b64decode(made["secret"].removeprefix("whsec_"))) <= 64
    assert "secret" not in client.get(f"/v1/webhooks/{made['id']}", headers=admin).json
    assert made["secret"].removeprefix("whsec_") not in str(rows("select w::text from webhook w"))


def test_a_ping_says_how_the_receiver_answers(receiver, hook, client, admin):
    made = hook(receiver.url)
    path = f"/v1/webhooks/{made['id']}/ping"
    receiver.answers = 503
    assert client.post(path, headers=admin).json == {"status": 503, "error": None}
    assert verify(made["secret"], receiver.headers[0], receiver.raw[0])
    assert b"mdm.ping" in receiver.raw[0]


def test_changes_need_the_version_that_was_read(receiver, hook, client, admin):
    path, body = f"/v1/webhooks/{hook(receiver.url)['id']}", {"url": receiver.url, "domains": ["payer"], "state": "paused"}
    assert client.put(path, json=body, headers=admin).status_code == 428
    assert client.put(path, json=body, headers={**admin, "If-Match": '"7"'}).status_code == 412
    assert client.put(path, json=body, headers={**admin, "If-Match": '"1"'}).json["state"] == "paused"


@pytest.mark.parametrize("host", ["10.0.0.1", "169.254.169.254", "[::1]", "localhost"])
def test_a_private_address_is_refused_as_a_problem(client, admin, consumer, host):
    body = {"consumer": consumer, "url": f"https://{host}/", "domains": ["payer"]}
    answer = client.post("/v1/webhooks", json=body, headers=admin)
    assert (answer.status_code, answer.json["errors"][0]["code"]) == (422, "forbidden_address")
    assert answer.content_type == "application/problem+json"


def test_a_name_that_turned_private_is_not_sent_to(receiver, hook, tell, send, view, rows):
    made = hook(receiver.url)
    rows("update webhook set url = %s", receiver.url.replace("127.0.0.1", "localhost"))  # allowed by address, not by this name
    tell(1)
    send()
    assert receiver.raw == []
    assert view(made)["last_error"] == "the address is not allowed"


def test_production_refuses_plain_http(tmp_path):
    made = Settings.from_env({"MDM_HOME": str(tmp_path), "MDM_PROFILE": "production", "MDM_WEBHOOK_HOSTS": "127.0.0.1"})
    guard = outbound.guard_of(made)
    assert not guard.plain_http
    with pytest.raises(Invalid):
        outbound.target("http://127.0.0.1:9000/", guard)
    assert outbound.target("https://127.0.0.1:9000/", guard)


def test_nobody_sets_up_more_than_they_may_see(client, key, consumer):
    body = {"consumer": consumer, "url": "https://127.0.0.1/", "domains": ["patient"]}
    assert client.post("/v1/webhooks", json=body, headers=key("admin")).status_code == 403
    assert client.post("/v1/webhooks", json={**body, "domains": ["payer"]}, headers=key("admin", systems=["erp-north"])).status_code == 403
    assert client.post("/v1/webhooks", json=body, headers=key("admin", grants=["phi"])).status_code == 201


def test_unknown_consumers_types_and_domains_are_refused(client, admin, consumer):
    body = {"consumer": consumer, "url": "https://127.0.0.1/", "domains": ["payer"]}
    wrong = [{"consumer": "nobody"}, {"types": ["golden.created"]}, {"domains": ["planets"]}, {"domains": []}]
    statuses = [client.post("/v1/webhooks", json={**body, **each}, headers=admin).status_code for each in wrong]
    assert statuses == [404, 422, 422, 422]
