"""Sends events to one webhook, in order: one job per endpoint at a time, so that nobody waits for another's receiver.

What a status means: 2xx delivered; 400, 413, 422 this event is refused for good, it becomes a dead letter and the next one follows; 410 the
receiver wants no more, the webhook is disabled; everything else, redirects included, is tried again with the same id, later and later, and
nothing overtakes it. After a day of failing the webhook is paused with its backlog kept. At least once: the position follows the effect.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import partial
from typing import LiteralString, Self
from uuid import UUID

from sqlalchemy.orm import Session

from mdm.changes import FeedEvent, Page, Position, here, read
from mdm.db import execute, fetch
from mdm.errors import Invalid
from mdm.ids import new_id
from mdm.jsonio import dumps
from mdm.outbound import Guard, Line, Unreachable, guard_of, target
from mdm.running import Run
from mdm.settings import Settings
from mdm.webhooks import WebhookView, get, headers, secrets_of

SEND_WEBHOOK = "send_webhook"  # payload {webhook}
PAGE = 100
TURN_SECONDS = 30.0  # then whoever else waits for a courier comes first
WAIT_SECONDS, WAIT_SECONDS_MAX = 5.0, 3600.0  # until a failed endpoint is tried again: at first, at last
CONTENT_TYPE = "application/cloudevents+json"
_REFUSED = frozenset({400, 413, 422})
_GONE = 410


@dataclass(frozen=True, slots=True)
class Outlet:
    """What sending needs of the settings."""

    pepper: bytes
    guard: Guard
    kafka_url: str | None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(settings.key_pepper(), guard_of(settings), settings.kafka_url)


class Verdict(Enum):
    """What an answer says about an event."""

    DELIVERED = "delivered"
    REFUSED = "refused"
    GONE = "gone"
    LATER = "later"


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a page: the number up to which all is settled, dead letters, and what went wrong."""

    position: int
    refused: Sequence[tuple[FeedEvent, int]] = ()
    trouble: str | None = None
    is_gone: bool = False


def send_webhook(run: Run, outlet: Outlet) -> None:
    """Send what waits for the endpoint until nothing does, something fails, or its turn is over."""
    webhook_id, ending = UUID(run.mine.payload["webhook"]), time.monotonic() + TURN_SECONDS
    while time.monotonic() < ending:
        found = run.effect(lambda session: _next(session, webhook_id))
        if found is None:
            return
        webhook, page = found
        sent = _send(run, outlet, webhook, page)
        run.effect(partial(settle, webhook=webhook, sent=sent))
        if sent.trouble is not None or sent.is_gone:
            return


def _next(session: Session, webhook_id: UUID) -> tuple[WebhookView, Page] | None:
    """What to send now; None when the webhook is not to be sent to, or has everything."""
    due = fetch(session, "select position from webhook where id = %s and state = 'active' and next_try_at <= now()", (webhook_id,))
    if not due:
        return None
    webhook, start = get(session, webhook_id), Position(here(session).epoch, due[0][0])
    page = read(session, webhook.interest, start, PAGE)
    return (webhook, page) if page.next != start else None


def _send(run: Run, outlet: Outlet, webhook: WebhookView, page: Page) -> Sent:
    if not page.events:
        return Sent(page.next.seq)
    try:
        with Line(target(webhook.url, outlet.guard)) as line:
            return _send_all(run, outlet, webhook, page, line)
    except Unreachable as error:
        return Sent(page.events[0].seq - 1, trouble=str(error))
    except Invalid:  # what the name resolves to is no public address any more
        return Sent(page.events[0].seq - 1, trouble="the address is not allowed")


