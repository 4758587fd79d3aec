"""The registry: source systems and identifier systems. A system is registered here, never made by a delivery."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from marshmallow import Schema, fields, validate
from sqlalchemy.orm import Session

from api.auth import Access
from api.context import actor, database, request_id
from api.preconditions import etag, if_match, if_match_parameter
from api.routing import Answer, Operation, add, new_blueprint
from api.schemas import text
from mdm import audit, policy
from mdm.access import Verb
from mdm.errors import Conflict, Invalid, NotFound, Stale
from mdm.identifier_systems import ALIAS_KINDS
from mdm.ids import CODE_WORDS, is_code
from mdm.namespaces import list_namespaces
from mdm.systems import SYSTEM_KINDS, SystemView, get_system, list_systems, lock_system, put_system

_ALIASES_MAX = 50


class AliasSchema(Schema):
    """Another name of a system."""

    kind = fields.String(required=True, validate=validate.OneOf(ALIAS_KINDS))
    value = text(shortest=1, required=True)


class SystemSchema(Schema):
    """A source system as it is to be."""

    name = text(shortest=1, required=True)
    kind = fields.String(required=True, validate=validate.OneOf(SYSTEM_KINDS))
    organization = text(shortest=1, required=True)
    aliases = fields.List(fields.Nested(AliasSchema), load_default=list, validate=validate.Length(max=_ALIASES_MAX))


class SystemViewSchema(Schema):
    """A source system."""

    code = fields.String(required=True)
    name = fields.String(required=True)
    kind = fields.String(required=True)
    organization = fields.String(required=True)
    aliases = fields.List(fields.Nested(AliasSchema), required=True)
    version = fields.Integer(required=True)


class SystemsSchema(Schema):
    """Source systems, by code."""

    items = fields.List(fields.Nested(SystemViewSchema), required=True)


class IdentifierSystemViewSchema(Schema):
    """A namespace of identifiers."""

    code = fields.String(required=True)
    label = fields.String(required=True)
    value_type = fields.String(required=True)
    sensitivity = fields.String(required=True)
    is_source = fields.Boolean(required=True)
    status = fields.String(required=True)
    aliases = fields.List(fields.Nested(AliasSchema), required=True)


class IdentifierSystemsSchema(Schema):
    """Identifier systems, by code."""

    items = fields.List(fields.Nested(IdentifierSystemViewSchema), required=True)


def blueprint() -> Any:
    made = new_blueprint("systems", "/v1", "Source systems and identifier systems.")
    anyone = Access(None)
    put = Operation(
        name="put_system",
        summary="Register a source system, or change it under If-Match; one that is so already stays as it is",
        access=Access(Verb.CONFIGURE),
        body=SystemSchema,
        answer=SystemViewSchema,
        also=((HTTPStatus.CREATED, SystemViewSchema),),
        refusals=(409, 412, 428),
        docs={"parameters": [if_match_parameter("the system", required=False)]},
        once=True,
    )
    get = Operation(name="get_system", summary="A source system, with its version as ETag", access=anyone, answer=SystemViewSchema)
    listing = Operation(name="list_systems", summary="The source systems in your scope", access=anyone, answer=SystemsSchema)
    namespaces = Operation(
        name="list_identifier_systems", summary="The identifier systems and their aliases", access=anyone, answer=IdentifierSystemsSchema
    )
    add(made, "PUT", "/systems/<code>", put_one, put)
    add(made, "GET", "/systems/<code>", get_one, get)
    add(made, "GET", "/systems", get_all, listing)
    add(made, "GET", "/identifier-systems", get_namespaces, namespaces)
    return made


def put_one(body: Mapping[str, Any], *, code: str) -> Answer:
    view, is_new = put(body, code, if_match)
    return _shown(view), HTTPStatus.CREATED if is_new else HTTPStatus.OK, etag(view.version)


def put(body: Mapping[str, Any], code: str, version: Callable[[], int]) -> tuple[SystemView, bool]:
    """Register a system, or change one; which version was read is asked only of one that there is and that would change."""
    policy.check(actor(), Verb.CONFIGURE, system=code)
    _check_code(code)
    return database().run(lambda session: _put(session, code, body, version))


def get_one(*, code: str) -> Answer:
    if not policy.in_scope(actor(), code):
        raise NotFound
    view = database().run(lambda session: get_system(session, code))
    return _shown(view), HTTPStatus.OK, etag(view.version)


def get_all() -> Answer:
    found = database().run(list_systems)
    return {"items": [_shown(view) for view in found if policy.in_scope(actor(), view.code)]}


def get_namespaces() -> Answer:
    found = database().run(list_namespaces)
    return {"items": [view for view in found if not view.is_source or policy.in_scope(actor(), view.code)]}


def _check_code(code: str) -> None:
    if not is_code(code):
        raise Invalid.at("invalid_code", "/code", CODE_WORDS)


def _put(session: Session, code: str, body: Mapping[str, Any], version: Callable[[], int]) -> tuple[SystemView, bool]:
    aliases = [(alias["kind"], alias["value"]) for alias in body["aliases"]]
    known = lock_system(session, code)
    if known is not None and known.says(name=body["name"], kind=body["kind"], organization=body["organization"], aliases=aliases):
        return known, False
    if known is not None and version() != known.version:
        raise Stale(f"this system is now at version {known.version}")
    view, is_new = put_system(session, code, name=body["name"], kind=body["kind"], organization=body["organization"], aliases=aliases)
    if known is None and not is_new:
        raise Conflict("somebody has registered a system of this code at this moment")
    audit.record(session, actor(), "system:put", request_id=request_id(), detail={"system": code, "new": is_new})
    return view, is_new


def _shown(view: SystemView) -> dict[str, Any]:
    return {
        "code": view.code,
        "name": view.name,
        "kind": view.kind,
        "organization": view.organization,
        "aliases": [{"kind": kind, "value": value} for kind, value in view.aliases],
        "version": view.version,
    }
