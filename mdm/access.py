"""Who acts: clients with keys, and people, whose signing in is `mdm/authentication.py`.

A key is shown once; the database holds SHA-256(pepper + key), whose 178 random bits need no slow hash. Its checksum refuses garbage without
a query. A revoked key, a changed scope, a disabled principal stop working within a second, caches included.
"""

import secrets
import string
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from hmac import compare_digest
from uuid import UUID
from zlib import crc32

from sqlalchemy.orm import Session

from mdm.db import Database, Row, execute, fetch
from mdm.errors import Conflict, FieldProblem, Invalid, NotFound
from mdm.ids import new_id

KEY_DAYS = 365
ACTIVE_KEYS_MAX = 2  # the old and the new one, while a client changes over
_FRESH_SECONDS = 0.9
_CACHED_MAX = 10_000
_RANDOM_CHARACTERS = 30
_CHECK_CHARACTERS = 6
_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_PREFIXES = ("mdm_live_", "mdm_demo_")


class Role(StrEnum):
    """What kind of work a principal does; `mdm/policy.py` says which verbs that takes."""

    INTEGRATION = "integration"
    STEWARD = "steward"
    LOADER = "loader"
    AUDITOR = "auditor"
    ADMIN = "admin"


class Verb(StrEnum):
    """What can be done to a domain or to Concord itself."""

    LOOKUP = "lookup"
    READ = "read"
    UNMASK = "unmask"
    SEARCH = "search"
    MATCH = "match"
    SUBMIT = "submit"
    DECIDE = "decide"
    APPROVE = "approve"
    LOAD = "load"
    EXPORT = "export"
    MODEL = "model"
    CONFIGURE = "configure"
    KEYS = "keys"
    AUDIT = "audit"


