"""A steward's word on a task: decided at once, with a reason, or as a proposal for a second person, as its tier wants it.

One transaction: the form's key, the tier, the decision, pinned values, and what the steward is told. Events wait for an undo.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy.orm import Session

from mdm import answers, decisions, desk, pins, policy, tasks, tiers
from mdm.access import Actor, Verb
from mdm.answers import Answer
from mdm.db import execute, fetch
from mdm.decisions import DecisionView
from mdm.entity import EntityType
from mdm.errors import Conflict, Forbidden, NotFound, Stale
from mdm.golden import locate
from mdm.identity import Act
from mdm.ids import new_id
from mdm.members import homes
from mdm.reasons import REASON_MAX
from mdm.tasks import Ruling, TaskView
from mdm.undo import HOLD, UNDOABLE

JOINING = frozenset({"same", "accept", "link-only", "map", "move"})  # what a reason is wanted for, where something speaks against it


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What was sent: the ruling at the version that was on the screen, the form's key, values picked (attribute -> record), a reason digit.

    `propose`: the steward wants a second person although the tier does not.
    """

    ruling: Ruling
    key: str = ""
    picks: Mapping[str, UUID] = field(default_factory=dict)
    digit: str = ""
    propose: bool = False


def settle(session: Session, entity: EntityType, task_id: UUID, actor: Actor, form: Form, request_id: str) -> Answer:
    """Take a steward's word. Raises as `tasks.decide`; ReasonWanted at T2; Unguarded without a key; Forbidden for one's own proposal."""
    request = f"{task_id} {form.ruling.verdict} {form.ruling.candidate} {form.ruling.if_match}"
    held = replace(form, ruling=replace(form.ruling, hold=HOLD))
    return answers.once(session, actor, form.key, request, lambda: say(session, entity, task_id, actor, held, request_id))


def say(session: Session, entity: EntityType, task_id: UUID, actor: Actor, form: Form, request_id: str) -> dict[str, Any]:
    """The same for a word that comes with no key of a form; what it came to as ids and codes."""
    task = locked(session, entity, task_id)
    if task.version != form.ruling.if_match:
        raise Stale(f"this task is now at version {task.version}")
    open_proposal = _proposal(session, task_id)
    if open_proposal is not None:
        told = _compared(session, task, actor, form, open_proposal)
        if told["outcome"] == "disagreed":
            return told
        return {**_decide(session, entity, task, actor, _as_proposed(form, open_proposal), request_id), **told}
    found = tiers.tier(session, entity, task, form.ruling.candidate)
    if found.level == 3 or form.propose:
        return _propose(session, task, actor, form)
    reason = ". ".join(part for part in (tiers.REASONS.get(form.digit, ""), form.ruling.reason) if part)
    if found.level == 2 and form.ruling.verdict in JOINING and not reason:
        raise tiers.ReasonWanted("; ".join(found.reasons) + ". Choose a reason.")
    return _decide(session, entity, task, actor, _with_reason(form, reason), request_id)


def _with_reason(form: Form, reason: str) -> Form:
    return replace(form, ruling=replace(form.ruling, reason=reason))


def locked(session: Session, entity: EntityType, task_id: UUID) -> TaskView:
    """The open task, held until this transaction ends. Raises NotFound, or Conflict for one that is closed."""
    fetch(session, "select 1 from task where id = %s and domain = %s for update", (task_id, entity.name))
    task = tasks.get(session, task_id)
    if task.domain != entity.name or task.status != "open":
        raise Conflict("this task is already closed")
    return task


def _decide(session: Session, entity: EntityType, task: TaskView, actor: Actor, form: Form, request_id: str) -> dict[str, Any]:
    picked = pins.picked(session, task.goldens, form.picks)
    done = tasks.decide(session, entity, task.id, actor, form.ruling, request_id)
    for name, value in picked.items():
        golden = locate(session, entity, task.goldens[0])[0]
        act = Act(actor=actor, reason="picked while deciding", request_id=request_id, task=task.id)
        pins.pin(session, entity, golden, pins.NewPin(name, value), act)
    return {
        "outcome": "decided",
        "verdict": form.ruling.verdict,
        "kind": task.kind,
        "decision": str(done.decision_id),
        "task": str(task.id),
    }


@dataclass(frozen=True, slots=True)
class Proposed:
    """A decision that waits for a second person."""

    id: UUID
    proposer: str
    verdict: str
    candidate: str | None
    reason: str
    digit: str
    picks: Mapping[str, str]
    groups: Sequence[Sequence[str]]


