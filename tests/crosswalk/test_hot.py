"""The hot path answers what Flask would answer: status, body and headers, over thousands of requests of every kind."""

import itertools
import json
import random
import time
from datetime import date
from urllib.parse import quote

import pytest
from werkzeug.test import Client

from mdm.access import revoke_key

SEED = 20260331
HEADERS = ("Content-Type", "Content-Length", "Cache-Control", "X-Content-Type-Options", "Referrer-Policy", "X-Request-Id")
DAYS = (*(None, "2026-01-01", "2026-03-31", "2026-12-31") * 3, "2026-13-01", "1", "2026-W01-1", "20260331")
ODD = (
    "",
    " ",
    "ö",
    'quo"te',
    "back\\slash",
    "sla/sh",
    "a//b",
    "tab\there",
    "nul\x00",
    "x" * 201,
    "50%",
    "a+b",
    "\u200bzero",
    "\x7f",
    "line\nend",
)
SYSTEMS = ("erp", "ERP", "ehr", "hr", "us-ein", "us-npi", "concord", "nope")


@pytest.fixture(scope="module")
def values(world):
    """Values of every kind of row, known and unknown."""
    chance = random.Random(SEED)
    found = ["nobody's", "1234567893", "12-3456789", *ODD]
    for number in range(120):
        golden_id = world.golden()
        value = f"V{number:03d}" if number % 7 else f'V{number:03d} "ö\\'
        end = chance.choice((None, None, None, date(2026, 2, 1), date(2026, 9, 1)))
        world.holds(golden_id, "erp", value, status=chance.choice(("active", "active", "inactive")), pending=number % 9 == 0, valid_to=end)
        for system in chance.sample(("ehr", "hr", "erp"), chance.randint(0, 3)):
            name = f"{system}{value}{chance.randint(0, 9)}"
            begin = chance.choice((None, None, date(2026, 3, 31)))
            world.holds(golden_id, system, name, status=chance.choice(("active", "active", "inactive")), valid_from=begin)
            found.append(name)
        if number % 5 == 0:
            world.holds(golden_id, "us-ein", f"EIN{number % 15}", own=False)
            found.append(f"EIN{number % 15}")
        found += [value, str(golden_id), str(world.golden(merged_into=golden_id))]
    return found


@pytest.fixture
def ask_both(hot, slow, passed, key):
    """Sends a request both ways; True when the hot path answered it itself."""
    headers, numbers = key(), itertools.count()
    fast, plain = Client(hot), Client(slow)

    def ask(method, path, headers=headers, **options):
        sent = {**headers, "X-Request-Id": f"request-{next(numbers)}"}
        before = len(passed)
        a, b = (client.open(path, method=method, headers=sent, **options) for client in (fast, plain))
        assert (a.status, a.data) == (b.status, b.data), (path, options)
        assert [a.headers.get(name) for name in HEADERS] == [b.headers.get(name) for name in HEADERS]
        return len(passed) == before

    return ask


def test_get(ask_both, values):
    chance = random.Random(SEED)
    hits = 0
    for _ in range(1500):
        domain = chance.choice(("department",) * 12 + ("supplier", "patient", "nope"))
        value = quote(chance.choice(values), safe=chance.choice(("", "/")))
        query = [f"to={chance.choice(SYSTEMS)}" for _ in range(chance.randint(0, 2))]
        query += [f"as_of={day}" for day in (chance.choice(DAYS),) if day is not None]
        query += chance.choice(([],) * 12 + (["on_miss=ignore"], ["other=1"], ["to="], ["to=%65rp"]))
        hits += ask_both("GET", f"/v1/crosswalk/{domain}/{chance.choice(SYSTEMS[:-1])}/{value}?{'&'.join(query)}")
    assert hits > 300


def test_lookup(ask_both, values):
    chance = random.Random(SEED + 1)
    hits = sum(
        ask_both("POST", "/v1/crosswalk/lookup", json=_body(chance, "system") | {"value": chance.choice(values)}) for _ in range(1000)
    )
    assert hits > 300


def test_translate(ask_both, values):
    chance = random.Random(SEED + 2)
    hits = 0
    for _ in range(700):
        wanted = [value for value in values if value not in ODD] if chance.random() < 0.5 else values
        hits += ask_both(
            "POST", "/v1/crosswalk/translate", json=_body(chance, "from") | {"values": chance.choices(wanted, k=chance.randint(0, 30))}
        )
    assert hits > 200


