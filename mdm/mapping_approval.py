"""Putting rules in force and out of it: always by another person than the author, always all or nothing.

The answers of before stay known: a rule that stops to answer closes its span of recorded time, it is never erased or rewritten.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import audit, policy
from mdm.access import Actor, Verb
from mdm.db import execute
from mdm.errors import Conflict, FieldProblem, Forbidden, NotFound, Stale
from mdm.feed import Happening, publish
from mdm.ids import new_id
from mdm.jsonio import dumps
from mdm.mapping import RuleView, all_rules, check_version, get_rule, read_rules
from mdm.mapping_choice import Rule, as_approved
from mdm.mapping_conflicts import Clash, Standing
from mdm.mapping_sets import By, Definition, SetView, check_open, check_revision, clock, get_set, lock_set, touch
from mdm.mapping_terms import survivors_now

DOMAIN = "mapping"  # of events about rules and releases
APPROVED_MAX = 10_000  # drafts approved in one transaction
_PROBLEMS_MAX = 100


@dataclass(frozen=True, slots=True)
class Approval:
    """What was approved; `left` are drafts of the approver's own, which another person has to approve."""

    approved: tuple[UUID, ...]
    replaced: tuple[UUID, ...]
    left: tuple[UUID, ...]
    revision: int


@dataclass(frozen=True, slots=True)
class Rest:
    """What remains of a replaced rule: its days before the first one of its successor."""

    of: RuleView
    successor: RuleView
    valid_to: date


def approve(session: Session, by: By, code: str, wanted: Sequence[tuple[UUID, int]] | None, *, if_match: int | None) -> Approval:
    """Approve these drafts (id and version as read), or all drafts of the set by others at the revision that was read.

    A rule that a draft replaces ends the day before it begins. Raises Conflict that names every clash, Forbidden for an own draft or for
    anyone but the set's approver, Stale, NotFound; then nothing has changed.
    """
    found = lock_set(session, code)
    check_approver(by.actor, found.definition)
    drafts, left = _named(session, by.actor, code, wanted) if wanted is not None else _all(session, by.actor, found, if_match)
    approved = all_rules(session, code, ["approved"])
    replaced = _replaced(drafts, approved)
    rests = _rests(drafts, replaced)
    _check_names(found.definition, drafts)
    _check_clashes(session, found.definition, drafts, rests, [rule for rule in approved if rule.id not in replaced])
    at = clock(session)
    close(session, by.actor, replaced.keys(), at, "replaced")
    kept = _write_rests(session, by.actor, rests)
    _put_in_force(session, by.actor, [draft.id for draft in drafts])
    open_spans(session, by.actor, [*(draft.id for draft in drafts), *kept], at)
    touch(session, code)
    _tell(session, by, code, (drafts, kept, replaced))
    return Approval(tuple(draft.id for draft in drafts), tuple(replaced), left, get_set(session, code).revision)


def check_approver(actor: Actor, definition: Definition) -> None:
    check_open(actor, Verb.APPROVE, definition)
    if definition.approver not in ("", actor.name):
        raise Forbidden("this set names who approves it, and that is somebody else")


def _named(session: Session, actor: Actor, code: str, wanted: Sequence[tuple[UUID, int]]) -> tuple[list[RuleView], tuple[UUID, ...]]:
    drafts = read_rules(session, code, list(dict.fromkeys(rule_id for rule_id, _ in wanted)))
    if len(drafts) != len(wanted):
        raise NotFound("one of these rules is not there, or named twice")
    own = [place for place, draft in enumerate(drafts) if draft.author == actor.name]
    if own:
        raise Forbidden("another person than the author approves", _at(own, "own_rule", "yours"))
    closed = [place for place, draft in enumerate(drafts) if draft.status != "draft"]
    if closed:
        raise Conflict("only drafts can be approved", _at(closed, "not_a_draft", "this is no draft any more"))
    changed = [place for place, (draft, (_, version)) in enumerate(zip(drafts, wanted, strict=True)) if draft.version != version]
    if changed:
        raise Stale("drafts have changed since you read them", _at(changed, "stale", "read it again"))
    return drafts, ()


