"""Webhooks as administrators see them: where to, of what, how it goes, their secrets and their dead letters. `mdm.sending` sends.

A secret is HMAC-SHA256(MDM_KEY_PEPPER, id and generation): nothing that could sign is in the database. Rotating makes the next generation;
for a day both sign.
"""

import hmac
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from mdm.changes import Interest, Position, here
from mdm.db import Row, execute, fetch
from mdm.errors import Conflict, NotFound, Stale
from mdm.ids import new_id

STATES = ("active", "paused", "disabled")
DEAD_LETTERS_MAX = 200
_OVERLAP: LiteralString = "interval '24 hours'"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewWebhook:
    """Where to send which events. No types: all."""

    url: str
    types: tuple[str, ...]
    domains: tuple[str, ...]
    state: str = "active"


@dataclass(frozen=True, slots=True)
class WebhookView:
    """A webhook and how it goes. `behind`: numbered events after its position, of whatever kind."""

    id: UUID
    consumer: str
    url: str
    types: tuple[str, ...]
    domains: tuple[str, ...]
    state: str
    generation: int
    former_secret_until: datetime | None
    position: str
    behind: int
    failures: int
    failing_since: datetime | None
    next_try_at: datetime
    last_error: str | None
    version: int
    created_at: datetime
    updated_at: datetime

    @property
    def interest(self) -> Interest:
        return Interest(frozenset(self.domains), frozenset(self.types) or None)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that a receiver refused for good, and with which status."""

    event_id: UUID
    position: str
    status: int
    at: datetime


_COLUMNS: LiteralString = (
    "w.id, w.consumer, w.url, w.types, w.domains, w.state, w.generation, w.former_secret_until, w.position, p.epoch, p.last_seq,"
    " w.failures, w.failing_since, w.next_try_at, w.last_error, w.version, w.created_at, w.updated_at"
)


def _view(row: Row) -> WebhookView:
    position, epoch, last = row[8:11]
    return WebhookView(
        row[0],
        row[1],
        row[2],
        tuple(row[3]),
        tuple(row[4]),
        row[5],
        row[6],
        row[7],
        str(Position(epoch, position)),
        last - position,
        *row[11:],
    )


def create(session: Session, consumer: str, new: NewWebhook) -> WebhookView:
    """A webhook that gets what happens from now on; an earlier start is a replay. Raises NotFound for an unknown consumer."""
    rows = fetch(
        session,
        "insert into webhook (id, consumer, url, types, domains, state, position) select %s, c.code, %s, %s, %s, %s, %s"
        " from consumer c where c.code = %s returning id",
        (new_id(), new.url, list(new.types), list(new.domains), new.state, here(session).seq, consumer),
    )
    if not rows:
        raise NotFound("there is no such consumer")
    return get(session, rows[0][0])


def get(session: Session, webhook_id: UUID) -> WebhookView:
    rows = fetch(session, f"select {_COLUMNS} from webhook w, feed_position p where w.id = %s", (webhook_id,))
    if not rows:
        raise NotFound("there is no such webhook")
    return _view(rows[0])


def list_webhooks(session: Session) -> list[WebhookView]:
    return [_view(row) for row in fetch(session, f"select {_COLUMNS} from webhook w, feed_position p order by w.consumer, w.id")]


def change(session: Session, webhook_id: UUID, new: NewWebhook, if_match: int) -> WebhookView:
    """Change it at the version that was read, else Stale. Made active, it is tried at once, and its day of failing begins anew."""
    _lock(session, webhook_id, if_match)
    execute(
        session,
        "update webhook set url = %s, types = %s, domains = %s, state = %s, failures = 0, failing_since = null, next_try_at = now(),"
        " last_error = null, version = version + 1, updated_at = now() where id = %s",
        (new.url, list(new.types), list(new.domains), new.state, webhook_id),
    )
    return get(session, webhook_id)


def rotate(session: Session, webhook_id: UUID, if_match: int) -> WebhookView:
    """The next secret signs from now on, the present one beside it for a day. Raises Conflict while two sign already."""
    _lock(session, webhook_id, if_match)
    turned = fetch(
        session,
        f"update webhook set generation = generation + 1, former_secret_until = now() + {_OVERLAP}, version = version + 1,"
        " updated_at = now() where id = %s and coalesce(former_secret_until <= now(), true) returning id",
        (webhook_id,),
    )
    if not turned:
        raise Conflict("the secret before this one still signs; rotate again when its day is over")
    return get(session, webhook_id)


def replay(session: Session, webhook_id: UUID, since: Position) -> WebhookView:
    """Send everything after this position again, or skip to it."""
    moved = fetch(
        session,
        "update webhook set position = %s, failures = 0, failing_since = null, next_try_at = now(), version = version + 1,"
        " updated_at = now() where id = %s returning id",
        (since.seq, webhook_id),
    )
    if not moved:
        raise NotFound("there is no such webhook")
    return get(session, webhook_id)


def dead_letters(session: Session, webhook_id: UUID) -> list[DeadLetter]:
    """The last 200, newest first."""
    get(session, webhook_id)
    epoch = here(session).epoch
    rows = fetch(
        session,
        "select event_id, seq, status, at from webhook_delivery where webhook_id = %s order by id desc limit %s",
        (webhook_id, DEAD_LETTERS_MAX),
    )
    return [DeadLetter(row[0], str(Position(epoch, row[1] - 1)), row[2], row[3]) for row in rows]


def _lock(session: Session, webhook_id: UUID, if_match: int) -> None:
    rows = fetch(session, "select version from webhook where id = %s for update", (webhook_id,))
    if not rows:
        raise NotFound("there is no such webhook")
    if rows[0][0] != if_match:
        raise Stale(f"this webhook is now at version {rows[0][0]}")


def secret(pepper: bytes, webhook_id: UUID, generation: int) -> bytes:
    return hmac.digest(pepper, f"webhook {webhook_id} {generation}".encode(), sha256)


def shown(secret_bytes: bytes) -> str:
    """A secret as its owner is given it, once, with the mark that Standard Webhooks gives one."""
    return "whsec_" + b64encode(secret_bytes).decode()


def headers(event_id: str, at: int, body: bytes, secrets: Sequence[bytes]) -> dict[str, str]:
    """Standard Webhooks 1.0.0: one signature per secret over id, time in seconds and the exact bytes of the body."""
    signed = f"{event_id}.{at}.".encode() + body
    signatures = [f"v1,{b64encode(hmac.digest(each, signed, sha256)).decode()}" for each in secrets]
    return {"webhook-id": event_id, "webhook-timestamp": str(at), "webhook-signature": " ".join(signatures)}


def secrets_of(pepper: bytes, webhook: WebhookView, now: datetime) -> list[bytes]:
    """The secrets that sign now, the newest first."""
    found = [secret(pepper, webhook.id, webhook.generation)]
    if webhook.former_secret_until is not None and now < webhook.former_secret_until:
        found.append(secret(pepper, webhook.id, webhook.generation - 1))
    return found
