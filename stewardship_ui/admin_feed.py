"""Who keeps a copy and where events are sent: consumers and webhooks, by the same functions as the API's."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from flask import Blueprint, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from api import consumers as consumers_api
from api import webhooks as webhooks_api
from api.context import actor, concord, database, request_id, uuid_of
from mdm import audit, changes, consumers, policy, webhooks
from mdm.access import Verb
from mdm.consumers import ConsumerView
from mdm.errors import Busy, Conflict, Forbidden, Invalid
from mdm.event_types import MAPPINGS, SPOKEN, spoken
from mdm.webhooks import WebhookView
from stewardship_ui import forms
from stewardship_ui.admin_parts import choices, show
from stewardship_ui.rendering import Page


def add_routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/admin/consumers", "admin_consumers", all_consumers, methods=["GET"])
    blueprint.add_url_rule("/admin/consumers", "admin_put_consumer", put_consumer, methods=["POST"])
    blueprint.add_url_rule("/admin/consumers/<code>", "admin_consumer", one_consumer, methods=["GET"])
    blueprint.add_url_rule("/admin/webhooks", "admin_webhooks", all_webhooks, methods=["GET"])
    blueprint.add_url_rule("/admin/webhooks", "admin_create_webhook", create_webhook, methods=["POST"])
    blueprint.add_url_rule("/admin/webhooks/<webhook_id>", "admin_webhook", one_webhook, methods=["GET"])
    blueprint.add_url_rule("/admin/webhooks/<webhook_id>", "admin_change_webhook", change_webhook, methods=["POST"])
    blueprint.add_url_rule("/admin/webhooks/<webhook_id>/secret", "admin_rotate_webhook", rotate, methods=["POST"])
    blueprint.add_url_rule("/admin/webhooks/<webhook_id>/ping", "admin_ping_webhook", ping, methods=["POST"])
    blueprint.add_url_rule("/admin/webhooks/<webhook_id>/replay", "admin_replay_webhook", replay, methods=["POST"])


def all_consumers(problem: str = "", status: int = HTTPStatus.OK) -> Page:
    policy.check(actor(), Verb.CONFIGURE)
    found, choice = database().run(lambda session: (consumers_api.list_seen(session), choices(session)))
    return show("consumers", "ui.admin_consumers", status, consumers=found, choices=choice, problem=problem, typed=_typed(None))


def one_consumer(code: str, problem: str = "", status: int = HTTPStatus.OK) -> Page:
    policy.check(actor(), Verb.CONFIGURE)
    found, choice = database().run(lambda session: (consumers_api.get_seen(session, code), choices(session)))
    return show("consumer", "ui.admin_consumers", status, consumer=found, choices=choice, problem=problem, typed=_typed(found))


def _typed(view: ConsumerView | WebhookView | None) -> Mapping[str, Any]:
    """What the fields show: what was typed, else what stands."""
    if request.method == "POST":
        return {**request.form.to_dict(), **{name: request.form.getlist(name) for name in ("domains", "systems", "types")}}
    if view is None:
        return {}
    names = ("code", "name", "contact", "client", "domains", "systems", "url", "types", "state")
    said = {name: getattr(view, name) or "" for name in names if hasattr(view, name)}
    return {**said, "types": [spoken(name) for name in said.get("types") or ()]}


def put_consumer() -> Response | Page:
    """A new one, or one as it is to be at the version that was read; `known` is the code of the latter."""
    policy.check(actor(), Verb.CONFIGURE)
    known = forms.text("known")

    def act() -> None:
        said = {name: forms.text(name) for name in ("name", "contact")}
        body = {**said, "client": forms.text("client") or None, "domains": forms.chosen("domains") or []}
        body["systems"] = forms.chosen("systems") or []
        consumers_api.put(forms.checked(consumers_api.ConsumerSchema(), body), known or forms.text("code"), _version)

    def refused(problem: str, status: int) -> Page:
        return one_consumer(known, problem, status) if known else all_consumers(problem, status)

    return forms.done(act, url_for("ui.admin_consumers"), refused)


def _version() -> int:
    """Of a code that is taken the form has no version: somebody else's consumer is not overwritten."""
    return forms.version_of("consumer")


