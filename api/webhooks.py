"""Webhooks: made and changed by administrators; the secret is in the answer that makes or rotates it, and never again."""

from collections.abc import Mapping
from dataclasses import asdict
from http import HTTPStatus
from threading import BoundedSemaphore
from typing import Any
from uuid import UUID

from marshmallow import Schema, fields, validate
from sqlalchemy.orm import Session

from api.auth import Access
from api.consumers import NAMES_MAX, check_whole_scope
from api.context import actor, concord, database, request_id, uuid_of
from api.preconditions import etag, if_match, if_match_parameter
from api.routing import Answer, Operation, add, new_blueprint
from api.schemas import CURSOR_MAX, text
from mdm import audit, changes, webhooks
from mdm.access import Verb
from mdm.errors import Busy, FieldProblem, Invalid
from mdm.event_types import MAPPINGS, PREFIX, SPOKEN, spoken
from mdm.outbound import URL_CHARACTERS_MAX, Unreachable, guard_of, target
from mdm.sending import Outlet, ping
from mdm.webhooks import NewWebhook, WebhookView

_pings = BoundedSemaphore(1)  # a receiver may take ten seconds to answer, and a web process has four threads


class WebhookSchema(Schema):
    """Where to send which events."""

    url = text(URL_CHARACTERS_MAX, shortest=1, required=True)
    types = fields.List(fields.String(validate=validate.OneOf(SPOKEN)), load_default=list, metadata={"description": "None: all"})
    domains = fields.List(text(shortest=1), required=True, validate=validate.Length(min=1, max=NAMES_MAX))
    state = fields.String(load_default="active", validate=validate.OneOf(webhooks.STATES))


class NewWebhookSchema(WebhookSchema):
    """A webhook to be made, of a registered consumer."""

    consumer = text(shortest=1, required=True)


class WebhookViewSchema(Schema):
    """A webhook and how it goes: `position` is settled, `behind` numbers are to come, `last_error` is why it is being tried again."""

    id = fields.UUID(required=True)
    consumer = fields.String(required=True)
    url = fields.String(required=True)
    types = fields.List(fields.String(), required=True)
    domains = fields.List(fields.String(), required=True)
    state = fields.String(required=True)
    position = fields.String(required=True)
    behind = fields.Integer(required=True)
    failures = fields.Integer(required=True)
    failing_since = fields.AwareDateTime(required=True, allow_none=True)
    next_try_at = fields.AwareDateTime(required=True)
    last_error = fields.String(required=True, allow_none=True)
    former_secret_until = fields.AwareDateTime(required=True, allow_none=True)
    version = fields.Integer(required=True)
    created_at = fields.AwareDateTime(required=True)
    updated_at = fields.AwareDateTime(required=True)


class IssuedWebhookSchema(WebhookViewSchema):
    """A webhook with the secret that signs; shown this once."""

    secret = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Null where it was told before, under the same Idempotency-Key: take the next one."},
    )


class WebhooksSchema(Schema):
    """Webhooks, by consumer."""

    items = fields.List(fields.Nested(WebhookViewSchema), required=True)


class ReplaySchema(Schema):
    """From where to send again."""

    from_ = text(CURSOR_MAX, shortest=1, required=True, data_key="from")


class PingSchema(Schema):
    """How the receiver answered: a status, or why there is none."""

    status = fields.Integer(required=True, allow_none=True)
    error = fields.String(required=True, allow_none=True)


class DeadLetterSchema(Schema):
    """An event that the receiver refused for good; a replay from `position` begins with it."""

    event_id = fields.UUID(required=True)
    position = fields.String(required=True)
    status = fields.Integer(required=True)
    at = fields.AwareDateTime(required=True)


class DeadLettersSchema(Schema):
    """The last 200 dead letters, newest first."""

    items = fields.List(fields.Nested(DeadLetterSchema), required=True)


