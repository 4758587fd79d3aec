"""May they do this now? Deny by default: what no rule of this file allows is forbidden. `check` raises, `can` asks, by one rule."""

from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from mdm.access import PHI, Actor, NewPrincipal, Role, Verb
from mdm.db import fetch
from mdm.entities import ENTITY_TYPES
from mdm.errors import Forbidden, NotFound

ROLE_VERBS: Mapping[Role, frozenset[Verb]] = {
    Role.INTEGRATION: frozenset({Verb.LOOKUP, Verb.READ, Verb.SEARCH, Verb.MATCH, Verb.SUBMIT}),
    Role.STEWARD: frozenset({Verb.LOOKUP, Verb.READ, Verb.SEARCH, Verb.MATCH, Verb.DECIDE, Verb.APPROVE}),
    Role.LOADER: frozenset({Verb.LOAD}),
    Role.AUDITOR: frozenset({Verb.AUDIT}),
    Role.ADMIN: frozenset(
        {Verb.LOOKUP, Verb.READ, Verb.SEARCH, Verb.MATCH, Verb.LOAD, Verb.EXPORT, Verb.MODEL, Verb.CONFIGURE, Verb.KEYS, Verb.AUDIT}
    ),
}

# Where a domain is of patients, these roles do these things only with the PHI grant.
_CLOSED_WITHOUT_GRANT: Mapping[Role, frozenset[Verb]] = {
    Role.INTEGRATION: frozenset({Verb.READ, Verb.SEARCH, Verb.EXPORT, Verb.UNMASK}),
    Role.ADMIN: frozenset(
        {Verb.LOOKUP, Verb.READ, Verb.SEARCH, Verb.MATCH, Verb.SUBMIT, Verb.LOAD, Verb.EXPORT, Verb.UNMASK, Verb.CONFIGURE}
    ),
}


def check(actor: Actor, verb: Verb, domain: str | None = None, system: str | None = None) -> None:
    """Raise Forbidden unless the actor may do this to the domain, as or with the system."""
    if not can(actor, verb, domain, system):
        raise Forbidden


def can(actor: Actor, verb: Verb, domain: str | None = None, system: str | None = None) -> bool:
    if verb not in ROLE_VERBS[actor.role] and verb.value not in actor.grants:
        return False
    if domain is not None and not _domain_is_open(actor, verb, domain):
        return False
    return system is None or in_scope(actor, system)


def _domain_is_open(actor: Actor, verb: Verb, domain: str) -> bool:
    if actor.domains is not None and domain not in actor.domains:
        return False
    entity = ENTITY_TYPES.get(domain)
    # A domain that nobody declared is treated as one of patients.
    if entity is not None and not entity.phi:
        return True
    return PHI in actor.grants or verb not in _CLOSED_WITHOUT_GRANT.get(actor.role, frozenset())


def in_scope(actor: Actor, system: str) -> bool:
    """Whether records and local keys of this system exist for the actor."""
    return actor.systems is None or system in actor.systems


def check_not_above(creator: Actor, wanted: NewPrincipal) -> None:
    """Nobody hands out more than they hold: an admin without PHI cannot make a key or a person that has it."""
    if not wanted.grants <= creator.grants or not (_within(wanted.domains, creator.domains) and _within(wanted.systems, creator.systems)):
        raise Forbidden("nobody can hand out more than they hold")


def _within(inner: frozenset[str] | None, outer: frozenset[str] | None) -> bool:
    return outer is None or (inner is not None and inner <= outer)


def domains(actor: Actor, verb: Verb) -> frozenset[str]:
    """The domains in which the actor may do this; lists and counts are cut to them."""
    return frozenset(name for name in ENTITY_TYPES if can(actor, verb, name))


def visible(session: Session, actor: Actor, golden_ids: Collection[UUID], known_at: datetime | None = None) -> frozenset[UUID]:
    """Those golden records to which a system in the actor's scope contributes, or did at a moment; the others do not exist for them."""
    if actor.systems is None:
        return frozenset(golden_ids)
    rows = fetch(
        session,
        "select distinct l.golden_id from link l join source_record r on r.id = l.record_id"
        " where l.golden_id = any(%s) and r.system = any(%s) and (l.recorded_to is null or l.recorded_to > %s)"
        " and (%s::timestamptz is null or l.recorded_from <= %s)",
        (list(golden_ids), sorted(actor.systems), known_at, known_at, known_at),
    )
    return frozenset(row[0] for row in rows)


def check_visible(session: Session, actor: Actor, golden_ids: Collection[UUID]) -> None:
    """Raise NotFound, as for what does not exist, unless every one of them is visible to the actor."""
    if visible(session, actor, golden_ids) != frozenset(golden_ids):
        raise NotFound