def _body(chance, source):
    """A body, now and then with something wrong."""
    body = {
        "domain": chance.choice(("department",) * 12 + ("supplier", "patient", "nope")),
        source: chance.choice(SYSTEMS[:-1] * 3 + SYSTEMS),
    }
    body["to"] = chance.choice((["hr"], "hr", ["ehr"], ["hr", "ehr"], ["concord"], ["erp", "concord"], ["hr"], [], ["nope"]))
    day = chance.choice(DAYS)
    if day is not None:
        body["as_of"] = day
    wrong = (
        {"on_miss": "ignore"},
        {"on_miss": "hold"},
        {"known_at": "2026-03-31T12:00:00Z"},
        {"known_at": "2026-03-31T12:00:00"},
        {"on_miss": "x"},
        {"extra": 1},
        {"to": 5},
        {"to": [None]},
        {"as_of": 7},
        {"as_of": None},
        {source: ""},
        {"domain": 1},
    )
    return body | chance.choice(({},) * 12 + wrong)


@pytest.mark.parametrize("size", [10_000, 10_001])
def test_a_long_translation(ask_both, values, size):
    body = {"domain": "department", "from": "erp", "to": "hr", "values": [values[n % len(values)] for n in range(size)]}
    assert ask_both("POST", "/v1/crosswalk/translate", json=body) == (size == 10_000)


def test_a_translation_in_pieces(ask_both, world, value):
    """Longer than one piece, every value plain; then one twice, one of nobody, one with two golden records, each far from its like."""
    numbers = range(1_400)
    for number in numbers:
        golden_id = world.golden()
        world.holds(golden_id, "erp", f"{value}-{number}")
        world.holds(golden_id, "hr", f"HR {value}-{number}")
    asked = [f"{value}-{number}" for number in random.Random(SEED).sample(numbers, len(numbers))]
    body = {"domain": "department", "from": "erp", "to": "hr"}
    assert ask_both("POST", "/v1/crosswalk/translate", json=body | {"values": asked})
    asked[3], asked[1_397] = asked[700], f"{value}-nobody's"
    assert ask_both("POST", "/v1/crosswalk/translate", json=body | {"values": asked})
    world.holds(world.golden(), "erp", asked[0], own=False)
    assert ask_both("POST", "/v1/crosswalk/translate", json=body | {"values": asked})


@pytest.mark.parametrize("odd", ["tab\there", "line\nend", "back\\slash", 'quo"te', "ö", "\x7f", "esc\x1b"])
@pytest.mark.parametrize("side", ["asked", "answered", "both"])
def test_a_translation_of_what_json_escapes(ask_both, world, value, odd, side):
    """Rows that are plain but for their letters."""
    asked, answered = (f"{value}{odd if side in {name, 'both'} else ''}" for name in ("asked", "answered"))
    for key, target in ((asked, answered), (f"{value}-2", f"{value}-3")):
        golden_id = world.golden()
        world.holds(golden_id, "erp", key)
        world.holds(golden_id, "hr", target)
    body = {"domain": "department", "from": "erp", "to": "hr", "values": [f"{value}-2", asked]}
    assert ask_both("POST", "/v1/crosswalk/translate", json=body)


def test_a_translation_of_what_two_golden_records_hold(ask_both, world, value):
    """Both rows of the one value are plain."""
    for place, key in enumerate((value, value, f"{value}-2")):
        golden_id = world.golden()
        world.holds(golden_id, "erp", key, own=False)
        world.holds(golden_id, "hr", f"{value}-{place}")
    body = {"domain": "department", "from": "erp", "to": "hr", "values": [value, f"{value}-2"]}
    assert ask_both("POST", "/v1/crosswalk/translate", json=body)


@pytest.mark.parametrize(
    "bad", [{"values": "V001"}, {"values": [1]}, {"values": [None]}, {"values": None}, {}, {"values": [["a"]]}, {"values": {}}]
)
def test_values_of_the_wrong_shape(ask_both, bad):
    assert not ask_both("POST", "/v1/crosswalk/translate", json={"domain": "department", "from": "erp", "to": "hr", **bad})


@pytest.mark.parametrize(
    ("data", "content_type"),
    [
        (b"", "application/json"),
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (b'{"value": NaN}', "application/json"),
        (b'{"value": "\\ud800"}', "application/json"),
        (b'{"domain":"x","domain":"department","system":"erp","value":"V001"}', "application/json"),
        (b'{"domain":"department","system":"erp","value":"V001"}', "text/plain"),
        (b'{"domain":"department","system":"erp","value":"V001"}', "application/json; charset=utf-8"),
        (b'{"domain":"department","system":"erp","value":"\xff"}', "application/json"),
    ],
)
def test_odd_bodies(ask_both, data, content_type):
    ask_both("POST", "/v1/crosswalk/lookup", data=data, content_type=content_type)


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"])
@pytest.mark.parametrize(
    "path", ["/v1/crosswalk/department/erp/V001", "/v1/crosswalk/lookup", "/v1/crosswalk/", "/v1/crosswalk/a", "/v1/nowhere"]
)
def test_other_methods_and_addresses(ask_both, method, path):
    assert not ask_both(method, path)


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer x", "bearer mdm_live_x", "Basic abc", "Bearer " + "x" * 300])
def test_bad_keys(ask_both, header):
    assert not ask_both("GET", "/v1/crosswalk/department/erp/V001?to=hr", headers={"Authorization": header} if header else {})