def blueprint() -> Any:
    made = new_blueprint("webhooks", "/v1/webhooks", "Where events are sent to.")
    access, match = Access(Verb.CONFIGURE), {"parameters": [if_match_parameter("the webhook")]}

    def operation(name: str, summary: str, answer: type[Schema], **more: Any) -> Operation:
        return Operation(name=name, summary=summary, access=access, answer=answer, **more)

    create = operation(
        "create_webhook",
        "A webhook; it gets what happens from now on",
        IssuedWebhookSchema,
        body=NewWebhookSchema,
        status=HTTPStatus.CREATED,
        refusals=(404,),
        once=True,
        withheld="secret",
    )
    change = operation(
        "change_webhook",
        "Change, pause or resume a webhook",
        WebhookViewSchema,
        body=WebhookSchema,
        refusals=(412, 428),
        docs=match,
        once=True,
    )
    rotate = operation(
        "rotate_webhook_secret",
        "The next secret; the present one signs beside it for a day",
        IssuedWebhookSchema,
        refusals=(409, 412, 428),
        docs=match,
        once=True,
        withheld="secret",
    )
    replay = operation(
        "replay_webhook", "Send everything after a position again", WebhookViewSchema, body=ReplaySchema, refusals=(410,), once=True
    )
    add(made, "POST", "", post, create)
    add(made, "GET", "", get_all, operation("list_webhooks", "All webhooks", WebhooksSchema))
    add(made, "GET", "/<webhook_id>", get_one, operation("get_webhook", "A webhook, with its version as ETag", WebhookViewSchema))
    add(made, "PUT", "/<webhook_id>", put_one, change)
    add(made, "POST", "/<webhook_id>/secret", post_secret, rotate)
    add(made, "POST", "/<webhook_id>/ping", post_ping, operation("ping_webhook", "Send a test event now", PingSchema, refusals=(422,)))
    add(made, "POST", "/<webhook_id>/replay", post_replay, replay)
    letters = operation("list_dead_letters", "Events that the receiver refused for good", DeadLettersSchema)
    add(made, "GET", "/<webhook_id>/dead-letters", get_dead_letters, letters)
    return made


def post(body: Mapping[str, Any]) -> Answer:
    new = wanted_of(body)

    def work(session: Session) -> WebhookView:
        view = webhooks.create(session, body["consumer"], new)
        _audit(session, "create", view.id)
        return view

    view = database().run(work)
    return _issued(view), HTTPStatus.CREATED, etag(view.version)


def get_all() -> Answer:
    return {"items": [_shown(view) for view in database().run(webhooks.list_webhooks)]}


def get_one(*, webhook_id: str) -> Answer:
    view = _found(webhook_id)
    return _shown(view), HTTPStatus.OK, etag(view.version)


def put_one(body: Mapping[str, Any], *, webhook_id: str) -> Answer:
    wanted, version, new = uuid_of(webhook_id), if_match(), wanted_of(body)

    def work(session: Session) -> WebhookView:
        _audit(session, "change", wanted)
        return webhooks.change(session, wanted, new, version)

    view = database().run(work)
    return _shown(view), HTTPStatus.OK, etag(view.version)


def post_secret(*, webhook_id: str) -> Answer:
    wanted, version = uuid_of(webhook_id), if_match()

    def work(session: Session) -> WebhookView:
        _audit(session, "rotate", wanted)
        return webhooks.rotate(session, wanted, version)

    view = database().run(work)
    return _issued(view), HTTPStatus.OK, etag(view.version)


def post_ping(*, webhook_id: str) -> Answer:
    view = _found(webhook_id)
    if not _pings.acquire(blocking=False):
        raise Busy
    try:
        status, error = ping(Outlet.of(concord().settings), view)
    finally:
        _pings.release()
    return {"status": status, "error": error}


def post_replay(body: Mapping[str, Any], *, webhook_id: str) -> Answer:
    wanted = uuid_of(webhook_id)

    def work(session: Session) -> WebhookView:
        since = changes.parse(session, body["from_"], "/from")
        _audit(session, "replay", wanted)
        return webhooks.replay(session, wanted, since)

    view = database().run(work)
    return _shown(view), HTTPStatus.OK, etag(view.version)


def get_dead_letters(*, webhook_id: str) -> Answer:
    wanted = uuid_of(webhook_id)
    return {"items": database().run(lambda session: webhooks.dead_letters(session, wanted))}


def wanted_of(body: Mapping[str, Any]) -> NewWebhook:
    """What was asked for, with domains that its maker may see all of, and an address that may be sent to."""
    domains = tuple(dict.fromkeys(body["domains"]))
    check_whole_scope(domains)
    if not {*concord().entities, MAPPINGS}.issuperset(domains):
        raise Invalid(problems=(FieldProblem("unknown_domain", "/domains", "there is no such domain"),))
    try:
        target(body["url"], guard_of(concord().settings))
    except Unreachable:
        raise Invalid(problems=(FieldProblem("bad_url", "/url", "the name does not resolve"),)) from None
    types = tuple(dict.fromkeys(name.removeprefix(PREFIX) for name in body["types"]))
    return NewWebhook(url=body["url"], types=types, domains=domains, state=body["state"])


def _found(webhook_id: str) -> WebhookView:
    wanted = uuid_of(webhook_id)
    return database().run(lambda session: webhooks.get(session, wanted))


def _audit(session: Session, act: str, webhook_id: UUID) -> None:
    audit.record(session, actor(), f"webhook:{act}", request_id=request_id(), detail={"webhook": str(webhook_id)})


def _shown(view: WebhookView) -> dict[str, Any]:
    return {**asdict(view), "types": [spoken(name) for name in view.types]}


def _issued(view: WebhookView) -> dict[str, Any]:
    pepper = concord().settings.key_pepper()
    return {**_shown(view), "secret": webhooks.shown(webhooks.secret(pepper, view.id, view.generation))}
