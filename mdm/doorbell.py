"""Rings for jobs after their transaction committed, from a thread of its own: no request ever waits for a broker.

A bell that is lost costs seconds, never the job: the sweeper rings again, and without any broker workers look into the table.
"""

import queue
import threading
from collections.abc import Mapping
from uuid import UUID

from celery import Celery
from kombu.exceptions import OperationalError
from sqlalchemy import event
from sqlalchemy.orm import Session

from mdm.jobs import BULK, RUNG

TASK = "concord.run_job"
WAITING_MAX = 1_000


def celery_app(broker_url: str) -> Celery:
    """Celery as a doorbell: messages carry a job id and nothing else, and are acknowledged before the work."""
    app = Celery("concord", broker=broker_url, set_as_current=False)
    app.conf.update(_SETTINGS, broker_transport_options=_transport_options(broker_url))
    if broker_url.startswith("amqp"):
        app.conf.update(task_default_queue_type="quorum", task_create_missing_queue_type="quorum")
    return app


# Bulk work may take six hours, any other a quarter of one: the bell says so, whatever else its worker serves.
_BULK_LIMITS: Mapping[str, int] = {"soft_time_limit": 21_540, "time_limit": 21_600}
_SETTINGS: dict[str, object] = {
    "task_acks_late": False,
    "task_reject_on_worker_lost": False,
    "task_ignore_result": True,
    "task_default_queue": "interactive",
    "accept_content": ["json"],
    "worker_prefetch_multiplier": 1,
    "task_soft_time_limit": 840,
    "task_time_limit": 900,
    "worker_max_tasks_per_child": 200,
    "worker_max_memory_per_child": 1_500_000,
    "worker_soft_shutdown_timeout": 25,
    "worker_hijack_root_logger": False,
    "worker_redirect_stdouts": False,
    "worker_send_task_events": False,
    "worker_enable_remote_control": False,
    "broker_connection_timeout": 2,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "broker_pool_acquire_timeout": 0.5,
    "task_publish_retry_policy": {"max_retries": 1, "interval_max": 0.2},
}


def _transport_options(broker_url: str) -> dict[str, object]:
    if broker_url.startswith("amqp"):
        return {"confirm_publish": True}
    return {"visibility_timeout": 1800, "socket_timeout": 10, "socket_connect_timeout": 2, "socket_keepalive": True}


def is_answering(app: Celery) -> bool:
    """Whether the broker can be reached, within about two seconds."""
    try:
        with app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0, timeout=2)
    except (OperationalError, OSError):
        return False
    return True


class Doorbell:
    """A bounded queue and the thread that empties it; one per process."""

    def __init__(self, broker_url: str) -> None:
        self._app = celery_app(broker_url)
        self._waiting: queue.Queue[tuple[UUID, str]] = queue.Queue(WAITING_MAX)
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def listen(self) -> None:
        """From now on ring for whatever any session of this process commits."""
        event.listen(Session, "after_commit", self._committed)

    def ring(self, job_id: UUID, to: str) -> None:
        """Returns at once. Dropped when a thousand wait already: then the broker is away, and the sweeper does it."""
        self._start()
        try:
            self._waiting.put_nowait((job_id, to))
        except queue.Full:
            return

    def _committed(self, session: Session) -> None:
        if session.in_nested_transaction():  # only a savepoint: the jobs are not there yet
            return
        for job_id, to in session.info.pop(RUNG, ()):
            self.ring(job_id, to)

    def _start(self) -> None:
        """With the first bell, hence after the web server has forked."""
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="doorbell", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            job_id, to = self._waiting.get()
            send(self._app, job_id, to)


def send(app: Celery, job_id: UUID, to: str) -> bool:
    """Ring once; False when the broker is away."""
    try:
        app.send_task(TASK, args=[str(job_id)], queue=to, **(_BULK_LIMITS if to == BULK else {}))
    except (OperationalError, OSError):
        return False
    return True
