"""Pieces of a job among several processes: all of them while nobody asks for anything, one at a time while somebody does."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier, Lock

import pytest

from mdm.load_pool import Hands

PIECES = range(12)


class Seen:
    """Who was at work at the same time, and what was done in which order."""

    def __init__(self):
        self.lock, self.now, self.most, self.done = Lock(), 0, 0, []

    @contextmanager
    def working(self):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        yield
        with self.lock:
            self.now -= 1


@pytest.fixture
def crew():
    """crew(is_asked, work) -> hands of three threads, and what they were seen at."""
    with ThreadPoolExecutor(3) as threads:

        def make(is_asked, work=lambda _: None):
            seen = Seen()

            def do(piece):
                with seen.working():
                    work(piece)
                    seen.done.append(piece)

            def start(piece):
                return threads.submit(do, piece)

            return Hands(3, start, start, is_asked), seen

        yield make


def test_while_somebody_asks_pieces_are_done_one_at_a_time(crew):
    hands, seen = crew(lambda: True)
    assert sorted(hands.in_lanes(PIECES[:6], PIECES[6:])) == list(PIECES)
    for piece in PIECES:
        hands.give(piece)
    hands.finish()
    assert seen.most == 1
    assert seen.done == [*PIECES, *PIECES]


def test_while_nobody_asks_they_are_done_beside_each_other(crew):
    both = Barrier(2, timeout=30)
    hands, seen = crew(lambda: False, lambda _: both.wait())  # alone, nobody would get on
    assert sorted(hands.in_lanes(PIECES[:6], PIECES[6:])) == list(PIECES)
    assert seen.most == 2
    assert [piece for piece in seen.done if piece < 6] == list(PIECES[:6])


def test_as_soon_as_nobody_asks_any_more_all_of_them_go_on(crew):
    asked = iter([True, True, True])
    both = Barrier(2, timeout=30)
    hands, _ = crew(lambda: next(asked, False), lambda piece: piece > 2 and both.wait())
    assert sorted(hands.in_lanes([], PIECES[:11])) == list(PIECES[:11])