@pytest.mark.parametrize(
    ("role", "scope"),
    [
        ("loader", {}),
        ("admin", {}),
        ("integration", {"domains": {"department"}}),
        ("integration", {"domains": {"payer"}}),
        ("integration", {"systems": {"erp", "hr"}}),
        ("integration", {"systems": {"ehr"}}),
    ],
)
def test_scopes(ask_both, key, values, role, scope):
    header = key(role, **scope)
    for value in values[:40:4]:
        ask_both("GET", f"/v1/crosswalk/department/erp/{quote(value)}?to=hr", headers=header)
        ask_both(
            "POST",
            "/v1/crosswalk/translate",
            headers=header,
            json={"domain": "department", "from": "concord", "to": "hr", "values": [value]},
        )


def test_a_plain_request_does_not_reach_flask(ask_both, world, value):
    golden_id = world.golden()
    world.holds(golden_id, "erp", value)
    world.holds(golden_id, "hr", value)
    assert ask_both("GET", f"/v1/crosswalk/department/erp/{value}?to=hr&as_of=2026-03-31")
    assert ask_both("GET", f"/v1/crosswalk/department/erp/not-{value}?to=hr")
    assert ask_both("POST", "/v1/crosswalk/lookup", json={"domain": "department", "system": "erp", "value": value, "to": ["hr"]})
    assert ask_both("POST", "/v1/crosswalk/translate", json={"domain": "department", "from": "erp", "to": "hr", "values": [value, "x"]})


def test_patients_are_left_to_flask(ask_both):
    assert not ask_both("POST", "/v1/crosswalk/lookup", json={"domain": "patient", "system": "ehr", "value": "1", "to": ["hr"]})


def test_a_broken_line_goes_to_flask_and_is_replaced(hot, world, key):
    client, headers, address = Client(hot), key(), "/v1/crosswalk/department/erp/V001"
    many = {"domain": "department", "from": "erp", "to": "hr", "values": ["V001", "V002"]}
    assert client.get(address, headers=headers).status_code == 200
    _hang_up(world)
    assert [client.get(address, headers=headers).status_code for _ in range(4)][-1] == 200
    _hang_up(world)
    assert [client.post("/v1/crosswalk/translate", headers=headers, json=many).status_code for _ in range(4)][-1] == 200


def _hang_up(world):
    world.rows(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        " and query like '%%xref%%' and state = 'idle'"
    )


def test_a_revoked_key_is_dead_within_a_second(hot, world, key):
    client, headers, address = Client(hot), key(), "/v1/crosswalk/department/erp/V001"
    assert client.get(address, headers=headers).status_code == 200
    key_id = world.rows("select id from api_key order by created_at desc limit 1")[0][0]
    world.database.run(lambda session: revoke_key(session, key_id))
    time.sleep(1.0)
    assert client.get(address, headers=headers).status_code == 401


def test_misses_of_both_paths_are_counted(hot, slow, world, key, value):
    headers, body = key(), {"domain": "department", "from": "erp", "to": "hr", "values": [value, value]}
    for client in (Client(hot), Client(slow)):
        client.post("/v1/crosswalk/translate", json=body, headers=headers)
        client.post("/v1/crosswalk/translate", json=body | {"on_miss": "ignore"}, headers=headers)
        client.get(f"/v1/crosswalk/department/erp/{value}", headers=headers)
    slow.extensions["concord.misses"].write()
    assert world.rows("select count from miss where value = %s", (value,)) == [(6,)]


def test_what_is_not_yet_mapped_is_counted_by_both_paths(hot, slow, world, key, value):
    golden_id = world.golden()
    world.holds(golden_id, "erp", value)
    headers, body = key(), {"domain": "department", "from": "erp", "to": "hr", "values": [value, value]}
    for client in (Client(hot), Client(slow)):
        client.post("/v1/crosswalk/translate", json=body, headers=headers)
        client.get(f"/v1/crosswalk/department/erp/{value}?to=hr", headers=headers)
        client.get(f"/v1/crosswalk/department/erp/{value}?to=hr&to=ehr", headers=headers)
        client.get(f"/v1/crosswalk/department/erp/{value}?to=us-ein", headers=headers)
    slow.extensions["concord.misses"].write()
    assert world.rows("select kind, target, count from miss where value = %s", (str(golden_id),)) == [("no_target", "hr", 6)]


def test_json_is_json(hot, key, values):
    body = {"domain": "department", "from": "erp", "to": "hr", "values": values}
    answer = Client(hot).post("/v1/crosswalk/translate", json=body, headers=key())
    assert [row["value"] for row in json.loads(answer.data)["results"]] == values
