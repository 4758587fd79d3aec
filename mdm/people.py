"""Who signs in and who calls, with which role, scope and grants. What gives rights takes two people; what takes them away takes one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import audit
from mdm.access import Actor, NewPrincipal, Role
from mdm.authentication import create_person, drop_second_factor, hashed, reset_password
from mdm.db import Row, execute, fetch
from mdm.errors import Conflict, Forbidden, NotFound, Stale


@dataclass(frozen=True, slots=True)
class PersonView:
    """A person or a client as an administrator sees them. None: every domain, every system."""

    id: UUID
    name: str
    kind: str
    role: str
    domains: tuple[str, ...] | None
    systems: tuple[str, ...] | None
    grants: tuple[str, ...]
    disabled: bool
    locked_until: datetime | None
    second_factor: bool
    seen_at: datetime | None
    version: int
    created_at: datetime


_VIEW: LiteralString = (
    "select p.id, p.name, p.kind, p.role, p.domains, p.systems, p.grants, p.disabled,"
    " case when p.locked_until > now() then p.locked_until end, p.totp_secret is not null,"
    " greatest((select max(s.seen_at) from user_session s where s.principal_id = p.id),"
    " (select max(k.last_used_at) from api_key k where k.principal_id = p.id)), p.version, p.created_at from principal p "
)


def list_people(session: Session) -> list[PersonView]:
    """Everybody, people before clients, by name."""
    return [_view(row) for row in fetch(session, _VIEW + "order by p.kind desc, p.name")]


def get(session: Session, principal_id: UUID) -> PersonView:
    rows = fetch(session, _VIEW + "where p.id = %s", (principal_id,))
    if not rows:
        raise NotFound("there is nobody of this id")
    return _view(rows[0])


def _view(row: Row) -> PersonView:
    return PersonView(row[0], row[1], row[2], row[3], _named(row[4]), _named(row[5]), tuple(row[6]), *row[7:])


def _named(names: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(names)


def invite(session: Session, actor: Actor, person: NewPrincipal, password: str, request_id: str) -> UUID:
    """Somebody new, who cannot sign in until a second person has agreed to their rights."""
    made = create_person(session, person, password, due=True)
    execute(session, "update principal set disabled = true where id = %s", (made,))
    audit.record(session, actor, "person:invite", request_id=request_id, detail={"person": str(made), "role": person.role.value})
    return made


def disable(session: Session, actor: Actor, principal_id: UUID, request_id: str) -> None:
    """Nothing works for them within a second. To enable them again takes two people. Nobody disables themselves."""
    if principal_id == actor.id:
        raise Forbidden("nobody can disable themselves")
    if not execute(session, "update principal set disabled = true, version = version + 1 where id = %s", (principal_id,)):
        raise NotFound("there is nobody of this id")
    execute(session, "delete from user_session where principal_id = %s", (principal_id,))
    audit.record(session, actor, "person:disable", request_id=request_id, detail={"person": str(principal_id)})


def unlock(session: Session, actor: Actor, principal_id: UUID, request_id: str) -> None:
    """They may try their password again now."""
    if not execute(session, "update principal set locked_until = null, failed_logins = 0 where id = %s", (principal_id,)):
        raise NotFound("there is nobody of this id")
    audit.record(session, actor, "person:unlock", request_id=request_id, detail={"person": str(principal_id)})


def reset(session: Session, actor: Actor, name: str, password: str | None) -> None:
    """Let somebody in again who lost what they sign in with: no second factor until they set one up, and this password, if one is given.

    From the host's shell alone, for the last administrator; over the pages it takes two. Raises NotFound, Conflict for a disabled one.
    """
    rows = fetch(session, "select id, disabled from principal where name = %s and kind = 'person' for update", (name,))
    if not rows:
        raise NotFound("nobody signs in by this name")
    if rows[0][1]:
        raise Conflict("this person is disabled: two administrators give their rights back")
    drop_second_factor(session, rows[0][0])
    if password is not None:
        reset_password(session, rows[0][0], hashed(password))
    execute(session, "update principal set locked_until = null, failed_logins = 0 where id = %s", (rows[0][0],))
    audit.record(session, actor, "person:reset", detail={"person": str(rows[0][0]), "password": password is not None})


def rights(wanted: NewPrincipal, version: int) -> dict[str, Any]:
    """Rights as a pending change keeps them: the same names as `NewPrincipal`, and the version that was read."""
    return {
        "role": wanted.role.value,
        "domains": None if wanted.domains is None else sorted(wanted.domains),
        "systems": None if wanted.systems is None else sorted(wanted.systems),
        "grants": sorted(wanted.grants),
        "version": version,
    }


def held(view: PersonView) -> dict[str, Any]:
    """The rights of somebody, as a pending change keeps them."""
    return {"role": view.role, "domains": view.domains, "systems": view.systems, "grants": view.grants, "version": view.version}


def wanted_of(name: str, kept: Mapping[str, Any]) -> NewPrincipal:
    """The same back."""
    return NewPrincipal(name, Role(kept["role"]), _scope(kept["domains"]), _scope(kept["systems"]), frozenset(kept["grants"]))


def _scope(names: Sequence[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(names)


def grant(session: Session, principal_id: UUID, kept: Mapping[str, Any]) -> None:
    """Give these rights, and let them in. Raises Stale where they have changed since they were read."""
    changed = execute(
        session,
        "update principal set role = %s, domains = %s, systems = %s, grants = %s, disabled = false, version = version + 1"
        " where id = %s and version = %s",
        (kept["role"], kept["domains"], kept["systems"], kept["grants"], principal_id, kept["version"]),
    )
    if not changed:
        raise Stale("the rights of this person have changed since this was asked for; refuse it, and ask anew")
