"""The API as one Flask application, made from a database, settings and the declared domains. Nothing is configured by import."""

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from flask import Flask
from flask.json.provider import JSONProvider
from flask_smorest import Api

from api import (
    auth,
    changes,
    consumers,
    docs,
    errors,
    explain,
    golden,
    health,
    identity,
    jobs,
    keys,
    load_papers,
    loads,
    logging,
    mappings,
    match,
    preview,
    relationships,
    sources,
    systems,
    tasks,
    webhooks,
)
from api.context import Concord
from api.crosswalk import blueprint as crosswalk_blueprint
from api.routing import new_blueprint
from api.schemas import domain_schemas
from mdm import logs
from mdm.access import Keyring
from mdm.db import Database
from mdm.entities import ENTITY_TYPES
from mdm.entity import EntityType
from mdm.jsonio import dumps
from mdm.jsonio import loads as read_json
from mdm.settings import Settings

BODY_BYTES_MAX = 5 * 1024 * 1024


class StrictJson(JSONProvider):
    """One JSON for all routes, hot ones included."""

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        del kwargs
        return dumps(obj).decode()

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        del kwargs
        return read_json(s)


def create_app(database: Database, settings: Settings, entities: Mapping[str, EntityType] = ENTITY_TYPES) -> Flask:
    """The API over this database; the UI is added by whoever serves both."""
    app = Flask(__name__, static_folder=None)
    app.json = StrictJson(app)
    app.url_map.merge_slashes = False  # a local key may hold two slashes
    app.config.update(MAX_CONTENT_LENGTH=BODY_BYTES_MAX, PROVIDE_AUTOMATIC_OPTIONS=False, **_openapi())
    logs.configure(settings.log_level)
    parts = Concord(database, settings, Keyring(database, settings.key_pepper()), entities)
    with app.app_context():
        parts.install()
    health.register(app)
    logging.register(app)
    auth.guard(app)
    _register_routes(app, entities)
    errors.register(app)
    return app


def _openapi() -> dict[str, Any]:
    return {
        "API_TITLE": "Concord",
        "API_VERSION": _version(),
        "OPENAPI_VERSION": "3.1.0",
        "API_SPEC_OPTIONS": {
            "info": {"description": "Golden records and cross-system identifiers for hospital groups."},
            "security": [],
        },
    }


def _version() -> str:
    try:
        return version("concord")
    except PackageNotFoundError:  # run from a checkout that nobody installed
        return "0"


def _register_routes(app: Flask, entities: Mapping[str, EntityType]) -> None:
    api = _api(app)
    for entity in entities.values():
        api.register_blueprint(domain_blueprint(entity))
    for blueprint in (
        crosswalk_blueprint(),
        mappings.blueprint(),
        systems.blueprint(),
        tasks.blueprint(),
        identity.blueprint(),
        relationships.blueprint(),
        jobs.blueprint(),
        loads.blueprint(),
        load_papers.blueprint(),
        keys.blueprint(),
        health.blueprint(),
    ):
        api.register_blueprint(blueprint)
    for blueprint in (changes.blueprint(), consumers.blueprint(), webhooks.blueprint()):
        api.register_blueprint(blueprint)
    app.register_blueprint(docs.blueprint(api))


def _api(app: Flask) -> Any:
    api = Api()
    api.ERROR_SCHEMA = errors.ProblemSchema
    # flask-smorest prepares every refusal when it starts, with whatever type is the usual one at that moment.
    api.DEFAULT_RESPONSE_CONTENT_TYPE = errors.PROBLEM_TYPE
    api.init_app(app)
    api.DEFAULT_RESPONSE_CONTENT_TYPE = "application/json"
    api.DEFAULT_ERROR_RESPONSE_NAME = None  # every status is said by name
    api.spec.components.security_scheme("key", {"type": "http", "scheme": "bearer", "description": "An API key."})
    return api


def domain_blueprint(entity: EntityType) -> Any:
    """Every route of one domain, from its declaration."""
    made = new_blueprint(entity.name, f"/v1/{entity.path}", entity.help)
    schemas = domain_schemas(entity)
    for module in (sources, match, explain, golden, identity, relationships, preview):
        module.add_routes(made, entity, schemas)
    return made
