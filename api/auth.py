"""Who may call a route. Every route below /v1 declares its access; one that does not is closed to everybody.

Every failure to authenticate has the same answer, so that nobody learns whether a key was unknown, revoked, expired or mistyped.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from flask import Flask, current_app, g, request

from api.context import concord, request_id
from mdm import policy
from mdm.access import Actor, Verb
from mdm.errors import Forbidden, NotFound, Unauthenticated
from mdm.settings import Profile

GUARDED = "/v1/"
_SCHEME = "bearer "
_HEADER_LENGTH_MAX = 200

Handler = TypeVar("Handler", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Access:
    """What a route asks of its caller: a verb (None: any valid key), in a domain if the route has one.

    Routes whose domain or system stands in the body check those themselves, through `mdm.policy`.
    """

    verb: Verb | None
    domain: str | None = None


def allow(verb: Verb | None, domain: str | None = None) -> Callable[[Handler], Handler]:
    """Declare a view's access."""

    def declare(view: Handler) -> Handler:
        view.__dict__["access"] = Access(verb, domain)
        return view

    return declare


def declared(view: Callable[..., Any] | None) -> Access | None:
    return getattr(view, "access", None)


_FORWARDED = ("X-Forwarded-For", "Forwarded", "X-Real-Ip")
_LOOPBACK = frozenset({"127.0.0.1", "::1"})


def check_insider(*, loopback: bool = False) -> None:
    """Raise Unauthenticated where strangers ask what only describes the service: in production it takes a key, of whatever rights.

    `loopback`: or a request of this machine itself, which no proxy handed on.
    """
    if concord().settings.profile is not Profile.PRODUCTION:
        return
    own = request.remote_addr in _LOOPBACK and not any(name in request.headers for name in _FORWARDED)
    if not (loopback and own):
        authenticate(request.headers.get("Authorization", ""))


def guard(app: Flask) -> None:
    """Put the guard in front of everything below /v1."""
    app.before_request(check_request)


def check_request() -> None:
    """Authenticate and authorise the present request, before its body is read."""
    request_id()
    if request.url_rule is None or not request.url_rule.rule.startswith(GUARDED):
        return
    g.actor = authenticate(request.headers.get("Authorization", ""))
    access = declared(current_app.view_functions.get(request.endpoint or ""))
    if access is None or not _may(g.actor, access):
        _log_denial(g.actor, access)
        raise Forbidden
    check_path()


def authenticate(header: str) -> Actor:
    """The actor of an Authorization header; raises Unauthenticated whatever is wrong with it."""
    if len(header) > _HEADER_LENGTH_MAX or not header.lower().startswith(_SCHEME):
        raise Unauthenticated
    actor = concord().keyring.authenticate(header[len(_SCHEME) :].strip())
    if actor is None:
        raise Unauthenticated
    return actor


def _may(actor: Actor, access: Access) -> bool:
    return access.verb is None or policy.can(actor, access.verb, access.domain)


def _log_denial(actor: Actor, access: Access | None) -> None:
    structlog.get_logger("concord").warning(
        "denied",
        principal=actor.name,
        verb=access.verb if access else None,
        domain=access.domain if access else None,
        route=request.url_rule.rule if request.url_rule else None,
        request_id=request_id(),
    )


def check_path() -> None:
    """PostgreSQL stores neither NUL nor lone surrogates: nothing can have such a key."""
    for value in (request.view_args or {}).values():
        if isinstance(value, str) and ("\x00" in value or any("\ud800" <= c <= "\udfff" for c in value)):
            raise NotFound
