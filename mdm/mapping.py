"""Rules of mapping sets: written as drafts by their authors, read by everybody. `mapping_approval.py` puts them in force.

A rule asks for some of its set's inputs and lets the others be anything. What was approved is never edited: a change is a draft that
replaces it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from hashlib import blake2b
from typing import Any, LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import audit
from mdm.access import Actor, Verb
from mdm.db import execute, fetch
from mdm.errors import Conflict, FieldProblem, Forbidden, Invalid, NotFound, Stale, invalid_period
from mdm.ids import new_id
from mdm.jsonio import canonical, dumps
from mdm.mapping_choice import Split
from mdm.mapping_sets import By, Definition, SetView, check_open, get_set, lock_set, touch
from mdm.mapping_terms import Reference, Understood, understand
from mdm.question import golden_id_of

RULES_MAX = 1_000  # in one request
SPLITS_MAX = 50
VALUE_LENGTH_MAX = 200
SHARE_DIGITS_MAX = 4
WHOLE = Decimal(100)
Given = str | Mapping[str, str]  # a text, or {system, value}


@dataclass(frozen=True, slots=True)
class NewRule:
    """A rule as its author writes it. `splits`: (share in per cent as decimal text, output name -> value)."""

    conditions: Mapping[str, Given]
    splits: Sequence[tuple[str, Mapping[str, str]]]
    valid_from: date | None = None
    valid_to: date | None = None
    replaces: UUID | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class SpanView:
    """From when to when a rule answered, by whom, and why no longer."""

    recorded_from: datetime
    recorded_to: datetime | None
    opened_by: str
    closed_by: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class RuleView:
    """A rule as people see it; `version` is its ETag."""

    id: UUID
    set: str
    status: str
    version: int
    conditions: Mapping[str, str]
    written: Mapping[str, Given]
    splits: tuple[Split, ...]
    valid_from: date | None
    valid_to: date | None
    replaces: UUID | None
    note: str
    author: str
    approved_by: str | None
    created_at: datetime
    spans: tuple[SpanView, ...]

    @property
    def outputs(self) -> Mapping[str, str] | None:
        return outputs_of(self.splits)


@dataclass(frozen=True, slots=True)
class RulePage:
    items: tuple[RuleView, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class _Ready:
    """A rule that can be stored."""

    conditions: Mapping[str, str]
    splits: tuple[Split, ...]
    rule: NewRule


def outputs_of(splits: Sequence[Split]) -> Mapping[str, str] | None:
    """The values of an answer in one piece; None where it is split, so that nobody takes a part for the whole."""
    return splits[0].values if len(splits) == 1 else None


def write_drafts(session: Session, by: By, code: str, rules: Sequence[NewRule]) -> list[RuleView]:
    """Drafts of the actor, all or none. Raises Invalid with every problem of every rule."""
    found = lock_set(session, code)
    check_open(by.actor, Verb.DECIDE, found.definition)
    ready = _prepared(session, by.actor, found, rules, [f"/rules/{place}" for place in range(len(rules))], by.today)
    ids = [new_id() for _ in ready]
    rows = [{"id": rule_id, **_stored(code, each), "author": by.actor.name} for rule_id, each in zip(ids, ready, strict=True)]
    execute(
        session,
        "insert into mapping_rule (id, set_code, conditions, conditions_hash, written, outputs, status, valid_from, valid_to, replaces,"
        " note, author) select x.id, %s, x.c, x.h, x.w, x.o, 'draft', x.f, x.t, x.r, x.n, x.author from jsonb_to_recordset(%s::jsonb)"
        " as x(id uuid, c jsonb, h bigint, w jsonb, o jsonb, f date, t date, r uuid, n text, author text)",
        (code, dumps(rows).decode()),
    )
    touch(session, code)
    audit.record(session, by.actor, "mapping:draft", subjects=ids, request_id=by.request_id, detail={"set": code, "rules": len(ids)})
    return read_rules(session, code, ids)


def edit_draft(session: Session, by: By, code: str, rule_id: UUID, rule: NewRule, *, if_match: int) -> RuleView:
    """The draft as it is to be. Raises Conflict for what is no draft any more, Forbidden for somebody else's, Stale."""
    found = lock_set(session, code)
    check_open(by.actor, Verb.DECIDE, found.definition)
    former = get_rule(session, code, rule_id)
    if former.status != "draft":
        raise Conflict("only drafts are edited: write a draft that replaces this rule")
    if former.author != by.actor.name:
        raise Forbidden("a draft belongs to its author")
    check_version(former, if_match)
    stored = _stored(code, _prepared(session, by.actor, found, [rule], [""], by.today)[0])
    execute(
        session,
        "update mapping_rule m set version = version + 1, conditions = x.c, conditions_hash = x.h, written = x.w, outputs = x.o,"
        " valid_from = x.f, valid_to = x.t, replaces = x.r, note = x.n from jsonb_to_recordset(%s::jsonb)"
        " as x(c jsonb, h bigint, w jsonb, o jsonb, f date, t date, r uuid, n text) where m.id = %s",
        (dumps([stored]).decode(), rule_id),
    )
    touch(session, code)
    audit.record(session, by.actor, "mapping:edit", subjects=[rule_id], request_id=by.request_id, detail={"set": code})
    return get_rule(session, code, rule_id)


