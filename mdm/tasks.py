"""The stewards' work: list it, look at it, settle it. Settling appends a decision and derives identity again, in one transaction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import audit
from mdm.access import Actor
from mdm.assertions import Said, checked_candidate, settle_miss
from mdm.candidates import holders_max, read_blocks
from mdm.db import Row, execute, fetch, lock
from mdm.decisions import NewDecision, append, judge_pairs
from mdm.entity import EntityType
from mdm.errors import Conflict, FieldProblem, Invalid, NotFound, Stale
from mdm.feed import publish
from mdm.golden import locate
from mdm.guard import record_keys
from mdm.ingest import Writing, store_and_settle
from mdm.members import Member, members_of
from mdm.misswork import NO_TARGET
from mdm.models import scorer as active_scorer
from mdm.records import Incoming, delivery_of, read_stored
from mdm.resolve import Change, settle
from mdm.standardise import standardise
from mdm.systems import registry

VERDICTS: Mapping[str, tuple[str, ...]] = {
    "review": ("same", "different"),
    "cut": ("accept", "reject"),
    "overlay": ("accept", "reject"),
    "mapping": ("map", "ignore", "not_ours"),
}


@dataclass(frozen=True, slots=True)
class TaskView:
    """One piece of work; the first of `goldens` is its subject."""

    id: UUID
    domain: str
    kind: str
    status: str
    version: int
    impact: float
    detail: Mapping[str, Any]
    goldens: tuple[UUID, ...]
    records: tuple[UUID, ...]
    created_at: datetime
    closed_at: datetime | None
    decision_id: UUID | None


@dataclass(frozen=True, slots=True)
class TaskPage:
    items: tuple[TaskView, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a person says of a task: a verdict, for a review of one candidate (None: of all), at the version they saw.

    `until`: the day up to which an ignored miss stays off the work list (None: for good).
    """

    verdict: str
    if_match: int
    candidate: UUID | None = None
    reason: str = ""
    until: date | None = None


@dataclass(frozen=True, slots=True)
class _Case:
    """A task, what was said of it, and by whom."""

    task: TaskView
    ruling: Ruling
    actor: Actor

    def decision(self, kind: str, records: Sequence[UUID], model_version: str, evidence: Mapping[str, object]) -> NewDecision:
        return NewDecision(
            kind=kind,
            records=records,
            actor=self.actor.name,
            reason=self.ruling.reason,
            model_version=model_version,
            detail={"task": str(self.task.id), **evidence},
        )


_COLUMNS = "id, domain, kind, status, version, impact, detail, goldens, records, created_at, closed_at, decision_id"


def _view(row: Row) -> TaskView:
    return TaskView(row[0], row[1], row[2], row[3], row[4], row[5], row[6], tuple(row[7]), tuple(row[8]), row[9], row[10], row[11])


def list_tasks(
    session: Session,
    *,
    domains: frozenset[str] | None = None,
    kind: str | None = None,
    status: str = "open",
    limit: int = 50,
    cursor: str | None = None,
) -> TaskPage:
    """The work that matters most first, then the oldest."""
    impact, task_id = _after(cursor)
    rows = fetch(
        session,
        f"select {_COLUMNS} from task where status = %(status)s and (%(domains)s::text[] is null or domain = any(%(domains)s))"
        " and (%(kind)s::text is null or kind = %(kind)s)"
        " and (%(impact)s::float8 is null or (-impact, id) > (-%(impact)s::float8, %(id)s::uuid)) order by -impact, id limit %(limit)s",
        {
            "status": status,
            "domains": None if domains is None else sorted(domains),
            "kind": kind,
            "impact": impact,
            "id": task_id,
            "limit": limit + 1,
        },
    )
    items = tuple(_view(row) for row in rows[:limit])
    return TaskPage(items, f"{items[-1].impact!r}_{items[-1].id}" if len(rows) > limit else None)