def all_webhooks(problem: str = "", status: int = HTTPStatus.OK, secret: str = "") -> Page:
    policy.check(actor(), Verb.CONFIGURE)
    found, known, choice = database().run(lambda s: (webhooks.list_webhooks(s), consumers.list_consumers(s), choices(s)))
    return show(
        "webhooks",
        "ui.admin_webhooks",
        status,
        webhooks=found,
        consumers=known,
        domains=[*choice.domains, (MAPPINGS, "Mapping rules")],
        types=SPOKEN,
        problem=problem,
        secret=secret,
        typed=_typed(None),
    )


def one_webhook(webhook_id: str, problem: str = "", status: int = HTTPStatus.OK, secret: str = "", pinged: str = "") -> Page:
    policy.check(actor(), Verb.CONFIGURE)
    wanted = uuid_of(webhook_id)
    found, letters, choice = database().run(lambda s: (webhooks.get(s, wanted), webhooks.dead_letters(s, wanted), choices(s)))
    return show(
        "webhook",
        "ui.admin_webhooks",
        status,
        webhook=found,
        letters=letters,
        domains=[*choice.domains, (MAPPINGS, "Mapping rules")],
        types=SPOKEN,
        states=webhooks.STATES,
        problem=problem,
        secret=secret,
        pinged=pinged,
        typed=_typed(found),
    )


def _body() -> dict[str, Any]:
    said = {"url": forms.text("url"), "types": forms.chosen("types") or [], "domains": forms.chosen("domains") or []}
    return {**said, "state": forms.text("state") or "active"}


def create_webhook() -> Page:
    """The answer is the page itself, because the secret is in it and never again."""
    policy.check(actor(), Verb.CONFIGURE)
    try:
        body = forms.checked(webhooks_api.NewWebhookSchema(), {**_body(), "consumer": forms.text("consumer")})
        issued: Any = forms.once(lambda: webhooks_api.post(body))
    except (Invalid, Conflict, Forbidden) as error:
        return all_webhooks(forms.words(error), HTTPStatus.UNPROCESSABLE_ENTITY)
    return all_webhooks(secret=issued[0]["secret"])


def change_webhook(webhook_id: str) -> Response | Page:
    policy.check(actor(), Verb.CONFIGURE)
    wanted = uuid_of(webhook_id)

    def act() -> None:
        version, new = forms.version(), webhooks_api.wanted_of(forms.checked(webhooks_api.WebhookSchema(), _body()))

        def work(session: Session) -> None:
            _audit(session, "change", wanted)
            webhooks.change(session, wanted, new, version)

        database().run(work)

    return forms.done(act, url_for("ui.admin_webhook", webhook_id=wanted), lambda said, status: one_webhook(webhook_id, said, status))


def _audit(session: Session, act: str, webhook_id: object) -> None:
    audit.record(session, actor(), f"webhook:{act}", request_id=request_id(), detail={"webhook": str(webhook_id)})


def rotate(webhook_id: str) -> Page:
    policy.check(actor(), Verb.CONFIGURE)
    wanted = uuid_of(webhook_id)

    def work(session: Session) -> WebhookView:
        _audit(session, "rotate", wanted)
        return webhooks.rotate(session, wanted, forms.version())

    try:
        view = database().run(work)
    except (Invalid, Conflict) as error:
        return one_webhook(webhook_id, forms.words(error), HTTPStatus.CONFLICT)
    return one_webhook(webhook_id, secret=webhooks.shown(webhooks.secret(concord().settings.key_pepper(), view.id, view.generation)))


def ping(webhook_id: str) -> Page:
    """A test event now, and what the receiver said."""
    policy.check(actor(), Verb.CONFIGURE)
    try:
        answer: Any = webhooks_api.post_ping(webhook_id=webhook_id)
    except (Invalid, Busy) as error:
        return one_webhook(webhook_id, forms.words(error), HTTPStatus.UNPROCESSABLE_ENTITY)
    return one_webhook(webhook_id, pinged=f"answered {answer['status']}" if answer["status"] else f"no answer: {answer['error']}")


def replay(webhook_id: str) -> Response | Page:
    policy.check(actor(), Verb.CONFIGURE)
    wanted = uuid_of(webhook_id)

    def act() -> None:
        def work(session: Session) -> None:
            since = changes.parse(session, forms.text("from"), "/from")
            _audit(session, "replay", wanted)
            webhooks.replay(session, wanted, since)

        database().run(work)

    return forms.done(act, url_for("ui.admin_webhook", webhook_id=wanted), lambda said, status: one_webhook(webhook_id, said, status))