def _send_all(run: Run, outlet: Outlet, webhook: WebhookView, page: Page, line: Line) -> Sent:
    refused: list[tuple[FeedEvent, int]] = []
    for event in page.events:
        if run.is_stopping():
            return Sent(event.seq - 1, refused)
        try:
            status = _post(outlet, webhook, line, str(event.event_id), event.cloud_event)
        except Unreachable as error:
            return Sent(event.seq - 1, refused, str(error))
        match judge(status):
            case Verdict.REFUSED:
                refused.append((event, status))
            case Verdict.GONE:
                return Sent(event.seq - 1, refused, is_gone=True)
            case Verdict.LATER:
                return Sent(event.seq - 1, refused, f"HTTP {status}")
            case Verdict.DELIVERED:
                pass
    return Sent(page.next.seq, refused)


def judge(status: int) -> Verdict:
    if 200 <= status < 300:
        return Verdict.DELIVERED
    if status in _REFUSED:
        return Verdict.REFUSED
    return Verdict.GONE if status == _GONE else Verdict.LATER


def _post(outlet: Outlet, webhook: WebhookView, line: Line, event_id: str, cloud_event: object) -> int:
    body, now = dumps(cloud_event), datetime.now(UTC)
    signed = headers(event_id, int(now.timestamp()), body, secrets_of(outlet.pepper, webhook, now))
    return line.post(body, {**signed, "content-type": CONTENT_TYPE, "user-agent": "Concord"})


# Not where somebody changed, rotated or replayed it meanwhile: then what was sent will be sent again from where they said.
_MINE: LiteralString = " where id = %(id)s and version = %(version)s"
_WELL: LiteralString = "update webhook set position = %(position)s, failures = 0, failing_since = null, last_error = null" + _MINE
# The first wait, doubled up to the longest, plus up to a quarter; what was delivered in this turn begins the day of failing anew.
_FAILED: LiteralString = (
    "update webhook set failures = case when position < %(position)s then 1 else failures + 1 end,"
    " failing_since = case when position < %(position)s then now() else coalesce(failing_since, now()) end,"
    " next_try_at = now() + least(%(wait)s * 2 ^ least(case when position < %(position)s then 0 else failures end, 20), %(longest)s)"
    " * (1 + random() / 4) * interval '1 s',"
    " state = case when position = %(position)s and failing_since < now() - interval '24 hours' then 'paused' else state end,"
    " position = %(position)s, last_error = %(trouble)s" + _MINE
)
_ENDED: LiteralString = "update webhook set position = %(position)s, state = 'disabled', last_error = 'HTTP 410'" + _MINE


def settle(session: Session, webhook: WebhookView, sent: Sent) -> None:
    """Write down how far it is, and when to try again."""
    statement = _ENDED if sent.is_gone else _WELL if sent.trouble is None else _FAILED
    params = {"id": webhook.id, "version": webhook.version, "position": sent.position, "trouble": sent.trouble}
    params |= {"wait": WAIT_SECONDS, "longest": WAIT_SECONDS_MAX}
    if execute(session, statement, params) and sent.refused:
        dead = [(event.event_id, event.seq, status) for event, status in sent.refused]
        execute(
            session,
            "insert into webhook_delivery (webhook_id, event_id, seq, status)"
            " select %s, * from unnest(%s::uuid[], %s::bigint[], %s::int[])"
            " on conflict (webhook_id, event_id) do update set status = excluded.status, at = clock_timestamp()",
            (webhook.id, *map(list, zip(*dead, strict=True))),
        )


def ping(outlet: Outlet, webhook: WebhookView) -> tuple[int | None, str | None]:
    """Send an event of type mdm.ping now; the status, or why there is none. Raises Invalid for an address that is not allowed."""
    event_id, now = str(new_id()), datetime.now(UTC)
    cloud_event = {
        "specversion": "1.0",
        "id": event_id,
        "source": "urn:concord",
        "type": "mdm.ping",
        "subject": str(webhook.id),
        "time": now.isoformat(),
        "datacontenttype": "application/json",
        "data": {},
    }
    try:
        with Line(target(webhook.url, outlet.guard)) as line:
            return _post(outlet, webhook, line, event_id, cloud_event), None
    except Unreachable as error:
        return None, str(error)
