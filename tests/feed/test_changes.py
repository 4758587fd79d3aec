"""GET /v1/changes: pages, positions, epochs, scopes, and waiting."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Timer
from uuid import UUID, uuid4

import pytest

from api import changes as route
from mdm import changes
from mdm.access import SYSTEM_ACTOR
from mdm.changes import new_epoch
from mdm.couriers import prepare
from mdm.feed import Happening, publish


def read(client, headers, **query):
    return client.get("/v1/changes", query_string=query, headers=headers)


def walk(client, headers, after=None, **query):
    """Every event after a position, and the position at the end."""
    found = []
    while True:
        page = read(client, headers, **({"after": after} if after else {}), **query).json
        found += page["events"]
        if page["next"] == after and not page["events"]:
            return found, after
        after = page["next"]


def test_an_event_is_a_cloud_event_without_a_value_of_the_record(client, key, deliver, clean_database):
    result = deliver(domain="patient", system="ehr-north", given_name="William", family_name="Smith", birth_date="1980-02-03")
    prepare(clean_database, None)
    answer = read(client, key("integration"))
    [event] = answer.json["events"]
    assert (event["specversion"], event["type"], event["domain"]) == ("1.0", "mdm.golden.created", "patient")
    assert event["subject"] == event["partitionkey"] == str(result.golden_id)
    assert event["href"] == f"/v1/patients/golden/{result.golden_id}"
    assert event["data"] == {"version": 1}
    assert event["source"] == f"urn:uuid:{answer.json['epoch']}"
    assert UUID(event["id"])
    assert "Smith" not in answer.text


def test_pages_follow_each_other_without_a_gap(client, key, tell):
    tell(*range(1, 26))
    headers = key()
    paged, _ = walk(client, headers, limit=7)
    whole, _ = walk(client, headers)
    assert [event["data"]["version"] for event in paged] == list(range(1, 26))
    assert paged == whole
    assert [event["sequence"] for event in paged] == sorted({event["sequence"] for event in paged})


def test_at_the_end_the_position_stands(client, key, tell):
    tell(1)
    headers = key()
    _, end = walk(client, headers)
    assert read(client, headers, after=end).json == {"epoch": read(client, headers).json["epoch"], "events": [], "next": end}
    tell(2)
    assert [event["data"]["version"] for event in read(client, headers, after=end).json["events"]] == [2]


@pytest.mark.parametrize("after", ["x", "-1", "0", f"{UUID(int=7).hex}-", f"{UUID(int=7)}-1", f"{UUID(int=7).hex}--1"])
def test_what_is_no_position_is_refused(client, key, after):
    answer = read(client, key(), after=after)
    assert (answer.status_code, answer.json["errors"][0]["code"]) == (422, "bad_cursor")


def test_a_position_that_the_feed_has_not_reached_is_refused(client, key, tell):
    tell(1)
    headers = key()
    _, end = walk(client, headers)
    epoch, _, number = end.partition("-")
    assert read(client, headers, after=f"{epoch}-{int(number) + 1}").status_code == 422


def test_a_position_of_another_epoch_is_gone_and_the_feed_begins_anew(client, key, tell, clean_database):
    tell(1)
    headers = key()
    _, old = walk(client, headers)
    epoch = clean_database.run(lambda session: new_epoch(session, SYSTEM_ACTOR))
    tell(2)
    answer = read(client, headers, after=old)
    assert (answer.status_code, answer.json["code"]) == (410, "epoch_over")
    assert str(epoch) in answer.json["errors"][0]["message"]
    events, _ = walk(client, headers)
    assert [event["data"]["version"] for event in events] == [1, 2]  # the history of what is stored, whole
    assert read(client, headers).json["epoch"] == str(epoch)


def test_domains_out_of_scope_are_passed_over(client, key, tell):
    tell(1, domain="payer")
    tell(2, domain="item")
    tell(3, domain="mapping")
    events, _ = walk(client, key(domains=["item"]))
    assert [event["data"]["version"] for event in events] == [2]
    assert len(walk(client, key())[0]) == 3
    assert [event["domain"] for event in walk(client, key(), domain="mapping")[0]] == ["mapping"]
    assert read(client, key(domains=["item"]), domain="payer").status_code == 403
    assert read(client, key(), domain="planets").status_code == 404


def test_patients_are_told_by_policy(client, key, tell):
    tell(1, domain="patient")
    assert len(walk(client, key("integration"))[0]) == 1  # ids only
    assert walk(client, key("admin"))[0] == []
    assert len(walk(client, key("admin", grants=["phi"]))[0]) == 1
    assert read(client, key("admin"), domain="patient").status_code == 403


def test_a_reader_of_one_system_is_told_of_its_records_also_of_their_end(client, key, deliver, clean_database):
    mine = deliver("erp-north", "a", name="Blue Shield of Oregon", identifiers=(("us-ein", "12-3456789"),))
    deliver("ehr-mercy", "b", name="Quite Another Company")
    deliver("erp-north", "a", name="Blue Shield of Oregon", status="inactive")
    prepare(clean_database, None)
    events, _ = walk(client, key(systems=["erp-north"]))
    assert {event["subject"] for event in events} == {str(mine.golden_id)}
    assert [event["type"] for event in events] == ["mdm.golden.created", "mdm.golden.retired"]


def test_a_rare_domain_comes_in_bounded_windows(client, key, tell, monkeypatch):
    monkeypatch.setattr(changes, "WINDOW", 5)
    tell(*range(1, 21), domain="item")
    tell(99)
    events, _ = walk(client, key(domains=["payer"]))
    assert [event["data"]["version"] for event in events] == [99]


def later(clean_database, seconds):
    def act():
        clean_database.run(lambda session: publish(session, "payer", [Happening("golden.created", uuid4(), {"version": 7})]))
        prepare(clean_database, None)

    timer = Timer(seconds, act)
    timer.start()
    return timer


def test_a_long_poll_is_answered_when_something_happens(client, key, tell, clean_database):
    tell(1)
    headers = key()
    _, end = walk(client, headers)
    timer, started = later(clean_database, 0.5), time.monotonic()
    page = read(client, headers, after=end, wait=15).json
    timer.join()
    assert [event["data"]["version"] for event in page["events"]] == [7]
    assert time.monotonic() - started < 10


def test_a_long_poll_ends_empty_where_it_began(client, key, tell):
    tell(1)
    headers = key()
    _, end = walk(client, headers)
    started = time.monotonic()
    assert read(client, headers, after=end, wait=1).json["next"] == end
    assert time.monotonic() - started >= 1


def test_who_waits_holds_no_connection_and_only_so_many_wait(app, key, tell, clean_database):
    tell(1)
    headers = key()
    _, end = walk(app.test_client(), headers)

    def poll(_):
        started = time.monotonic()
        read(app.test_client(), headers, after=end, wait=2)
        return time.monotonic() - started

    with ThreadPoolExecutor(6) as pool:
        waiting = [pool.submit(poll, n) for n in range(6)]
        time.sleep(1)
        held = []
        for _ in range(10):
            held.append(clean_database.engine.pool.checkedout())
            time.sleep(0.02)
        assert min(held) <= 1  # some may be looking at this very moment; whoever held one while waiting would hold it all the time
        spent = sorted(each.result() for each in waiting)
    assert sum(seconds >= 2 for seconds in spent) == route.WAITERS_MAX
    assert spent[3] < 1.9


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 1001}, {"wait": 21}, {"wait": -1}, {"since": "x"}])
def test_parameters_have_bounds(client, key, query):
    assert read(client, key(), **query).status_code == 422


def test_what_names_a_system_is_for_the_readers_of_that_system(client, key, clean_database):
    told = [Happening("crosswalk.rejected", uuid4(), {"system": system}) for system in ("erp-north", "ehr-mercy")]
    clean_database.run(lambda session: publish(session, "payer", told))
    clean_database.run(lambda session: publish(session, "mapping", [Happening("mapping.approved", uuid4(), {"set": "cost"})]))
    prepare(clean_database, None)
    events, _ = walk(client, key(systems=["erp-north"]))
    assert [event["data"] for event in events] == [{"system": "erp-north"}, {"set": "cost"}]
    assert all("href" not in event for event in events)
