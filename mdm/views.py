"""Lists with their filters under a name: a person's own, and those that somebody shares. Filters are codes, never values."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import policy
from mdm.access import Actor, Verb
from mdm.db import execute, fetch
from mdm.errors import Conflict, Invalid, NotFound
from mdm.ids import new_id

NAME_MAX = 60
QUERY_MAX = 500
VIEWS_MAX = 50


@dataclass(frozen=True, slots=True)
class View:
    """A saved list; `mine`: whoever looks can delete it."""

    id: UUID
    name: str
    query: str
    shared: bool
    mine: bool


@dataclass(frozen=True, slots=True)
class NewView:
    """A list of a page with its filters."""

    page: str
    name: str
    query: str
    shared: bool


def of(session: Session, actor: Actor, page: str) -> Sequence[View]:
    """Those that this person sees, their own first."""
    rows = fetch(
        session,
        "select id, name, query, shared, owner = %(me)s or (shared and %(tidies)s) from saved_view where page = %(page)s"
        " and (owner = %(me)s or shared) order by owner <> %(me)s, name",
        {"me": actor.name, "page": page, "tidies": policy.can(actor, Verb.CONFIGURE)},
    )
    return [View(*row) for row in rows]


def save(session: Session, actor: Actor, new: NewView) -> UUID:
    """The list under this name, in place of a former one of the same person. Raises Invalid, Conflict, Forbidden.

    What is on everybody's list is for those to say who work through it.
    """
    if new.shared:
        policy.check(actor, Verb.DECIDE)
    if not 1 <= len(new.name) <= NAME_MAX or len(new.query) > QUERY_MAX:
        raise Invalid.at("bad_name", "/name", f"1 to {NAME_MAX} characters")
    if fetch(session, "select count(*) from saved_view where owner = %s", (actor.name,))[0][0] >= VIEWS_MAX:
        raise Conflict(f"a person keeps {VIEWS_MAX} views at most; delete one first")
    rows = fetch(
        session,
        "insert into saved_view (id, owner, page, name, query, shared) values (%s, %s, %s, %s, %s, %s)"
        " on conflict (owner, page, name) do update set query = excluded.query, shared = excluded.shared returning id",
        (new_id(), actor.name, new.page, new.name, new.query, new.shared),
    )
    found: UUID = rows[0][0]
    return found


def delete(session: Session, actor: Actor, view_id: UUID) -> None:
    """One of one's own; an administrator also one that is there for all. Raises NotFound."""
    tidies = policy.can(actor, Verb.CONFIGURE)
    if not execute(session, "delete from saved_view where id = %s and (owner = %s or (shared and %s))", (view_id, actor.name, tidies)):
        raise NotFound("there is no such view of yours")
