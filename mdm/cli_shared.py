"""What several commands begin with: the database of the installation, and the domain that was named."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from mdm.errors import ConcordError, ServiceError, UnusableInput
from mdm.settings import Settings

if TYPE_CHECKING:  # see mdm.cli: a command imports what it needs
    from mdm.db import Database, DatabaseError
    from mdm.entity import EntityType


@contextmanager
def database(settings: Settings) -> Iterator["Database"]:
    from mdm.db import Database
    from mdm.embedded import check_database, ensure_postgres

    url = ensure_postgres(settings)
    check_database(url)
    with closing(Database(url)) as found:
        yield found


@contextmanager
def current_database(settings: Settings) -> Iterator["Database"]:
    from mdm.revision import is_current

    with database(settings) as found:
        if not is_current(found):
            raise ServiceError("the database has not been migrated to this version: run `mdm up` or `mdm migrate`")
        yield found


def refused_by_database(error: "DatabaseError") -> ServiceError:
    """Names the SQLSTATE, never a value."""
    return ServiceError(f"the database refused: {error}")


def line_of(error: ConcordError) -> str:
    """What went wrong, in one line: the message, and what it does not say of the single problems."""
    further = [problem.message for problem in error.problems if problem.message not in str(error)]
    return "; ".join([str(error), *further]).replace("\n", " ")


def domain(name: str) -> "EntityType":
    """The domain of that name. Raises UnusableInput, which names those that there are."""
    from mdm.entities import ENTITY_TYPES

    if name not in ENTITY_TYPES:
        raise UnusableInput(f"no such domain: {name}; there are {', '.join(ENTITY_TYPES)}")
    return ENTITY_TYPES[name]
