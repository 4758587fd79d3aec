"""Alembic's entry: runs on the connection that `mdm.migrate` hands over, or on the URL given by `-x url=`."""

from alembic import context
from sqlalchemy import Connection, create_engine

from mdm import (  # noqa: F401  (mapped by importing them)
    tables_feed,
    tables_identity,
    tables_jobs,
    tables_loads,
    tables_mapping,
    tables_misses,
    tables_quality,
    tables_relations,
    tables_searches,
    tables_stewards,
    tables_upkeep,
)
from mdm.tables_work import Base  # importing it also maps the tables of records and golden records


def run() -> None:
    connection = context.config.attributes.get("connection")
    if connection is not None:
        _migrate(connection)
        return
    engine = create_engine(context.get_x_argument(as_dictionary=True)["url"])
    with engine.begin() as own:
        _migrate(own)


def _migrate(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=Base.metadata, compare_type=True, compare_server_default=True)
    with context.begin_transaction():
        context.run_migrations()


run()
