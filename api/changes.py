"""The change feed over HTTP: pages after a position, and a long poll that holds neither a database connection nor every thread."""

import time
from collections.abc import Mapping
from functools import partial
from threading import BoundedSemaphore
from typing import Any

from marshmallow import Schema, fields, validate
from sqlalchemy.orm import Session

from api.auth import Access
from api.context import actor, concord, database
from api.routing import Answer, Operation, add, new_blueprint
from api.schemas import CURSOR_MAX, text
from mdm import changes, policy
from mdm.access import Actor, Verb
from mdm.changes import Interest, Page, Position
from mdm.errors import UnknownDomain
from mdm.event_types import MAPPINGS

LIMIT_MAX = 1_000
WAIT_SECONDS_MAX = 20
POLL_SECONDS = 0.2
WAITERS_MAX = 2  # of the four threads of a web process: whoever comes later is answered at once and asks again

_waiters = BoundedSemaphore(WAITERS_MAX)


class ChangesQuery(Schema):
    """From where, what of, how much, and how long to wait for something."""

    after = text(CURSOR_MAX, shortest=1, metadata={"description": "`next` of the page before; without it: from the beginning"})
    domain = text(metadata={"description": "Only this domain, or `mapping`"})
    limit = fields.Integer(load_default=100, validate=validate.Range(1, LIMIT_MAX))
    wait = fields.Integer(load_default=0, validate=validate.Range(0, WAIT_SECONDS_MAX), metadata={"description": "Seconds"})


class CloudEventSchema(Schema):
    """A CloudEvent 1.0 in structured form, with the extensions `domain`, `sequence`, `partitionkey`, `href`."""

    specversion = fields.String(required=True)
    id = fields.UUID(required=True)
    source = fields.String(required=True)
    type = fields.String(required=True)
    subject = fields.UUID(required=True)
    time = fields.String(required=True)
    datacontenttype = fields.String(required=True)
    domain = fields.String(required=True)
    sequence = fields.String(required=True)
    partitionkey = fields.String(required=True)
    href = fields.String(metadata={"description": "Where to read the golden record as it is now"})
    data = fields.Dict(keys=fields.String(), values=fields.Raw(), required=True)


class ChangesSchema(Schema):
    """Events in order. Read on from `next` until a page comes back empty with the position that was asked for."""

    epoch = fields.UUID(required=True)
    events = fields.List(fields.Nested(CloudEventSchema), required=True)
    next = fields.String(required=True)


def blueprint() -> Any:
    made = new_blueprint("changes", "/v1/changes", "What changed, in order.")
    operation = Operation(
        name="list_changes",
        summary="Events after a position, of the domains and systems in your scope",
        access=Access(Verb.LOOKUP),
        query=ChangesQuery,
        answer=ChangesSchema,
        refusals=(404, 410),
    )
    add(made, "GET", "", get_changes, operation)
    return made


def get_changes(query: Mapping[str, Any]) -> Answer:
    interest = interest_of(actor(), query.get("domain"))
    cursor, limit = query.get("after"), query["limit"]

    def first(session: Session) -> Page:
        return changes.read(session, interest, changes.parse(session, cursor), limit)

    page = database().run(first)
    if query["wait"] and not page.events:
        page = _wait(interest, page.next, limit, time.monotonic() + query["wait"])
    return {"epoch": page.next.epoch, "events": [event.cloud_event for event in page.events], "next": str(page.next)}


def interest_of(reader: Actor, domain: str | None) -> Interest:
    """What this reader is told: ids of the domains that they may look up in."""
    readable = policy.domains(reader, Verb.LOOKUP) & concord().entities.keys()
    if reader.domains is None:
        readable |= {MAPPINGS}
    if domain is not None and domain != MAPPINGS:
        if domain not in concord().entities:
            raise UnknownDomain
        policy.check(reader, Verb.LOOKUP, domain)
    return Interest(readable if domain is None else readable & {domain}, systems=reader.systems)


def _wait(interest: Interest, after: Position, limit: int, deadline: float) -> Page:
    """Look again and again, each time for a moment only: nobody who waits keeps a connection from those who work."""
    page = Page((), after)
    if not _waiters.acquire(blocking=False):
        return page
    try:
        while not page.events and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
            page = database().run(partial(changes.read, interest=interest, after=page.next, limit=limit))
    finally:
        _waiters.release()
    return page