def check_version(rule: RuleView, if_match: int) -> None:
    if rule.version != if_match:
        raise Stale(f"this rule is now at version {rule.version}")


def _stored(code: str, ready: _Ready) -> dict[str, object]:
    rule = ready.rule
    return {
        "c": ready.conditions,
        "h": conditions_hash(code, ready.conditions),
        "w": rule.conditions,
        "o": [{"share": split.share, "values": split.values} for split in ready.splits],
        "f": rule.valid_from,
        "t": rule.valid_to,
        "r": rule.replaces,
        "n": rule.note,
    }


def conditions_hash(set_code: str, conditions: Mapping[str, str]) -> int:
    """Equal conditions of one set have equal hashes, which is what the exclusion constraint compares."""
    digest = blake2b(canonical([set_code, dict(conditions)]), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True) >> 1  # room for the constraint's range, which is half open


def _prepared(session: Session, actor: Actor, found: SetView, rules: Sequence[NewRule], places: Sequence[str], today: date) -> list[_Ready]:
    """The rules in normal form, with all that they speak of known to be there."""
    definition = found.definition
    understood = _understand_all(session, actor, definition, rules, today)
    problems: list[FieldProblem] = []
    ready: list[_Ready] = []
    for rule, place in zip(rules, places, strict=True):
        conditions = _conditions(definition, rule, understood, place, problems, today)
        splits = _splits(definition, rule, understood, place, problems, today)
        if rule.valid_from is not None and rule.valid_to is not None and rule.valid_to < rule.valid_from:
            problems.append(invalid_period(f"{place}/valid_to"))
        ready.append(_Ready(conditions, splits, rule))
    problems += _replacement_problems(session, found.code, rules, places)
    if problems:
        raise Invalid(problems=tuple(problems[:RULES_MAX]))
    return ready


def _understand_all(session: Session, actor: Actor, definition: Definition, rules: Iterable[NewRule], today: date) -> Understood:
    inputs = {each.name: each.domain for each in definition.inputs}
    references: set[Reference] = set()
    ids: dict[str, str] = {}
    for rule in rules:
        given = [(inputs.get(name), value) for name, value in rule.conditions.items()]
        for output in definition.outputs:
            values = [values[output.name] for _, values in rule.splits if output.name in values]
            given += [(output.domain, value if output.system is None else {"system": output.system, "value": value}) for value in values]
        for domain, value in given:
            reference = reference_of(domain, value, today)
            if isinstance(reference, Reference):
                references.add(reference)
            elif reference is not None and domain is not None:
                ids[reference] = domain
    return understand(session, actor, references, ids, None)