def _after(cursor: str | None) -> tuple[float | None, UUID | None]:
    if cursor is None:
        return None, None
    impact, _, task_id = cursor.partition("_")
    try:
        return float(impact), UUID(task_id)
    except ValueError:
        raise Invalid(problems=(FieldProblem("bad_cursor", "/cursor", "pass `next` of the page before, unchanged"),)) from None


def get(session: Session, task_id: UUID) -> TaskView:
    rows = fetch(session, f"select {_COLUMNS} from task where id = %s", (task_id,))
    if not rows:
        raise NotFound("there is no such task")
    return _view(rows[0])


def decide(session: Session, entity: EntityType, task_id: UUID, actor: Actor, ruling: Ruling, request_id: str) -> TaskView:
    """Settle a task.

    Raises Stale when it changed since it was read, Conflict when it is settled already, Invalid for a verdict it has not.
    """
    rows = fetch(session, f"select {_COLUMNS} from task where id = %s and domain = %s for update", (task_id, entity.name))
    if not rows:
        raise NotFound("there is no such task")
    task = _view(rows[0])
    if task.status != "open":
        raise Conflict("this task is already closed")
    if task.version != ruling.if_match:
        raise Stale(f"this task is now at version {task.version}")
    if ruling.verdict not in VERDICTS.get(task.kind, ()):
        raise Invalid(problems=(FieldProblem("unknown_choice", "/verdict", f"one of {', '.join(VERDICTS.get(task.kind, ()))}"),))
    decision_id = _ACTS[task.kind](session, entity, _Case(task, ruling, actor))
    execute(
        session,
        "update task set status = 'settled', closed_at = now(), version = version + 1, decision_id = %s where id = %s and status = 'open'"
        " and kind <> 'review'",
        (decision_id, task.id),
    )
    execute(session, "update task set decision_id = %s, status = 'settled' where id = %s and status <> 'open'", (decision_id, task.id))
    execute(
        session,
        "insert into task_event (task_id, what, actor, detail) values (%s, %s, %s, jsonb_build_object('decision', %s::text))",
        (task.id, ruling.verdict, actor.name, str(decision_id)),
    )
    audit.record(
        session, actor, f"task:{ruling.verdict}", domain=entity.name, subjects=list(task.goldens), request_id=request_id, outcome="done"
    )
    return get(session, task.id)


def _judge_review(session: Session, entity: EntityType, case: _Case) -> UUID:
    """Same: the subject and the candidate are one. Different: they never are; every pair of theirs is parted."""
    ruling = case.ruling
    subject, *candidates = case.task.goldens
    if ruling.candidate is not None and ruling.candidate not in candidates:
        raise Invalid(problems=(FieldProblem("unknown_candidate", "/candidate", "the task names no such candidate"),))
    if ruling.verdict == "same" and ruling.candidate is None and len(candidates) > 1:
        raise Invalid(problems=(FieldProblem("required", "/candidate", "say which candidate it is"),))
    judged = [ruling.candidate] if ruling.candidate is not None else candidates
    members = members_of(session, [subject, *judged])
    mine = members.get(subject, [])
    others = [m for g in judged for m in members.get(g, [])]
    pairs = [(a.id, b.id) for a in mine for b in others]
    if ruling.verdict == "same":
        pairs = pairs[:1]
    return _decide_pairs(session, entity, case, ruling.verdict, pairs, [*mine, *others])


def _judge_cut(session: Session, entity: EntityType, case: _Case) -> UUID:
    """Accept: part the golden record as the evidence says. Reject: its records stay together, whatever the weights say."""
    golden_id = case.task.goldens[0]
    members = members_of(session, [golden_id]).get(golden_id, [])
    if case.ruling.verdict == "reject":
        first = members[0]
        return _decide_pairs(session, entity, case, "same", [(first.id, m.id) for m in members[1:]], members)
    model = active_scorer(session, entity)
    _lock_members(session, entity, members)
    records = [m.id for m in members]
    decision_id = append(session, entity, case.decision("accept", records, model.model.version, {"cut": case.task.detail}))
    change = Change(frozenset(records), may_part=frozenset({golden_id}), cause="decision")
    publish(session, entity.name, settle(session, entity, model, registry(session), change).happenings)
    return decision_id