def _proposal(session: Session, task_id: UUID) -> Proposed | None:
    rows = fetch(session, "select id, proposer, ruling from proposal where task_id = %s and status = 'open'", (task_id,))
    return Proposed(rows[0][0], rows[0][1], **rows[0][2]) if rows else None


def check_not_proposed(session: Session, task_id: UUID) -> None:
    """Raise SecondPerson while a proposal waits: it is answered by itself, by somebody who does not know what it says."""
    if proposer(session, task_id) is not None:
        raise tiers.SecondPerson


def proposer(session: Session, task_id: UUID) -> str | None:
    """Who proposed a decision that waits; what they proposed is nobody's before their own."""
    rows = fetch(session, "select proposer from proposal where task_id = %s and status = 'open'", (task_id,))
    return rows[0][0] if rows else None


def _propose(session: Session, task: TaskView, actor: Actor, form: Form) -> dict[str, Any]:
    said = {
        "verdict": form.ruling.verdict,
        "candidate": form.ruling.candidate and str(form.ruling.candidate),
        "reason": form.ruling.reason,
        "digit": form.digit,
        "picks": {name: str(record) for name, record in form.picks.items()},
        "groups": [[str(record) for record in group] for group in form.ruling.groups],
    }
    execute(
        session,
        "insert into proposal (id, task_id, task_version, proposer, ruling) values (%s, %s, %s, %s, %s)",
        (new_id(), task.id, task.version, actor.name, Jsonb(said)),
    )
    execute(
        session,
        "update task set waits_for = 'approval', waits_until = 'infinity', claimed_by = null, claimed_until = null where id = %s",
        (task.id,),
    )
    desk.note(session, actor, [task.id], "propose", {})
    return {"outcome": "proposed", "verdict": form.ruling.verdict, "kind": task.kind, "task": str(task.id)}


class OwnProposal(Forbidden):
    """You proposed this. A second person must decide it, without knowing what you said."""

    code = "own_proposal"


def _compared(session: Session, task: TaskView, actor: Actor, form: Form, proposed: Proposed) -> dict[str, Any]:
    """The second person's own word. Where both say the same it is decided; where they differ, both see both and talk."""
    if proposed.proposer == actor.name or _one_person(session, actor, proposed.proposer):
        raise OwnProposal
    mine = (form.ruling.verdict, form.ruling.candidate and str(form.ruling.candidate))
    parts = [_parts(groups, task.records) for groups in (form.ruling.groups, proposed.groups)]
    agreed = mine == (proposed.verdict, proposed.candidate) and parts[0] == parts[1]
    said = {"verdict": mine[0], "candidate": mine[1], "reason": form.ruling.reason}
    execute(
        session,
        "update proposal set status = %s, approver = %s, answer = %s, settled_at = now() where id = %s",
        ("agreed" if agreed else "disagreed", actor.name, Jsonb(said), proposed.id),
    )
    execute(session, "update task set waits_for = null, waits_until = null where id = %s", (task.id,))
    if not agreed:
        words = f"{proposed.proposer} said {proposed.verdict}, {actor.name} said {mine[0]}. {proposed.reason}".strip()
        desk.comment(session, actor, task.id, words[:REASON_MAX])
    told = {"verdict": mine[0], "kind": task.kind, "proposer": proposed.proposer, "proposed": proposed.verdict, "task": str(task.id)}
    return {"outcome": "agreed" if agreed else "disagreed", **told}


def _one_person(session: Session, actor: Actor, proposer: str) -> bool:
    """Whether one of the two holds a key that the other made for themselves: nobody is two people."""
    made = "select 1 from api_key k join principal p on p.id = k.principal_id where (p.name, k.created_by) in ((%s, %s), (%s, %s)) limit 1"
    return bool(fetch(session, made, (actor.name, proposer, proposer, actor.name)))


def _parts(groups: Sequence[Sequence[object]], records: Sequence[UUID]) -> set[frozenset[str]]:
    """The groups as sets; the records that none of them names are one more."""
    named = {frozenset(str(record) for record in group) for group in groups}
    rest = frozenset(str(record) for record in records) - frozenset().union(*named)
    return named | {rest} if named and rest else named


def _as_proposed(form: Form, proposed: Proposed) -> Form:
    """The decision on which two people agree: the reasons and the picks are the proposer's."""
    parts = (tiers.REASONS.get(proposed.digit, ""), proposed.reason, f"proposed by {proposed.proposer}")
    picks = {name: UUID(record) for name, record in proposed.picks.items()}
    return _with_reason(replace(form, picks=picks), ". ".join(part for part in parts if part))


