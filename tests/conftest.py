"""One real PostgreSQL per test worker: the embedded one, or the server that CONCORD_TEST_DATABASE_URL names (any version from 15, by a
user who may set session_replication_role: nobody else can empty tables whose history is guarded).

`database` is a migrated database of the worker's own. A test that commits gets it as it is and must use keys of its own, or asks for
`clean_database`, which is emptied first. `session` is a transaction that is rolled back.
"""

import gc
import os
import secrets
import time
from collections.abc import Iterator
from typing import LiteralString, cast

import psycopg
import pytest
import structlog
from psycopg import sql
from sqlalchemy.orm import Session

from mdm import embedded
from mdm.access import SYSTEM_ACTOR
from mdm.db import Database
from mdm.embedded.postgres import OWNER_ROLE, ROLE
from mdm.migrate import migrate
from mdm.settings import Settings
from mdm.systems import forget_registry, install_identifier_systems, put_system

SYSTEMS = (("ehr-north", "ehr"), ("ehr-mercy", "ehr"), ("erp-north", "erp"), ("billing-north", "billing"), ("workforce-north", "workforce"))
KEPT = ("alembic_version", "feed_position")
REGISTRY = ("identifier_system", "identifier_alias", "system")  # as a migration and `register_systems` leave it
_KEEPERS: dict[str, "Keeper"] = {}
_SEQUENCES_BACK = (
    "select setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false) from pg_sequences"
    " where schemaname = 'public' and last_value is not null and sequencename not like 'identifier_system%';"
)


def pytest_collection_finish() -> None:
    """What was imported and collected stays till the end: looking through it again for garbage took a twentieth of all the time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _logs_go_nowhere_closed(request: pytest.FixtureRequest) -> Iterator[None]:
    """Where `capsys` took what was said, loggers that were set up meanwhile would go on writing into what is closed by now."""
    yield
    if "capsys" in request.fixturenames:
        structlog.reset_defaults()


@pytest.fixture(scope="session")
def database_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    given = os.environ.get("CONCORD_TEST_DATABASE_URL")
    if given:
        yield given
        return
    settings = Settings.from_env({"MDM_HOME": str(tmp_path_factory.mktemp("server")), "MDM_BROKER_URL": "none", "MDM_PROFILE": "test"})
    try:
        url = embedded.ensure_postgres(settings)
        with psycopg.connect(url, user=OWNER_ROLE, dbname="postgres", autocommit=True) as owner:
            owner.execute(f"grant set on parameter session_replication_role to {ROLE}")
        _sync(url, "off")  # what is tested here survives no loss of power, but killed processes as ever
        yield url
    finally:
        embedded.stop(settings)


def _sync(url: str, wanted: str) -> None:
    with psycopg.connect(url, user=OWNER_ROLE, dbname="postgres", autocommit=True) as owner:
        for setting in ("fsync", "full_page_writes"):
            owner.execute(f"alter system set {setting} = {wanted}")
        owner.execute("select pg_reload_conf()")
        while owner.execute("show fsync").fetchone() != (wanted,):
            time.sleep(0.02)


@pytest.fixture
def durable(database_url: str) -> Iterator[None]:
    """For tests that look at how the server is set: it writes as a hospital's does."""
    if os.environ.get("CONCORD_TEST_DATABASE_URL"):
        yield
        return
    _sync(database_url, "on")
    yield
    _sync(database_url, "off")


@pytest.fixture(scope="session")
def new_database(database_url: str) -> Iterator["NewDatabase"]:
    makes = NewDatabase(database_url)
    yield makes
    makes.close()


class NewDatabase:
    """Makes databases beside the given one, empty, and drops them in the end."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._made: list[tuple[str, Database]] = []
        self._migrated: Database | None = None

    def __call__(self, like: Database | None = None) -> Database:
        """An empty one; or a copy of another, to which nobody may be connected then."""
        name = f"test_{secrets.token_hex(6)}"
        template = "template1" if like is None else _name_of(like.url)
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(template)))
        database = Database(_with_name(self._url, name))
        self._made.append((name, database))
        return database

    def migrated(self) -> Database:
        """One with the newest schema: a copy, because the way through all migrations takes ten times as long."""
        if self._migrated is None:
            self._migrated = self()
            migrate(self._migrated)
            self._migrated.close()
        return self(self._migrated)

    def close(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            for name, database in self._made:
                database.close()
                if (keeper := _KEEPERS.pop(database.url, None)) is not None:
                    keeper.close()
                connection.execute(_HANG_UP, (name,))
                connection.execute(sql.SQL("drop database {}").format(sql.Identifier(name)))


# FORCE wants the right to end every process there, and an autovacuum worker is not ours; without it the server ends that one itself.
_HANG_UP = "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = %s and backend_type = 'client backend'"


def _name_of(url: str) -> str:
    return url.partition("?")[0].rsplit("/", 1)[1]


def _with_name(url: str, name: str) -> str:
    head, _, query = url.partition("?")
    return head.rsplit("/", 1)[0] + f"/{name}" + (f"?{query}" if query else "")


@pytest.fixture(scope="session")
def database(new_database: NewDatabase) -> Database:
    made = new_database.migrated()
    register_systems(made)
    return made


@pytest.fixture
def clean_database(database: Database) -> Database:
    empty(database)
    return database


def empty(database: Database) -> None:
    """Everything out, the registry as it was. Deleted, not truncated: new files for 60 tables cost more than most tests."""
    keeper = _KEEPERS.get(database.url)
    if keeper is None:
        keeper = _KEEPERS[database.url] = Keeper(database)
    keeper.empty()
    with database.unit_of_work() as session:
        forget_registry(session)


class Keeper:
    """A connection for which no trigger guards history and no reference is checked; it remembers the registry as it was at first."""

    def __init__(self, database: Database) -> None:
        self._connection = psycopg.connect(database.url, autocommit=True, options="-c session_replication_role=replica")
        rows = self._connection.execute("select tablename from pg_tables where schemaname = 'public' order by 1").fetchall()
        self._tables = [row[0] for row in rows if row[0] not in KEPT]
        self._truncate()
        with database.unit_of_work() as session:
            install_identifier_systems(session)
        register_systems(database)
        copies = (f"drop table if exists pristine.{name}; create table pristine.{name} as table {name};" for name in REGISTRY)
        self._do("create schema if not exists pristine; " + " ".join(copies))
        back = (f"insert into {name} overriding system value table pristine.{name};" for name in REGISTRY)
        self._empty = " ".join([*(f'delete from "{table}";' for table in self._tables), *back, _SEQUENCES_BACK])
        self._rounds = 0

    def empty(self) -> None:
        self._rounds += 1
        self._do(self._empty)
        if self._rounds % 4 == 0:  # else every look at a table goes past what was deleted: twice the time
            self._do("vacuum")

    def close(self) -> None:
        self._connection.close()

    def _truncate(self) -> None:
        listed = ", ".join(f'"{table}"' for table in self._tables)
        self._do(f"truncate {listed} restart identity cascade")

    def _do(self, statements: str) -> None:
        self._connection.execute(cast("LiteralString", statements))


def register_systems(database: Database) -> None:
    with database.unit_of_work() as session:
        for code, kind in SYSTEMS:
            put_system(session, code, name=code, kind=kind, organization="Northfield" if "north" in code else "Mercy")
        forget_registry(session)


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    with Session(database.engine) as opened:
        opened.begin()
        yield opened
        opened.rollback()


@pytest.fixture
def actor():
    return SYSTEM_ACTOR
