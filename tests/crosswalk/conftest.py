"""A crosswalk written row by row, in a database of its own: the hot path has its own connections, so everything is committed."""

import itertools
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import pytest

from api.app import create_app
from api.hot import Hot
from mdm.access import SYSTEM_ACTOR, NewPrincipal, Role, create_client
from mdm.consult import Asker, consult, verify
from mdm.db import Database, execute, fetch
from mdm.entities import ENTITY_TYPES
from mdm.ids import new_id
from mdm.question import Question
from mdm.relate import Author, relate
from mdm.settings import Settings
from mdm.statements import Assertion
from mdm.systems import put_system, registry

TODAY = date(2026, 3, 31)
SYSTEMS = (("erp", "erp"), ("ehr", "ehr"), ("hr", "workforce"))
_NAMES = itertools.count()


@dataclass(frozen=True)
class World:
    """Golden records and what they hold, by domain; questions to them."""

    database: Database

    def golden(self, domain="department", *, merged_into: UUID | None = None, status="active") -> UUID:
        golden_id = new_id()
        self._execute(
            "insert into golden_record (id, domain, status, merged_into) values (%s, %s, %s, %s)",
            (golden_id, domain, "merged" if merged_into else status, merged_into),
        )
        return golden_id

    def holds(self, golden_id, system, value, *, own=True, status="active", pending=False, valid_from=None, valid_to=None) -> None:
        self._execute(
            "insert into xref (domain, system_id, value, golden_id, status, own, exclusive, pending, valid_from, valid_to)"
            " select g.domain, s.id, %s, g.id, %s, %s, false, %s, %s, %s from golden_record g, identifier_system s"
            " where g.id = %s and s.code = %s",
            (value, status, own, pending, valid_from, valid_to, golden_id, system),
        )

    def relates(self, golden_id, name, target, *, valid_from=None) -> None:
        domain = self.database.run(lambda session: fetch(session, "select domain from golden_record where id = %s", (golden_id,)))[0][0]
        said = Assertion(name, golden_id=target, valid_from=valid_from)
        author = Author(SYSTEM_ACTOR, "", "request-1")
        self.database.run(lambda session: relate(session, ENTITY_TYPES[domain], golden_id, author, said))

    def says(self, golden_id, **values) -> None:
        self._execute(
            'insert into golden_version (golden_id, version, "values", provenance) values (%s, 1, %s::jsonb, %s::jsonb)',
            (golden_id, "{" + ",".join(f'"{k}": "{v}"' for k, v in values.items()) + "}", '{"records": [], "values": {}}'),
        )

    def ask(self, system, *values, to=("hr",), domain="department", as_of=TODAY, actor=SYSTEM_ACTOR):
        return self.consult(system, *values, to=to, domain=domain, as_of=as_of, actor=actor).answers

    def consult(self, system, *values, to=("hr",), domain="department", as_of=TODAY, actor=SYSTEM_ACTOR):
        question = Question(ENTITY_TYPES[domain], system, tuple(to), values, as_of)
        return self.database.run(lambda session: consult(session, Asker(actor, "request-1"), question))

    def verdict(self, system, value, *, domain="department", on=TODAY, actor=SYSTEM_ACTOR):
        question = Question(ENTITY_TYPES[domain], system, (), (value,), on)
        return self.database.run(lambda session: verify(session, Asker(actor, "request-1"), question))

    def registry(self):
        return self.database.run(registry)

    def rows(self, statement, parameters=()):
        return self.database.run(lambda session: fetch(session, statement, parameters))

    def _execute(self, statement, parameters) -> None:
        self.database.run(lambda session: execute(session, statement, parameters))


@pytest.fixture(scope="session")
def crosswalk_settings(tmp_path_factory):
    home = tmp_path_factory.mktemp("crosswalk")
    return Settings.from_env({"MDM_HOME": str(home), "MDM_PROFILE": "test", "MDM_LOG_LEVEL": "CRITICAL"})


@pytest.fixture(scope="session")
def world(new_database):
    database = new_database.migrated()
    with database.unit_of_work() as session:
        for code, kind in SYSTEMS:
            put_system(session, code, name=code, kind=kind, organization="Northfield", aliases=[("hl7", code.upper())])
    return World(database)


@pytest.fixture
def value():
    """A key that no other test has."""
    return f"K-{next(_NAMES):06d}"


@pytest.fixture(scope="session")
def slow(world, crosswalk_settings):
    """The API as Flask alone answers it."""
    return create_app(world.database, crosswalk_settings)


@pytest.fixture(scope="session")
def passed(slow):
    """The addresses that the hot path gave to Flask."""
    return []


@pytest.fixture(scope="session")
def hot(slow, passed):
    def behind(environ, start_response):
        passed.append(environ["PATH_INFO"])
        return slow.wsgi_app(environ, start_response)

    made = Hot(slow, behind)
    yield made
    made.close()


@pytest.fixture
def key(world, crosswalk_settings):
    """key(role, domains=..., systems=..., grants=...) -> a header that authenticates."""

    def make(role="integration", **scope):
        sets = {name: frozenset(values) for name, values in scope.items()}
        client = NewPrincipal(f"client {next(_NAMES)}", Role(role), **sets)
        with world.database.unit_of_work() as session:
            _, token = create_client(session, crosswalk_settings.key_pepper(), client, created_by="test")
        return {"Authorization": f"Bearer {token}"}

    return make
