"""Mapping sets: which inputs a table of rules asks for, what it answers, who owns it. Every former definition is kept.

A set's revision counts each change of the set or of a rule, so that one number says whether anything is other than it was read.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, LiteralString

from psycopg.types.json import Jsonb
from sqlalchemy.orm import Session

from mdm import audit, policy
from mdm.access import Actor, Verb
from mdm.db import Row, execute, fetch
from mdm.entities import ENTITY_TYPES
from mdm.errors import Conflict, FieldProblem, Forbidden, Invalid, NotFound, Stale
from mdm.ids import CODE_WORDS, is_code
from mdm.systems import registry

INPUTS_MAX = 12
OUTPUTS_MAX = 20
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


@dataclass(frozen=True, slots=True)
class Input:
    """What is asked. With a domain, its values are golden records of that domain, else plain text."""

    name: str
    domain: str | None = None
    required: bool = False


@dataclass(frozen=True, slots=True)
class Output:
    """What is answered. With a domain, values are golden ids; with a system too, local keys of that system."""

    name: str
    domain: str | None = None
    system: str | None = None


@dataclass(frozen=True, slots=True)
class Definition:
    """What a set is made of. `tie_break`: inputs by weight, where rules name equally many. `approver`: nobody else may; empty: anyone."""

    label: str
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    tie_break: tuple[str, ...] = ()
    owner: str = ""
    approver: str = ""

    @property
    def domains(self) -> frozenset[str]:
        """The domains that its rules speak of."""
        domains = [each.domain for each in self.inputs] + [each.domain for each in self.outputs]
        return frozenset(domain for domain in domains if domain is not None)

    @property
    def golden_inputs(self) -> dict[str, str]:
        """The inputs whose values are golden records, each with its domain."""
        return {each.name: each.domain for each in self.inputs if each.domain is not None}

    @property
    def golden_outputs(self) -> frozenset[str]:
        """The outputs whose values are golden ids."""
        return frozenset(each.name for each in self.outputs if each.domain is not None and each.system is None)


@dataclass(frozen=True, slots=True)
class By:
    """Who changes something, in which request, on which day."""

    actor: Actor
    request_id: str
    today: date


@dataclass(frozen=True, slots=True)
class SetView:
    """A set as it is now; `revision` is its ETag, `counts` its rules by status, `release` the number of the newest one."""

    code: str
    definition: Definition
    version: int
    revision: int
    counts: Mapping[str, int]
    release: int | None
    changed_by: str
    changed_at: datetime


def put_set(session: Session, by: By, code: str, definition: Definition, *, if_match: int | None) -> tuple[SetView, bool]:
    """Make a set, or change what it is made of; True when it is new.

    `if_match` is the revision that was read, None for a set that should not be there yet. Raises Stale, Invalid, and Conflict where rules
    use what would go.
    """
    _check_definition(session, code, definition)
    check_open(by.actor, Verb.READ, definition)
    made = execute(session, "insert into mapping_set (code) values (%s) on conflict do nothing", (code,))
    if not made:
        former = lock_set(session, code)
        check_open(by.actor, Verb.READ, former.definition)
        check_revision(former, if_match)
        if former.definition == definition:
            return former, False
        _check_still_used(session, code, definition, former.definition)
        write_definition(session, by.actor, former, definition, clock(session))
        touch(session, code)
    else:
        _insert_version(session, code, 1, definition, by.actor)
    audit.record(session, by.actor, "mapping:put", request_id=by.request_id, detail={"set": code, "new": bool(made)})
    return get_set(session, code), bool(made)


def write_definition(session: Session, actor: Actor, former: SetView, definition: Definition, at: datetime) -> None:
    """The definition from this moment on; the former one stays as what was."""
    execute(session, "update mapping_set_version set recorded_to = %s where set_code = %s and recorded_to is null", (at, former.code))
    _insert_version(session, former.code, former.version + 1, definition, actor, at)


def _insert_version(session: Session, code: str, version: int, definition: Definition, actor: Actor, at: datetime | None = None) -> None:
    execute(
        session,
        "insert into mapping_set_version (set_code, version, definition, changed_by, recorded_from)"
        " values (%s, %s, %s, %s, coalesce(%s, clock_timestamp()))",
        (code, version, Jsonb(asdict(definition)), actor.name, at),
    )


_SETS: LiteralString = (
    "select s.code, v.definition, v.version, s.revision, coalesce(c.counts, '{}'), r.number, v.changed_by, v.recorded_from"
    " from mapping_set s join mapping_set_version v on v.set_code = s.code and v.recorded_to is null"
    " left join lateral (select jsonb_object_agg(status, n) as counts from (select status, count(*) as n from mapping_rule"
    " where set_code = s.code group by status) k) c on true"
    " left join lateral (select max(number) as number from mapping_release where set_code = s.code) r on true"
)


def get_set(session: Session, code: str) -> SetView:
    rows = fetch(session, _SETS + " where s.code = %s", (code,))
    if not rows:
        raise NotFound("there is no such mapping set")
    return _view(rows[0])


def has_set(session: Session, code: str) -> bool:
    return bool(fetch(session, "select 1 from mapping_set where code = %s", (code,)))


def list_sets(session: Session) -> list[SetView]:
    """Every set, by code."""
    return [_view(row) for row in fetch(session, _SETS + " order by s.code")]


def lock_set(session: Session, code: str) -> SetView:
    """The set, which nobody else changes until the transaction ends."""
    fetch(session, "select 1 from mapping_set where code = %s for update", (code,))
    return get_set(session, code)


def check_revision(found: SetView, if_match: int | None) -> None:
    if found.revision != if_match:
        raise Stale(f"this mapping set is now at revision {found.revision}")


def clock(session: Session) -> datetime:
    """One moment for everything that a change records; asked after the set's lock, so that moments follow one another."""
    at: datetime = fetch(session, "select clock_timestamp()")[0][0]
    return at


