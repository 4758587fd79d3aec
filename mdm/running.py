"""How a claimed job is done: every effect behind its fence, the lease prolonged meanwhile, the end written whatever happens.

The same way for a message from the broker and for a row found by polling. A job that fails says so in its row, never to the broker.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from mdm import jobs
from mdm.db import Database, DatabaseError
from mdm.errors import ConcordError
from mdm.jobs import Claim, LeaseLost
from mdm.sequencer import ROUND_MAX, number_events

T = TypeVar("T")
UNKNOWN_KIND_SECONDS = 30
_log = structlog.get_logger("concord.worker")


class Stopping(Exception):
    """The worker is stopping between two effects of a job."""


@dataclass(frozen=True, slots=True)
class Run:
    """A job under way, as its handler sees it."""

    database: Database
    mine: Claim
    is_stopping: Callable[[], bool]

    def effect(self, work: Callable[[Session], T]) -> T:
        """One transaction of the job, of at most 15 s. Raises LeaseLost when the job is no longer ours, Stopping when we are to end."""
        if self.is_stopping():
            raise Stopping

        def fenced(session: Session) -> T:
            jobs.check_fence(session, self.mine)
            return work(session)

        return self.database.run(fenced)


Handler = Callable[[Run], None]


def sequence_events(run: Run) -> None:
    """Number committed events until none is left."""
    while run.effect(number_events) == ROUND_MAX:
        pass


SEQUENCE_EVENTS = "sequence_events"
HANDLERS: Mapping[str, Handler] = {SEQUENCE_EVENTS: sequence_events}


@dataclass(frozen=True, slots=True)
class Hand:
    """Whoever does jobs: one per process start, because a name that returns would hide a death."""

    database: Database
    name: str
    is_stopping: Callable[[], bool]
    handlers: Mapping[str, Handler] = field(default_factory=lambda: HANDLERS)

    def take(self, job_id: UUID) -> None:
        """Do this job if it is still to be done. Never raises."""
        mine = self._quietly(lambda session: jobs.claim(session, job_id, self.name))
        if mine is not None:
            self._perform(mine)

    def drain(self) -> int:
        """Do whatever is due, the longest due first, until nothing is or we are to stop; how many."""
        done = 0
        while not self.is_stopping():
            mine = self._quietly(lambda session: jobs.claim_next(session, jobs.QUEUES, self.name))
            if mine is None:
                break
            self._perform(mine)
            done += 1
        return done

    def _perform(self, mine: Claim) -> None:
        handler = self.handlers.get(mine.kind)
        if handler is None:  # a newer version wrote it, and a newer worker will know it
            self._quietly(lambda session: jobs.release(session, mine, UNKNOWN_KIND_SECONDS))
            return
        with _heartbeat(self.database, mine):
            settle = self._outcome(handler, mine)
        if settle is not None:
            self._quietly(settle)

    def _outcome(self, handler: Handler, mine: Claim) -> Callable[[Session], None] | None:
        """Run the handler; what is to be written about it, None when it is no longer ours to say."""
        try:
            handler(Run(self.database, mine, self.is_stopping))
        except Stopping:
            return lambda session: jobs.release(session, mine)
        except LeaseLost:
            _log.warning("lease lost", job=str(mine.id), kind=mine.kind)
            return None
        except Exception as error:  # noqa: BLE001  (the task base: whatever a job does, its row tells it)
            said = _name(error)
            _log.error("job failed", job=str(mine.id), kind=mine.kind, attempt=mine.attempt, error=said)
            return lambda session: jobs.fail(session, mine, said)
        return lambda session: jobs.finish(session, mine)

    def _quietly(self, work: Callable[[Session], T]) -> T | None:
        """A database that is away costs the attempt its lease, nothing else: the sweeper brings the job back."""
        try:
            return self.database.run(work)
        except (ConcordError, DatabaseError) as error:
            _log.warning("job table", error=_name(error))
            return None


def _name(error: Exception) -> str:
    """The failure without the values in it: only our own words are known to hold none."""
    ours = isinstance(error, ConcordError | DatabaseError)
    return f"{type(error).__name__}: {error}" if ours else type(error).__name__


@contextmanager
def _heartbeat(database: Database, mine: Claim) -> Iterator[None]:
    ended = threading.Event()
    thread = threading.Thread(target=_beats, args=(database, mine, ended), name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _beats(database: Database, mine: Claim, ended: threading.Event) -> None:
    while not ended.wait(jobs.HEARTBEAT_SECONDS):
        try:
            if not database.run(lambda session: jobs.beat(session, mine)):
                return
        except (ConcordError, DatabaseError) as error:
            _log.warning("heartbeat missed", job=str(mine.id), error=_name(error))
