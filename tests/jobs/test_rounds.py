"""Threads of a worker outlive whatever happens in one round."""

import threading
from contextlib import closing
from time import monotonic

import pytest

from mdm.batched import Batched
from mdm.db import Database, fetch
from mdm.errors import Busy
from mdm.worker import rounds


def test_a_round_that_fails_is_followed_by_the_next():
    begun, stop = [], threading.Event()

    def act():
        begun.append(1)
        if len(begun) == 3:
            stop.set()
        raise OSError("no space left on device")

    rounds("sealer", 0.01, act, stop)
    assert len(begun) == 3


def test_a_full_pool_is_busy_and_nobody_waits_for_it_five_times(work):
    with closing(Database(work.url, pool_size=1)) as small:
        with small.engine.connect(), small.engine.connect():  # the one, and the one above it
            begun = monotonic()
            with pytest.raises(Busy):
                small.run(lambda session: fetch(session, "select 1"))
        assert monotonic() - begun < 3
        assert small.run(lambda session: fetch(session, "select 1")) == [(1,)]


class _Counts(Batched):
    """Counts that cannot be written the first time."""

    def __init__(self) -> None:
        super().__init__()
        self.written = threading.Event()
        self.tries = 0

    def write(self) -> None:
        self.tries += 1
        if self.tries == 1:
            raise OSError
        self.written.set()


def test_counting_goes_on_after_a_write_that_failed():
    counts = _Counts()
    with counts.lock:
        counts.begin()
    counts.hurry()
    assert counts.written.wait(10)
