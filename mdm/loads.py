"""Loads of files: upload, templates, asking for plan, apply and undo, and what is told about them. The work itself is done by jobs.

    uploaded -> planned -> applying -> applied -> undoing -> undone;   planned -> planned by a new plan, applying -> applied wave by wave

A load belongs to one domain and one system; whoever may not load these does not see it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import audit, policy
from mdm.access import Actor, Verb
from mdm.db import Row, execute, fetch
from mdm.entities import ENTITY_TYPES
from mdm.entity import EntityType
from mdm.errors import Conflict, FieldProblem, NotFound, PlanStale
from mdm.ids import new_id
from mdm.jobs import enqueue
from mdm.jsonio import dumps
from mdm.load_checks import check_rails, check_reason, takes_two
from mdm.load_counts import COUNTS, count_outcomes, forget_outcomes
from mdm.load_second import Asked, Question, is_agreed, take_back
from mdm.load_stale import Plan, changed_since, has_begun
from mdm.load_table import Options
from mdm.load_targets import Mapping as Columns
from mdm.load_targets import required
from mdm.load_waves import Waiting, begin_wave, check_under_way, check_wave

PLAN, APPLY, UNDO = "load_plan", "load_apply", "load_undo"
KINDS = (PLAN, APPLY, UNDO)
PAGE_MAX = 200
_BEGUN = frozenset({"applying", "undoing", "undone"})


@dataclass(frozen=True, slots=True)
class NewLoad:
    """A file that lies in `place` below MDM_HOME by now, and how it is to be read."""

    id: UUID
    domain: str
    system: str
    name: str
    place: str
    sha256: str
    bytes: int
    columns: Columns
    steps: Sequence[Mapping[str, Any]] = ()
    reading: Options = field(default_factory=Options)
    template: int | None = None


@dataclass(frozen=True, slots=True)
class LoadView:
    """A load as its row tells it, with the counts of its plan and, once it was applied, of what came out."""

    id: UUID
    domain: str
    system: str
    name: str
    sha256: str
    bytes: int
    template: int | None
    status: str
    plan_id: UUID | None
    job_id: UUID | None
    same_as: UUID | None
    created_by: str
    created_at: datetime
    asked_by: str | None
    approved_by: str | None
    applied_at: datetime | None
    undone_at: datetime | None
    seconds: Mapping[str, float]
    options: Mapping[str, Any]
    counts: Mapping[str, int] | None = None
    applied: Mapping[str, int] | None = None
    plan: Mapping[str, Any] | None = None
    job: Mapping[str, Any] | None = None


_COLUMNS: LiteralString = (
    "id, domain, system, name, sha256, bytes, template, status, plan_id, job_id, same_as, created_by, created_at, asked_by, approved_by,"
    " applied_at, undone_at, seconds, options"
)


def create(session: Session, entity: EntityType, actor: Actor, new: NewLoad, request_id: str) -> LoadView:
    """Register an uploaded file. Raises Forbidden for a domain or system that the actor may not load."""
    policy.check(actor, Verb.LOAD, entity.name, new.system)
    reading = {
        "encoding": new.reading.encoding,
        "delimiter": new.reading.delimiter,
        "sheet": new.reading.sheet,
        "header_row": new.reading.header_row,
    }
    options = {
        "columns": [[each.target, each.column] for each in new.columns],
        "steps": [dict(step) for step in new.steps],
        "reading": reading,
    }
    execute(
        session,
        "insert into load (id, domain, system, name, place, sha256, bytes, options, template, created_by)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s::jsonb, %s, %s)",
        (
            new.id,
            entity.name,
            new.system,
            new.name,
            new.place,
            new.sha256,
            new.bytes,
            dumps(options).decode(),
            new.template,
            actor.name,
        ),
    )
    _audit(session, actor, "load:upload", new.id, request_id)
    return get(session, actor, new.id)


def get(session: Session, actor: Actor, load_id: UUID, *, lock: bool = False) -> LoadView:
    """A load with its plan, counts and the job that works on it. Raises NotFound also for what the actor may not load."""
    locked: LiteralString = " for update" if lock else ""
    rows = fetch(session, f"select {_COLUMNS} from load where id = %s{locked}", (load_id,))
    if not rows or not policy.can(actor, Verb.LOAD, rows[0][1], rows[0][2]):
        raise NotFound("there is no such load")
    view = _full(session, rows[0])
    return _rested(session, view) if lock else view


def _rested(session: Session, view: LoadView) -> LoadView:
    """A load whose apply ended before it changed anything is planned, as before: it may be planned again, or read otherwise."""
    if view.status != "applying" or _is_under_way(view, APPLY) or has_begun(session, view.plan_id):
        return view
    execute(session, "update load set status = 'planned' where id = %s", (view.id,))
    return replace(view, status="planned")


def _is_under_way(view: LoadView, kind: str) -> bool:
    job = view.job or {}
    return job.get("kind") == kind and job["state"] in {"queued", "running"}


def of_plan(session: Session, plan_id: UUID) -> UUID:
    """The load whose plan this is. Raises NotFound."""
    rows = fetch(session, "select load_id from load_plan where id = %s", (plan_id,))
    if not rows:
        raise NotFound("there is no such plan")
    found: UUID = rows[0][0]
    return found


def list_loads(session: Session, actor: Actor, *, before: UUID | None = None, limit: int = 50) -> list[LoadView]:
    """Loads that the actor may see, newest first."""
    rows = fetch(
        session,
        f"select {_COLUMNS} from load where domain = any(%s) and (%s::text[] is null or system = any(%s)) and (%s::uuid is null or id < %s)"
        " order by id desc limit %s",
        (
            sorted(policy.domains(actor, Verb.LOAD)),
            None if actor.systems is None else sorted(actor.systems),
            None if actor.systems is None else sorted(actor.systems),
            before,
            before,
            limit,
        ),
    )
    return [_with_counts(session, LoadView(*row)) for row in rows]


def _full(session: Session, row: Row) -> LoadView:
    view = _with_counts(session, LoadView(*row))
    plan = fetch(session, "select id, state, fingerprint, report, created_at, ready_at from load_plan where id = %s", (view.plan_id,))
    job = fetch(session, "select id, kind, state, progress, error from job where id = %s", (view.job_id,))
    told: dict[str, Any] = {}
    if plan:
        told["plan"] = dict(zip(("id", "state", "fingerprint", "report", "created_at", "ready_at"), plan[0], strict=True))
    if job:
        told["job"] = dict(zip(("id", "kind", "state", "progress", "error"), job[0], strict=True))
    return _replaced(view, **told)


def _with_counts(session: Session, view: LoadView) -> LoadView:
    rows = fetch(
        session,
        "select stage, new, linked, review, updated, unchanged, rejected, absent, waiting from load_count where plan_id = %s",
        (view.plan_id,),
    )
    found = {row[0]: dict(zip((*COUNTS, "waiting"), row[1:], strict=True)) for row in rows}
    counts = {name: found["plan"][name] for name in COUNTS} if "plan" in found else None
    applied = found.get("apply")
    if applied is None and view.plan_id is not None and view.status in _BEGUN and not _is_live(session, view.job_id):
        applied = count_outcomes(session, view.plan_id)  # it ended on its way; until then the job tells how far it is
    return _replaced(view, counts=counts, applied=applied)


def _is_live(session: Session, job_id: UUID | None) -> bool:
    return bool(fetch(session, "select 1 from job where id = %s and state in ('queued', 'running')", (job_id,)))


def _replaced(view: LoadView, **changes: Any) -> LoadView:
    return replace(view, **changes)


def same_load(session: Session, load_id: UUID) -> UUID | None:
    """An applied load of the same bytes, read in the same way, since which its system has said nothing else."""
    rows = fetch(
        session,
        "select o.id from load l join load o on o.domain = l.domain and o.system = l.system and o.sha256 = l.sha256"
        " and o.options = l.options"
        " and o.id <> l.id and o.status = 'applied' and o.same_as is null where l.id = %s and not exists (select 1 from source_record r"
        " where r.domain = l.domain and r.system = l.system and r.updated_at > o.applied_at) and not exists (select 1 from task t"
        " join source_record r on r.id = t.records[1] join source_record_version v on v.record_id = r.id and v.state = 'quarantined'"
        " where t.domain = l.domain and t.kind = 'overlay' and t.status = 'open' and r.system = l.system and v.recorded_at > o.applied_at)"
        " order by o.applied_at desc limit 1",
        (load_id,),
    )
    return rows[0][0] if rows else None


def ask_plan(session: Session, actor: Actor, load_id: UUID, request_id: str) -> LoadView:
    """Plan, or plan again. Raises Conflict for a load that is being applied or was."""
    view = get(session, actor, load_id, lock=True)
    if view.status not in {"uploaded", "planned"}:
        raise Conflict(f"this load is {view.status}: it is not planned again; upload its file as a new load")
    missing = sorted(set(required(ENTITY_TYPES[view.domain])) - {target for target, _ in view.options["columns"]})
    if missing:
        raise Conflict(f"say first which columns are {', '.join(missing)}")
    plan_id = new_id()
    live = fetch(session, "select 1 from job where dedupe_key = %s and state in ('queued', 'running')", (_key(load_id),))
    if not live:
        execute(session, "insert into load_plan (id, load_id) values (%s, %s)", (plan_id, load_id))
    _start(session, actor, PLAN, load_id, {"load": str(load_id), "plan": str(plan_id)}, request_id)
    _audit(session, actor, "load:plan", load_id, request_id)
    return get(session, actor, load_id)


def ask_apply(session: Session, actor: Actor, plan_id: UUID, how: "Applying", request_id: str) -> LoadView:
    """Apply a plan, or agree to it as the second person.

    Raises PlanStale, Conflict for a plan that cannot be applied or where the first person asked for something else, Invalid for a wave in
    which no waiting row is, or ReasonWanted.
    """
    load_id = of_plan(session, plan_id)
    view = get(session, actor, load_id, lock=True)
    if view.plan_id != plan_id:
        raise PlanStale(
            "this plan was replaced by a newer one", (FieldProblem("plan_replaced", "/plan_id", f"the load's plan is {view.plan_id}"),)
        )
    if view.same_as is not None:
        raise Conflict(f"same as load {view.same_as}: nothing to do")
    if view.status not in {"planned", "applying"}:
        raise Conflict(f"this load is {view.status}")
    if _is_under_way(view, APPLY):
        check_under_way((view.plan or {}).get("report", {}), how.wave)
        return view
    if how.wave:
        check_wave(session, actor, Waiting(plan_id, ENTITY_TYPES[view.domain], view.system), how.wave)
    rails = (view.plan or {}).get("report", {}).get("guard_rails", ())
    check_rails(rails, how.despite)
    check_reason(rails, how.reason, by_two=takes_two(view.counts, how.approval_rows))
    _check_fresh(session, view)
    if not _agreed(session, actor, view, Asked("apply", how.wave, how.despite), how.approval_rows):
        _audit(session, actor, "load:ask", load_id, request_id, reason=how.reason)
        return get(session, actor, load_id)
    execute(session, "update load set status = 'applying' where id = %s", (load_id,))
    begin_wave(session, plan_id, how.wave)
    forget_outcomes(session, plan_id)
    _start(session, actor, APPLY, load_id, {"load": str(load_id), "plan": str(plan_id)}, request_id)
    _audit(session, actor, "load:apply", load_id, request_id, reason=how.reason)
    return get(session, actor, load_id)


def ask_apply_of(session: Session, actor: Actor, load_id: UUID, plan_id: UUID | None, how: "Applying", request_id: str) -> LoadView:
    """Apply a load's plan, the present one unless another was read. Raises as `ask_apply`."""
    view = get(session, actor, load_id)
    if view.plan_id is None:
        raise Conflict("this load has no plan yet")
    return ask_apply(session, actor, plan_id or view.plan_id, how, request_id)