def withdraw(session: Session, actor: Actor, task_id: UUID) -> None:
    """One's own proposal is taken back, and the task is in the list again. Raises Conflict where there is none."""
    taken = execute(
        session,
        "update proposal set status = 'withdrawn', settled_at = now() where task_id = %s and status = 'open' and proposer = %s",
        (task_id, actor.name),
    )
    if not taken:
        raise Conflict("there is no proposal of yours to take back")
    execute(session, "update task set waits_for = null, waits_until = null where id = %s", (task_id,))
    desk.note(session, actor, [task_id], "withdraw", {})


@dataclass(frozen=True, slots=True)
class Done:
    """One of a person's own decisions that can be taken back."""

    id: UUID
    domain: str
    kind: str
    task: UUID | None
    records: Sequence[UUID]


def tray(session: Session, actor: Actor, limit: int = 20) -> list[Done]:
    """The last decisions of a person that stand, the latest first."""
    rows = fetch(
        session,
        "select d.id, d.domain, d.kind, (d.detail ->> 'task')::uuid, d.records from decision d where d.actor = %s and d.kind = any(%s)"
        " and not exists (select 1 from decision r where r.revokes = d.id) order by d.created_at desc, d.id desc limit %s",
        (actor.name, sorted(UNDOABLE), limit),
    )
    return [Done(*row) for row in rows]


def seen(session: Session, actor: Actor, decision_id: UUID, verb: Verb) -> DecisionView:
    """A decision of a domain, and of records, that exist for whoever asks. Raises NotFound, or Forbidden without the right to `verb`."""
    found = decisions.get(session, decision_id)
    if not policy.can(actor, Verb.READ, found.domain):
        raise NotFound
    policy.check(actor, verb, found.domain)
    policy.check_visible(session, actor, homes(session, found.records))
    return found


@dataclass(frozen=True, slots=True)
class Undone:
    """A decision of a person on a task that they took back last, as it was said: it can be said again."""

    undo: UUID
    domain: str
    task: UUID
    verdict: str
    named: Mapping[str, Any]
    reason: str


# What was taken back is there to be said again for a day, the last first, until its person decides something else.
_UNDONE: LiteralString = (
    "with again as (select substr(key, 6)::uuid as undo, answer ->> 'decision' as decision from stored_answer"
    " where principal = %(me)s and key like 'redo:%%'), mine as (select d.id, d.kind, d.revokes, d.created_at from decision d"
    " where d.actor = %(me)s and d.created_at > now() - interval '24 hours')"
    " select u.id, d.domain, e.task_id, e.what, e.detail, d.reason from mine u join decision d on d.id = u.revokes"
    " join task_event e on e.task_id = (d.detail ->> 'task')::uuid and e.detail ->> 'decision' = d.id::text"
    " where u.kind in ('undo', 'unpin') and (%(undo)s::uuid is null or u.id = %(undo)s)"
    " and not exists (select 1 from again a where a.undo = u.id)"
    " and not exists (select 1 from mine n where n.created_at > u.created_at and n.kind not in ('undo', 'unpin')"
    " and n.id::text not in (select a.decision from again a where a.decision is not null)) order by u.created_at desc limit 1"
)


def last_undone(session: Session, actor: Actor, undo_id: UUID | None = None) -> Undone | None:
    """What Shift+z would say again; with an undo's id what that one took back, where it can be said again still."""
    rows = fetch(session, _UNDONE, {"me": actor.name, "undo": undo_id})
    return Undone(*rows[0]) if rows else None


def redo(session: Session, entity: EntityType, actor: Actor, undone: Undone, request_id: str) -> Answer:
    """Say again what was taken back, on the task as it is now and under its tier. Raises Conflict where the task is closed."""
    # A question that is asked again is the same task, unless somebody asked it anew meanwhile: that one has its key.
    asked = "select id from task where status = 'open' and dedupe_key = (select dedupe_key from task where id = %s)"
    open_now = fetch(session, asked, (undone.task,))
    named, task = undone.named, locked(session, entity, open_now[0][0] if open_now else undone.task)
    candidate, until = named.get("candidate"), named.get("until")
    ruling = Ruling(
        undone.verdict,
        task.version,
        UUID(candidate) if candidate else None,
        undone.reason,
        date.fromisoformat(until) if until else None,
        groups=tuple(tuple(UUID(record) for record in group) for group in named.get("groups", ())),
    )
    return settle(session, entity, task.id, actor, Form(key=f"redo:{undone.undo}", ruling=ruling), request_id)
