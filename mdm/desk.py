"""A task on a steward's desk: who has it open, whose it is, what it waits for, what is said about it.

None of this changes what a task asks, so that none of it changes its version: nobody's decision is refused because somebody commented.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy.orm import Session

from mdm.access import Actor
from mdm.db import array, execute, fetch
from mdm.errors import Conflict, Invalid
from mdm.ids import new_id
from mdm.reasons import REASON_MAX
from mdm.values.kind import clean_text

CLAIM = timedelta(minutes=10)
MERGE, MOVE = "merge", "move"  # kinds of task: acts that a person asked for, which take a second one
WANTED_NOW = 40.0  # the impact of what a person asks for
DEFERS: Mapping[str, LiteralString] = {
    "1": "now() + interval '1 hour'",
    "2": "date_trunc('day', now()) + interval '1 day 8 hours'",
    "3": "now() + interval '7 days'",
    "4": "'infinity'::timestamptz",
}


@dataclass(frozen=True, slots=True)
class Desk:
    """Who has a task open and until when, whose it is, when it is due, what it waits for."""

    claimed_by: str | None
    claimed_until: datetime | None
    assigned_to: str | None
    due_at: datetime | None
    waits_for: str | None
    waits_until: datetime | None
    version: int
    status: str


@dataclass(frozen=True, slots=True)
class Said:
    """One entry of a task's thread."""

    kind: str
    author: str
    asked: str | None
    body: str
    at: datetime


