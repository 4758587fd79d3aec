"""A worker: does what the bell rings for, and every 10 s looks whether a bell went unheard. Without a broker it looks every second.

Beside that it numbers events and sends them on (`mdm/couriers.py`).
The sweeper is a thread, not a job: a sweeper that waits in the queue it sweeps would stall with it.
"""

import ctypes
import multiprocessing.sharedctypes
import os
import secrets
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

import structlog
from celery import Celery, signals
from sqlalchemy.orm import Session

from mdm import jobs
from mdm.couriers import ROUND_SECONDS, Couriers, prepare
from mdm.db import Database, DatabaseError
from mdm.doorbell import TASK, celery_app, is_answering, send
from mdm.errors import ConcordError
from mdm.jobs import MATCH_ALL
from mdm.kafka import SEND_KAFKA, send_kafka
from mdm.running import HANDLERS, SEQUENCE_EVENTS, Hand, Handler, Run
from mdm.sending import SEND_WEBHOOK, Outlet, send_webhook
from mdm.sequencer import has_unnumbered

SWEEP_SECONDS = 10.0
POLL_SECONDS = 1.0
Ring = Callable[[UUID, str], object]
_log = structlog.get_logger("concord.worker")


@dataclass(slots=True)
class Flag:
    """Raised once, seen by every process forked after it was made."""

    _value: ctypes.c_bool = field(default_factory=lambda: multiprocessing.sharedctypes.RawValue(ctypes.c_bool, False))

    def up(self) -> None:
        self._value.value = True

    def is_up(self) -> bool:
        return self._value.value


class Hands:
    """The hand of whichever process asks: database connections do not survive a fork."""

    def __init__(self, database_url: str, is_stopping: Callable[[], bool], match_memory_gb: int, outlet: Outlet) -> None:
        self._database_url = database_url
        self._is_stopping = is_stopping
        self._handlers = _handlers(match_memory_gb, outlet)
        self._made: tuple[int, Hand] | None = None

    def here(self) -> Hand:
        if self._made is None or self._made[0] != os.getpid():
            name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
            self._made = os.getpid(), Hand(Database(self._database_url), name, self._is_stopping, self._handlers)
        return self._made[1]


def _handlers(match_memory_gb: int, outlet: Outlet) -> Mapping[str, Handler]:
    """Every kind of job."""
    sending: dict[str, Handler] = {SEND_WEBHOOK: partial(send_webhook, outlet=outlet)}
    if outlet.kafka_url is not None:
        sending[SEND_KAFKA] = partial(send_kafka, url=outlet.kafka_url)

    def match_all(run: Run) -> None:
        from mdm import rematch  # noqa: PLC0415  (what it needs takes seconds to load, and most workers never do it)

        rematch.match_all(run, match_memory_gb)

    return {**HANDLERS, **sending, MATCH_ALL: match_all}


def sweep(database: Database, ring: Ring) -> None:
    """One round: bring back what was left, begin the standing jobs, ring for everything that waits. One worker per round does it."""
    swept = database.run(jobs.sweep)
    if swept is None:
        return
    if swept.returned or swept.quarantined:
        _log.warning("swept", returned=swept.returned, quarantined=swept.quarantined)
    for job_id, queue in [*swept.due, *database.run(_begin_standing_jobs)]:
        ring(job_id, queue)


def _begin_standing_jobs(session: Session) -> list[tuple[UUID, str]]:
    if not has_unnumbered(session):
        return []
    return [(jobs.enqueue(session, SEQUENCE_EVENTS, {}, dedupe_key=SEQUENCE_EVENTS, queue="feed"), "feed")]


def _no_bell(_job_id: UUID, _queue: str) -> None:
    """There is no broker: the same process looks into the table."""


def work_once(database_url: str, match_memory_gb: int, outlet: Outlet) -> int:
    """A round of the sweeper and everything that is due, for a system timer; how many jobs were done."""
    hand = Hands(database_url, lambda: False, match_memory_gb, outlet).here()
    sweep(hand.database, _no_bell)
    prepare(hand.database, outlet.kafka_url)
    return hand.drain()


def work_without_broker(database_url: str, stop: threading.Event, match_memory_gb: int, outlet: Outlet) -> None:
    """Look into the table every second until told to stop."""
    hand = Hands(database_url, stop.is_set, match_memory_gb, outlet).here()
    couriers = Couriers(lambda: hand, outlet.kafka_url)
    _every(SWEEP_SECONDS, lambda: sweep(hand.database, _no_bell), stop)
    _every(ROUND_SECONDS, couriers.round, stop)
    hand.drain()
    while not stop.wait(POLL_SECONDS):
        hand.drain()
    couriers.rest()


def work_with_broker(database_url: str, broker_url: str, concurrency: int, match_memory_gb: int, outlet: Outlet) -> None:
    """A Celery worker with the sweeper beside it, until a signal ends it."""
    stopping = Flag()
    hands = Hands(database_url, stopping.is_up, match_memory_gb, outlet)
    couriers = Couriers(hands.here, outlet.kafka_url)
    app = worker_app(broker_url, hands)
    signals.worker_shutting_down.connect(lambda **_: stopping.up(), weak=False)
    stop = threading.Event()
    _every(SWEEP_SECONDS, lambda: sweep(hands.here().database, lambda job_id, queue: send(app, job_id, queue)), stop)
    _every(POLL_SECONDS, lambda: _take_over(app, hands.here()), stop)
    _every(ROUND_SECONDS, couriers.round, stop)
    worker = app.Worker(
        pool="prefork",
        concurrency=concurrency,
        queues=list(jobs.QUEUES),
        loglevel="WARNING",
        quiet=True,
        without_mingle=True,
        without_gossip=True,
        without_heartbeat=True,
    )
    worker.start()
    stop.set()
    couriers.rest()


def worker_app(broker_url: str, hands: Hands) -> Celery:
    """The Celery application with its one task, which never raises: retries belong to the table."""
    app = celery_app(broker_url)

    @app.task(name=TASK, max_retries=0, ignore_result=True)  # type: ignore[untyped-decorator]  # Celery ships no types
    def run_job(job_id: str) -> None:
        try:
            known = UUID(job_id)
        except (ValueError, TypeError, AttributeError):  # not one of our messages
            return
        hands.here().take(known)

    return app


def _take_over(app: Celery, hand: Hand) -> None:
    """Without the broker jobs go on, slower."""
    if hand.database.run(jobs.overdue) and not is_answering(app):
        hand.drain()


def _every(seconds: float, act: Callable[[], None], stop: threading.Event) -> None:
    threading.Thread(target=_rounds, args=(seconds, act, stop), daemon=True).start()


def _rounds(seconds: float, act: Callable[[], None], stop: threading.Event) -> None:
    """At once, then again and again; a database that is away, or not migrated yet, is met again in the next round."""
    while True:
        try:
            act()
        except (ConcordError, DatabaseError) as error:
            _log.warning("round missed", error=type(error).__name__)
        if stop.wait(seconds):
            return
