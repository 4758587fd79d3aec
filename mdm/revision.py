"""Which schema this code was written for, told without Alembic: importing that takes a tenth of the start of a web process."""

from functools import cache
from pathlib import Path

from sqlalchemy import text

import migrations
from mdm.db import Database, translated


@cache
def head() -> str:
    """The newest revision; migrations are numbered, and their files begin with the number."""
    versions = Path(migrations.__file__).parent / "versions"
    return max(file.name.partition("_")[0] for file in versions.glob("[0-9]*_*.py"))


def is_current(database: Database) -> bool:
    """Whether the schema is the one that this code was written for."""
    with translated(), database.engine.connect() as connection:
        if connection.execute(text("select to_regclass('alembic_version')")).scalar() is None:
            return False
        return connection.execute(text("select version_num from alembic_version")).scalars().all() == [head()]
