"""Misses are counted, together, and never stand in a reader's way."""

import threading
import time

import pytest

from mdm.db import Database
from mdm.misses import DISTINCT_MAX, Misses
from mdm.misswork import Miss


@pytest.fixture
def misses(world):
    return Misses(world.database)


def missed(system, *values):
    return [Miss("department", system, value) for value in values]


def counted(world, system):
    return dict(world.rows("select value, count from miss where system = %s", (system,)))


def test_counts_add_up_over_writes(world, misses):
    for _ in range(3):
        misses.count(missed("sum", "a", "a", "b"), "flow")
        misses.write()
    assert counted(world, "sum") == {"a": 6, "b": 3}


def test_the_writing_thread_writes_within_seconds(world, misses):
    misses.count(missed("thread", "a"), "flow")
    deadline = time.monotonic() + 10
    while not counted(world, "thread") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert counted(world, "thread") == {"a": 1}


def test_counts_of_many_threads_are_all_there(world, misses):
    threads = [threading.Thread(target=lambda: [misses.count(missed("threads", "a", "b"), "flow") for _ in range(50)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    misses.write()
    time.sleep(0.2)
    assert counted(world, "threads") == {"a": 200, "b": 200}


@pytest.fixture
def nowhere():
    """Misses of a database that is gone; the test itself writes them."""
    misses = Misses(Database("postgresql://nobody@127.0.0.1:9/none"))
    misses._writer = threading.current_thread()
    return misses


def test_memory_is_bounded(nowhere):
    nowhere.count(missed("bounded", *map(str, range(DISTINCT_MAX + 5))), "flow")
    assert len(nowhere._counts) == DISTINCT_MAX


def test_what_cannot_be_written_is_kept(world, nowhere):
    nowhere.count(missed("kept", "a", "a"), "flow")
    nowhere.write()
    nowhere._database = world.database
    nowhere.write()
    assert counted(world, "kept") == {"a": 2}