@dataclass(frozen=True, slots=True)
class Applying:
    """How a plan is applied. `wave`: only rows whose attributes have these values; `despite`: guard rails that somebody has looked at.

    `reason`: why; it stands in the audit, and is wanted as of any grave decision: where a guard rail is hit, or a second person agrees.
    """

    approval_rows: int
    wave: Mapping[str, str] | None = None
    despite: Sequence[str] = ()
    reason: str = ""


def stale_because(session: Session, view: LoadView) -> list[FieldProblem]:
    """What the plan does not know: another model, or something that happened to a golden record or a key that it touches."""
    made_by = (view.plan or {})["fingerprint"]["model"]
    begun = has_begun(session, view.plan_id) if view.status == "applying" else False
    return changed_since(session, ENTITY_TYPES[view.domain], Plan(view.id, view.plan_id, view.system, made_by, begun=begun))


def _check_fresh(session: Session, view: LoadView) -> None:
    """Raise PlanStale with what changed since the plan was made."""
    problems = tuple(stale_because(session, view))
    if problems and view.status == "applying":
        raise PlanStale(
            "things have changed since this plan was made, and some of it is applied: upload the same file as a new load"
            " (`mdm load plan FILE`, or POST /v1/loads and its /plan); what was applied counts as unchanged there",
            problems,
        )
    if problems:
        raise PlanStale(problems=problems)


