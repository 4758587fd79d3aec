"""Eight writers and one slow transaction: a reader misses nothing, sees nothing twice, and each record in the order of commits."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from uuid import uuid4

import pytest

from mdm.couriers import prepare
from mdm.db import Database, execute, fetch
from mdm.feed import Happening, publish
from mdm.sequencer import has_unnumbered

WRITERS, TIMES, RECORDS = 8, 40, 5


@pytest.fixture
def goldens(clean_database):
    """Golden records that writers contend for; their version is the order of commits."""
    ids = sorted(uuid4() for _ in range(RECORDS))
    clean_database.run(
        lambda session: execute(
            session, "insert into golden_record (id, domain, status, version) select g, 'payer', 'active', 0 from unnest(%s) g", (ids,)
        )
    )
    return ids


def write(session, golden_id, seconds=0.0):
    """As every writer does: lock the golden record, change it, tell it last."""
    version = fetch(session, "update golden_record set version = version + 1 where id = %s returning version", (golden_id,))[0][0]
    time.sleep(seconds)
    publish(session, "payer", [Happening("golden.updated", golden_id, {"version": version})])


def follow(app, headers, over):
    """Every event, read page by page until the writers are done and nothing more comes."""
    client, seen, after = app.test_client(), [], None
    while True:
        is_last_round = over.is_set()
        page = client.get("/v1/changes", query_string={"limit": 50} | ({"after": after} if after else {}), headers=headers).json
        seen.extend(page["events"])
        if is_last_round and page["next"] == after:
            return seen
        after = page["next"]


def sequence(database, over):
    while not over.is_set():
        prepare(database, None)
        time.sleep(0.005)


def race(database, goldens, following, over):
    """The writers, one of them slow, two sequencers and a reader at once; what the reader saw."""

    def slow():
        database.run(lambda session: write(session, goldens[0], seconds=1.5))

    def writer(number):
        for turn in range(TIMES):
            golden_id = goldens[1 + (number + turn) % (RECORDS - 1)] if turn % 10 else goldens[0]
            database.run(lambda session, golden_id=golden_id: write(session, golden_id))

    with ThreadPoolExecutor(WRITERS + 4) as pool:
        sequencers = [pool.submit(sequence, database, over) for _ in range(2)]
        reading = pool.submit(following, over)
        try:
            for each in [pool.submit(slow), *(pool.submit(writer, n) for n in range(WRITERS))]:
                each.result()
            while database.run(has_unnumbered):  # a round under way may have begun before the last commit
                time.sleep(0.005)
        finally:
            over.set()
        for each in sequencers:
            each.result()
        return reading.result(timeout=60)


@pytest.mark.race
def test_nothing_missed_nothing_twice_and_in_the_order_of_commits(database, app, key, goldens):
    over = threading.Event()
    with closing(Database(database.url, pool_size=WRITERS + 3)) as writers:
        seen = race(writers, goldens, partial(follow, app, key()), over)
    assert len(seen) == WRITERS * TIMES + 1
    assert len({event["id"] for event in seen}) == len(seen)
    for golden_id in goldens:
        versions = [event["data"]["version"] for event in seen if event["subject"] == str(golden_id)]
        assert versions == list(range(1, len(versions) + 1))
