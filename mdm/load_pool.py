"""Further processes for a large file: most of the work of a load is Python's, and one process has one core.

Each does whole pieces, in transactions of the job's own fence, so that a process which outlives the job can change nothing. Small files are
done in the process that has the job.
"""

import multiprocessing
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from mdm.db import Database
from mdm.jobs import Claim
from mdm.running import Run
from mdm.stepping_back import Watch, collect_rarely

PROCESSES_MAX = 2
_WAITING_MAX = 6  # pieces in memory

C = TypeVar("C")  # what a process makes once
P = TypeVar("P")  # what names a piece


@dataclass(frozen=True, slots=True)
class Craft(Generic[C]):
    """What is done with a piece, and what a process makes once to do it. Both are functions of a module: another process finds them."""

    begin: Callable[[Run, Path], C]
    do: Callable[[Run, C, Any], None]


@dataclass(frozen=True, slots=True)
class Hands:
    """Whoever does the pieces, here or elsewhere; at most so many are begun at once, and only one while requests are answered."""

    at_once: int
    _start: Callable[[Any], Future[None]]
    _start_light: Callable[[Any], Future[None]]
    _is_asked: Callable[[], bool]
    _waiting: deque[Future[None]] = field(default_factory=deque)

    def give(self, piece: object, *, is_light: bool = False) -> None:
        """Have a piece done, once there is room for it in memory. Raises what an earlier piece raised.

        A light one is the database's work more than Python's: a thread of this process waits for that, and no other process need begin.
        """
        while self._waiting and len(self._waiting) >= (1 if self._is_asked() else _WAITING_MAX):
            self._waiting.popleft().result()
        self._waiting.append((self._start_light if is_light else self._start)(piece))

    def finish(self) -> None:
        """Wait until all that was given is done. Raises what a piece raised."""
        while self._waiting:
            self._waiting.popleft().result()

    def in_lanes(self, ordered: Sequence[P], free: Sequence[P]) -> Iterator[P]:
        """Have the `ordered` pieces done one after the other, the `free` ones beside them as hands allow; each is named once it is done."""
        line, rest = deque(ordered), deque(free)
        away: dict[Future[None], P] = {}
        last: Future[None] | None = None
        while line or rest or away:
            most = 1 if self._is_asked() else self.at_once
            if line and last not in away and len(away) < most:
                piece = line.popleft()
                last = self._start(piece)
                away[last] = piece
            # While there is a line its next piece must find a process free: what stands in line cannot be shared among them later
            while rest and len(away) < max(1, most - (1 if line else 0)):
                piece = rest.popleft()
                away[self._start(piece)] = piece
            for each in wait(away, return_when=FIRST_COMPLETED).done:
                each.result()
                yield away.pop(each)


@dataclass(frozen=True, slots=True)
class _Place:
    """What another process has to know: the database, the job in our hands, and where the load's files lie."""

    url: str
    mine: Claim
    home: Path


class _Here:
    """What a further process has."""

    run: ClassVar[Run]
    craft: ClassVar[Craft[Any]]
    made: ClassVar[Any]


@contextmanager
def hands(run: Run, home: Path, craft: Craft[C], *, are_many: bool) -> Iterator[Hands]:
    """Hands for the pieces of a job; only where `are_many` are further processes worth the two seconds that they need to begin."""
    cores = min(PROCESSES_MAX, os.cpu_count() or 1)
    if not are_many or cores < 2 or multiprocessing.current_process().daemon:
        made = craft.begin(run, home)
        start = partial(_do_here, craft, run, made)
        yield Hands(1, start, start, lambda: False)
        return
    begin = cache(partial(craft.begin, run, home))
    place = _Place(run.database.url, run.mine, home)
    with (
        ProcessPoolExecutor(cores, multiprocessing.get_context("spawn"), _begin, (place, craft, os.getpid())) as pool,
        ThreadPoolExecutor(1, "light pieces") as thread,
    ):
        try:
            # One more at once, so that no process waits for us
            yield Hands(
                cores + 1,
                lambda piece: pool.submit(_do, piece),
                lambda piece: thread.submit(lambda: craft.do(run, begin(), piece)),
                Watch(run.database),
            )
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            thread.shutdown(wait=True, cancel_futures=True)


def _do_here(craft: Craft[C], run: Run, made: C, piece: object) -> Future[None]:
    craft.do(run, made, piece)
    future: Future[None] = Future()
    future.set_result(None)
    return future


def _begin(place: _Place, craft: Craft[Any], parent: int) -> None:
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    collect_rarely()
    _Here.run = Run(Database(place.url, pool_size=1), place.mine, lambda: False)
    _Here.craft = craft
    _Here.made = craft.begin(_Here.run, place.home)


def _end_with(parent: int) -> None:
    """A process whose parent was killed has nobody left to work for."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _do(piece: object) -> None:
    _Here.craft.do(_Here.run, _Here.made, piece)