def _decide_pairs(
    session: Session, entity: EntityType, case: _Case, verdict: str, pairs: Sequence[tuple[UUID, UUID]], members: Sequence[Member]
) -> UUID:
    model = active_scorer(session, entity)
    _lock_members(session, entity, members)
    judge_pairs(session, model, pairs, verdict)
    records = [m.id for m in members]
    evidence = {"pairs": [[str(a), str(b)] for a, b in pairs], "evidence": case.task.detail}
    decision_id = append(session, entity, case.decision(verdict, records, model.model.version, evidence))
    change = Change(frozenset(records), cause="decision")
    publish(session, entity.name, settle(session, entity, model, registry(session), change).happenings)
    return decision_id


def _lock_members(session: Session, entity: EntityType, members: Sequence[Member]) -> None:
    """The same locks as a delivery takes, so that neither overtakes the other."""
    rows = fetch(session, "select keys from source_record where id = any(%s)", ([m.id for m in members],))
    keys = sorted({key for row in rows for key in row[0]})
    lock(session, f"block:{entity.name}", keys[:500])


def _judge_overlay(session: Session, entity: EntityType, case: _Case) -> UUID:
    """Accept: the record really is this now. Reject: the delivery was wrong and never becomes current."""
    verdict, detail = case.ruling.verdict, case.task.detail
    record_id, version = case.task.records[0], detail["version"]
    state = "applied" if verdict == "accept" else "rejected"
    rows = fetch(
        session,
        "update source_record_version v set state = %s, recorded_at = clock_timestamp() from source_record r where v.record_id = %s"
        " and v.version = %s and v.state = 'quarantined' and r.id = v.record_id"
        " returning r.system, r.key, v.raw, v.status, v.valid_from, v.valid_to",
        (state, record_id, version),
    )
    if not rows:
        raise Stale("a newer delivery has taken the place of this one")
    model = active_scorer(session, entity)
    if verdict == "accept":
        system, key, *content = rows[0]
        standard = standardise(entity, delivery_of(system, key, *content), registry(session))
        keys = record_keys(entity, model.model, standard.columns)
        stored = read_stored(session, entity, [standard])[system, key]
        lock(session, f"block:{entity.name}", {*keys, *stored.keys})
        incoming = Incoming(record_id, standard, stored, standard.columns, keys)
        blocks = read_blocks(session, keys, holders_max(model.model, keys))
        settled, _ = store_and_settle(session, entity, model, Writing(blocks, [incoming], versioned=True))
        publish(session, entity.name, settled.happenings)
    evidence = {"version": version, "evidence": detail.get("evidence", {})}
    return append(session, entity, case.decision(verdict, [record_id], model.model.version, evidence))


def _judge_mapping(session: Session, entity: EntityType, case: _Case) -> UUID:
    """Map: the value belongs to the candidate, or the candidate is what the golden record is called there. Else it is nobody's work."""
    task, ruling = case.task, case.ruling
    if ruling.verdict == "map" and task.detail["kind"] == NO_TARGET:
        subject, candidate = locate(session, entity, task.goldens[0])[0], checked_candidate(session, entity, ruling.candidate)
        if subject == candidate:
            raise Conflict("these two are one golden record by now")
        members = members_of(session, [subject, candidate])
        mine, others = members[subject], members[candidate]
        return _decide_pairs(session, entity, case, "same", [(mine[0].id, others[0].id)], [*mine, *others])
    said = Said(UUID(task.detail["miss"]), ruling.verdict, ruling.candidate, ruling.until)
    return settle_miss(session, entity, said, partial(case.decision, model_version=active_scorer(session, entity).model.version))


_ACTS: Mapping[str, Callable[[Session, EntityType, _Case], UUID]] = {
    "review": _judge_review,
    "cut": _judge_cut,
    "overlay": _judge_overlay,
    "mapping": _judge_mapping,
}
