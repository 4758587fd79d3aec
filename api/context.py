"""What a request finds: the parts of this application, and who is asking under which request id."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast
from uuid import UUID

from flask import current_app, g, request

from mdm.access import Actor, Keyring
from mdm.db import Database
from mdm.entity import EntityType
from mdm.errors import NotFound, Unauthenticated
from mdm.ids import new_id
from mdm.settings import Settings

_EXTENSION = "concord"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


@dataclass(frozen=True, slots=True)
class Concord:
    """One application's parts, made once by `api.app.create_app`."""

    database: Database
    settings: Settings
    keyring: Keyring
    entities: Mapping[str, EntityType]

    def install(self) -> None:
        current_app.extensions[_EXTENSION] = self


def concord() -> Concord:
    return cast("Concord", current_app.extensions[_EXTENSION])


def database() -> Database:
    return concord().database


def actor() -> Actor:
    """Who is asking; raises Unauthenticated on a route without the guard."""
    found = g.get("actor")
    if found is None:
        raise Unauthenticated
    return cast("Actor", found)


def request_id() -> str:
    """The caller's X-Request-Id if it is a plain word of 8 to 64 characters, else our own; the same one for the whole request."""
    if "request_id" not in g:
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if _REQUEST_ID.fullmatch(given) else new_id().hex
    return cast("str", g.request_id)


def uuid_of(text: str) -> UUID:
    """An id from a path: one that cannot be an id is simply not there."""
    try:
        return UUID(text)
    except ValueError:
        raise NotFound from None
