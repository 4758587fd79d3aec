"""One real PostgreSQL per test worker: the embedded one, or the server that CONCORD_TEST_DATABASE_URL names (any version from 15).

`database` is a migrated database of the worker's own. A test that commits gets it as it is and must use keys of its own, or asks for
`clean_database`, which is emptied first. `session` is a transaction that is rolled back.
"""

import os
import secrets
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.orm import Session

from mdm import embedded
from mdm.access import SYSTEM_ACTOR
from mdm.db import Database
from mdm.migrate import migrate
from mdm.settings import Settings
from mdm.systems import forget_registry, install_identifier_systems, put_system

SYSTEMS = (("ehr-north", "ehr"), ("ehr-mercy", "ehr"), ("erp-north", "erp"), ("billing-north", "billing"), ("workforce-north", "workforce"))
KEPT = ("alembic_version", "feed_position")


@pytest.fixture(scope="session")
def database_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    given = os.environ.get("CONCORD_TEST_DATABASE_URL")
    if given:
        yield given
        return
    settings = Settings.from_env({"MDM_HOME": str(tmp_path_factory.mktemp("server")), "MDM_BROKER_URL": "none", "MDM_PROFILE": "test"})
    try:
        yield embedded.ensure_postgres(settings)
    finally:
        embedded.stop(settings)


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

    def __call__(self) -> Database:
        name = f"test_{secrets.token_hex(6)}"
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        database = Database(_with_name(self._url, name))
        self._made.append((name, database))
        return database

    def close(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            for name, database in self._made:
                database.close()
                connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def _with_name(url: str, name: str) -> str:
    head, _, query = url.partition("?")
    return head.rsplit("/", 1)[0] + f"/{name}" + (f"?{query}" if query else "")


@pytest.fixture(scope="session")
def database(new_database: NewDatabase) -> Database:
    made = new_database()
    migrate(made)
    register_systems(made)
    return made


@pytest.fixture
def clean_database(database: Database) -> Database:
    empty(database)
    return database


def empty(database: Database) -> None:
    """Everything out, the registry as it was; the triggers that guard history are off for this moment only."""
    with database.engine.begin() as connection:
        tables = connection.exec_driver_sql("select tablename from pg_tables where schemaname = 'public'").scalars().all()
        listed = ", ".join(f'"{table}"' for table in tables if table not in KEPT)
        for table in ("audit", "decision"):
            connection.exec_driver_sql(f"alter table {table} disable trigger never_emptied")
        connection.exec_driver_sql(f"truncate {listed} restart identity cascade")
        for table in ("audit", "decision"):
            connection.exec_driver_sql(f"alter table {table} enable trigger never_emptied")
    with database.unit_of_work() as session:
        install_identifier_systems(session)
    register_systems(database)


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
