"""How far a mapping set reaches, and what is wrong with it: coverage of what is asked and of golden records, conflicts of its rules."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain, islice
from typing import LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from mdm.access import Actor, Verb
from mdm.db import fetch
from mdm.mapping_answers import Loaded, load, outcome_of
from mdm.mapping_choice import Index, Inputs, Moment, Rule, answer, as_approved, obstacle
from mdm.mapping_conflicts import Standing
from mdm.mapping_sets import Definition, Output, check_open
from mdm.mapping_terms import survivors_now
from mdm.systems import registry

ASKED_MAX = 10_000  # the combinations asked for most often
LISTED_MAX = 100
CONFLICTS_MAX = 200


# What must never be, each with how often it is: looked at by `mdm doctor --deep`.
PROMISES: Mapping[str, LiteralString] = {
    "approved mapping rules are in force, and no others": (
        "select count(*) from mapping_rule r left join mapping_rule_span s on s.rule_id = r.id and s.recorded_to is null"
        " where (r.status = 'approved') <> (s.rule_id is not null)"
    ),
    "mapping rules ask and answer what their set is made of": (
        "select count(*) from mapping_rule r join mapping_set_version v on v.set_code = r.set_code and v.recorded_to is null"
        " where r.status = 'approved' and (exists (select 1 from jsonb_object_keys(r.conditions) c(name) where not exists"
        " (select 1 from jsonb_array_elements(v.definition -> 'inputs') i where i ->> 'name' = c.name)) or exists"
        " (select 1 from jsonb_array_elements(r.outputs) o, jsonb_object_keys(o -> 'values') c(name) where not exists"
        " (select 1 from jsonb_array_elements(v.definition -> 'outputs') d where d ->> 'name' = c.name)))"
    ),
    "the shares of a mapping rule are the whole": (
        "select count(*) from mapping_rule r where 100 <> (select sum((o ->> 'share')::numeric) from jsonb_array_elements(r.outputs) o)"
    ),
    "mapping releases are numbered without a gap, of rules of their set": (
        "select count(*) from (select r.*, row_number() over (partition by set_code order by number) as place from mapping_release r) r"
        " where r.number <> r.place or exists (select 1 from unnest(r.rules) u(id) left join mapping_rule m on m.id = u.id"
        " where m.set_code is distinct from r.set_code)"
    ),
}


@dataclass(frozen=True, slots=True)
class Open:
    """A combination that is asked for and has no answer."""

    inputs: Inputs
    outcome: str
    count: int


@dataclass(frozen=True, slots=True)
class Asked:
    """Of the combinations asked for: how many are answered, and what share of the questions that is."""

    combinations: int
    answered: int
    questions: int
    questions_answered: int
    open: tuple[Open, ...]


@dataclass(frozen=True, slots=True)
class Reached:
    """Of a domain's active golden records: those answered with this input alone, those that a rule names with others, the rest."""

    input: str
    domain: str
    records: int
    answered: int
    named: int
    open: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Coverage:
    as_of: date
    asked: Asked
    inputs: tuple[Reached, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """One conflict: its kind, the rules, from which day (None: any), and the input or output with the value that is at fault."""

    kind: str
    rules: tuple[str, ...]
    day: date | None = None
    name: str | None = None
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Conflicts:
    """Findings, the worst kinds first; `cut` when there may be more."""

    items: tuple[Finding, ...]
    cut: bool


def coverage(session: Session, actor: Actor, code: str, as_of: date) -> Coverage:
    """What the rules in force on that day answer."""
    loaded = load(session, code)
    check_open(actor, Verb.READ, loaded.present)
    moment = Moment(as_of)
    now = survivors_now(session, loaded.named)
    rules = [as_approved(rule, rule.valid_to, now) for rule in loaded.index.rules if obstacle(rule, moment) is None]
    asked = _asked(session, code, Index(rules), loaded.present, moment)
    reached = tuple(_reached(session, rules, name, domain, moment) for name, domain in loaded.present.golden_inputs.items())
    return Coverage(as_of, asked, reached)


def _asked(session: Session, code: str, index: Index, definition: Definition, moment: Moment) -> Asked:
    rows = fetch(
        session, "select inputs, count from mapping_ask where set_code = %s order by count desc, inputs_hash limit %s", (code, ASKED_MAX)
    )
    now = survivors_now(session, {inputs[name] for inputs, _ in rows for name in definition.golden_inputs if name in inputs})
    unanswered: list[Open] = []
    for asked, count in rows:
        inputs = {name: now.get(value, value) for name, value in asked.items()}
        choice = answer(index, definition.tie_break, inputs, moment)
        if choice.rule is None:
            unanswered.append(Open(inputs, outcome_of(choice), count))
    total, without = sum(count for _, count in rows), sum(each.count for each in unanswered)
    return Asked(len(rows), len(rows) - len(unanswered), total, total - without, tuple(unanswered[:LISTED_MAX]))


def _reached(session: Session, rules: Sequence[Rule], name: str, domain: str, moment: Moment) -> Reached:
    ids = [row[0] for row in fetch(session, "select id from golden_record where domain = %s and status = 'active' order by id", (domain,))]
    spoken = {rule.conditions[name] for rule in rules if name in rule.conditions}
    index = Index(rule for rule in rules if set(rule.conditions) <= {name})
    rest = [each for each in ids if answer(index, (), {name: str(each)}, moment).rule is None]
    without = [each for each in rest if str(each) not in spoken]
    return Reached(name, domain, len(ids), len(ids) - len(rest), len(rest) - len(without), tuple(without[:LISTED_MAX]))


def conflicts(session: Session, actor: Actor, code: str, today: date) -> Conflicts:
    """Overlaps and ties among approved rules, and of each draft with them; values that no longer are what rules take them for."""
    loaded = load(session, code)
    check_open(actor, Verb.READ, loaded.present)
    rules = [rule for rule in loaded.index.rules if rule.status != "retired"]
    now = survivors_now(session, loaded.named)
    approved = [as_approved(rule, rule.valid_to, now) for rule in rules]
    standing = Standing(approved, loaded.present.tie_break)
    findings = chain(_value_findings(session, loaded, rules, Moment(today)), _clashes(standing, approved))
    found = tuple(islice(findings, CONFLICTS_MAX))
    return Conflicts(found, len(found) == CONFLICTS_MAX or standing.was_cut)


def _clashes(standing: Standing, rules: Sequence[Rule]) -> Iterator[Finding]:
    """Each pair once, approved rules first."""
    seen: set[frozenset[str]] = set()
    for rule in rules:
        for clash in standing.clashes(rule):
            pair = frozenset((clash.rule.id, clash.against.id))
            if pair not in seen:
                seen.add(pair)
                yield Finding(clash.kind, (clash.rule.id, clash.against.id), clash.day)


def _value_findings(session: Session, loaded: Loaded, rules: Sequence[Rule], today: Moment) -> list[Finding]:
    definition = loaded.present
    held: dict[tuple[str, str], list[Rule]] = {}
    for rule in rules:
        for name in definition.golden_inputs:
            if name in rule.conditions:
                held.setdefault((name, rule.conditions[name]), []).append(rule)
    found = _golden_findings(session, held, "input")
    for output in definition.outputs:
        targets: dict[tuple[str, str], list[Rule]] = {}
        for rule in rules:
            for value in {split.values[output.name] for split in rule.splits if output.name in split.values}:
                targets.setdefault((output.name, value), []).append(rule)
        if output.system is not None:
            found += _key_findings(session, output, targets, today)
        elif output.domain is not None:
            found += _golden_findings(session, targets, "target")
    return found


def _golden_findings(session: Session, held: Mapping[tuple[str, str], Sequence[Rule]], what: str) -> list[Finding]:
    """Golden records that were merged or retired since a rule named them."""
    ids = sorted({value for _, value in held})
    rows = fetch(session, "select id::text, status from golden_record where id = any(%s::text[]::uuid[]) and status <> 'active'", (ids,))
    status: dict[str, str] = {row[0]: row[1] for row in rows}
    return [_finding(f"{what}_{status[value]}", name, value, rules) for (name, value), rules in held.items() if value in status]


_KEYS: LiteralString = (
    "select value, bool_or(status = 'active' and (valid_to is null or valid_to >= %s)) from xref"
    " where domain = %s and system_id = %s and value = any(%s) and recorded_to is null group by value"
)


def _key_findings(session: Session, output: Output, targets: Mapping[tuple[str, str], Sequence[Rule]], today: Moment) -> list[Finding]:
    """Keys of a system that are gone, inactive or expired, though a rule that is in force today answers with them."""
    values = sorted({value for _, value in targets})
    rows = fetch(session, _KEYS, (today.as_of, output.domain, registry(session).ids[output.system or ""], values))
    known: dict[str, bool] = {row[0]: row[1] for row in rows}
    found: list[Finding] = []
    for (name, value), rules in targets.items():
        current = [rule for rule in rules if obstacle(as_approved(rule, rule.valid_to, {}), today) is None]
        if value not in known:
            found.append(_finding("target_unknown", name, value, rules))
        elif not known[value] and current:
            found.append(_finding("target_inactive", name, value, current))
    return found


def _finding(kind: str, name: str, value: str, rules: Sequence[Rule]) -> Finding:
    return Finding(kind, tuple(rule.id for rule in rules[:LISTED_MAX]), None, name, value)
