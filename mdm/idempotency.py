"""The same request sent twice is done once: its answer is kept with its effect, and given again.

A key belongs to a client. Key, effect and answer are committed together, so that whoever never heard the answer may ask again and again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from sqlalchemy.orm import Session

from mdm.db import execute, fetch
from mdm.errors import InProgress, Invalid
from mdm.jsonio import dumps

KEPT_HOURS = 24
KEY_MAX = 255


@dataclass(frozen=True, slots=True)
class Asked:
    """A request under a key: who asks, the key, and what tells this request from another."""

    client: UUID
    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Told:
    """An answer as it was given."""

    status: int
    headers: Mapping[str, str]
    body: str


def asked(client: UUID, key: str, route: str, body: bytes) -> Asked:
    """Raises Invalid for what is no key."""
    if not (0 < len(key) <= KEY_MAX and key.isascii() and key.isprintable()):
        raise Invalid.at("bad_idempotency_key", "/Idempotency-Key", f"1 to {KEY_MAX} printable ASCII characters")
    return Asked(client, key, sha256(route.encode() + b"\0" + body).hexdigest())


def told_before(session: Session, request: Asked) -> Told | None:
    """What was answered under the key, if anything was; else the key is the caller's until the end of the transaction.

    Raises InProgress while another request has it, Invalid when it was another request's.
    """
    mine = fetch(session, "select pg_try_advisory_xact_lock(hashtextextended(%s, 0))", (f"{request.client} {request.key}",))
    if not mine[0][0]:
        raise InProgress
    rows = fetch(
        session,
        "select fingerprint, status, headers, body from idempotency where client = %s and key = %s"
        " and created_at > now() - %s * interval '1 hour'",
        (request.client, request.key, KEPT_HOURS),
    )
    if not rows:
        return None
    if rows[0][0] != request.fingerprint:
        raise Invalid.at("idempotency_key_reused", "/Idempotency-Key", "this key came with another request before; choose a new one")
    return Told(*rows[0][1:])


def keep(session: Session, request: Asked, told: Told) -> None:
    """Write the answer beside what was done."""
    execute(
        session,
        "insert into idempotency (client, key, fingerprint, status, headers, body) values (%s, %s, %s, %s, %s::jsonb, %s)"
        " on conflict (client, key) do update set fingerprint = excluded.fingerprint, status = excluded.status,"
        " headers = excluded.headers, body = excluded.body, created_at = now()",
        (request.client, request.key, request.fingerprint, told.status, dumps(dict(told.headers)).decode(), told.body),
    )
