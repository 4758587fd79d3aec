"""Releases of a mapping set: its approved rules at one moment, numbered, frozen, compared, and brought back.

A rollback makes the approved rules equal to those of a release, and is a new release. The rules are the same ones under the same ids: each
gets a further span of recorded time.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import audit
from mdm.access import Actor
from mdm.db import Row, execute, fetch
from mdm.errors import NotFound
from mdm.feed import Happening, publish
from mdm.ids import new_id
from mdm.jsonio import canonical
from mdm.mapping import RuleView, read_rules
from mdm.mapping_approval import DOMAIN, check_approver, close, open_spans
from mdm.mapping_sets import By, SetView, check_revision, clock, definition_of, get_set, lock_set, touch, write_definition


@dataclass(frozen=True, slots=True)
class ReleaseView:
    """A release; `restores` is the number of the one that it brought back."""

    id: UUID
    set: str
    number: int
    rules: int
    note: str
    restores: int | None
    made_by: str
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Changed:
    """What one combination of conditions was answered with before, and is after."""

    before: tuple[RuleView, ...]
    after: tuple[RuleView, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """From one release to another. `changed`: the same conditions, other answers or days."""

    added: tuple[RuleView, ...]
    removed: tuple[RuleView, ...]
    changed: tuple[Changed, ...]


def release(session: Session, by: By, code: str, *, if_match: int, note: str) -> ReleaseView:
    """Freeze what is approved, at the revision that was read. Raises Stale, Forbidden."""
    found = _locked(session, by.actor, code, if_match)
    return _write(session, by, found, note, None)


def roll_back(session: Session, by: By, code: str, number: int, *, if_match: int, note: str) -> ReleaseView:
    """Answer as the release does, from now on: inputs, outputs and tie-break come back with the rules; nothing is erased."""
    found = _locked(session, by.actor, code, if_match)
    rows = fetch(
        session,
        "select r.rules, v.definition from mapping_release r"
        " join mapping_set_version v on v.set_code = r.set_code and v.version = r.set_version where r.set_code = %s and r.number = %s",
        (code, number),
    )
    if not rows:
        raise NotFound("there is no such release")
    wanted, at = set(rows[0][0]), clock(session)
    present = {row[0] for row in fetch(session, "select id from mapping_rule where set_code = %s and status = 'approved'", (code,))}
    close(session, by.actor, present - wanted, at, f"rolled back to release {number}")
    _reopen(session, by.actor, wanted - present, at)
    then = definition_of(rows[0][1])
    restored = replace(found.definition, inputs=then.inputs, outputs=then.outputs, tie_break=then.tie_break)
    if restored != found.definition:
        write_definition(session, by.actor, found, restored, at)
    gone = [Happening("mapping.retired", rule_id, {"set": code}) for rule_id in sorted(present - wanted)]
    back = [Happening("mapping.approved", rule_id, {"set": code}) for rule_id in sorted(wanted - present)]
    publish(session, DOMAIN, [*gone, *back])
    return _write(session, by, get_set(session, code), note, number)


def _locked(session: Session, actor: Actor, code: str, if_match: int) -> SetView:
    found = lock_set(session, code)
    check_approver(actor, found.definition)
    check_revision(found, if_match)
    return found


def _reopen(session: Session, actor: Actor, ids: Iterable[UUID], at: datetime) -> None:
    listed = list(ids)
    execute(session, "update mapping_rule set status = 'approved', version = version + 1 where id = any(%s)", (listed,))
    open_spans(session, actor, listed, at)


def _write(session: Session, by: By, found: SetView, note: str, restores: int | None) -> ReleaseView:
    release_id, number = new_id(), (found.release or 0) + 1
    execute(
        session,
        "insert into mapping_release (id, set_code, number, set_version, rules, note, restores, made_by) select %s, %s, %s, %s,"
        " array(select id from mapping_rule where set_code = %s and status = 'approved' order by id), %s, %s, %s",
        (release_id, found.code, number, found.version, found.code, note, restores, by.actor.name),
    )
    touch(session, found.code)
    detail: dict[str, object] = {"set": found.code, "release": number} | ({} if restores is None else {"restores": restores})
    audit.record(session, by.actor, "mapping:release", subjects=[release_id], request_id=by.request_id, detail=detail)
    publish(session, DOMAIN, [Happening("mapping.released", release_id, detail)])
    return get_release(session, found.code, number)


_RELEASES: LiteralString = (
    "select id, set_code, number, cardinality(rules), note, restores, made_by, made_at from mapping_release where set_code = %s"
)


def _view(row: Row) -> ReleaseView:
    return ReleaseView(*row)


def get_release(session: Session, code: str, number: int) -> ReleaseView:
    rows = fetch(session, _RELEASES + " and number = %s", (code, number))
    if not rows:
        raise NotFound("there is no such release")
    return _view(rows[0])


def list_releases(session: Session, code: str) -> list[ReleaseView]:
    """Every release of a set, newest first."""
    get_set(session, code)
    return [_view(row) for row in fetch(session, _RELEASES + " order by number desc", (code,))]


def compare(session: Session, code: str, before: int, after: int) -> Comparison:
    """What is other in `after` than in `before`."""
    old, new = (_rules(session, code, number) for number in (before, after))
    kept = {rule.id for rule in old} & {rule.id for rule in new}
    gone = _by_conditions(rule for rule in old if rule.id not in kept)
    come = _by_conditions(rule for rule in new if rule.id not in kept)
    return Comparison(
        added=tuple(rule for key, rules in come.items() if key not in gone for rule in rules),
        removed=tuple(rule for key, rules in gone.items() if key not in come for rule in rules),
        changed=tuple(Changed(tuple(gone[key]), tuple(come[key])) for key in gone if key in come),
    )


def _rules(session: Session, code: str, number: int) -> list[RuleView]:
    rows = fetch(session, "select rules from mapping_release where set_code = %s and number = %s", (code, number))
    if not rows:
        raise NotFound("there is no such release")
    return read_rules(session, code, rows[0][0])


def _by_conditions(rules: Iterable[RuleView]) -> dict[bytes, list[RuleView]]:
    found: dict[bytes, list[RuleView]] = {}
    for rule in rules:
        found.setdefault(canonical(dict(rule.conditions)), []).append(rule)
    return found
