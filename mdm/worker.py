"""A worker: does what the bell rings for, and every 10 s looks whether a bell went unheard. Without a broker it looks every second.

Beside that it numbers events and sends them on (`mdm/couriers.py`).
The sweeper is no job: a sweeper that waits in the queue it sweeps would stall with it.
"""

import ctypes
import multiprocessing
import multiprocessing.sharedctypes
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog
from billiard import active_children
from celery import Celery, signals
from sqlalchemy.orm import Session

from mdm import jobs, searches
from mdm.batches import TASK_BATCH, run_batch
from mdm.canary import send_canaries
from mdm.couriers import COURIERS, ROUND_SECONDS, Couriers, prepare
from mdm.db import Database, DatabaseError
from mdm.doorbell import TASK, celery_app, is_answering, send
from mdm.errors import ConcordError
from mdm.expiry import EXPIRE_PINS, expire_pins, has_expired
from mdm.jobs import BULK, MATCH_ALL, MODEL_EFFECT, QUEUES
from mdm.kafka import SEND_KAFKA, send_kafka
from mdm.load_jobs import load_handlers
from mdm.retention import CLEAN, clean, has_old
from mdm.running import HANDLERS, SEQUENCE_EVENTS, Hand, Handler, Run
from mdm.seal import note_heads, seal
from mdm.sending import SEND_WEBHOOK, Outlet, send_webhook
from mdm.sequencer import has_unnumbered

SWEEP_SECONDS = 10.0
SEAL_SECONDS = 5.0
POLL_SECONDS = 1.0
ATTEND_SECONDS = 0.2
STOP_SECONDS = 25.0  # a job that finds no end of a chunk by then is left to its lease
BULK_KILOBYTES = 6_000_000
_THREADS = COURIERS + 5  # that may want a connection at once: sweeper, sealer, take-over, round of the couriers, and a hand's own
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


@dataclass(frozen=True, slots=True)
class Vault:
    """What the database does not hold: the key that seals the audit, and the folder where the heads are noted."""

    home: Path
    key: bytes = field(repr=False)

    def seal(self, database: Database) -> None:
        """Everything that is finished; one worker does it, each notes what it finds."""
        while database.run(lambda session: seal(session, self.key)) is not None:
            pass
        database.run(lambda session: note_heads(session, self.home))


@dataclass(frozen=True, slots=True)
class Place:
    """Where and how a worker works. Without a broker `broker_url` is not looked at."""

    database_url: str
    broker_url: str
    match_memory_gb: int
    outlet: Outlet
    vault: "Vault"
    concurrency: int = 1
    queues: Sequence[str] = QUEUES


class Hands:
    """The hand of whichever process asks: database connections do not survive a fork."""

    def __init__(self, place: Place, is_stopping: Callable[[], bool]) -> None:
        self._place = place
        self._is_stopping = is_stopping
        self._handlers = _handlers(place)
        self._made: tuple[int, Hand] | None = None

    def here(self) -> Hand:
        if self._made is None or self._made[0] != os.getpid():
            self._made = os.getpid(), self.another(self._place.queues)
        return self._made[1]

    def another(self, queues: Sequence[str]) -> Hand:
        name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        return Hand(Database(self._place.database_url, pool_size=_THREADS), name, self._is_stopping, self._handlers, queues)


def _handlers(place: Place) -> Mapping[str, Handler]:
    """Every kind of job."""
    outlet = place.outlet
    sending: dict[str, Handler] = {SEND_WEBHOOK: partial(send_webhook, outlet=outlet)}
    if outlet.kafka_url is not None:
        sending[SEND_KAFKA] = partial(send_kafka, url=outlet.kafka_url)

    def match_all(run: Run) -> None:
        from mdm import rematch  # noqa: PLC0415  (what it needs takes seconds to load, and most workers never do it)

        rematch.match_all(run, place.match_memory_gb)

    def model_effect(run: Run) -> None:
        from mdm import learning  # noqa: PLC0415  (the same)

        learning.count(run, place.match_memory_gb)

    later = {CLEAN: clean, EXPIRE_PINS: expire_pins, MATCH_ALL: match_all, MODEL_EFFECT: model_effect, TASK_BATCH: run_batch}
    return {**HANDLERS, **sending, **load_handlers(place.vault.home, place.match_memory_gb), **later}


