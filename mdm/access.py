"""Who acts: clients with keys, people with passwords.

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
from functools import cache
from hashlib import sha256
from hmac import compare_digest
from uuid import UUID
from zlib import crc32

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy.orm import Session

from mdm.db import Database, Row, execute, fetch
from mdm.errors import Conflict, FieldProblem, Invalid, NotFound
from mdm.ids import new_id

KEY_DAYS = 365
ACTIVE_KEYS_MAX = 2  # the old and the new one, while a client changes over
PASSWORD_CHARACTERS = range(15, 129)
_FRESH_SECONDS = 0.9
_CACHED_MAX = 10_000
_FAILED_LOGINS_MAX = 10
_STEP_SECONDS = 30  # how long a code of a second factor holds
_RANDOM_CHARACTERS = 30
_CHECK_CHARACTERS = 6
_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_PREFIXES = ("mdm_live_", "mdm_demo_")
_HASHER = PasswordHasher()


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
        " where k.hash = %s and k.revoked_at is null and k.expires_at > now() and not p.disabled",
        (digest,),
    )
    if not rows:
        return None
    if rows[0][7]:
        execute(session, "update api_key set last_used_at = now() where id = %s", (rows[0][6],))
    return _actor(rows[0])


def _actor(row: Row) -> Actor:
    return Actor(row[0], row[1], Role(row[2]), _scope(row[3]), _scope(row[4]), frozenset(row[5]))


def _scope(names: Iterable[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(names)


def create_client(session: Session, pepper: bytes, client: NewPrincipal, *, created_by: str, demo: bool = False) -> tuple[UUID, str]:
    """A key for a client, who is made with the first one: its id and its text, shown this once.

    Raises Conflict for a third active key, and for a name that belongs to another role or scope.
    """
    _check_grants(client)
    principal_id = _same_client(session, client) or _insert_principal(session, client, "client", None)
    active = fetch(session, "select id from api_key where principal_id = %s and revoked_at is null and expires_at > now()", (principal_id,))
    if len(active) >= ACTIVE_KEYS_MAX:
        raise Conflict(f"a client has at most {ACTIVE_KEYS_MAX} active keys; revoke one first")
    token, key_id = new_token(demo=demo), new_id()
    execute(
        session,
        "insert into api_key (id, principal_id, hash, created_by, expires_at) values (%s, %s, %s, %s, now() + make_interval(days => %s))",
        (key_id, principal_id, _digest(pepper, token), created_by, KEY_DAYS),
    )
    return key_id, token


def _same_client(session: Session, client: NewPrincipal) -> UUID | None:
    rows = fetch(session, "select id, name, role, domains, systems, grants, kind from principal where name = %s for update", (client.name,))
    if not rows:
        return None
    known = _actor(rows[0])
    if rows[0][6] != "client" or NewPrincipal(known.name, known.role, known.domains, known.systems, known.grants) != client:
        raise Conflict("this name belongs to a principal of another role or scope")
    return known.id


def _check_grants(who: NewPrincipal) -> None:
    if not who.grants <= set(GRANTS):
        raise Invalid(problems=(FieldProblem("unknown_choice", "/grants", f"grants are {', '.join(GRANTS)}"),))


def _insert_principal(session: Session, who: NewPrincipal, kind: str, password_hash: str | None) -> UUID:
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


def list_keys(session: Session) -> Sequence[KeyView]:
    """All keys, revoked ones included, newest first."""
    rows = fetch(
        session,
        "select k.id, p.id, p.name, p.role, p.domains, p.systems, p.grants,"
        " k.created_at, k.created_by, k.expires_at, k.revoked_at, k.last_used_at"
        " from api_key k join principal p on p.id = k.principal_id order by k.created_at desc, k.id",
    )
    return [_key_view(row) for row in rows]


def _key_view(row: Row) -> KeyView:
    key_id, principal_id, name, role, domains, systems, grants, *times = row
    return KeyView(key_id, principal_id, name, role, _named(domains), _named(systems), tuple(grants), *times)


def _named(names: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(names)


def create_person(session: Session, person: NewPrincipal, password: str) -> UUID:
    """Somebody who signs in; the password has 15 to 128 characters (NIST SP 800-63B-4), any of them."""
    _check_grants(person)
    if len(password) not in PASSWORD_CHARACTERS:
        wanted = f"{PASSWORD_CHARACTERS.start} to {PASSWORD_CHARACTERS.stop - 1} characters"
        raise Invalid(problems=(FieldProblem("bad_password", "/password", wanted),))
    return _insert_principal(session, person, "person", _HASHER.hash(password))


def sign_in(session: Session, name: str, password: str, code: str = "") -> Actor | None:
    """The person, if password and second factor are right and the account neither locked nor disabled.

    The caller commits a failure too: it is counted.
    """
    rows = fetch(
        session,
        "select id, name, role, domains, systems, grants, password_hash, disabled or coalesce(locked_until > now(), false),"
        " totp_secret, totp_step"
        " from principal where name = %s and kind = 'person' for update",
        (name,),
    )
    right = _password_is_right(rows[0][6] if rows else _nobodys_password(), password)
    if not rows or rows[0][7]:
        return None
    right = right and (rows[0][8] is None or _use_code(session, rows[0][0], rows[0][8], rows[0][9], code))
    _count_login(session, rows[0][0], right=right)
    return _actor(rows[0]) if right else None


def has_second_factor(session: Session, principal_id: UUID) -> bool:
    return bool(fetch(session, "select totp_secret is not null from principal where id = %s", (principal_id,))[0][0])


def prove(session: Session, principal_id: UUID, proof: str) -> bool:
    """Once more, who has signed in already: by a code, or by the password where there is no second factor. Counted as signing in is."""
    rows = fetch(
        session,
        "select password_hash, totp_secret, totp_step, coalesce(locked_until > now(), false) from principal where id = %s for update",
        (principal_id,),
    )
    password_hash, secret, step, locked = rows[0]
    if locked:
        return False
    right = _password_is_right(password_hash, proof) if secret is None else _use_code(session, principal_id, secret, step, proof)
    _count_login(session, principal_id, right=right)
    return right


def new_second_factor() -> str:
    """A secret for an authenticator, in force once a code of it was shown (`set_second_factor`)."""
    return pyotp.random_base32()


def set_second_factor(session: Session, principal_id: UUID, secret: str, code: str) -> bool:
    """From now on signing in takes a code too. False for a code that is not of this secret."""
    if not _is_base32(secret) or not _use_code(session, principal_id, secret, None, code):
        return False
    execute(session, "update principal set totp_secret = %s where id = %s", (secret, principal_id))
    return True


def _is_base32(text: str) -> bool:
    return len(text) == 32 and set(text) <= set(string.ascii_uppercase + "234567")


def _use_code(session: Session, principal_id: UUID, secret: str, last_step: int | None, code: str) -> bool:
    """Whether the code is of now, or of the half minute before or after, and of none that was used: a code works once."""
    now = int(time.time()) // _STEP_SECONDS
    generator = pyotp.TOTP(secret)
    for step in (now - 1, now, now + 1):
        if step > (last_step or 0) and compare_digest(generator.generate_otp(step).encode(), code.strip().encode()):
            execute(session, "update principal set totp_step = %s where id = %s", (step, principal_id))
            return True
    return False


@cache
def _nobodys_password() -> str:
    """Verified where nobody has this name, so that the time taken does not tell who exists. Made late: hashing is slow on purpose."""
    return _HASHER.hash(secrets.token_hex(16))


def _password_is_right(password_hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except VerificationError:
        return False


def _count_login(session: Session, principal_id: UUID, *, right: bool) -> None:
    execute(
        session,
        "update principal set failed_logins = case when %(right)s then 0 else failed_logins + 1 end,"
        " locked_until = case when not %(right)s and (failed_logins + 1) %% %(most)s = 0 then now() + interval '15 minutes' end"
        " where id = %(id)s",
        {"right": right, "most": _FAILED_LOGINS_MAX, "id": principal_id},
    )


def person(session: Session, principal_id: UUID) -> Actor | None:
    """The person as they are now, None once disabled."""
    rows = fetch(
        session,
        "select id, name, role, domains, systems, grants from principal where id = %s and kind = 'person' and not disabled",
        (principal_id,),
    )
    return _actor(rows[0]) if rows else None
