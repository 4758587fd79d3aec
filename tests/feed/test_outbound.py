"""Where nothing is ever sent to, and how sending ends whatever the receiver does."""

import time

import pytest

from mdm import outbound
from mdm.errors import Invalid
from mdm.outbound import Guard, Line, Target, Unreachable, is_public, target
from tests.feed.receiver import receiving

HERE = Guard(frozenset({"127.0.0.1"}), plain_http=True)
NOT_PUBLIC = (
    "127.0.0.1",
    "127.1",
    "0",
    "0.0.0.0",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "198.18.0.1",
    "192.0.2.1",
    "224.0.0.1",
    "239.1.2.3",
    "240.0.0.1",
    "255.255.255.255",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:10.0.0.1]",
    "[::127.0.0.1]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "[fec0::1]",
    "[ff02::1]",
    "[2002:7f00:1::]",
    "[2001:0:7f00:1::]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b:1::1]",
    "[2001:db8::1]",
    "localhost",
)


@pytest.mark.parametrize("host", NOT_PUBLIC)
def test_an_address_that_is_not_public_is_refused_however_it_is_written(host):
    with pytest.raises(Invalid) as caught:
        target(f"https://{host}/hook", Guard())
    assert caught.value.problems[0].code == "forbidden_address"


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "8.8.8.8"])
def test_public_addresses_are_public(address):
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "http" + "://93.184.215.14/",
        "ftp" + "://93.184.215.14/",
        "file:///etc/passwd",
        "https" + "://user@93.184.215.14/",
        "https" + "://user:secret@93.184.215.14/",
        "https" + "://127.0.0.1#@93.184.215.14/",
        "https" + "://93.184.215.14:22/",
        "https" + "://93.184.215.14:99999/",
        "https" + "://93.184.215.14/\nhost: x",
        "https" + "://93.184.215.14\\@127.0.0.1/",
        "https" + "://exämple/",
        "https:///hook",
        "https://[::1/",
        "//93.184.215.14/",
        "gopher:x",
        "https" + "://a" * 3_000,
    ],
)
def test_a_url_that_says_two_things_is_refused(url):
    with pytest.raises(Invalid) as caught:
        target(url, Guard())
    assert caught.value.problems[0].code == "bad_url"


def test_plain_http_only_where_nothing_real_is_sent():
    with pytest.raises(Invalid):
        target("http://127.0.0.1:9000/", Guard(frozenset({"127.0.0.1"})))
    assert target("http://127.0.0.1:9000/", HERE).address == "127.0.0.1"


def test_all_answers_count_and_the_checked_one_is_connected_to(monkeypatch):
    def answers(*addresses):
        monkeypatch.setattr(outbound, "getaddrinfo", lambda *_: [(2, 1, 6, "", (address, 443)) for address in addresses])

    answers("93.184.215.14", "10.0.0.1")
    with pytest.raises(Invalid):
        target("https://rebind.example/", Guard())
    answers("93.184.215.14")
    pinned = target("https://rebind.example/", Guard())
    answers("127.0.0.1")  # asked again, the name would say this
    assert (pinned.host, pinned.address) == ("rebind.example", "93.184.215.14")


def test_it_is_the_pinned_address_that_is_connected_to_under_the_name_of_the_host():
    with receiving() as receiver:
        port = receiver.url.rsplit(":", 1)[1].strip("/")
        there = target(f"http://127.0.0.1:{port}/hook?a=b", HERE)
        pinned = Target(there.url._replace(netloc=f"hooks.example:{port}"), "127.0.0.1")
        with Line(pinned) as line:
            assert line.post(b'{"data": {"version": 1}}', {}) == 204
        assert receiver.headers[0]["Host"] == f"hooks.example:{port}"


def test_a_name_that_does_not_resolve_is_unreachable():
    with pytest.raises(Unreachable):
        target("https" + "://nothing.invalid/", Guard())


@pytest.mark.parametrize("habit", ["slow", "dripping", "nonsense"])
def test_after_its_time_it_is_over_whatever_comes(habit, monkeypatch):
    monkeypatch.setattr(outbound, "SECONDS_MAX", 0.5)
    with receiving() as receiver:
        receiver.answers = habit
        started = time.monotonic()
        with Line(target(receiver.url, HERE)) as line, pytest.raises(Unreachable):
            line.post(b"{}", {})
        assert time.monotonic() - started < 2


def test_a_body_without_end_is_cut_off(monkeypatch):
    with receiving() as receiver:
        receiver.answers = "endless"
        with Line(target(receiver.url, HERE)) as line:
            assert line.post(b"{}", {}) == 200
        deadline = time.monotonic() + 10
        while not receiver.got and time.monotonic() < deadline:
            time.sleep(0.02)
        assert receiver.versions == ["cut off"]


def test_one_line_carries_many_and_is_opened_anew_where_the_receiver_closed_it():
    with receiving() as receiver:
        to = target(receiver.url, HERE)
        with Line(to) as line:
            assert [line.post(b'{"data": {"version": 1}}', {}) for _ in range(3)] == [204] * 3
            line._open.sock.close()
            line._open.sock = None
            assert line.post(b'{"data": {"version": 2}}', {}) == 204
        assert len(receiver.got) == 4


def test_nobody_there_is_unreachable():
    with receiving() as receiver:
        url = receiver.url
    with Line(target(url, HERE)) as line, pytest.raises(Unreachable, match="no connection"):
        line.post(b"{}", {})