def sweep(database: Database, ring: Ring) -> None:
    """One round: bring back what was left, begin the standing jobs, ring for everything that waits. One worker per round does it."""
    swept = database.run(jobs.sweep)
    if swept is None:
        return
    if swept.returned or swept.quarantined:
        _log.warning("swept", returned=swept.returned, quarantined=swept.quarantined, cancelled=swept.cancelled)
    database.run(searches.forget)
    for job_id, queue in [*swept.due, *database.run(_begin_standing_jobs)]:
        ring(job_id, queue)


def _begin_standing_jobs(session: Session) -> list[tuple[UUID, str]]:
    begun = send_canaries(session)
    if has_unnumbered(session):
        begun.append((jobs.enqueue(session, SEQUENCE_EVENTS, {}, dedupe_key=SEQUENCE_EVENTS, queue="feed"), "feed"))
    if has_expired(session):
        begun.append((jobs.enqueue(session, EXPIRE_PINS, {}, dedupe_key=EXPIRE_PINS), "interactive"))
    if has_old(session):
        begun.append((jobs.enqueue(session, CLEAN, {}, dedupe_key=CLEAN, queue="sweep"), "sweep"))
    return begun


def _no_bell(_job_id: UUID, _queue: str) -> None:
    """There is no broker: the same process looks into the table."""


def work_once(place: Place) -> int:
    """A round of the sweeper and everything that is due, for a system timer; how many jobs were done."""
    hand = Hands(place, lambda: False).here()
    try:
        sweep(hand.database, _no_bell)
        prepare(hand.database, place.outlet.kafka_url)
        done = hand.drain()
        place.vault.seal(hand.database)
        return done
    finally:
        hand.database.close()


def work_without_broker(place: Place, stop: threading.Event) -> None:
    """Look into the table every second until told to stop, with as many hands as wanted; of several, one never takes up bulk work."""
    hands = Hands(place, stop.is_set)
    couriers = Couriers(hands.here, place.outlet.kafka_url)
    _every("sweeper", SWEEP_SECONDS, lambda: sweep(hands.here().database, _no_bell), stop)
    _every("sealer", SEAL_SECONDS, lambda: place.vault.seal(hands.here().database), stop)
    _every("couriers", ROUND_SECONDS, couriers.round, stop)
    further = [threading.Thread(target=_look, args=(hands.another(place.queues), stop), daemon=True) for _ in range(1, place.concurrency)]
    for thread in further:
        thread.start()
    light = [queue for queue in place.queues if queue != BULK]
    _look(hands.another(light) if further and light else hands.here(), stop)
    for thread in further:
        thread.join(STOP_SECONDS)
    couriers.rest()


def _look(hand: Hand, stop: threading.Event) -> None:
    hand.drain()
    while not stop.wait(POLL_SECONDS):
        hand.drain()


def work_with_broker(place: Place) -> None:
    """A Celery worker with an attendant beside it, until a signal ends it.

    Celery forks its children again and again, and a fork copies every lock as it is: a child made while another thread held one, that of
    the broker's connections for one, would wait for it for ever. So whatever needs threads is done by the attendant, forked before there
    are any; the one thread here waits for its end and holds nothing. Raises SystemExit when the attendant ended by itself, so that whoever
    started the worker starts it again.
    """
    stopping, stop = Flag(), threading.Event()
    attendant = multiprocessing.get_context("fork").Process(target=_attend, args=(place, stopping, os.getpid()), name="attendant")
    attendant.start()
    try:
        app = worker_app(place.broker_url, Hands(place, stopping.is_up))
        if list(place.queues) == [BULK]:
            app.conf.update(worker_max_memory_per_child=BULK_KILOBYTES)

        def begin_to_stop(**_: Any) -> None:
            stopping.up()
            threading.Thread(target=_end_by_force, args=(stop,), daemon=True).start()

        signals.worker_shutting_down.connect(begin_to_stop, weak=False)
        deserted = threading.Event()
        threading.Thread(target=_watch, args=(attendant, stopping, deserted), daemon=True).start()
        _serve(app, place, stopping)
        if deserted.is_set():
            raise SystemExit(1)
    finally:
        stop.set()
        stopping.up()
        attendant.join(STOP_SECONDS)
        attendant.kill()


