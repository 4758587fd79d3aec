"""How a claimed job is done: every effect behind its fence, the lease prolonged meanwhile, the end written whatever happens.

The same way for a message from the broker and for a row found by polling. A job that fails says so in its row, never to the broker.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from mdm import jobs
from mdm.canary import CANARY, hear
from mdm.db import Database, DatabaseError
from mdm.errors import ConcordError, Invalid, NoRoom, NotFound
from mdm.jobs import EFFECT_SECONDS_MAX, UNHEARD_SECONDS, Cancelled, Claim, LeaseLost, Progress
from mdm.sequencer import ROUND_MAX, number_events
from mdm.stepping_back import stepping_back

T = TypeVar("T")
UNKNOWN_KIND_SECONDS = 30
HELP_SECONDS_MAX = 60
_log = structlog.get_logger("concord.worker")


class Stopping(Exception):
    """The worker is stopping between two effects of a job."""


class TooSlow(ConcordError):
    """An effect took longer than 15 seconds; it must be cut into smaller ones."""


@dataclass(frozen=True, slots=True)
class Run:
    """A job under way, as its handler sees it."""

    database: Database
    mine: Claim
    is_stopping: Callable[[], bool]
    _concluded: threading.Event = field(default_factory=threading.Event)

    def effect(self, work: Callable[[Session], T]) -> T:
        """One transaction of the job, of at most 15 s, to which nothing of the outside belongs.

        Raises LeaseLost when the job is no longer ours, Cancelled when somebody wants its end, Stopping when we are to end.
        """
        if self.is_stopping():
            raise Stopping

        def fenced(session: Session) -> T:
            begun_at = time.monotonic()
            jobs.check_fence(session, self.mine)
            result = work(session)
            if time.monotonic() - begun_at > EFFECT_SECONDS_MAX:
                raise TooSlow
            return result

        return self.database.run(fenced)

    def conclude(self, work: Callable[[Session], T]) -> T:
        """The only or last effect, which commits together with the job's end: killed at any moment, the job has it once or not at all."""

        def both(session: Session) -> T:
            result = work(session)
            jobs.finish(session, self.mine)
            return result

        result = self.effect(both)
        self._concluded.set()
        return result

    def say(self, progress: Progress) -> None:
        """Say how far the job is after an effect, also where somebody wants its end. Raises LeaseLost, Stopping."""
        self.database.run(lambda session: jobs.tell(session, self.mine, progress))
        if self.is_stopping():
            raise Stopping

    @property
    def is_concluded(self) -> bool:
        return self._concluded.is_set()

    def tell(self, stage: str) -> None:
        """Say what the job is at, where it has no chunks to count."""
        self.tell_far(stage, 0)

    def tell_far(self, stage: str, done: int) -> None:
        """Say how far it is, where nobody knows yet how much there is."""
        self.effect(lambda session: jobs.tell(session, self.mine, Progress(stage, done)))


Handler = Callable[[Run], None]


def sequence_events(run: Run) -> None:
    """Number committed events until none is left."""
    while run.effect(number_events) == ROUND_MAX:
        pass


def hear_canary(run: Run) -> None:
    run.conclude(lambda session: hear(session, str(run.mine.payload["queue"])))


SEQUENCE_EVENTS = "sequence_events"
# Kind -> handler; a payload whose shape has changed since is `kind:version`, so that a worker can know the old shape and the new one.
HANDLERS: Mapping[str, Handler] = {
    SEQUENCE_EVENTS: sequence_events,
    CANARY: hear_canary,
}


