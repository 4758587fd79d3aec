"""What was done and read, by whom. One insert in the transaction of the act itself: an act that cannot be audited does not happen.

Subjects are golden ids; neither identifiers nor values of a person ever stand here.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypedDict, Unpack
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy.orm import Session

from mdm.db import array, write


class Named(Protocol):
    """Whoever acts; see `mdm.access.Actor`, which stands above this file."""

    @property
    def name(self) -> str: ...


class About(TypedDict, total=False):
    """The rest of an audit row; `detail` holds counts, codes and reasons."""

    domain: str | None
    subjects: Sequence[UUID]
    fields: Sequence[str]
    request_id: str
    outcome: str
    detail: Mapping[str, object]


def record(session: Session, actor: Named, action: str, **about: Unpack[About]) -> None:
    """Write one row; `action` reads `subject:act`."""
    write(
        session,
        "insert into audit (principal, action, domain, subjects, fields, request_id, outcome, detail)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s)",
        (
            actor.name,
            action,
            about.get("domain"),
            array(about.get("subjects", ())),
            list(about.get("fields", ())),
            about.get("request_id", ""),
            about.get("outcome", "done"),
            Jsonb(dict(about.get("detail", {}))),
        ),
    )
