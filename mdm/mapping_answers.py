"""Answers of mapping sets: up to a thousand questions of one moment, each with the rule that answered and why no other did.

A process remembers a set's rules under the set's stamp, which it reads again for every request: an answer is never older than its question.
"""

import gc
from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import LiteralString, NotRequired, TypedDict
from uuid import UUID

from sqlalchemy.orm import Session

from mdm.access import Actor, Verb
from mdm.db import Row, address, execute, fetch
from mdm.errors import FieldProblem, Invalid, NotFound
from mdm.jsonio import dumps, loads
from mdm.mapping import Given, normal_value, outputs_of, reference_of, splits_of
from mdm.mapping_choice import Also, Choice, Index, Inputs, Moment, Other, Rule, Split, answer, turns
from mdm.mapping_sets import Definition, check_open, definition_of
from mdm.mapping_terms import Reference, Understood, namesakes, survivors, understand

_REMEMBERED_MAX = 32
ASKS_MAX = 1_000


class Outcome(StrEnum):
    """What a set answered."""

    FOUND = "found"
    NO_RULE = "no_rule"
    AMBIGUOUS = "ambiguous"
    INVALID_INPUT = "invalid_input"


@dataclass(frozen=True, slots=True)
class Ask:
    """One question. `problems` are those of its shape, found at the door: it is answered with them."""

    inputs: Mapping[str, Given]
    as_of: date
    problems: tuple[FieldProblem, ...] = ()


class Share(TypedDict):
    share: str
    outputs: Mapping[str, str]


class RuleShown(TypedDict):
    id: str
    conditions: Mapping[str, str]
    valid_from: str | None
    valid_to: str | None


class OtherShown(TypedDict):
    rule: str
    reason: str
    input: NotRequired[str]


class ProblemShown(TypedDict):
    code: str
    pointer: str
    message: str


class Answer(TypedDict):
    """A dict, not a class: written as JSON as it stands. `outputs` is None where the answer is split."""

    outcome: str
    outputs: Mapping[str, str] | None
    splits: list[Share]
    rule: RuleShown | None
    others: list[OtherShown]
    problems: list[ProblemShown]


@dataclass(frozen=True, slots=True)
class Answered:
    """The answers as JSON, the inputs in normal form that were understood, and what the crosswalk did not know."""

    written: list[bytes]
    asked: list[Inputs]
    missed: Mapping[tuple[str, str], list[str]]

    @property
    def answers(self) -> list[Answer]:
        return [loads(each) for each in self.written]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A set's rules of all times, ready to answer.

    `named`: the golden ids that conditions name. `turns`: the days on which an answer may change, sorted.
    """

    stamp: UUID
    definitions: tuple[tuple[datetime, datetime | None, Definition], ...]
    index: Index
    named: frozenset[str]
    turns: tuple[date, ...]

    @property
    def present(self) -> Definition:
        return self.definitions[-1][2]

    def definition(self, known_at: datetime | None) -> Definition:
        """What the set was made of; before it was made, what it was made of first."""
        if known_at is None:
            return self.present
        then = [definition for begin, end, definition in self.definitions if begin <= known_at and (end is None or known_at < end)]
        return then[0] if then else self.definitions[0][2]


_MANY = 1_000  # rules of one set
_remembered: dict[tuple[str, str], Loaded] = {}
_SETTLED_MAX = 20_000  # about 15 MB
# What was answered: set's stamp, stretch of days between two turns, inputs -> the answer as JSON, and the golden ids in it. Flows ask the
# same few thousand combinations again and again; a changed set has another stamp. Texts and numbers alone, so that no collection of garbage
# walks through it: with answers as dicts one in ten requests took 100 ms more.
_Place = tuple[str | int | None, ...]
_Settled = tuple[bytes, *tuple[str, ...]]
_settled: dict[_Place, _Settled] = {}


def one_snapshot(session: Session) -> None:
    """All that this transaction reads is of one moment, and it writes nothing. First thing in it."""
    execute(session, "set transaction isolation level repeatable read, read only")


def load(session: Session, code: str) -> Loaded:
    """The set and its rules as this transaction sees them. Raises NotFound."""
    rows = fetch(session, "select stamp, pg_current_xact_id_if_assigned() is null from mapping_set where code = %s", (code,))
    if not rows:
        raise NotFound("there is no such mapping set")
    stamp, is_only_reading = rows[0]
    place = address(session), code
    known = _remembered.get(place)
    if known is not None and known.stamp == stamp:
        return known
    loaded = _read(session, code)
    if is_only_reading:  # what is not committed must not be remembered
        if len(_remembered) >= _REMEMBERED_MAX:
            _remembered.clear()
        _remembered[place] = loaded
        if len(loaded.index.rules) >= _MANY:
            _keep_from_collections()
    return loaded


def _keep_from_collections() -> None:
    """Thousands of rules that live until the set changes: a full collection that walked them all would hold up an answer by 0.1 s.

    They have no cycles, so they go when they are forgotten. What was frozen the last time is looked through first: garbage in cycles that
    happened to be there then would stay for ever.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