@dataclass(frozen=True, slots=True)
class Hand:
    """Whoever does jobs: one per process start, because a name that returns would hide a death."""

    database: Database
    name: str
    is_stopping: Callable[[], bool]
    handlers: Mapping[str, Handler] = field(default_factory=lambda: HANDLERS)
    queues: Sequence[str] = jobs.QUEUES

    def take(self, job_id: UUID) -> None:
        """Do this job if it is still to be done. Never raises."""
        mine = self._quietly(lambda session: jobs.claim(session, job_id, self.name))
        if mine is not None:
            self._perform(mine)

    def help_out(self, queue: str) -> None:
        """Do what waits in this queue although its bell should have been heard, for a minute. Never raises.

        So that a broker which loses messages costs seconds, as long as it delivers some.
        """
        begun_at = time.monotonic()
        while time.monotonic() - begun_at < HELP_SECONDS_MAX and self._do_next((queue,), UNHEARD_SECONDS):
            pass

    def drain(self) -> int:
        """Do whatever is due in our queues, queue by queue, until nothing is or we are to stop; how many."""
        done = 0
        while self._do_next(self.queues):
            done += 1
        return done

    def _do_next(self, queues: Sequence[str], waited_seconds: float = 0) -> bool:
        if self.is_stopping():
            return False
        mine = self._quietly(lambda session: jobs.claim_next(session, queues, self.name, waited_seconds=waited_seconds))
        if mine is not None:
            self._perform(mine)
        return mine is not None

    def _perform(self, mine: Claim) -> None:
        handler = self.handlers.get(mine.kind if mine.version == 1 else f"{mine.kind}:{mine.version}")
        if handler is None:  # a newer version wrote it, and a newer worker will know it
            self._quietly(lambda session: jobs.release(session, mine, UNKNOWN_KIND_SECONDS))
            return
        with _heartbeat(self.database, mine):
            settle = self._outcome(handler, mine)
        if settle is not None:
            self._quietly(settle)

    def _outcome(self, handler: Handler, mine: Claim) -> Callable[[Session], None] | None:
        """Run the handler; what is to be written about it, None when it is no longer ours to say."""
        if mine.queue == jobs.BULK:
            return stepping_back(self.database.url, partial(self._ended, handler, mine))
        return self._ended(handler, mine, self.database)

    def _ended(self, handler: Handler, mine: Claim, database: Database) -> Callable[[Session], None] | None:
        run = Run(database, mine, self.is_stopping)
        try:
            handler(run)
        except Stopping:
            return lambda session: jobs.release(session, mine)
        except LeaseLost:
            _log.warning("lease lost", job=str(mine.id), kind=mine.kind)
            return None
        except Cancelled:
            return lambda session: jobs.end_cancelled(session, mine)
        except (Invalid, NotFound) as error:  # it asks for what cannot be: trying again would not help
            refused = _name(error)
            _log.error("job refused", job=str(mine.id), kind=mine.kind, error=refused)
            return lambda session: jobs.refuse(session, mine, refused)
        except Exception as error:  # noqa: BLE001  (the task base: whatever a job does, its row tells it)
            said = _name(error)
            _log.error("job failed", job=str(mine.id), kind=mine.kind, attempt=mine.attempt, error=said)
            return lambda session: jobs.fail(session, mine, said)
        return None if run.is_concluded else lambda session: jobs.finish(session, mine)

    def _quietly(self, work: Callable[[Session], T]) -> T | None:
        """A database that is away costs the attempt its lease, nothing else: the sweeper brings the job back."""
        try:
            return self.database.run(work)
        except (ConcordError, DatabaseError) as error:
            _log.warning("job table", error=_name(error))
            return None


def _name(error: Exception) -> str:
    """The failure without the values in it: only our own words are known to hold none."""
    if NoRoom.is_why(error):
        error = NoRoom()
    ours = isinstance(error, ConcordError | DatabaseError)
    return f"{type(error).__name__}: {error}" if ours else type(error).__name__


@contextmanager
def _heartbeat(database: Database, mine: Claim) -> Iterator[None]:
    ended = threading.Event()
    thread = threading.Thread(target=_beats, args=(database.url, mine, ended), name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _beats(database_url: str, mine: Claim, ended: threading.Event) -> None:
    """On a connection of its own, which a job that holds every other one cannot take away; most jobs end before it is opened."""
    if ended.wait(jobs.HEARTBEAT_SECONDS):
        return
    with closing(Database(database_url, pool_size=1)) as own:
        while _beat(own, mine) and not ended.wait(jobs.HEARTBEAT_SECONDS):
            pass


def _beat(database: Database, mine: Claim) -> bool:
    """False when the job is no longer ours; a database that is away is asked again at the next beat."""
    try:
        return database.run(lambda session: jobs.beat(session, mine))
    except (ConcordError, DatabaseError) as error:
        _log.warning("heartbeat missed", job=str(mine.id), error=_name(error))
        return True