def read(session: Session, task_id: UUID) -> Desk:
    rows = fetch(
        session,
        "select case when claimed_until > now() then claimed_by end, case when claimed_until > now() then claimed_until end, assigned_to,"
        " due_at, waits_for, case when waits_until < 'infinity' then waits_until end, version, status from task where id = %s",
        (task_id,),
    )
    return Desk(*rows[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A question that a person wants asked: one open task per `key`, about golden records, the first of which is its subject."""

    domain: str
    kind: str
    key: str
    goldens: Sequence[UUID]
    records: Sequence[UUID]


def want(session: Session, actor: Actor, wanted: Wanted) -> UUID:
    """The task that asks it; the open one, if there is one."""
    detail = Jsonb({"asked_by": actor.name})
    rows = fetch(
        session,
        "insert into task (id, domain, kind, dedupe_key, goldens, records, detail, impact) values (%s, %s, %s, %s, %s, %s, %s, %s)"
        " on conflict (dedupe_key) where status = 'open' do update set impact = excluded.impact returning id",
        (new_id(), wanted.domain, wanted.kind, wanted.key, list(wanted.goldens), sorted(wanted.records), detail, WANTED_NOW),
    )
    task_id: UUID = rows[0][0]
    note(session, actor, [task_id], "open", {})
    return task_id


def claim(session: Session, actor: Actor, tasks: Sequence[UUID]) -> frozenset[UUID]:
    """Those of these open tasks that are now this person's for ten minutes; somebody else's stay theirs."""
    rows = fetch(
        session,
        "update task set claimed_by = %s, claimed_until = now() + %s where id = any(%s) and status = 'open'"
        " and (claimed_by is null or claimed_by = %s or claimed_until <= now()) returning id",
        (actor.name, CLAIM, array(tasks), actor.name),
    )
    return frozenset(row[0] for row in rows)


def assign(session: Session, actor: Actor, tasks: Sequence[UUID], to: str | None) -> int:
    """These open tasks are somebody's, or (None) nobody's. Raises Invalid for somebody who may not decide all of them."""
    if to is not None:
        check_person(session, to, tasks)
    changed = fetch(
        session,
        "update task set assigned_to = %s where id = any(%s) and status = 'open' and assigned_to is distinct from %s returning id",
        (to, array(tasks), to),
    )
    note(session, actor, [row[0] for row in changed], "assign", {"to": to})
    return len(changed)


def check_person(session: Session, name: str, tasks: Sequence[UUID]) -> None:
    """Raise Invalid unless this person may decide every one of the tasks: work of somebody who does not see it is lost."""
    if not fetch(session, _THOSE + _ALL + " and p.name = %(name)s", {"name": name, "tasks": array(tasks)}):
        raise Invalid.at("unknown_person", "/to", "nobody of this name signs in and may decide this")


def defer(session: Session, actor: Actor, tasks: Sequence[UUID], choice: str) -> int:
    """The tasks rest: an hour, until tomorrow, a week, or until what they ask changes; then they are in the list again."""
    until = DEFERS.get(choice)
    if until is None:
        raise Invalid.at("unknown_choice", "/defer", "1 an hour, 2 tomorrow, 3 a week, 4 until data changes")
    _check_not_proposed(session, tasks)
    reason = "change" if choice == "4" else "time"
    changed = execute(
        session,
        f"update task set waits_for = %s, waits_until = {until}, claimed_by = null, claimed_until = null"
        " where id = any(%s) and status = 'open'",
        (reason, array(tasks)),
    )
    note(session, actor, tasks, "defer", {"choice": choice})
    return changed


def _check_not_proposed(session: Session, tasks: Sequence[UUID]) -> None:
    """Raise Conflict for a task that waits for a second person: it would be in nobody's list any more."""
    rows = fetch(session, "select waits_for from task where id = any(%s) order by id for update", (array(tasks),))
    if ("approval",) in [tuple(row) for row in rows]:
        raise Conflict("a proposal waits for a second person here; it is answered or taken back first")


def wake(session: Session, task_id: UUID) -> None:
    """The task is in the list again; its clock stood still while the question was open."""
    execute(
        session,
        "update task t set waits_for = null, waits_until = null, due_at = t.due_at + (now() - (select max(c.created_at) from task_comment c"
        " where c.task_id = t.id and c.kind = 'question')) where t.id = %s",
        (task_id,),
    )


def thread(session: Session, task_id: UUID) -> list[Said]:
    rows = fetch(
        session, "select kind, author, asked, body, created_at from task_comment where task_id = %s order by created_at, id", (task_id,)
    )
    return [Said(*row) for row in rows]


def comment(session: Session, actor: Actor, task_id: UUID, body: str) -> None:
    """Something for the thread. An answer to a question that waits brings the task back."""
    asked = fetch(
        session, "select asked from task_comment where task_id = %s and kind = 'question' order by created_at desc limit 1", (task_id,)
    )
    waits = fetch(session, "select waits_for from task where id = %s", (task_id,))[0][0] == "answer"
    kind = "answer" if waits and asked and asked[0][0] == actor.name else "comment"
    _say(session, actor, task_id, kind, body, None)
    if kind == "answer":
        wake(session, task_id)


def ask(session: Session, actor: Actor, task_id: UUID, whom: str, body: str) -> None:
    """A question to a colleague: the task rests, and so does its clock, until the answer."""
    if whom == actor.name:
        raise Invalid.at("asks_oneself", "/whom", "name a colleague")
    _check_not_proposed(session, [task_id])
    check_person(session, whom, [task_id])
    _say(session, actor, task_id, "question", body, whom)
    execute(
        session,
        "update task set waits_for = 'answer', waits_until = 'infinity', claimed_by = null, claimed_until = null where id = %s",
        (task_id,),
    )


def _say(session: Session, actor: Actor, task_id: UUID, kind: str, raw: str, asked: str | None) -> None:
    body = clean_text(raw)
    if not body or len(body) > REASON_MAX:
        raise Invalid.at("bad_text", "/body", f"1 to {REASON_MAX} characters")
    execute(
        session,
        "insert into task_comment (id, task_id, kind, author, asked, body) values (%s, %s, %s, %s, %s, %s)",
        (new_id(), task_id, kind, actor.name, asked, body),
    )
    note(session, actor, [task_id], kind, {})


def note(session: Session, actor: Actor, tasks: Sequence[UUID], what: str, detail: Mapping[str, object]) -> None:
    """What happened to these tasks, for their histories."""
    execute(
        session,
        "insert into task_event (task_id, what, actor, detail) select id, %s, %s, %s from unnest(%s::uuid[]) id",
        (what, actor.name, Jsonb(dict(detail)), array(tasks)),
    )


def in_systems(systems: LiteralString) -> LiteralString:
    """What is true of a task that exists for somebody who sees these systems: they know all of its golden records, and what it maps."""
    return (
        "not exists (select 1 from unnest(goldens) g(id) where not exists (select 1 from link l join source_record r on r.id = l.record_id"
        " where l.golden_id = g.id and l.recorded_to is null and r.system = any(" + systems + ")))"
        " and (kind <> 'mapping' or (detail ->> 'system' = any(" + systems + ")"
        " and coalesce(detail ->> 'target' = any(" + systems + "), true)))"
    )


# Who may decide a task: the one rule for whom is asked, whom work is given to, and among whom it is shared out.
_THOSE: LiteralString = "select p.name from principal p where p.kind = 'person' and not p.disabled and p.role = 'steward'"
_MAY: LiteralString = "((p.domains is null or domain = any(p.domains)) and (p.systems is null or (" + in_systems("p.systems") + ")))"
_ALL: LiteralString = " and not exists (select 1 from task where id = any(%(tasks)s::uuid[]) and not " + _MAY + ")"
_ANY: LiteralString = " and exists (select 1 from task where id = any(%(tasks)s::uuid[]) and " + _MAY + ")"
_PEOPLE_MAX = 200


def people(session: Session, tasks: Sequence[UUID], *, of_any: bool = False) -> list[str]:
    """Those who may decide every one of these tasks, or (`of_any`) one at least: who can be asked, or given work."""
    params = {"tasks": array(tasks), "most": _PEOPLE_MAX}
    return [row[0] for row in fetch(session, _THOSE + (_ANY if of_any else _ALL) + " order by p.name limit %(most)s", params)]
