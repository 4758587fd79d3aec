"""A form that is sent twice happens once: the second time it gets the answer of the first.

The answer is kept for a day, in the transaction of the act itself, as ids and codes; whoever shows it makes the page anew.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb
from sqlalchemy.orm import Session

from mdm.access import Actor
from mdm.db import execute, fetch
from mdm.errors import Conflict, Unguarded

KEY_MAX = 80


@dataclass(frozen=True, slots=True)
class Answer:
    """What the act came to, and whether this is the stored answer of an earlier time."""

    told: Mapping[str, Any]
    repeated: bool


def once(session: Session, actor: Actor, key: str, request: str, work: Callable[[], Mapping[str, Any]]) -> Answer:
    """Do `work` unless it was done under this key. Raises Unguarded without a key, Conflict where the key stood for another request."""
    if not 8 <= len(key) <= KEY_MAX or not key.isascii():
        raise Unguarded
    execute(session, "delete from stored_answer where created_at < now() - interval '24 hours'")
    # Whoever comes second waits here for the first, then finds the row.
    fresh = execute(
        session,
        "insert into stored_answer (principal, key, request, answer) values (%s, %s, %s, '{}') on conflict do nothing",
        (actor.name, key, request),
    )
    if not fresh:
        asked, told = fetch(session, "select request, answer from stored_answer where principal = %s and key = %s", (actor.name, key))[0]
        if asked != request:
            raise Conflict("this key stood for another form; open the page again")
        return Answer(told, repeated=True)
    done = work()
    execute(session, "update stored_answer set answer = %s where principal = %s and key = %s", (Jsonb(dict(done)), actor.name, key))
    return Answer(done, repeated=False)
