"""Sends every event to a Kafka topic, where MDM_KAFKA_URL names one: key golden id, value CloudEvent, at least once, in order per key.

A sink with a position of its own, as a webhook is; the broker is trusted to be reachable some day, so it is tried for ever.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, LiteralString
from urllib.parse import unquote, urlsplit

import structlog
from sqlalchemy.orm import Session

from mdm.changes import FeedEvent, Interest, Page, Position, here, read
from mdm.db import execute, fetch
from mdm.entities import ENTITY_TYPES
from mdm.errors import ServiceError
from mdm.event_types import MAPPINGS
from mdm.jsonio import dumps
from mdm.running import Run
from mdm.sending import CONTENT_TYPE, TURN_SECONDS

if TYPE_CHECKING:  # the extra `kafka`: needed only where the setting is
    from confluent_kafka import Producer

SEND_KAFKA = "send_kafka"
PAGE = 1_000
FLUSH_SECONDS = 10.0
_log = structlog.get_logger("concord.kafka")
_producers: dict[tuple[int, str], "Producer"] = {}  # by process: librdkafka does not survive a fork


@dataclass(frozen=True, slots=True)
class Broker:
    """MDM_KAFKA_URL, read: kafka://host:port,host:port/topic, or kafka+ssl://user:password@host:port/topic."""

    topic: str
    config: Mapping[str, str | bool] = field(repr=False)


def broker(url: str) -> Broker:
    parts = urlsplit(url)
    credentials, _, hosts = parts.netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    config: dict[str, str | bool] = {"bootstrap.servers": hosts, "enable.idempotence": True, "linger.ms": "5", "message.timeout.ms": "8000"}
    if parts.scheme == "kafka+ssl":
        config["security.protocol"] = "SASL_SSL" if user else "SSL"
    elif user:
        config["security.protocol"] = "SASL_PLAINTEXT"
    if user:
        config |= {"sasl.mechanism": "PLAIN", "sasl.username": unquote(user), "sasl.password": unquote(password)}
    return Broker(parts.path.strip("/"), config)


def send_kafka(run: Run, url: str) -> None:
    """Send what the topic has not got yet, until nothing waits, something fails, or the turn is over."""
    to, ending = broker(url), time.monotonic() + TURN_SECONDS
    while time.monotonic() < ending:
        page = run.effect(lambda session: _next(session, to.topic))
        if page is None:
            return
        position, trouble = _produce(url, to, page)
        run.effect(partial(_settle, topic=to.topic, position=position, trouble=trouble))
        if trouble is not None:
            return


def _next(session: Session, topic: str) -> Page | None:
    due = fetch(session, "select position from sink where name = %s and next_try_at <= now()", (topic,))
    if not due:
        return None
    start = Position(here(session).epoch, due[0][0])
    page = read(session, Interest(frozenset({*ENTITY_TYPES, MAPPINGS})), start, PAGE)
    return page if page.next != start else None


def _produce(url: str, to: Broker, page: Page) -> tuple[int, str | None]:
    """The number up to which everything has arrived, and what went wrong with the next."""
    if not page.events:
        return page.next.seq, None
    failed: dict[int, str] = {}
    producer = _producer(url, to)

    def reported(event: FeedEvent) -> Callable[[Any, Any], None]:
        def report(error: Any, _message: Any) -> None:
            if error is not None:
                failed[event.seq] = str(error.name())

        return report

    for event in page.events:
        producer.produce(
            to.topic,
            key=str(event.golden_id).encode(),
            value=dumps(event.cloud_event),
            headers=[("content-type", CONTENT_TYPE.encode())],
            on_delivery=reported(event),
        )
    left = producer.flush(FLUSH_SECONDS)
    return _arrived(url, page.events, failed, left, page.next.seq)


def _arrived(url: str, events: Sequence[FeedEvent], failed: Mapping[int, str], left: int, end: int) -> tuple[int, str | None]:
    if not failed and not left:
        return end, None
    # A producer that failed may have lost its order: the next turn begins with a new one.
    gone = _producers.pop((os.getpid(), url), None)
    if gone is not None:
        gone.purge()
    if left:  # unknown which: all of them again
        return events[0].seq - 1, "timed out"
    first = min(failed)
    return first - 1, failed[first]


def _producer(url: str, to: Broker) -> "Producer":
    try:
        from confluent_kafka import Producer  # noqa: PLC0415  (the extra `kafka`)
    except ImportError:
        raise ServiceError("MDM_KAFKA_URL needs the extra `kafka`: pip install concord[kafka]") from None
    place = os.getpid(), url
    if place not in _producers:
        _producers[place] = Producer(dict(to.config), logger=_Quiet())
    return _producers[place]


class _Quiet:
    """librdkafka's own lines name hosts and repeat for ever: ours say what failed, once per try."""

    def log(self, *_: object) -> None:
        pass


# 1 s, doubled up to five minutes, plus up to a quarter.
_FAILED: LiteralString = (
    "update sink set position = %(position)s, failures = failures + 1, failing_since = coalesce(failing_since, now()),"
    " last_error = %(trouble)s, next_try_at = now() + least(2 ^ least(failures, 20), 300) * (1 + random() / 4) * interval '1 s'"
    " where name = %(name)s"
)
_WELL: LiteralString = (
    "update sink set position = %(position)s, failures = 0, failing_since = null, last_error = null where name = %(name)s"
)


def _settle(session: Session, topic: str, position: int, trouble: str | None) -> None:
    if trouble is not None:
        _log.warning("kafka", topic=topic, error=trouble)
    execute(session, _WELL if trouble is None else _FAILED, {"name": topic, "position": position, "trouble": trouble})


def register(session: Session, url: str) -> None:
    """The sink's row, made with its first round: a topic gets everything from the beginning."""
    execute(session, "insert into sink (name) values (%s) on conflict do nothing", (broker(url).topic,))
