"""One act on many tasks: given to somebody, to all in turn, given back, or put off. A small one at once, a large one as a job; one undo.

Every item keeps what its task was before. Taking the act back restores what nobody has changed since; the rest stays and is counted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy.orm import Session

from mdm import audit, desk, jobs
from mdm.access import Actor
from mdm.db import array, execute, fetch
from mdm.errors import Conflict, Invalid, NotFound
from mdm.ids import new_id
from mdm.running import Run

TASK_BATCH = "task_batch"
DIRECT_MAX = 200
TASKS_MAX = 10_000
CHUNK = 1_000


@dataclass(frozen=True, slots=True)
class Batch:
    """A bulk act: what it does, how many tasks it is about, and how far it is."""

    id: UUID
    kind: str
    what: Mapping[str, Any]
    total: int
    done: int
    state: str


def start(session: Session, actor: Actor, kind: str, value: str | None, tasks: Sequence[UUID]) -> Batch:
    """Begin an act (assign, share or defer) on these tasks. Raises Invalid for another act, too many tasks, or who may not decide them all.

    Shared out, they go in turn to all who may decide every one of them; Conflict where nobody may.
    """
    if kind not in _ACTS or (kind == "defer" and value not in desk.DEFERS):
        raise Invalid.at("unknown_choice", "/act", f"one of {', '.join(_ACTS)}")
    if not 1 <= len(tasks) <= TASKS_MAX:
        raise Invalid.at("too_many", "/task", f"1 to {TASKS_MAX:,} tasks")
    if kind == "assign" and value is not None:
        desk.check_person(session, value, tasks)
    told = value if kind != "share" else _colleagues(session, tasks)
    batch_id = new_id()
    execute(
        session,
        "insert into task_batch (id, kind, actor, what, total) values (%s, %s, %s, %s, %s)",
        (batch_id, kind, actor.name, Jsonb({"value": told}), len(tasks)),
    )
    execute(session, "insert into task_batch_item (batch_id, task_id) select %s, unnest(%s::uuid[])", (batch_id, array(tasks)))
    audit.record(session, actor, f"tasks:{kind}", detail={"batch": str(batch_id), "tasks": len(tasks)})
    if len(tasks) <= DIRECT_MAX:
        step(session, batch_id)
    else:
        jobs.enqueue(session, TASK_BATCH, {"batch": str(batch_id)}, dedupe_key=f"{TASK_BATCH}:{batch_id}", created_by=actor.name)
    return read(session, actor, batch_id)


def _colleagues(session: Session, tasks: Sequence[UUID]) -> list[str]:
    """Stewards whose domains and systems leave out none of these tasks."""
    found = desk.people(session, tasks)
    if not found:
        raise Conflict("no steward may decide all of these tasks; choose fewer, of one domain")
    return found


_UNTIL: LiteralString = " ".join(f"when '{choice}' then {until}" for choice, until in desk.DEFERS.items())
_ACTS: Mapping[str, LiteralString] = {
    "assign": "assigned_to = b.what ->> 'value'",
    "share": "assigned_to = b.what -> 'value' ->> mod(i.turn, jsonb_array_length(b.what -> 'value'))",
    "defer": "waits_for = case b.what ->> 'value' when '4' then 'change' else 'time' end, claimed_by = null, claimed_until = null,"
    f" waits_until = case b.what ->> 'value' {_UNTIL} end",
}
# A task that waits for a second person or for an answer goes on waiting for it: putting it off would lose that.
_FREE: Mapping[str, LiteralString] = {"assign": "", "share": "", "defer": " and coalesce(t.waits_for, '') not in ('approval', 'answer')"}
# What an act changed, back; only where it still is as the act left it.
_BACK: Mapping[str, LiteralString] = {
    "assign": "assigned_to = i.before ->> 'assigned_to'",
    "share": "assigned_to = i.before ->> 'assigned_to'",
    "defer": "waits_for = i.before ->> 'waits_for', waits_until = (i.before ->> 'waits_until')::timestamptz",
}
_SAME: Mapping[str, LiteralString] = {
    "assign": "t.assigned_to is not distinct from (%(value)s::text)",
    "share": "t.assigned_to = any(%(value)s::text[])",
    "defer": "t.waits_for in ('time', 'change') and t.waits_until = (i.before ->> 'until')::timestamptz",
}
_CHUNK: LiteralString = "select task_id from task_batch_item where batch_id = %(batch)s and before is null and note is null"
# The oldest goes to the first, the next to the second: ids of tasks are in the order of their making.
_TURNS: LiteralString = (
    "(select task_id, (row_number() over (order by task_id) - 1)::int as turn from task_batch_item where batch_id = %(batch)s)"
)
_BEFORE: LiteralString = "jsonb_build_object('assigned_to', t.assigned_to, 'waits_for', t.waits_for, 'waits_until', t.waits_until::text)"


def step(session: Session, batch_id: UUID) -> int:
    """The next thousand tasks; how many were left to do. A task that was closed, or waits for somebody, is noted and left alone."""
    rows = fetch(session, "select kind, state from task_batch where id = %s for update", (batch_id,))
    if not rows or rows[0][1] != "running":
        return 0
    params = {"batch": batch_id, "chunk": CHUNK}
    chunk = [row[0] for row in fetch(session, _CHUNK + " order by task_id limit %(chunk)s", params)]
    if chunk:
        params |= {"tasks": array(chunk)}
        fetch(session, "select 1 from task where id = any(%(tasks)s::uuid[]) order by id for update", params)
        _act(session, rows[0][0], params)
    ended = len(chunk) < CHUNK
    state = "done" if ended else "running"
    execute(session, "update task_batch set done = done + %s, state = %s where id = %s", (len(chunk), state, batch_id))
    return 0 if ended else CHUNK


def _act(session: Session, kind: str, params: Mapping[str, object]) -> None:
    """Change the tasks that are open and free; of each, what it was before and until when it waits now. The others are noted."""
    mine: LiteralString = " and t.id = any(%(tasks)s::uuid[])"
    free: LiteralString = mine + " and t.status = 'open'" + _FREE[kind]
    item: LiteralString = " from task t where i.batch_id = %(batch)s and i.task_id = t.id"
    execute(session, f"update task_batch_item i set before = {_BEFORE}{item}{free}", params)
    execute(
        session, f"update task t set {_ACTS[kind]} from task_batch b, {_TURNS} i where b.id = %(batch)s and i.task_id = t.id{free}", params
    )
    until: LiteralString = "i.before || jsonb_build_object('until', t.waits_until::text)"
    execute(session, f"update task_batch_item i set before = {until}{item}{mine} and i.before is not null", params)
    note: LiteralString = "case when t.status = 'open' then 'waiting' else 'closed' end"
    execute(session, f"update task_batch_item i set note = {note}{item}{mine} and i.before is null", params)


def run_batch(run: Run) -> None:
    """The job: a thousand tasks per effect. Begun again after a death it goes on where it was."""
    batch_id = UUID(str(run.mine.payload["batch"]))
    while run.effect(lambda session: step(session, batch_id)):
        pass


def read(session: Session, actor: Actor, batch_id: UUID) -> Batch:
    """One's own act. Raises NotFound."""
    rows = fetch(
        session,
        "select id, kind, what, total, done, state from task_batch where id = %s and actor = %s and kind = any(%s)",
        (batch_id, actor.name, list(_ACTS)),  # acts on mappings are taken back where they were made
    )
    if not rows:
        raise NotFound("there is no such act of yours")
    return Batch(*rows[0])


def undo(session: Session, actor: Actor, batch_id: UUID) -> int:
    """Every task is as it was before the act, but for those that somebody changed since: how many those are.

    Raises Conflict while it runs.
    """
    if not fetch(session, "select 1 from task_batch where id = %s and actor = %s for update", (batch_id, actor.name)):
        raise NotFound("there is no such act of yours")
    batch = read(session, actor, batch_id)
    if batch.state != "done":
        raise Conflict("this act is still under way, or taken back already")
    restored = execute(
        session,
        f"update task t set {_BACK[batch.kind]} from task_batch_item i where i.batch_id = %(batch)s and i.task_id = t.id"
        f" and i.before is not null and t.status = 'open' and {_SAME[batch.kind]}",
        {"batch": batch_id, "value": batch.what["value"]},
    )
    execute(session, "update task_batch set state = 'undone' where id = %s", (batch_id,))
    audit.record(session, actor, "tasks:undo", detail={"batch": str(batch_id), "restored": restored})
    return batch.total - restored
