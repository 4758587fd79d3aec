"""Bring a database to this version's schema, once, whoever else tries at the same moment."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import text

import migrations
from mdm.db import Database, translated
from mdm.systems import install_identifier_systems

_LOCK = 0x4D444D  # every installation and process uses this one number


def config() -> Config:
    made = Config()
    made.set_main_option("script_location", str(Path(migrations.__file__).parent))
    made.set_main_option("path_separator", "os")
    return made


def migrate(database: Database) -> None:
    """Upgrade to the newest revision and write the declared identifier systems."""
    with translated(), database.engine.begin() as connection:
        connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        made = config()
        made.attributes["connection"] = connection
        command.upgrade(made, "head")
    with database.unit_of_work() as session:
        install_identifier_systems(session)
