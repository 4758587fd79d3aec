"""Keys of clients: made, listed, revoked by administrators. The key itself is in the answer that makes it, and never again."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from flask import Response
from marshmallow import Schema, fields, validate
from sqlalchemy.orm import Session

from api.auth import Access
from api.context import actor, concord, database, request_id, uuid_of
from api.routing import Answer, Operation, add, new_blueprint
from api.schemas import text
from mdm import audit, issuing
from mdm.access import GRANTS, NewPrincipal, Role, Verb, list_keys, revoke_key
from mdm.errors import FieldProblem, Invalid
from mdm.settings import Profile
from mdm.systems import registry

_SCOPE_MAX = 200


def _scope() -> fields.Field[Any]:
    size = validate.Length(min=1, max=_SCOPE_MAX)
    return fields.List(text(shortest=1), load_default=None, allow_none=True, validate=size, metadata={"description": "None: all of them."})


class NewKeySchema(Schema):
    """A client and what its key may do."""

    name = text(shortest=1, required=True)
    role = fields.String(required=True, validate=validate.OneOf([role.value for role in Role]))
    domains = _scope()
    systems = _scope()
    grants = fields.List(fields.String(validate=validate.OneOf(GRANTS)), load_default=list)


class KeySchema(Schema):
    """A key, without its text."""

    id = fields.UUID(required=True)
    name = fields.String(required=True)
    role = fields.String(required=True)
    domains = fields.List(fields.String(), required=True, allow_none=True)
    systems = fields.List(fields.String(), required=True, allow_none=True)
    grants = fields.List(fields.String(), required=True)
    created_at = fields.AwareDateTime(required=True)
    created_by = fields.String(required=True)
    expires_at = fields.AwareDateTime(required=True)
    revoked_at = fields.AwareDateTime(required=True, allow_none=True)
    last_used_at = fields.AwareDateTime(required=True, allow_none=True)
    waiting = fields.Boolean(required=True, metadata={"description": "A second person has to agree first."})


class KeysSchema(Schema):
    """Every key, newest first."""

    items = fields.List(fields.Nested(KeySchema), required=True)


class IssuedKeySchema(Schema):
    """A new key; `key` is shown this once."""

    id = fields.UUID(required=True)
    name = fields.String(required=True)
    role = fields.String(required=True)
    key = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Null where it was told before, under the same Idempotency-Key: revoke it and make another."},
    )


def blueprint() -> Any:
    made = new_blueprint("keys", "/v1/keys", "Keys of clients.")
    access = Access(Verb.KEYS)
    create = Operation(
        name="create_key",
        summary="A new key for a client, at most two active at once; only by the first administrator's key, none that takes two people",
        access=access,
        body=NewKeySchema,
        answer=IssuedKeySchema,
        status=HTTPStatus.CREATED,
        refusals=(404, 409),
        once=True,
        withheld="key",
    )
    listing = Operation(name="list_keys", summary="All keys, without their text", access=access, answer=KeysSchema)
    revoke = Operation(
        name="revoke_key", summary="Revoke a key; it stops within a second", access=access, answer=None, status=HTTPStatus.NO_CONTENT
    )
    add(made, "POST", "", post, create)
    add(made, "GET", "", get_all, listing)
    add(made, "DELETE", "/<key_id>", delete, revoke)
    return made


def post(body: Mapping[str, Any]) -> Answer:
    return make(body)


def make(body: Mapping[str, Any], reason: str = "") -> dict[str, object]:
    """The key, with its text."""
    client = NewPrincipal(body["name"], Role(body["role"]), _set(body["domains"]), _set(body["systems"]), frozenset(body["grants"]))
    settings = concord().settings
    wanted = issuing.Wanted(client, settings.key_pepper(), settings.profile is Profile.DEMO, reason, request_id())

    def work(session: Session) -> issuing.Issued:
        check_known(session, client)
        return issuing.issue(session, actor(), wanted)

    issued = database().run(work)
    return {"id": issued.id, "name": client.name, "role": client.role, "key": issued.key, "waiting": issued.waiting}


def get_all() -> Answer:
    return {"items": database().run(list_keys)}


def delete(*, key_id: str) -> Answer:
    wanted = uuid_of(key_id)

    def work(session: Session) -> None:
        revoke_key(session, wanted)
        audit.record(session, actor(), "key:revoke", request_id=request_id(), detail={"key": str(wanted)})

    database().run(work)
    return Response(status=HTTPStatus.NO_CONTENT)


def _set(names: Sequence[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(names)


def check_known(session: Session, client: NewPrincipal) -> None:
    """A mistyped scope would be a key that silently does nothing."""
    systems = registry(session)
    problems = [
        FieldProblem("unknown_domain", "/domains", "there is no such domain")
        for name in client.domains or ()
        if name not in concord().entities
    ]
    problems += [
        FieldProblem("unknown_system", "/systems", "there is no such system") for name in client.systems or () if name not in systems.ids
    ]
    if problems:
        raise Invalid(problems=tuple(problems))