# One statement, hence one snapshot of stamp, definitions and rules.
_SET: LiteralString = """
select s.stamp,
       (select jsonb_agg(jsonb_build_array(v.recorded_from, v.recorded_to, v.definition) order by v.version)
          from mapping_set_version v where v.set_code = s.code),
       r.id::text, r.conditions, r.outputs, r.status, r.valid_from, r.valid_to,
       (select array_agg(array[p.recorded_from, p.recorded_to] order by p.recorded_from) from mapping_rule_span p where p.rule_id = r.id),
       r.replaces::text
  from mapping_set s left join mapping_rule r on r.set_code = s.code where s.code = %s
"""


def _read(session: Session, code: str) -> Loaded:
    rows = fetch(session, _SET, (code,))
    stamp, definitions = rows[0][:2]
    versions = tuple(
        (datetime.fromisoformat(begin), datetime.fromisoformat(end) if end else None, definition_of(stored))
        for begin, end, stored in definitions
    )
    index = Index(_rule(row) for row in rows if row[2] is not None)
    golden = {name for _, _, definition in versions for name in definition.golden_inputs}
    named = frozenset(value for rule in index.rules for name, value in rule.conditions.items() if name in golden)
    return Loaded(stamp, versions, index, named, turns(index.rules))


def _rule(row: Row) -> Rule:
    _, _, rule_id, conditions, outputs, status, valid_from, valid_to, spans, replaces = row
    known = tuple((begin, end) for begin, end in spans or ())
    return Rule(rule_id, conditions, splits_of(outputs), status, valid_from, valid_to, known, replaces)


def resolve(session: Session, actor: Actor, code: str, asks: Sequence[Ask], known_at: datetime | None = None) -> Answered:
    """One answer per question, in order. Raises NotFound, Forbidden outside the actor's scope, Invalid for a moment without an offset."""
    if known_at is not None and known_at.tzinfo is None:
        raise Invalid(problems=(FieldProblem("naive_timestamp", "/known_at", "give the offset from UTC, such as Z"),))
    loaded = load(session, code)
    definition = loaded.definition(known_at)
    check_open(actor, Verb.LOOKUP, loaded.present)
    understood = _understand(session, actor, definition, asks, known_at)
    also = namesakes(session, set(understood.goldens.values()), loaded.named, known_at)
    answers: list[_Settled] = []
    asked: list[Inputs] = []
    for ask in asks:
        inputs, problems = _read_inputs(definition, ask, understood)
        if problems:
            answers.append((_refused(problems),))
            continue
        answers.append(_answer(loaded, definition, inputs, Moment(ask.as_of, known_at), also))
        asked.append(inputs)
    return Answered(_redirected(session, definition, answers, known_at), asked, understood.missed)


def _answer(loaded: Loaded, definition: Definition, inputs: Inputs, moment: Moment, also: Also) -> _Settled:
    if also or moment.known_at is not None:
        return _written(definition, answer(loaded.index, definition.tie_break, inputs, moment, also))
    stretch = bisect_right(loaded.turns, moment.as_of)
    place: _Place = (loaded.stamp.hex, stretch, *[inputs.get(each.name) for each in definition.inputs])
    settled = _settled.get(place)
    if settled is None:
        settled = _written(definition, answer(loaded.index, definition.tie_break, inputs, moment))
        if len(_settled) >= _SETTLED_MAX:
            _settled.clear()
        _settled[place] = settled
    return settled


def _written(definition: Definition, choice: Choice) -> _Settled:
    splits = () if choice.rule is None else choice.rule.splits
    golden = {split.values[name] for name in definition.golden_outputs for split in splits if name in split.values}
    return dumps(_shown(choice)), *sorted(golden)