def reference_of(domain: str | None, value: Given, day: date) -> Reference | str | None:
    """What a value of a domain points at: a key of a system, or a golden id. None for plain text and what is neither."""
    if domain is None:
        return None
    if isinstance(value, str):
        return golden_id_of(value)
    return Reference(domain, value["system"], value["value"], day)


def _conditions(
    definition: Definition, rule: NewRule, understood: Understood, place: str, problems: list[FieldProblem], today: date
) -> dict[str, str]:
    inputs = {each.name: each for each in definition.inputs}
    found: dict[str, str] = {}
    for name, value in rule.conditions.items():
        pointer = f"{place}/conditions/{name}"
        if name not in inputs:
            problems.append(FieldProblem("unknown_input", pointer, "the set has no such input"))
        elif isinstance(value, str) and not value.strip():
            problems.append(FieldProblem("required", pointer, "leave out an input that may be anything"))
        elif (normal := normal_value(inputs[name].domain, value, understood, today)) is None:
            problems.append(FieldProblem("unknown_value", pointer, _wanted(inputs[name].domain)))
        else:
            found[name] = normal
    return found


def _wanted(domain: str | None) -> str:
    return "a text" if domain is None else f"the golden id of a {domain}, or {{system, value}} of one that is known"


def normal_value(domain: str | None, value: Given, understood: Understood, day: date) -> str | None:
    """The form in which conditions and inputs are compared, None for what nobody knows."""
    if domain is None:
        return value.strip() if isinstance(value, str) else None
    reference = reference_of(domain, value, day)
    return None if reference is None else understood.goldens.get(reference)


def _splits(
    definition: Definition, rule: NewRule, understood: Understood, place: str, problems: list[FieldProblem], today: date
) -> tuple[Split, ...]:
    where = f"{place}/splits"
    if not 1 <= len(rule.splits) <= SPLITS_MAX:
        problems.append(FieldProblem("wrong_number", where, f"1 to {SPLITS_MAX} rows"))
    shares = [share_of(share) for share, _ in rule.splits]
    for row, share in enumerate(shares):
        if share is None:
            problems.append(
                FieldProblem("invalid_share", f"{where}/{row}/share", f"above 0, at most {WHOLE}, at most {SHARE_DIGITS_MAX} decimals")
            )
    if None not in shares and rule.splits and sum(share for share in shares if share is not None) != WHOLE:
        problems.append(FieldProblem("not_whole", where, "the shares of all rows are 100 together, to the last digit"))
    made: list[Split] = []
    for row, (share, (_, values)) in enumerate(zip(shares, rule.splits, strict=True)):
        normal = _output_values(definition, values, understood, f"{where}/{row}/outputs", problems, today)
        made.append(Split(share_text(share or WHOLE), normal))
    if len({canonical(dict(split.values)) for split in made}) < len(made):
        problems.append(FieldProblem("repeated", where, "two rows say the same: add their shares up"))
    return tuple(made)


def share_of(text: str) -> Decimal | None:
    """A share in per cent, None for what is none."""
    try:
        share = Decimal(text)
    except InvalidOperation:
        return None
    exponent = share.as_tuple().exponent
    if not share.is_finite() or not 0 < share <= WHOLE or (isinstance(exponent, int) and -exponent > SHARE_DIGITS_MAX):
        return None
    return share


def share_text(share: Decimal) -> str:
    """One form for one share: 50, not 50.00 or 5E+1."""
    return f"{share.normalize():f}"