PHI = "phi"  # the grant that opens patient data to a client or an admin
HOLD = "hold"  # the grant with which a flow may park a question and wait for a steward
GRANTS = (PHI, Verb.UNMASK.value, HOLD)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who is acting, with the scope they act in. None: every domain, every system."""

    id: UUID
    name: str
    role: Role
    domains: frozenset[str] | None = None
    systems: frozenset[str] | None = None
    grants: frozenset[str] = frozenset()


# Command line, seed and workers: whoever reaches these already holds the database.
SYSTEM_ACTOR = Actor(UUID(int=0), "system", Role.ADMIN, grants=frozenset({PHI, HOLD, *(verb.value for verb in Verb)}))


@dataclass(frozen=True, slots=True)
class NewPrincipal:
    """A client or a person to be made."""

    name: str
    role: Role
    domains: frozenset[str] | None = None
    systems: frozenset[str] | None = None
    grants: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class KeyView:
    """A key as an administrator sees it: everything but the key."""

    id: UUID
    principal_id: UUID
    name: str
    role: str
    domains: tuple[str, ...] | None
    systems: tuple[str, ...] | None
    grants: tuple[str, ...]
    created_at: datetime
    created_by: str
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None
    waiting: bool


class Keyring:
    """Answers who holds a key, remembering the answer for less than a second. One per process; safe among threads."""

    def __init__(self, database: Database, pepper: bytes) -> None:
        self._database = database
        self._pepper = pepper
        self._known: dict[bytes, tuple[float, Actor]] = {}

    def authenticate(self, token: str) -> Actor | None:
        """The actor behind a key, None for every kind of bad key. Raises Unavailable when the database is gone."""
        if not is_well_formed(token):
            return None
        digest = _digest(self._pepper, token)
        known = self._known.get(digest)
        if known is not None and time.monotonic() - known[0] < _FRESH_SECONDS:
            return known[1]
        actor = self._database.run(lambda session: _holder(session, digest))
        self._remember(digest, actor)
        return actor

    def _remember(self, digest: bytes, actor: Actor | None) -> None:
        if len(self._known) >= _CACHED_MAX:
            self._known.clear()
        if actor is None:
            self._known.pop(digest, None)
        else:
            self._known[digest] = (time.monotonic(), actor)


def new_token(*, demo: bool = False) -> str:
    """A key: prefix, 30 random base62 characters, 6 of checksum."""
    body = _PREFIXES[demo] + "".join(secrets.choice(_BASE62) for _ in range(_RANDOM_CHARACTERS))
    return body + _checksum(body)


def is_well_formed(token: str) -> bool:
    """Whether prefix, length and checksum are right, which no garbage and no typing error passes."""
    body, check = token[:-_CHECK_CHARACTERS], token[-_CHECK_CHARACTERS:]
    random = body[len(_PREFIXES[0]) :]
    if not token.startswith(_PREFIXES) or len(random) != _RANDOM_CHARACTERS or not token.isascii():
        return False
    return compare_digest(check.encode(), _checksum(body).encode())


def _checksum(body: str) -> str:
    number = crc32(body.encode())
    return "".join(_BASE62[number // 62**place % 62] for place in reversed(range(_CHECK_CHARACTERS)))


def _digest(pepper: bytes, token: str) -> bytes:
    return sha256(pepper + token.encode()).digest()


def _holder(session: Session, digest: bytes) -> Actor | None:
    rows = fetch(
        session,
        "select p.id, p.name, p.role, p.domains, p.systems, p.grants, k.id,"
        " k.last_used_at is null or k.last_used_at < now() - interval '1 minute'"
        " from api_key k join principal p on p.id = k.principal_id"
        " where k.hash = %s and not k.waiting and k.revoked_at is null and k.expires_at > now() and not p.disabled",
        (digest,),
    )
    if not rows:
        return None
    if rows[0][7]:
        execute(session, "update api_key set last_used_at = now() where id = %s", (rows[0][6],))
    return actor_of(rows[0])


def actor_of(row: Row) -> Actor:
    return Actor(row[0], row[1], Role(row[2]), _scope(row[3]), _scope(row[4]), frozenset(row[5]))


def _scope(names: Iterable[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(names)


def create_client(
    session: Session, pepper: bytes, client: NewPrincipal, *, created_by: str, demo: bool = False, waiting: bool = False
) -> tuple[UUID, str]:
    """A key for a client, who is made with the first one: its id and its text, shown this once. `waiting`: it does not work yet.

    Raises Conflict for a third active key, and for a name that belongs to another role or scope.
    """
    check_grants(client)
    principal_id = _same_client(session, client) or insert_principal(session, client, "client", None)
    active = fetch(session, "select id from api_key where principal_id = %s and revoked_at is null and expires_at > now()", (principal_id,))
    if len(active) >= ACTIVE_KEYS_MAX:
        raise Conflict(f"a client has at most {ACTIVE_KEYS_MAX} active keys; revoke one first")
    token, key_id = new_token(demo=demo), new_id()
    execute(
        session,
        "insert into api_key (id, principal_id, hash, created_by, waiting, expires_at) values (%s, %s, %s, %s, %s,"
        " now() + make_interval(days => %s))",
        (key_id, principal_id, _digest(pepper, token), created_by, waiting, KEY_DAYS),
    )
    return key_id, token


def _same_client(session: Session, client: NewPrincipal) -> UUID | None:
    rows = fetch(session, "select id, name, role, domains, systems, grants, kind from principal where name = %s for update", (client.name,))
    if not rows:
        return None
    known = actor_of(rows[0])
    if rows[0][6] != "client" or NewPrincipal(known.name, known.role, known.domains, known.systems, known.grants) != client:
        raise Conflict("this name belongs to a principal of another role or scope")
    return known.id


def check_grants(who: NewPrincipal) -> None:
    if not who.grants <= set(GRANTS):
        raise Invalid(problems=(FieldProblem("unknown_choice", "/grants", f"grants are {', '.join(GRANTS)}"),))


def insert_principal(session: Session, who: NewPrincipal, kind: str, password_hash: str | None) -> UUID:
    principal_id = new_id()
    made = execute(
        session,
        "insert into principal (id, name, role, kind, domains, systems, grants, password_hash) values (%s, %s, %s, %s, %s, %s, %s, %s)"
        " on conflict (name) do nothing",
        (principal_id, who.name, who.role.value, kind, _listed(who.domains), _listed(who.systems), sorted(who.grants), password_hash),
    )
    if made == 0:
        raise Conflict("this name is taken")
    return principal_id


def _listed(scope: frozenset[str] | None) -> list[str] | None:
    return None if scope is None else sorted(scope)


def revoke_key(session: Session, key_id: UUID) -> None:
    """The key stops working within a second. Revoking twice changes nothing; raises NotFound for a key that never was."""
    if not execute(session, "update api_key set revoked_at = coalesce(revoked_at, now()) where id = %s", (key_id,)):
        raise NotFound("there is no such key")


def let_key_work(session: Session, key_id: UUID) -> None:
    """A key that waited works from now on. Raises Conflict for one that was revoked meanwhile."""
    if not execute(session, "update api_key set waiting = false where id = %s and revoked_at is null", (key_id,)):
        raise Conflict("this key has been revoked")


def list_keys(session: Session) -> Sequence[KeyView]:
    """All keys, revoked ones included, newest first."""
    rows = fetch(
        session,
        "select k.id, p.id, p.name, p.role, p.domains, p.systems, p.grants,"
        " k.created_at, k.created_by, k.expires_at, k.revoked_at, k.last_used_at, k.waiting"
        " from api_key k join principal p on p.id = k.principal_id order by k.created_at desc, k.id",
    )
    return [_key_view(row) for row in rows]


def _key_view(row: Row) -> KeyView:
    key_id, principal_id, name, role, domains, systems, grants, *times = row
    return KeyView(key_id, principal_id, name, role, _named(domains), _named(systems), tuple(grants), *times)


def _named(names: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(names)


def person(session: Session, principal_id: UUID) -> Actor | None:
    """The person as they are now, None once disabled."""
    rows = fetch(
        session,
        "select id, name, role, domains, systems, grants from principal where id = %s and kind = 'person' and not disabled",
        (principal_id,),
    )
    return actor_of(rows[0]) if rows else None


def named(session: Session, name: str) -> Actor | None:
    """The person or client of this name as they are now, None once disabled."""
    rows = fetch(session, "select id, name, role, domains, systems, grants from principal where name = %s and not disabled", (name,))
    return actor_of(rows[0]) if rows else None
