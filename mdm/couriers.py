"""What a worker does four times a second: number events, and send them on, each endpoint by a thread of its own.

A thread, not one of the worker's hands: a receiver that hangs must keep neither jobs nor other receivers waiting. What is sent is a job all
the same, so that one worker at a time sends to an endpoint, and what a dead worker left is taken up by another.
"""

import queue
import threading
import time
from collections.abc import Callable
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from mdm import jobs
from mdm.db import Database, fetch
from mdm.kafka import SEND_KAFKA, broker, register
from mdm.running import Hand
from mdm.sending import SEND_WEBHOOK
from mdm.sequencer import ROUND_MAX, number_events

ROUND_SECONDS = 0.25
COURIERS = 8
REST_SECONDS = 11.0  # an answer takes ten at most
_log = structlog.get_logger("concord.worker")


class Couriers:
    """The threads of one worker process, and who is being sent to."""

    def __init__(self, hand: Callable[[], Hand], kafka_url: str | None) -> None:
        self._hand = hand
        self._kafka_url = kafka_url
        self._waiting: queue.SimpleQueue[UUID] = queue.SimpleQueue()
        self._under_way: set[UUID] = set()
        self._threads: list[threading.Thread] = []

    def round(self) -> None:
        """Number what was committed, and begin to send it."""
        self._start()
        for job_id in prepare(self._hand().database, self._kafka_url):
            if job_id not in self._under_way:
                self._under_way.add(job_id)
                self._waiting.put(job_id)

    def rest(self) -> None:
        """Wait for what is on its way; the handlers see for themselves that we are stopping."""
        deadline = time.monotonic() + REST_SECONDS
        while self._under_way and time.monotonic() < deadline:
            time.sleep(0.05)

    def _start(self) -> None:
        if not self._threads:
            self._threads = [threading.Thread(target=self._carry, name="courier", daemon=True) for _ in range(COURIERS)]
            for thread in self._threads:
                thread.start()

    def _carry(self) -> None:
        while True:
            job_id = self._waiting.get()
            try:
                self._hand().take(job_id)
            except Exception as error:  # noqa: BLE001  (a thread that ended would take its endpoints with it; the next round tries again)
                _log.error("courier stumbled", job=str(job_id), error=type(error).__name__)
            finally:
                self._under_way.discard(job_id)


def prepare(database: Database, kafka_url: str | None) -> list[UUID]:
    """Number everything that is committed; the jobs that send it on."""
    while database.run(number_events) == ROUND_MAX:
        pass
    return database.run(lambda session: _jobs(session, kafka_url))


def _jobs(session: Session, kafka_url: str | None) -> list[UUID]:
    due = fetch(
        session,
        "select w.id from webhook w, feed_position p where w.state = 'active' and w.position < p.last_seq and w.next_try_at <= now()"
        " order by w.failures, w.next_try_at",
    )
    found = [jobs.enqueue(session, SEND_WEBHOOK, {"webhook": str(row[0])}, dedupe_key=f"webhook {row[0]}", queue="feed") for row in due]
    if kafka_url is not None and _kafka_is_due(session, kafka_url):
        found.append(jobs.enqueue(session, SEND_KAFKA, {}, dedupe_key=SEND_KAFKA, queue="feed"))
    return found


def _kafka_is_due(session: Session, url: str) -> bool:
    topic = broker(url).topic
    rows = fetch(
        session, "select s.position < p.last_seq and s.next_try_at <= now() from sink s, feed_position p where s.name = %s", (topic,)
    )
    if not rows:
        register(session, url)
    return bool(rows and rows[0][0])