def _attend(place: Place, stopping: Flag, worker: int) -> None:
    """Sweep, seal, send, and take over while the broker is away, until the worker stops or is gone."""
    stop = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all of its group; the worker says when to stop
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    hand, app = Hands(place, lambda: stop.is_set() or stopping.is_up()).here(), celery_app(place.broker_url)
    couriers = Couriers(lambda: hand, place.outlet.kafka_url)
    _every("sweeper", SWEEP_SECONDS, lambda: sweep(hand.database, lambda job_id, queue: send(app, job_id, queue)), stop)
    _every("sealer", SEAL_SECONDS, lambda: place.vault.seal(hand.database), stop)
    _every("take-over", POLL_SECONDS, lambda: _take_over(app, hand), stop)
    _every("couriers", ROUND_SECONDS, couriers.round, stop)
    while not (stopping.is_up() or stop.wait(ATTEND_SECONDS)):
        if os.getppid() != worker:
            break
    stop.set()
    couriers.rest()


def _watch(attendant: BaseProcess, stopping: Flag, deserted: threading.Event) -> None:
    """Without its attendant a worker would do half of its duty, and nobody would see it."""
    attendant.join()
    time.sleep(POLL_SECONDS)  # both may have been told to stop, the attendant first
    if not stopping.is_up():
        _log.error("attendant gone", exitcode=attendant.exitcode)
        deserted.set()
        os.kill(os.getpid(), signal.SIGTERM)


def _serve(app: Celery, place: Place, stopping: Flag) -> None:
    """Celery gives up, and says no more than it would of an orderly end, when a child dies before the first message: begin again."""
    while True:
        worker = app.Worker(
            pool="prefork",
            concurrency=place.concurrency,
            queues=list(place.queues),
            loglevel="WARNING",
            quiet=True,
            without_mingle=True,
            without_gossip=True,
            without_heartbeat=True,
        )
        worker.start()
        if stopping.is_up() or not worker.exitcode:
            return
        _log.error("worker begins again", exitcode=worker.exitcode)
        time.sleep(POLL_SECONDS)


def _end_by_force(ended: threading.Event) -> None:
    """Celery would wait for a job for ever."""
    if ended.wait(STOP_SECONDS):
        return
    for child in active_children():
        os.kill(child.pid, signal.SIGKILL)
    os._exit(0)


def worker_app(broker_url: str, hands: Hands) -> Celery:
    """The Celery application with its one task, which never raises: retries belong to the table."""
    app = celery_app(broker_url)

    def run_job(task: Any, job_id: str) -> None:
        try:
            known = UUID(job_id)
        except (ValueError, TypeError, AttributeError):  # not one of our messages
            return
        hand = hands.here()
        hand.take(known)
        hand.help_out(str(task.request.delivery_info["routing_key"]))

    app.task(name=TASK, bind=True, max_retries=0, ignore_result=True)(run_job)
    return app


def _take_over(app: Celery, hand: Hand) -> None:
    """Without the broker jobs go on, slower."""
    if hand.database.run(jobs.overdue) and not is_answering(app):
        hand.drain()


def _every(name: str, seconds: float, act: Callable[[], None], stop: threading.Event) -> None:
    threading.Thread(target=rounds, args=(name, seconds, act, stop), name=name, daemon=True).start()


def rounds(name: str, seconds: float, act: Callable[[], None], stop: threading.Event) -> None:
    """At once, then again and again; a database that is away, or not migrated yet, is met again in the next round.

    So is whatever else may happen, a full disk for one: rounds that ended without a word would be missed by nobody for weeks.
    """
    while True:
        try:
            act()
        except (ConcordError, DatabaseError) as error:
            _log.warning("round missed", round=name, error=type(error).__name__)
        except Exception as error:  # noqa: BLE001  (said above)
            _log.error("round failed", round=name, error=type(error).__name__)
        if stop.wait(seconds):
            return
