"""A database, an API over it and keys; changes of every kind by real deliveries; events numbered when a test says so."""

import itertools
from uuid import uuid4

import pytest

from api.app import create_app
from mdm.access import SYSTEM_ACTOR, NewPrincipal, Role, create_client
from mdm.couriers import prepare
from mdm.db import execute, fetch
from mdm.entities import ENTITY_TYPES
from mdm.feed import Happening, publish
from mdm.ids import new_id
from mdm.ingest import deliver_all
from mdm.settings import Settings
from mdm.standardise import Delivery

_KEYS = itertools.count()


@pytest.fixture(scope="session")
def settings(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    given = {"MDM_PROFILE": "test", "MDM_LOG_LEVEL": "CRITICAL", "MDM_WEBHOOK_HOSTS": "127.0.0.1"}
    return Settings.from_env({"MDM_HOME": str(home), **given})


@pytest.fixture(scope="session")
def app(database, settings):
    return create_app(database, settings)


@pytest.fixture
def client(app, clean_database):
    return app.test_client()


@pytest.fixture
def key(database, settings):
    """key(role, **scope) -> a header that authenticates, of a client named `name` if one is given."""

    def make(role="integration", name=None, **scope):
        who = NewPrincipal(name or f"{role} {new_id()}", Role(role), **{each: frozenset(values) for each, values in scope.items()})
        with database.unit_of_work() as session:
            _, token = create_client(session, settings.key_pepper(), who, created_by=SYSTEM_ACTOR.name)
        return {"Authorization": f"Bearer {token}"}

    return make


@pytest.fixture
def deliver(clean_database):
    """deliver(system, key, domain=..., identifiers=..., status=..., **attributes) -> the result."""

    def one(system="erp-north", key=None, *, domain="payer", identifiers=(), status="active", **attributes):
        row = Delivery(system, key or f"k{next(_KEYS)}", attributes or {"name": f"Payer {uuid4()}"}, identifiers, status)
        return deliver_all(clean_database, ENTITY_TYPES[domain], SYSTEM_ACTOR, [row], "test")[0]

    return one


@pytest.fixture
def tell(clean_database):
    """tell(n, ...) -> ids of new events, one per version number, about one golden id unless another is given; numbered at once."""

    def some(*versions, about=None, domain="payer", numbered=True, **options):
        golden_id = about or uuid4()
        happenings = [Happening("golden.updated", golden_id, {"version": version}) for version in versions]
        ids = clean_database.run(lambda session: publish(session, domain, happenings, **options))
        if numbered:
            prepare(clean_database, None)
        return ids

    return some


@pytest.fixture
def rows(database):
    """rows(statement, *params) -> what it gives; a write commits."""

    def ask(statement, *params):
        def work(session):
            if statement.startswith("select"):
                return fetch(session, statement, params)
            return execute(session, statement, params)

        return database.run(work)

    return ask