def _output_values(
    definition: Definition, values: Mapping[str, str], understood: Understood, where: str, problems: list[FieldProblem], today: date
) -> dict[str, str]:
    outputs = {each.name: each for each in definition.outputs}
    problems += [FieldProblem("unknown_output", f"{where}/{name}", "the set has no such output") for name in values if name not in outputs]
    found: dict[str, str] = {}
    for name, output in outputs.items():
        value = values.get(name, "").strip()
        given: Given = value if output.system is None else {"system": output.system, "value": value}
        normal = normal_value(output.domain, given, understood, today)
        if not value:
            problems.append(FieldProblem("required", f"{where}/{name}", "every row says every output"))
        elif normal is None:
            problems.append(FieldProblem("unknown_value", f"{where}/{name}", f"no {output.domain} is known by this"))
        else:
            found[name] = normal if output.system is None else value
    return found


def _replacement_problems(session: Session, code: str, rules: Sequence[NewRule], places: Sequence[str]) -> list[FieldProblem]:
    wanted = {rule.replaces for rule in rules if rule.replaces is not None}
    if not wanted:
        return []
    rows = fetch(session, "select id from mapping_rule where id = any(%s) and set_code = %s and status = 'approved'", (list(wanted), code))
    there = {row[0] for row in rows}
    return [
        FieldProblem("not_approved", f"{place}/replaces", "the id of an approved rule of this set")
        for rule, place in zip(rules, places, strict=True)
        if rule.replaces is not None and rule.replaces not in there
    ]


_RULES: LiteralString = (
    "select r.id, r.set_code, r.status, r.version, r.conditions, r.written, r.outputs, r.valid_from, r.valid_to, r.replaces, r.note,"
    " r.author, r.approved_by, r.created_at, coalesce((select jsonb_agg(jsonb_build_array(p.recorded_from, p.recorded_to, p.opened_by,"
    " p.closed_by, p.closed_reason) order by p.recorded_from) from mapping_rule_span p where p.rule_id = r.id), '[]') from mapping_rule r"
)


def get_rule(session: Session, code: str, rule_id: UUID) -> RuleView:
    found = read_rules(session, code, [rule_id])
    if not found:
        raise NotFound("there is no such rule")
    return found[0]


def read_rules(session: Session, code: str, ids: Sequence[UUID]) -> list[RuleView]:
    """Those of the rules that are the set's, in the order of the ids."""
    rows = fetch(session, _RULES + " where r.set_code = %s and r.id = any(%s)", (code, list(ids)))
    found = {row[0]: _view(row) for row in rows}
    return [found[rule_id] for rule_id in ids if rule_id in found]


def list_rules(session: Session, code: str, *, status: str | None, limit: int, cursor: str | None) -> RulePage:
    """The rules of a set, oldest first."""
    get_set(session, code)
    after = None if cursor is None else golden_id_of(cursor)
    if cursor is not None and after is None:
        raise Invalid(problems=(FieldProblem("bad_cursor", "/cursor", "pass `next` of the page before, unchanged"),))
    rows = fetch(
        session,
        _RULES + " where r.set_code = %(s)s and (%(status)s::text is null or r.status = %(status)s)"
        " and (%(after)s::uuid is null or r.id > %(after)s::uuid) order by r.id limit %(limit)s",
        {"s": code, "status": status, "after": after, "limit": limit + 1},
    )
    items = tuple(_view(row) for row in rows[:limit])
    return RulePage(items, str(items[-1].id) if len(rows) > limit else None)


def all_rules(session: Session, code: str, statuses: Sequence[str]) -> list[RuleView]:
    """Every rule of a set in one of these states, oldest first."""
    rows = fetch(session, _RULES + " where r.set_code = %s and r.status = any(%s) order by r.id", (code, list(statuses)))
    return [_view(row) for row in rows]


def _view(row: Sequence[Any]) -> RuleView:
    spans = tuple(SpanView(datetime.fromisoformat(s[0]), datetime.fromisoformat(s[1]) if s[1] else None, *s[2:]) for s in row[14])
    return RuleView(*(*row[:6], splits_of(row[6]), *row[7:14], spans))


def splits_of(stored: Iterable[Mapping[str, Any]]) -> tuple[Split, ...]:
    return tuple(Split(each["share"], each["values"]) for each in stored)
