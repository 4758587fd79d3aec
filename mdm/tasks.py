"""The stewards' work: list it, look at it, settle it. Settling appends a decision and derives identity again, in one transaction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import audit, drift, findings, identity, policy, rulings, shared_identifiers, updates
from mdm.access import Actor, Verb
from mdm.assertions import Said, checked_candidate, settle_miss
from mdm.db import Row, execute, fetch
from mdm.decisions import DIFFERENT, said
from mdm.desk import MERGE, MOVE
from mdm.entity import EntityType
from mdm.errors import Conflict, FieldProblem, Invalid, NotFound, Stale
from mdm.golden import locate
from mdm.identity import Act
from mdm.jsonio import dumps
from mdm.misswork import KIND as MISS
from mdm.misswork import NO_TARGET
from mdm.requests import ANSWER, LINK_ONLY, key_of
from mdm.systems import GOLDEN

VERDICTS: Mapping[str, tuple[str, ...]] = {
    "review": ("same", "different", "link-only"),
    "cut": ("accept", "reject"),
    "split": ("split", "together"),
    "overlay": ("accept", "reject"),
    "undo": ("keep", "part"),
    "request": ("done", "declined"),
    "mapping": ("map", "ignore", "not_ours"),
    findings.OVERSIZE: ("keep", "split"),
    shared_identifiers.KIND: ("same", "different", "belongs", "placeholder", "shared"),
    drift.KIND: ("accept", "restore", "exception"),
    MERGE: ("same", "different", "link-only"),
    MOVE: ("move", "stay"),
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

    `until`: the day up to which an ignored miss stays off the work list (None: for good). `hold`: how long its events wait for an undo.
    `groups`: the parts of a split, as a person put them together.
    """

    verdict: str
    if_match: int
    candidate: UUID | None = None
    reason: str = ""
    until: date | None = None
    hold: timedelta = timedelta()
    groups: tuple[tuple[UUID, ...], ...] = ()

    @property
    def named(self) -> dict[str, Any]:
        """Whom and what it names beside its verdict, so that it can be said again."""
        return {
            "candidate": self.candidate and str(self.candidate),
            "until": self.until and self.until.isoformat(),
            "groups": [[str(record) for record in group] for group in self.groups],
        }


