"""Who may make a key. One that can settle, approve or configure, or holds a grant, works once a second person has agreed to it.

People make keys. Of clients only the first administrator's does, so that an installation can be set up without a person; a key that needs
two people it cannot ask for at all: nobody sees who holds it. The shell stands above this: whoever reaches it holds the database.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import audit, people, policy, second_person
from mdm.access import Actor, NewPrincipal, Role, Verb, create_client
from mdm.db import fetch
from mdm.errors import Forbidden

HEAVY = frozenset({Verb.DECIDE, Verb.APPROVE, Verb.MODEL, Verb.CONFIGURE, Verb.KEYS})


class KeyMakesNoKeys(Forbidden):
    """A key makes no keys; an administrator who signs in does, or whoever has the shell."""

    code = "keys_from_people"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A client to have a key. `reason`: for the second person, where one is needed."""

    client: NewPrincipal
    pepper: bytes
    demo: bool
    reason: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Issued:
    """A new key; its text is shown this once. `waiting`: a second person has to agree first."""

    id: UUID
    key: str
    waiting: bool


def needs_second(client: NewPrincipal) -> bool:
    """Whether this key could do what takes two people when a person is given it."""
    return bool(client.grants or policy.ROLE_VERBS[client.role] & HEAVY)


def issue(session: Session, actor: Actor, wanted: Wanted) -> Issued:
    """A key for a client. Raises Forbidden, KeyMakesNoKeys, SamePerson, Conflict."""
    client = wanted.client
    policy.check(actor, Verb.KEYS)
    policy.check_not_above(actor, client)
    waiting = needs_second(client)
    _check_maker(session, actor, waiting=waiting)
    key_id, token = create_client(session, wanted.pepper, client, created_by=actor.name, demo=wanted.demo, waiting=waiting)
    detail = {"key": str(key_id), "name": client.name, "role": client.role.value, "grants": sorted(client.grants), "waiting": waiting}
    audit.record(session, actor, "key:create", request_id=wanted.request_id, detail=detail)
    if waiting:
        asked = {**people.rights(client, 1), "name": client.name}
        second_person.ask(session, actor, (second_person.KEY, str(key_id)), asked, wanted.reason)
    return Issued(key_id, token, waiting)


def _check_maker(session: Session, actor: Actor, *, waiting: bool) -> None:
    if not fetch(session, "select 1 from principal where id = %s and kind = 'client'", (actor.id,)):
        return
    first = "select id from principal where kind = 'client' and role = %s order by created_at, id limit 1"
    if fetch(session, first, (Role.ADMIN.value,)) != [(actor.id,)]:
        raise KeyMakesNoKeys
    if waiting:
        raise second_person.SamePerson("a key that settles, configures or holds a grant takes two people: ask for it on /admin/keys")
