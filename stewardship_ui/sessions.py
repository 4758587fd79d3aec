"""People signed in. The cookie holds a random secret, the table only its hash.

A session ends after 15 idle minutes and after 12 hours in any case (ASVS 5.0, 7.3.1, 7.3.2). Its row gone, the next request finds none.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from flask import Request
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from mdm import access
from mdm.access import Actor
from mdm.db import execute, fetch
from mdm.prefs import Prefs, of_json
from mdm.settings import Profile, Settings

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_SECRET_BYTES = 32
_LIMITS = {"idle": timedelta(minutes=15), "longest": timedelta(hours=12)}


def open_session(session: Session, actor: Actor) -> str:
    """A new session's secret; sessions that have run out go at the same time."""
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    execute(session, "delete from user_session where seen_at <= now() - %(idle)s or created_at <= now() - %(longest)s", _LIMITS)
    execute(
        session,
        "insert into user_session (hash, principal_id, csrf, factor_at) values (%s, %s, %s, now())",
        (_hashed(secret), actor.id, secrets.token_urlsafe(_SECRET_BYTES)),
    )
    return secret


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who is signed in, the token of their forms, how they want the pages, and when they last showed their second factor."""

    actor: Actor
    csrf: str
    prefs: Prefs
    factor_at: datetime | None
    glass: Mapping[str, datetime]
    password_due: bool
    second_factor: bool


def find_session(session: Session, secret: str, *, awake: bool = True) -> SignedIn | None:
    """Who is signed in with this secret; None once it ran out, was closed, or the person disabled.

    `awake`: a person asks. What a page asks by itself does not keep a session from running out.
    """
    rows = fetch(
        session,
        "select s.principal_id, s.csrf, u.prefs, s.factor_at, s.seen_at < now() - interval '1 minute',"
        " array(select b.domain from break_glass b join principal p on p.name = b.principal where p.id = s.principal_id"
        " and b.ends_at > now() order by b.id), array(select b.ends_at from break_glass b join principal p on p.name = b.principal"
        " where p.id = s.principal_id and b.ends_at > now() order by b.id), o.password_due, o.totp_secret is not null"
        " from user_session s join principal o on o.id = s.principal_id left join user_pref u on u.principal_id = s.principal_id"
        " where s.hash = %(hash)s and s.seen_at > now() - %(idle)s and s.created_at > now() - %(longest)s",
        {**_LIMITS, "hash": _hashed(secret)},
    )
    actor = access.person(session, rows[0][0]) if rows else None
    if actor is None:
        return None
    if awake and rows[0][4]:
        # Once a minute is exact enough for the idle limit and spares a write per page.
        execute(session, "update user_session set seen_at = now() where hash = %s", (_hashed(secret),))
    _, csrf, prefs, factor_at, _, domains, ends, due, factor = rows[0]
    return SignedIn(actor, csrf, of_json(prefs), factor_at, dict(zip(domains, ends, strict=True)), due, factor)


def owner(session: Session, secret: str) -> UUID | None:
    """Whose session this is or was; None once its row is gone."""
    rows = fetch(session, "select principal_id from user_session where hash = %s", (_hashed(secret),))
    return rows[0][0] if rows else None


def refresh_factor(session: Session, secret: str) -> None:
    """The second factor was shown once more."""
    execute(session, "update user_session set factor_at = now() where hash = %s", (_hashed(secret),))


def close_others(session: Session, actor: Actor, secret: str) -> None:
    """Every session of this person but the one with this secret."""
    execute(session, "delete from user_session where principal_id = %s and hash <> %s", (actor.id, _hashed(secret)))


def close_session(session: Session, secret: str) -> None:
    execute(session, "delete from user_session where hash = %s", (_hashed(secret),))


def _hashed(secret: str) -> bytes:
    return sha256(secret.encode()).digest()


@dataclass(frozen=True, slots=True)
class Cookie:
    """The cookie's name and whether it travels over TLS only."""

    name: str
    secure: bool

    def read(self, request: Request) -> str:
        return request.cookies.get(self.name, "")

    def put(self, response: Response, secret: str) -> None:
        response.set_cookie(self.name, secret, path="/", secure=self.secure, httponly=True, samesite="Strict")

    def clear(self, response: Response) -> None:
        response.delete_cookie(self.name, path="/", secure=self.secure, httponly=True, samesite="Strict")


def cookie(settings: Settings) -> Cookie:
    """Bound to this host and to TLS; only a demo on this machine's own address speaks plain HTTP."""
    is_plain = settings.profile is Profile.DEMO and settings.host in _LOOPBACK
    return Cookie("concord" if is_plain else "__Host-concord", secure=not is_plain)
