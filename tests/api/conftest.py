"""The API over the test database, and keys for whoever a test needs. Every key is made through the real services."""

import pytest

from api.app import create_app
from mdm.access import SYSTEM_ACTOR, NewPrincipal, Role, create_client
from mdm.db import Database
from mdm.ids import new_id
from mdm.settings import Settings


@pytest.fixture(scope="session")
def settings(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    return Settings.from_env({"MDM_HOME": str(home), "MDM_PROFILE": "test", "MDM_LOG_LEVEL": "CRITICAL"})


@pytest.fixture(scope="session")
def app(database, settings):
    return create_app(database, settings)


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture
def key(database, settings):
    """key(role, domains=..., systems=..., grants=...) -> a header that authenticates."""

    def make(role="integration", **scope):
        client = NewPrincipal(f"{role} {new_id()}", Role(role), **{name: frozenset(values) for name, values in scope.items()})
        with database.unit_of_work() as session:
            _, token = create_client(session, settings.key_pepper(), client, created_by=SYSTEM_ACTOR.name)
        return {"Authorization": f"Bearer {token}"}

    return make


@pytest.fixture(scope="session")
def nowhere(settings):
    """The API over a database that is gone."""
    return create_app(Database("postgresql://nobody@127.0.0.1:9/none"), settings).test_client()
