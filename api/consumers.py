"""Registered consumers: put by administrators, acknowledged and re-keyed by their own clients."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Any

from flask import Response, stream_with_context
from marshmallow import Schema, fields, validate
from sqlalchemy.orm import Session

from api.auth import Access
from api.context import actor, concord, database, request_id
from api.preconditions import etag, if_match, if_match_parameter
from api.routing import Answer, Operation, add, new_blueprint
from api.schemas import CURSOR_MAX, text
from mdm import audit, changes, consumers, policy
from mdm.access import Role, Verb
from mdm.changes import Position
from mdm.consumers import ConsumerView, Moved, NewConsumer
from mdm.errors import FieldProblem, Forbidden, Invalid, NotFound
from mdm.ids import CODE_WORDS, is_code
from mdm.jsonio import dumps

NDJSON = "application/x-ndjson"
NAMES_MAX = 200


class ConsumerSchema(Schema):
    """A consumer as it is to be."""

    name = text(shortest=1, required=True)
    contact = text(shortest=1, required=True, metadata={"description": "Whom to tell before a large change"})
    client = text(shortest=1, load_default=None, allow_none=True, metadata={"description": "Name of the API client that acts as it"})
    domains = fields.List(text(shortest=1), required=True, validate=validate.Length(min=1, max=NAMES_MAX))
    systems = fields.List(
        text(shortest=1),
        load_default=list,
        validate=validate.Length(max=NAMES_MAX),
        metadata={"description": "Source systems whose local keys it works with; none: golden ids only"},
    )


class ConsumerViewSchema(Schema):
    """A consumer; `acknowledged` is the position up to which it has stored everything."""

    code = fields.String(required=True)
    name = fields.String(required=True)
    contact = fields.String(required=True)
    client = fields.String(required=True, allow_none=True)
    domains = fields.List(fields.String(), required=True)
    systems = fields.List(fields.String(), required=True)
    acknowledged = fields.String(required=True, allow_none=True)
    acknowledged_at = fields.AwareDateTime(required=True, allow_none=True)
    version = fields.Integer(required=True)
    created_at = fields.AwareDateTime(required=True)
    updated_at = fields.AwareDateTime(required=True)


class ConsumersSchema(Schema):
    """Consumers, by code."""

    items = fields.List(fields.Nested(ConsumerViewSchema), required=True)


class AckSchema(Schema):
    """A position of the change feed."""

    cursor = text(CURSOR_MAX, shortest=1, required=True)


class RekeyQuery(Schema):
    """Since when, and of which domain alone."""

    since = text(CURSOR_MAX, shortest=1, metadata={"description": "A position; without it: from the beginning"})
    domain = text(shortest=1)


def blueprint() -> Any:
    made = new_blueprint("consumers", "/v1/consumers", "Who keeps a copy of what.")
    read, configure = Access(Verb.LOOKUP), Access(Verb.CONFIGURE)
    put = Operation(
        name="put_consumer",
        summary="Register a consumer, or change one under If-Match",
        access=configure,
        body=ConsumerSchema,
        answer=ConsumerViewSchema,
        also=((HTTPStatus.CREATED, ConsumerViewSchema),),
        refusals=(412, 428),
        docs={"parameters": [if_match_parameter("the consumer", required=False)]},
        once=True,
    )
    one = Operation(name="get_consumer", summary="A consumer, with its version as ETag", access=read, answer=ConsumerViewSchema)
    listing = Operation(name="list_consumers", summary="The consumers; a client's own", access=read, answer=ConsumersSchema)
    ack = Operation(
        name="acknowledge",
        summary="Everything up to here is stored",
        access=read,
        body=AckSchema,
        answer=ConsumerViewSchema,
        refusals=(410,),
    )
    rekey = Operation(
        name="get_rekey",
        summary="One JSON line per local key that went to another golden record since a position",
        access=read,
        query=RekeyQuery,
        answer=None,
        media=NDJSON,
        refusals=(410,),
    )
    add(made, "GET", "", get_all, listing)
    add(made, "PUT", "/<code>", put_one, put)
    add(made, "GET", "/<code>", get_one, one)
    add(made, "POST", "/<code>/ack", post_ack, ack)
    add(made, "GET", "/<code>/rekey", get_rekey, rekey)
    return made


def put_one(body: Mapping[str, Any], *, code: str) -> Answer:
    view = put(body, code, if_match)
    return view, HTTPStatus.CREATED if view.version == 1 else HTTPStatus.OK, etag(view.version)


def put(body: Mapping[str, Any], code: str, version: Callable[[], int]) -> ConsumerView:
    """Register a consumer, or change one; which version was read is asked only of one that there is."""
    if not is_code(code):
        raise Invalid(problems=(FieldProblem("invalid_code", "/code", CODE_WORDS),))
    lists = {name: tuple(dict.fromkeys(body[name])) for name in ("domains", "systems")}
    new = NewConsumer(code=code, name=body["name"], contact=body["contact"], client=body["client"], **lists)
    check_whole_scope(new.domains)

    def work(session: Session) -> ConsumerView:
        consumers.check(session, new, frozenset(concord().entities))
        known = consumers.find(session, code)
        audit.record(session, actor(), "consumer:put", request_id=request_id(), detail={"consumer": code, "new": known is None})
        return consumers.register(session, new) if known is None else consumers.change(session, new, version())

    return database().run(work)


def check_whole_scope(domains: tuple[str, ...]) -> None:
    """Whoever sets up what others are sent must be able to see all of it: every system, and each of the domains that exists."""
    if actor().systems is not None:
        raise Forbidden
    for domain in domains:
        if domain in concord().entities:
            policy.check(actor(), Verb.LOOKUP, domain)


def get_one(*, code: str) -> Answer:
    view = database().run(lambda session: get_seen(session, code))
    return view, HTTPStatus.OK, etag(view.version)


def get_all() -> Answer:
    return {"items": database().run(list_seen)}


def list_seen(session: Session) -> list[ConsumerView]:
    """The consumers that exist for whoever asks, each as they may see it."""
    return [seen for view in consumers.list_consumers(session) if (seen := _seen(view)) is not None]


def post_ack(body: Mapping[str, Any], *, code: str) -> Answer:
    def work(session: Session) -> ConsumerView:
        get_seen(session, code)
        if actor().role is Role.STEWARD:
            raise Forbidden
        position = changes.parse(session, body["cursor"], "/cursor")
        audit.record(session, actor(), "consumer:ack", request_id=request_id(), detail={"consumer": code, "position": str(position)})
        return consumers.acknowledge(session, code, position)

    view = database().run(work)
    return view, HTTPStatus.OK, etag(view.version)


def get_rekey(query: Mapping[str, Any], *, code: str) -> Answer:
    """Keys of patients are read under their grant. What was true at the start of each page of the answer counts; moves since are events."""

    def first(session: Session) -> tuple[ConsumerView, Position, Position, tuple[Moved, ...]]:
        view = _readable(get_seen(session, code), query.get("domain"))
        since, now = changes.parse(session, query.get("since"), "/since"), changes.here(session)
        page = _page(session, view, since, 0)
        return view, since, now, page

    view, since, now, page = database().run(first)
    headers = {"Concord-Position": str(now), "Content-Disposition": f'attachment; filename="rekey-{code}.ndjson"'}
    return Response(stream_with_context(_lines(view, since, page)), content_type=NDJSON, headers=headers)


def _readable(view: ConsumerView, domain: str | None) -> ConsumerView:
    """The consumer cut to one domain, where its caller may read all of what is left."""
    domains = view.domains if domain is None else tuple({domain} & set(view.domains))
    if not domains:
        raise NotFound("this consumer has no such domain")
    for each in domains:
        policy.check(actor(), Verb.READ, each)
    for system in view.systems:
        policy.check(actor(), Verb.READ, system=system)
    return replace(view, domains=domains)


def _page(session: Session, view: ConsumerView, since: Position, after: int) -> tuple[Moved, ...]:
    page = consumers.moved(session, view, since, after)
    subjects = sorted({move.survivor for move in page})
    audit.record(session, actor(), "consumer:rekey", subjects=subjects, request_id=request_id(), detail={"consumer": view.code})
    return page


def _lines(view: ConsumerView, since: Position, page: tuple[Moved, ...]) -> Iterator[bytes]:
    """Page by page, each in a transaction of its own that is over before its lines go out."""
    while page:
        for move in page:
            yield dumps({name: getattr(move, name) for name in ("domain", "golden_id", "survivor", "system", "value")}) + b"\n"
        if len(page) < consumers.REKEY_PAGE:
            return
        page = database().run(partial(_page, view=view, since=since, after=page[-1].n))


def get_seen(session: Session, code: str) -> ConsumerView:
    """One of them. Raises NotFound."""
    view = _seen(consumers.get(session, code))
    if view is None:
        raise NotFound
    return view


def _seen(view: ConsumerView) -> ConsumerView | None:
    """A client sees what it acts as; others what concerns systems in their scope, without those of other organisations."""
    if actor().role is Role.INTEGRATION:
        return view if view.client == actor().name else None
    own = tuple(system for system in view.systems if policy.in_scope(actor(), system))
    return replace(view, systems=own) if own or not view.systems else None