def touch(session: Session, code: str) -> None:
    """Count a change: what processes remember of the set is no longer true."""
    execute(session, "update mapping_set set revision = revision + 1, stamp = gen_random_uuid() where code = %s", (code,))


def check_open(actor: Actor, verb: Verb, definition: Definition) -> None:
    """Raise Forbidden unless the actor may do this in every domain that the set speaks of, and see its answers' systems."""
    if not is_open(actor, verb, definition):
        raise Forbidden


def is_open(actor: Actor, verb: Verb, definition: Definition) -> bool:
    systems = [output.system for output in definition.outputs if output.system is not None]
    may = policy.can(actor, verb) and all(policy.can(actor, verb, domain) for domain in definition.domains)
    return may and all(policy.in_scope(actor, system) for system in systems)


def _view(row: Row) -> SetView:
    code, definition, version, revision, counts, release, changed_by, changed_at = row
    return SetView(code, definition_of(definition), version, revision, counts, release, changed_by, changed_at)


def definition_of(stored: Mapping[str, Any]) -> Definition:
    return Definition(
        stored["label"],
        tuple(Input(**each) for each in stored["inputs"]),
        tuple(Output(**each) for each in stored["outputs"]),
        tuple(stored["tie_break"]),
        stored["owner"],
        stored["approver"],
    )


def _check_definition(session: Session, code: str, definition: Definition) -> None:
    problems = [
        *([] if is_code(code) else [FieldProblem("invalid_code", "/code", CODE_WORDS)]),
        *_name_problems("inputs", [each.name for each in definition.inputs], INPUTS_MAX),
        *_name_problems("outputs", [each.name for each in definition.outputs], OUTPUTS_MAX),
        *_domain_problems("inputs", [each.domain for each in definition.inputs]),
        *_domain_problems("outputs", [each.domain for each in definition.outputs]),
        *_system_problems(session, definition.outputs),
        *_tie_break_problems(definition),
    ]
    if problems:
        raise Invalid(problems=tuple(problems))


def _name_problems(where: str, names: Sequence[str], most: int) -> list[FieldProblem]:
    problems = [
        FieldProblem("invalid_name", f"/{where}/{place}/name", "a lower-case letter, then up to 39 letters, digits, underscores")
        for place, name in enumerate(names)
        if not _NAME.fullmatch(name)
    ]
    if not 1 <= len(names) <= most:
        problems.append(FieldProblem("wrong_number", f"/{where}", f"1 to {most}"))
    if len(set(names)) < len(names):
        problems.append(FieldProblem("repeated", f"/{where}", "every name once"))
    return problems


def _domain_problems(where: str, domains: Sequence[str | None]) -> list[FieldProblem]:
    """What is asked and answered is counted and listed, so no domain of patients can take part."""
    open_ones = [name for name, entity in ENTITY_TYPES.items() if not entity.phi]
    return [
        FieldProblem("unknown_choice", f"/{where}/{place}/domain", f"one of {', '.join(open_ones)}")
        for place, domain in enumerate(domains)
        if domain is not None and domain not in open_ones
    ]


def _system_problems(session: Session, outputs: Sequence[Output]) -> list[FieldProblem]:
    known = registry(session).ids
    return [
        FieldProblem("unknown_system", f"/outputs/{place}/system", "the code of a system, beside the domain of its keys")
        for place, output in enumerate(outputs)
        if output.system is not None and (output.system not in known or output.domain is None)
    ]


def _tie_break_problems(definition: Definition) -> list[FieldProblem]:
    known = {each.name for each in definition.inputs}
    if set(definition.tie_break) <= known and len(set(definition.tie_break)) == len(definition.tie_break):
        return []
    return [FieldProblem("unknown_input", "/tie_break", "inputs of the set, each once")]


def _check_still_used(session: Session, code: str, definition: Definition, former: Definition) -> None:
    """What rules that were ever approved speak of stays as it is, or a former answer could not be given again."""
    rows = fetch(
        session,
        "select array(select distinct k from mapping_rule r, jsonb_object_keys(r.conditions) k"
        " where r.set_code = %(s)s and r.status <> 'draft'),"
        " array(select distinct k from mapping_rule r, jsonb_array_elements(r.outputs) o, jsonb_object_keys(o->'values') k"
        " where r.set_code = %(s)s and r.status <> 'draft')",
        {"s": code},
    )
    kept_inputs = {(each.name, each.domain) for each in definition.inputs}
    kept_outputs = {(each.name, each.domain, each.system) for each in definition.outputs}
    problems = [
        FieldProblem("in_use", "/inputs", f"rules name {each.name}: it stays, with its domain")
        for each in former.inputs
        if each.name in rows[0][0] and (each.name, each.domain) not in kept_inputs
    ]
    problems += [
        FieldProblem("in_use", "/outputs", f"rules answer {each.name}: it stays, with domain and system")
        for each in former.outputs
        if each.name in rows[0][1] and (each.name, each.domain, each.system) not in kept_outputs
    ]
    if problems:
        raise Conflict("rules use what this change would take away", tuple(problems))