def _agreed(session: Session, actor: Actor, view: LoadView, asked: Asked, approval_rows: int) -> bool:
    """Whether enough people want it: above so many rows a second one has to ask for the same."""
    if not takes_two(view.counts, approval_rows):
        return True
    report = (view.plan or {}).get("report", {})
    return is_agreed(session, actor, Question(view.id, view.plan_id, view.asked_by, view.approved_by, report.get("asked")), asked)


@dataclass(frozen=True, slots=True)
class Undoing:
    """How a load is taken back: above how many rows a second person agrees, and why, which stands in the audit and is wanted then."""

    approval_rows: int
    reason: str = ""


def ask_undo(session: Session, actor: Actor, load_id: UUID, how: Undoing, request_id: str) -> LoadView:
    """Take an applied load back, or agree to that as the second person. Raises Conflict for one that was not applied."""
    view = get(session, actor, load_id, lock=True)
    check_undoable(view)
    check_reason((), how.reason, by_two=takes_two(view.counts, how.approval_rows))
    if view.status != "undoing" and not _agreed(session, actor, view, Asked("undo"), how.approval_rows):
        _audit(session, actor, "load:ask_undo", load_id, request_id, reason=how.reason)
        return get(session, actor, load_id)
    execute(session, "update load set status = 'undoing' where id = %s", (load_id,))
    _start(session, actor, UNDO, load_id, {"load": str(load_id)}, request_id)
    _audit(session, actor, "load:undo", load_id, request_id, reason=how.reason)
    return get(session, actor, load_id)