def _at(places: Iterable[int], code: str, message: str) -> tuple[FieldProblem, ...]:
    return tuple(FieldProblem(code, f"/rules/{place}", message) for place in places)[:_PROBLEMS_MAX]


def _all(session: Session, actor: Actor, found: SetView, if_match: int | None) -> tuple[list[RuleView], tuple[UUID, ...]]:
    check_revision(found, if_match)
    drafts = all_rules(session, found.code, ["draft"])
    if len(drafts) > APPROVED_MAX:
        raise Conflict(f"more than {APPROVED_MAX} drafts: approve them in parts, by id")
    others = [draft for draft in drafts if draft.author != actor.name]
    return others, tuple(draft.id for draft in drafts if draft.author == actor.name)


def _replaced(drafts: Iterable[RuleView], approved: Iterable[RuleView]) -> dict[UUID, RuleView]:
    """The rules that the drafts replace, where they have days in common; one that ends before its successor begins is left alone."""
    by_id = {rule.id: rule for rule in approved}
    found: dict[UUID, RuleView] = {}
    for place, draft in enumerate(drafts):
        if draft.replaces is None:
            continue
        former = by_id.get(draft.replaces)
        if former is None:
            raise Conflict("a rule to be replaced is no longer approved", _at([place], "not_approved", f"rule {draft.replaces}"))
        if former.valid_to is None or draft.valid_from is None or draft.valid_from <= former.valid_to:
            found[former.id] = former
    return found


def _rests(drafts: Iterable[RuleView], replaced: Mapping[UUID, RuleView]) -> list[Rest]:
    first: dict[UUID, RuleView] = {}
    for draft in sorted(drafts, key=lambda each: (each.valid_from or date.min, each.id)):
        if draft.replaces is not None and draft.replaces in replaced:
            first.setdefault(draft.replaces, draft)
    return [
        Rest(replaced[former], successor, successor.valid_from - timedelta(days=1))
        for former, successor in first.items()
        if successor.valid_from is not None and successor.valid_from > (replaced[former].valid_from or date.min)
    ]


def _check_names(definition: Definition, drafts: Sequence[RuleView]) -> None:
    """A draft may be older than the set's present inputs and outputs."""
    inputs, outputs = {each.name for each in definition.inputs}, {each.name for each in definition.outputs}
    wrong = [
        place
        for place, draft in enumerate(drafts)
        if not set(draft.conditions) <= inputs or any(set(split.values) != outputs for split in draft.splits)
    ]
    if wrong:
        raise Conflict("the set has changed since these drafts were written", _at(wrong, "outdated", "write it again"))


def _check_clashes(
    session: Session, definition: Definition, drafts: Sequence[RuleView], rests: Sequence[Rest], others: Sequence[RuleView]
) -> None:
    named = {rule.conditions[name] for rule in (*drafts, *others) for name in definition.golden_inputs if name in rule.conditions}
    now = survivors_now(session, named)
    fresh = [as_approved(_rule(draft), draft.valid_to, now) for draft in drafts]
    kept = [as_approved(_rule(rest.of), rest.valid_to, now) for rest in rests]
    standing = Standing([*fresh, *kept, *(as_approved(_rule(other), other.valid_to, now) for other in others)], definition.tie_break)
    problems: list[FieldProblem] = []
    for place, rule in enumerate(fresh):
        problems += [_as_problem(place, clash) for clash in standing.clashes(rule)]
        if len(problems) >= _PROBLEMS_MAX:
            break
    if problems:
        raise Conflict("rules are in each other's way; nothing was approved", tuple(problems[:_PROBLEMS_MAX]))
    if standing.was_cut:
        raise Conflict("too many rules could tie to look at all pairs: give the set a tie-break, or approve fewer at a time")


def _rule(view: RuleView) -> Rule:
    """As the choice sees it. What it replaces is out of force or cut short by now, so it is as good as any other."""
    return Rule(str(view.id), view.conditions, view.splits, view.status, view.valid_from, view.valid_to)


def _as_problem(place: int, clash: Clash) -> FieldProblem:
    since = "" if clash.day is None else f" from {clash.day.isoformat()}"
    if clash.kind == "overlap":
        return FieldProblem("overlap", f"/rules/{place}", f"rule {clash.against.id} has the same conditions{since}; replace it")
    remedy = "name both rules' inputs in one rule, or give the set a tie-break"
    return FieldProblem("tie", f"/rules/{place}", f"rule {clash.against.id} would have equal right{since}: {remedy}")