def _understand(session: Session, actor: Actor, definition: Definition, asks: Iterable[Ask], known_at: datetime | None) -> Understood:
    domains = definition.golden_inputs
    references: set[Reference] = set()
    ids: dict[str, str] = {}
    for ask in asks:
        for name, domain in domains.items():
            given = ask.inputs.get(name)
            reference = None if given is None else reference_of(domain, given, ask.as_of)
            if isinstance(reference, Reference):
                references.add(reference)
            elif reference is not None:
                ids[reference] = domain
    return understand(session, actor, references, ids, known_at)


def _read_inputs(definition: Definition, ask: Ask, understood: Understood) -> tuple[dict[str, str], list[FieldProblem]]:
    """The inputs in normal form, and what is wrong with them. An input of empty text is as good as none."""
    problems = list(ask.problems)
    found: dict[str, str] = {}
    given = {name: value for name, value in ask.inputs.items() if not isinstance(value, str) or value.strip()}
    for each in definition.inputs:
        value = given.pop(each.name, None)
        if value is None:
            if each.required and not ask.problems:
                problems.append(FieldProblem("required", f"/inputs/{each.name}", "the set asks for this input"))
            continue
        normal = normal_value(each.domain, value, understood, ask.as_of)
        if normal is None:
            problems.append(_not_understood(each.name, each.domain, value, understood, ask.as_of))
        else:
            found[each.name] = normal
    problems += [FieldProblem("unknown_input", "/inputs", "the set has no such input") for _ in given]
    return found, problems


def _not_understood(name: str, domain: str | None, value: Given, understood: Understood, day: date) -> FieldProblem:
    pointer = f"/inputs/{name}"
    if domain is None:
        return FieldProblem("wrong_type", pointer, "a text")
    reference = reference_of(domain, value, day)
    if reference is None:
        return FieldProblem("not_understood", pointer, f"the golden id of a {domain}, or {{system, value}}")
    code = understood.problems.get(reference, "unknown_value")
    return FieldProblem(code, pointer, "the crosswalk does not know which golden record is meant")


def _refused(problems: Iterable[FieldProblem]) -> bytes:
    shown: list[ProblemShown] = [{"code": p.code, "pointer": p.pointer, "message": p.message} for p in problems]
    refused: Answer = {"outcome": Outcome.INVALID_INPUT, "outputs": None, "splits": [], "rule": None, "others": [], "problems": shown}
    return dumps(refused)


def outcome_of(choice: Choice) -> Outcome:
    """What a choice comes to."""
    if choice.rule is not None:
        return Outcome.FOUND
    return Outcome.AMBIGUOUS if choice.tied else Outcome.NO_RULE


def _shown(choice: Choice) -> Answer:
    rule = choice.rule
    return {
        "outcome": outcome_of(choice),
        "outputs": None if rule is None else outputs_of(rule.splits),
        "splits": [] if rule is None else _shares(rule.splits),
        "rule": None if rule is None else _rule_shown(rule),
        "others": [_other(other) for other in choice.others],
        "problems": [],
    }


def _shares(splits: Iterable[Split]) -> list[Share]:
    return [{"share": split.share, "outputs": split.values} for split in splits]


def _rule_shown(rule: Rule) -> RuleShown:
    return {"id": rule.id, "conditions": rule.conditions, "valid_from": _day(rule.valid_from), "valid_to": _day(rule.valid_to)}


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _other(other: Other) -> OtherShown:
    shown: OtherShown = {"rule": other.rule.id, "reason": other.why}
    return shown if other.input is None else {**shown, "input": other.input}


def _redirected(session: Session, definition: Definition, answers: Sequence[_Settled], known_at: datetime | None) -> list[bytes]:
    """Golden ids among the outputs stand for their survivors."""
    ids = {golden for _, *goldens in answers for golden in goldens}
    moved = {golden: survivor for golden, (survivor, _) in survivors(session, ids, known_at).items() if survivor != golden}
    if not moved:
        return [written for written, *_ in answers]
    return [
        written if moved.keys().isdisjoint(goldens) else _with_survivors(written, definition.golden_outputs, moved)
        for written, *goldens in answers
    ]


def _with_survivors(written: bytes, names: Collection[str], moved: Mapping[str, str]) -> bytes:
    told: Answer = loads(written)
    splits: list[Share] = [
        {"share": s["share"], "outputs": {k: moved.get(v, v) if k in names else v for k, v in s["outputs"].items()}} for s in told["splits"]
    ]
    return dumps({**told, "splits": splits, "outputs": splits[0]["outputs"] if len(splits) == 1 else None})