def withdraw_request(session: Session, actor: Actor, load_id: UUID, request_id: str) -> LoadView:
    """Whoever asked first no longer asks. Raises Forbidden for anybody else, Conflict where nobody waits for a second person."""
    view = get(session, actor, load_id, lock=True)
    take_back(session, actor, Question(view.id, view.plan_id, view.asked_by, view.approved_by, None))
    _audit(session, actor, "load:withdraw", load_id, request_id)
    return get(session, actor, load_id)


def check_undoable(view: LoadView) -> None:
    """Raise Conflict for a load of which nothing was applied."""
    if view.status not in {"applied", "applying", "undoing"}:
        raise Conflict(f"this load is {view.status}: there is nothing to undo")


def _start(session: Session, actor: Actor, kind: str, load_id: UUID, payload: Mapping[str, object], request_id: str) -> None:
    """One job works on a load at a time; asked again, the live one is it."""
    job_id = enqueue(session, kind, payload, dedupe_key=_key(load_id), queue="bulk", created_by=actor.name, request_id=request_id)
    live = fetch(session, "select kind from job where id = %s", (job_id,))[0][0]
    if live != kind:
        raise Conflict(f"a {live.replace('_', ' ')} of this load is under way")
    execute(session, "update load set job_id = %s where id = %s", (job_id, load_id))


def _key(load_id: UUID) -> str:
    return f"load:{load_id}"


def _audit(session: Session, actor: Actor, action: str, load_id: UUID, request_id: str, **said: str) -> None:
    domain = fetch(session, "select domain from load where id = %s", (load_id,))[0][0]
    audit.record(session, actor, action, domain=domain, request_id=request_id, detail={"load": str(load_id), **said})