@dataclass(frozen=True, slots=True)
class _Case:
    """A task, what was said of it, and by whom."""

    task: TaskView
    ruling: Ruling
    actor: Actor
    request_id: str

    @property
    def asked(self) -> rulings.Asked:
        return rulings.Asked(self.task.id, self.task.goldens, self.task.records, self.task.detail)

    def act(self, evidence: Mapping[str, Any]) -> Act:
        return Act(
            actor=self.actor,
            reason=self.ruling.reason,
            request_id=self.request_id,
            task=self.task.id,
            evidence=evidence,
            hold=self.ruling.hold,
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


def get_visible(session: Session, actor: Actor, task_id: UUID) -> TaskView:
    """A task of a domain, of golden records and of systems that exist for the actor. Raises NotFound."""
    task = get(session, task_id)
    if not policy.can(actor, Verb.READ, task.domain):
        raise NotFound
    policy.check_visible(session, actor, task.goldens)
    if not concerns(actor, task):
        raise NotFound
    return task


def concerns(actor: Actor, task: TaskView) -> bool:
    """A miss is the business of those who know the systems that it is about."""
    about = (task.detail.get("system"), task.detail.get("target")) if task.kind == MISS else ()
    return all(policy.in_scope(actor, system) for system in about if system is not None and system != GOLDEN)


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
    decision_id = _ACTS[task.kind](session, entity, _Case(task, ruling, actor, request_id))
    execute(
        session,
        "update task set status = 'settled', closed_at = now(), version = version + 1, decision_id = %s where id = %s and status = 'open'"
        " and kind <> 'review'",
        (decision_id, task.id),
    )
    execute(session, "update task set decision_id = %s, status = 'settled' where id = %s and status <> 'open'", (decision_id, task.id))
    execute(
        session,
        "insert into task_event (task_id, what, actor, detail) values (%s, %s, %s, %s::jsonb)",
        (task.id, ruling.verdict, actor.name, dumps({"decision": str(decision_id), **ruling.named}).decode()),
    )
    audit.record(
        session, actor, f"task:{ruling.verdict}", domain=entity.name, subjects=list(task.goldens), request_id=request_id, outcome="done"
    )
    return get(session, task.id)


def _judge_review(session: Session, entity: EntityType, case: _Case) -> UUID:
    """Same: the subject and the candidate are one. Link only: they are, and a system keeps both. Different: they never are."""
    ruling = case.ruling
    subject, *candidates = case.task.goldens
    if ruling.candidate is not None and ruling.candidate not in candidates:
        raise Invalid(problems=(FieldProblem("unknown_candidate", "/candidate", "the task names no such candidate"),))
    if ruling.verdict in {"same", LINK_ONLY} and ruling.candidate is None and len(candidates) > 1:
        raise Invalid(problems=(FieldProblem("required", "/candidate", "say which candidate it is"),))
    judged = [ruling.candidate] if ruling.candidate is not None else candidates
    if ruling.verdict == "different":
        return _say_apart(session, entity, case, subject, judged)
    members = identity.taken_together(session, entity, [subject, *judged], None)
    act = case.act(case.task.detail)
    if ruling.verdict == "same":
        # The oldest survives, as when the machine joins
        return identity.say(session, entity, identity.merging(session, min(members), members, "same", over=True), act).decision_id
    return identity.say(session, entity, identity.linking(session, min(members), members, over=True), act).decision_id


def _judge_cut(session: Session, entity: EntityType, case: _Case) -> UUID:
    """Accept: part the golden record as the evidence says. Reject: its records stay together, whatever the weights say."""
    golden_id, act = case.task.goldens[0], case.act(case.task.detail)
    if case.ruling.verdict == "accept":
        parts = [[UUID(record) for record in part] for part in case.task.detail["parts"]]
        return identity.part_as_proposed(session, entity, golden_id, parts, act).decision_id
    members = identity.taken_together(session, entity, [golden_id], None)
    return identity.say(session, entity, identity.merging(session, golden_id, members, "same"), act).decision_id


def _judge_split(session: Session, entity: EntityType, case: _Case) -> UUID:
    """Split: these groups are golden records of their own, for good. Together: the records stay one, whatever the weights say."""
    golden_id, act = locate(session, entity, case.task.goldens[0])[0], case.act(case.task.detail)
    if case.ruling.verdict == "split":
        return identity.split(session, entity, golden_id, case.ruling.groups, act).decision_id
    members = identity.taken_together(session, entity, [golden_id], None)
    return identity.say(session, entity, identity.merging(session, golden_id, members, "same"), act).decision_id


def _judge_merge(session: Session, entity: EntityType, case: _Case) -> UUID:
    """Somebody wants these golden records to be one: they are, they are and a system keeps several, or none of the others is the first."""
    (subject, *others), act = case.task.goldens, case.act({})
    if case.ruling.verdict == "same":
        return identity.merge(session, entity, subject, others, act).decision_id
    if case.ruling.verdict == LINK_ONLY:
        return identity.link_only(session, entity, subject, others, act).decision_id
    return _say_apart(session, entity, case, subject, others)


def _judge_move(session: Session, entity: EntityType, case: _Case) -> UUID:
    """Somebody wants records to belong to another golden record: they do, or they are not of that one."""
    left, joined = case.task.goldens
    if case.ruling.verdict == "move":
        return identity.move(session, entity, left, case.task.records, joined, case.act({})).decision_id
    members = identity.taken_together(session, entity, [left, joined], None)
    pairs = [(record, m.id) for record in case.task.records for m in members[joined]]
    records = [*case.task.records, *(m.id for m in members[joined])]
    return identity.say(session, entity, identity.Saying("different", records, said(DIFFERENT, pairs)), case.act({})).decision_id


def _say_apart(session: Session, entity: EntityType, case: _Case, subject: UUID, others: Sequence[UUID]) -> UUID:
    """The subject is none of the others; of these among themselves nothing is said."""
    members = identity.taken_together(session, entity, [subject, *others], None)
    pairs = [(a.id, b.id) for a in members[subject] for golden in others for b in members[golden]]
    records = [m.id for found in members.values() for m in found]
    act = case.act(case.task.detail)
    return identity.say(session, entity, identity.Saying("different", records, said(DIFFERENT, pairs)), act).decision_id


def _judge_undo(session: Session, entity: EntityType, case: _Case) -> UUID:
    """Keep: what could not be brought back stays as it is. Part: these records are not of this golden record."""
    kept = {UUID(k["record_id"]) for k in case.task.detail["kept"]}
    act = case.act(case.task.detail)
    if case.ruling.verdict == "part":
        return identity.split(session, entity, case.task.goldens[0], [sorted(kept)], act).decision_id
    identity.taken_together(session, entity, case.task.goldens, None)
    return identity.say(session, entity, identity.Saying("keep", sorted(kept), ()), act).decision_id


def _judge_request(session: Session, entity: EntityType, case: _Case) -> UUID:
    """Done: the system has merged its records, whatever it delivers of them. Declined: it will not. It is not asked again."""
    members = identity.taken_together(session, entity, case.task.goldens, None)
    about = [m.id for m in members[case.task.goldens[0]] if m.id in case.task.records]
    told = {"request": key_of(case.task.detail["decision"], case.task.records), "answer": case.ruling.verdict}
    saying = identity.Saying(ANSWER, about, (), detail=told)
    return identity.say(session, entity, saying, case.act(case.task.detail)).decision_id


def _judge_overlay(session: Session, entity: EntityType, case: _Case) -> UUID:
    detail = case.task.detail
    act = case.act(detail.get("evidence", {}))
    return updates.rule(session, entity, case.task.records[0], detail["version"], case.ruling.verdict, act)


def _judge_mapping(session: Session, entity: EntityType, case: _Case) -> UUID:
    """Map: the value belongs to the candidate, or the candidate is what the golden record is called there. Else it is nobody's work."""
    task, ruling = case.task, case.ruling
    if ruling.candidate is not None:  # it need not be one of those that the task names
        policy.check_visible(session, case.act({}).actor, [ruling.candidate])
    if ruling.verdict == "map" and task.detail["kind"] == NO_TARGET:
        subject, candidate = locate(session, entity, task.goldens[0])[0], checked_candidate(session, entity, ruling.candidate)
        if subject == candidate:
            raise Conflict("these two are one golden record by now")
        members = identity.taken_together(session, entity, [subject, candidate], None)
        saying = identity.merging(session, min(members), members, "same")
        return identity.say(session, entity, saying, case.act(task.detail)).decision_id
    told = Said(UUID(task.detail["miss"]), ruling.verdict, ruling.candidate, ruling.until)
    return settle_miss(session, entity, told, case.act({}))


def _judge_size(session: Session, entity: EntityType, case: _Case) -> UUID:
    """Keep: the records are one, however many. Split: these groups are golden records of their own."""
    groups = case.ruling.groups if case.ruling.verdict == "split" else ()
    if case.ruling.verdict == "split" and not groups:
        raise Invalid(problems=(FieldProblem("nothing_to_part", "/groups", "say which records belong together"),))
    return rulings.size(session, entity, case.asked, groups, case.act(case.task.detail))


def _judge_shared(session: Session, entity: EntityType, case: _Case) -> UUID:
    ruling = case.ruling
    return rulings.shared(session, entity, case.asked, ruling.verdict, ruling.candidate, case.act(case.task.detail))


def _judge_drift(session: Session, entity: EntityType, case: _Case) -> UUID:
    return rulings.drifted(session, entity, case.asked, case.ruling.verdict, case.act(case.task.detail))


_ACTS: Mapping[str, Callable[[Session, EntityType, _Case], UUID]] = {
    "review": _judge_review,
    "cut": _judge_cut,
    "split": _judge_split,
    MERGE: _judge_merge,
    MOVE: _judge_move,
    "overlay": _judge_overlay,
    "undo": _judge_undo,
    "request": _judge_request,
    "mapping": _judge_mapping,
    findings.OVERSIZE: _judge_size,
    shared_identifiers.KIND: _judge_shared,
    drift.KIND: _judge_drift,
}