def close(session: Session, actor: Actor, ids: Collection[UUID], at: datetime, reason: str) -> None:
    """These rules answer no longer; what they answered until now stays known."""
    execute(session, "update mapping_rule set status = 'retired', version = version + 1 where id = any(%s)", (list(ids),))
    execute(
        session,
        "update mapping_rule_span set recorded_to = %s, closed_by = %s, closed_reason = %s where rule_id = any(%s) and recorded_to is null",
        (at, actor.name, reason, list(ids)),
    )


def open_spans(session: Session, actor: Actor, ids: Collection[UUID], at: datetime) -> None:
    execute(
        session,
        "insert into mapping_rule_span (rule_id, recorded_from, opened_by) select unnest(%s::uuid[]), %s, %s",
        (list(ids), at, actor.name),
    )


def _write_rests(session: Session, actor: Actor, rests: Sequence[Rest]) -> list[UUID]:
    """The days of a replaced rule that its successor leaves to it, as a rule of its own: by the successor's author and approver."""
    ids = [new_id() for _ in rests]
    rows = [
        {"id": rule_id, "of": rest.of.id, "t": rest.valid_to, "a": rest.successor.author} for rule_id, rest in zip(ids, rests, strict=True)
    ]
    execute(
        session,
        "insert into mapping_rule (id, set_code, conditions, conditions_hash, written, outputs, status, valid_from, valid_to, replaces,"
        " note, author, approved_by) select x.id, m.set_code, m.conditions, m.conditions_hash, m.written, m.outputs, 'approved',"
        " m.valid_from, x.t, m.id, m.note, x.a, %s from jsonb_to_recordset(%s::jsonb) as x(id uuid, of uuid, t date, a text)"
        " join mapping_rule m on m.id = x.of",
        (actor.name, dumps(rows).decode()),
    )
    return ids


def _put_in_force(session: Session, actor: Actor, ids: Sequence[UUID]) -> None:
    execute(
        session,
        "update mapping_rule set status = 'approved', approved_by = %s, version = version + 1 where id = any(%s)",
        (actor.name, list(ids)),
    )


def _tell(session: Session, by: By, code: str, changed: tuple[Sequence[RuleView], Sequence[UUID], Collection[UUID]]) -> None:
    drafts, kept, replaced = changed
    subjects = [*(draft.id for draft in drafts), *replaced]
    detail = {"set": code, "approved": len(drafts), "replaced": len(replaced)}
    audit.record(session, by.actor, "mapping:approve", subjects=subjects, request_id=by.request_id, detail=detail)
    retired = [Happening("mapping.retired", rule_id, {"set": code}) for rule_id in replaced]
    approved = [Happening("mapping.approved", rule_id, {"set": code}) for rule_id in (*(draft.id for draft in drafts), *kept)]
    publish(session, DOMAIN, [*retired, *approved])


def retire(session: Session, by: By, code: str, rule_id: UUID, *, if_match: int, reason: str) -> RuleView:
    """An approved rule answers no longer, for whatever date; a draft is withdrawn, by its author or an approver.

    Raises Stale, Conflict for a rule that is retired already, Forbidden.
    """
    found = lock_set(session, code)
    check_open(by.actor, Verb.DECIDE, found.definition)
    rule = get_rule(session, code, rule_id)
    if rule.status == "retired":
        raise Conflict("this rule is retired already")
    check_version(rule, if_match)
    if rule.status == "approved":
        check_approver(by.actor, found.definition)
    elif rule.author != by.actor.name and not policy.can(by.actor, Verb.APPROVE):
        raise Forbidden("a draft belongs to its author")
    close(session, by.actor, [rule_id], clock(session), reason)
    touch(session, code)
    act = "mapping:retire" if rule.status == "approved" else "mapping:withdraw"
    audit.record(session, by.actor, act, subjects=[rule_id], request_id=by.request_id, detail={"set": code, "reason": reason})
    if rule.status == "approved":
        publish(session, DOMAIN, [Happening("mapping.retired", rule_id, {"set": code})])
    return get_rule(session, code, rule_id)
