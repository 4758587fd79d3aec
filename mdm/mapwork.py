"""The mapping desk: how far what was asked in vain is settled, the queue of a system by traffic, and one target for many codes.

Coverage is by volume: of the questions that once had no answer, the share whose value is settled now. It equals its SQL, below.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import audit, mask, policy, tasks, tiers, verdicts
from mdm.access import Actor, Verb
from mdm.db import Row, array, execute, fetch
from mdm.entity import EntityType
from mdm.errors import Conflict, Invalid, NotFound
from mdm.identity import Act
from mdm.ids import new_id
from mdm.jsonio import dumps
from mdm.misswork import UNKNOWN_VALUE, Miss
from mdm.reading import Reader, read_lines
from mdm.systems import GOLDEN, registry
from mdm.tasks import Ruling, TaskView
from mdm.undo import HOLD, undo
from mdm.workbench import candidates_of

QUEUE = 60
PLAN_MAX = 100
BATCH = "mapping"
PREFIX_MAX = 100


@dataclass(frozen=True, slots=True)
class Reach:
    """What was asked in vain of one domain in one system: codes and questions, those settled by now, and mappings gone stale."""

    domain: str
    system: str
    codes: int
    settled: int
    questions: int
    questions_settled: int
    stale: int

    @property
    def share(self) -> float:
        """Of the questions, those whose value is settled; 1 where nothing was ever asked in vain."""
        return self.questions_settled / self.questions if self.questions else 1.0


@dataclass(frozen=True, slots=True)
class Code:
    """An open code of the queue, as the reader may see it."""

    task_id: UUID
    version: int
    miss_id: UUID
    kind: str
    value: str
    count: int
    last_seen: datetime


@dataclass(frozen=True, slots=True)
class Queue:
    """Codes by traffic; `next`: after which place the next page begins."""

    items: tuple[Code, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class Planned:
    """What would become of one code: its target, why, and what speaks for it."""

    code: Code
    golden_id: UUID
    display: str
    reason: str
    score: float | None


@dataclass(frozen=True, slots=True)
class Plan:
    """One act on many codes, before it is done. `without`: codes of the prefix that get no target; `cut`: there are more than are shown."""

    items: tuple[Planned, ...]
    without: int
    cut: bool


@dataclass(frozen=True, slots=True)
class Applied:
    """What was done: the batch that one undo takes back, how many codes, and how many had been settled by others meanwhile."""

    batch_id: UUID
    done: int
    skipped: int


@dataclass(frozen=True, slots=True)
class Last:
    """The latest standing act of one's own in a queue: one decision, or a batch of them."""

    decision_id: UUID | None
    batch_id: UUID | None
    count: int


# A golden record without a key in a system is that system's business, too.
_WHERE: LiteralString = "case when m.kind = 'no_target' then m.target else m.system end"
REACH: LiteralString = (
    "select m.domain, m.place, count(*), count(*) filter (where m.status <> 'open'), sum(m.count)::bigint,"
    " coalesce(sum(m.count) filter (where m.status <> 'open'), 0)::bigint,"
    " (select count(*) from identifier_assertion a join link l on l.record_id = a.record_id and l.recorded_to is null"
    "   join golden_record g on g.id = l.golden_id and g.status <> 'active'"
    "   where a.domain = m.domain and a.system = m.place and a.recorded_to is null)"
    " from (select m.domain, " + _WHERE + " as place, m.status, m.count from miss m where m.domain = any(%(domains)s)) m"
    " where %(system)s::text is null or m.place = %(system)s"
    " group by m.domain, m.place order by sum(m.count) filter (where m.status = 'open') desc nulls last, m.domain, m.place"
)


def coverage(session: Session, actor: Actor) -> list[Reach]:
    """Every system and domain that anything was asked of in vain, where most is open first; those of the actor's scope."""
    rows = fetch(session, REACH, {"domains": sorted(policy.domains(actor, Verb.READ)), "system": None})
    return [Reach(*row) for row in rows if policy.in_scope(actor, row[1])]


def reach(session: Session, actor: Actor, domain: str, system: str) -> Reach:
    """The same of one system and domain, which need not have been asked of yet."""
    policy.check(actor, Verb.READ, domain)
    if not policy.in_scope(actor, system):
        raise NotFound
    rows = fetch(session, REACH, {"domains": [domain], "system": system})
    if not rows and system not in registry(session).ids:
        raise NotFound("there is no such system")
    return Reach(*rows[0]) if rows else Reach(domain, system, 0, 0, 0, 0, 0)


_CODES: LiteralString = (
    "select t.id, t.version, m.id, m.kind, m.value, m.count, m.last_seen, m.system from miss m"
    " join task t on t.dedupe_key = 'mapping:' || m.id and t.status = 'open'"
    " where m.status = 'open' and m.domain = %(domain)s and " + _WHERE + " = %(system)s"
)
_ORDER: LiteralString = " order by m.count desc, t.id limit %(limit)s"
_AFTER: LiteralString = " and (%(count)s::bigint is null or (-m.count, t.id) > (-%(count)s::bigint, %(id)s::uuid))"


def queue(session: Session, entity: EntityType, reader: Reader, system: str, cursor: str | None = None) -> Queue:
    """The open codes of a system, the most asked for first. Raises NotFound for a system outside the scope."""
    policy.check(reader.actor, Verb.READ, entity.name)
    if not policy.in_scope(reader.actor, system):
        raise NotFound
    count, task_id = _place(cursor)
    about = {"domain": entity.name, "system": system, "count": count, "id": task_id, "limit": QUEUE + 1}
    rows = fetch(session, _CODES + _AFTER + _ORDER, about)
    items = tuple(_code(reader.actor, row) for row in rows[:QUEUE])
    if entity.phi:
        audit.record(session, reader.actor, "mapping:list", domain=entity.name, request_id=reader.request_id)
    return Queue(items, f"{items[-1].count}_{items[-1].task_id}" if len(rows) > QUEUE else None)


_COUNT_DIGITS = 18  # as many as a bigint holds in any case


def _place(cursor: str | None) -> tuple[int | None, UUID | None]:
    if not cursor:
        return None, None
    count, _, task_id = cursor.partition("_")
    try:
        return int(count[:_COUNT_DIGITS]), UUID(task_id)
    except ValueError:
        raise Invalid.at("bad_cursor", "/cursor", "pass `next` of the page before, unchanged") from None


def after(session: Session, entity: EntityType, system: str, task_id: UUID) -> UUID | None:
    """The open code that follows one in the queue, else the first there is."""
    where = fetch(session, "select m.count from task t join miss m on t.dedupe_key = 'mapping:' || m.id where t.id = %s", (task_id,))
    about = {"domain": entity.name, "system": system, "limit": 1, "id": task_id}
    for count in (where[0][0], None) if where else (None,):
        rows = fetch(session, _CODES + _AFTER + _ORDER, {**about, "count": count})
        if rows:
            found: UUID = rows[0][0]
            return found
    return None


def _code(actor: Actor, row: Row) -> Code:
    return Code(row[0], row[1], row[2], row[3], mask.identifier(actor, row[7], row[4]), row[5], row[6])


def plan(session: Session, entity: EntityType, reader: Reader, system: str, prefix: str, target: UUID | float) -> Plan:
    """What one act would make of every open code that begins so: one golden record for all, or of each its best, from a score on.

    Raises Invalid for an empty prefix and for patients, whose neighbours in number are other people.
    """
    policy.check(reader.actor, Verb.DECIDE, entity.name)
    if entity.phi or not prefix or len(prefix) > PREFIX_MAX:
        raise Invalid.at("required", "/prefix", "the beginning of the codes; never of people's numbers")
    if not policy.in_scope(reader.actor, system):
        raise NotFound
    rows = fetch(
        session,
        _CODES + " and m.kind = %(kind)s and starts_with(m.value, %(prefix)s) order by m.value, t.id limit %(limit)s",
        {"domain": entity.name, "system": system, "kind": UNKNOWN_VALUE, "prefix": prefix, "limit": PLAN_MAX + 1},
    )
    codes = [(_code(reader.actor, row), Miss(entity.name, row[7], row[4])) for row in rows[:PLAN_MAX]]
    if isinstance(target, UUID):
        items = tuple(_same(session, entity, reader, codes, target))
    else:
        items = tuple(_best(session, entity, reader, codes, target))
    return Plan(items, len(codes) - len(items), len(rows) > PLAN_MAX)


Codes = Sequence[tuple[Code, Miss]]


def _same(session: Session, entity: EntityType, reader: Reader, codes: Codes, target: UUID) -> Iterable[Planned]:
    line = read_lines(session, entity, reader, [target]).get(target)
    if line is None:
        raise Invalid.at("unknown_candidate", "/target", "there is no such golden record")
    return [Planned(code, line.id, line.display, "", None) for code, _ in codes]


def _best(session: Session, entity: EntityType, reader: Reader, codes: Codes, least: float) -> Iterable[Planned]:
    """Each code's best suggestion, where it is good enough and no other golden record is as good."""
    found_of = candidates_of(session, entity, registry(session), reader.actor, [miss for _, miss in codes])
    for (code, _), suggested in zip(codes, found_of, strict=True):
        found = suggested[:2]
        if found and found[0]["score"] >= least and (len(found) == 1 or found[1]["score"] < found[0]["score"]):
            best = found[0]
            yield Planned(code, UUID(best["golden_id"]), best["display"], best["reason"], best["score"])


def apply(session: Session, entity: EntityType, reader: Reader, wanted: Sequence[tuple[UUID, int, UUID]], reason: str) -> Applied:
    """Map exactly these: task, version as it was seen, golden record. What others have settled meanwhile stays as they settled it."""
    policy.check(reader.actor, Verb.DECIDE, entity.name)
    if not 1 <= len(wanted) <= PLAN_MAX:
        raise Invalid.at("wrong_number", "/items", f"1 to {PLAN_MAX} codes")
    batch_id, done = new_id(), []
    policy.check_visible(session, reader.actor, {golden for _, _, golden in wanted})
    for task_id, version, golden_id in sorted(wanted):
        ruling = Ruling("map", version, golden_id, reason, hold=HOLD)
        try:
            tiers.check_alone(session, entity, _in_scope(session, reader.actor, entity, task_id), golden_id)
            verdicts.check_not_proposed(session, task_id)
            tasks.decide(session, entity, task_id, reader.actor, ruling, reader.request_id)
        except Conflict:
            continue
        done.append(task_id)
    _note(session, reader.actor, entity, batch_id, done)
    return Applied(batch_id, len(done), len(wanted) - len(done))


def _in_scope(session: Session, actor: Actor, entity: EntityType, task_id: UUID) -> TaskView:
    task = tasks.get(session, task_id)
    asked = [task.detail[name] for name in ("system", "target") if task.detail.get(name) not in {None, GOLDEN}]
    if task.domain != entity.name or task.kind != "mapping" or not all(policy.in_scope(actor, system) for system in asked):
        raise NotFound
    return task


def _note(session: Session, actor: Actor, entity: EntityType, batch_id: UUID, done: Sequence[UUID]) -> None:
    execute(
        session,
        "insert into task_batch (id, kind, actor, what, total, done, state) values (%s, %s, %s, %s::jsonb, %s, %s, 'done')",
        (batch_id, BATCH, actor.name, dumps({"domain": entity.name, "value": None}).decode(), len(done), len(done)),
    )
    execute(session, "insert into task_batch_item (batch_id, task_id) select %s, unnest(%s::uuid[])", (batch_id, array(done)))


def undo_batch(session: Session, entity: EntityType, reader: Reader, batch_id: UUID) -> int:
    """Take all of a batch back, but for what was taken back singly; how many. Raises Conflict the second time."""
    policy.check(reader.actor, Verb.DECIDE, entity.name)
    rows = fetch(
        session,
        "select state from task_batch where id = %s and actor = %s and kind = %s and what ->> 'domain' = %s for update",
        (batch_id, reader.actor.name, BATCH, entity.name),
    )
    if not rows:
        raise NotFound("there is no such act of yours")
    if rows[0][0] == "undone":
        raise Conflict("this was taken back already")
    decisions = fetch(
        session,
        "select t.decision_id from task_batch_item i join task t on t.id = i.task_id join decision d on d.id = t.decision_id"
        " where i.batch_id = %s and not exists (select 1 from decision r where r.revokes = d.id) order by d.created_at desc, d.id desc",
        (batch_id,),
    )
    for (decision_id,) in decisions:
        undo(session, entity, decision_id, Act(actor=reader.actor, reason="the whole act was taken back", request_id=reader.request_id))
    execute(session, "update task_batch set state = 'undone' where id = %s", (batch_id,))
    return len(decisions)


def last(session: Session, entity: EntityType, actor: Actor, system: str) -> Last | None:
    """What `z` would take back: the actor's latest standing decision about a code of this system today, with the batch it was part of."""
    rows = fetch(
        session,
        "select d.id, b.id, b.done from decision d join miss m on m.id = (d.detail ->> 'miss')::uuid"
        " left join task t on t.decision_id = d.id left join task_batch_item i on i.task_id = t.id"
        " left join task_batch b on b.id = i.batch_id and b.state = 'done' and b.kind = 'mapping'"
        " where d.domain = %s and d.actor = %s and d.kind in ('map', 'ignore') and d.created_at > now() - interval '12 hours'"
        " and " + _WHERE + " = %s and not exists (select 1 from decision r where r.revokes = d.id)"
        " order by d.created_at desc, d.id desc limit 1",
        (entity.name, actor.name, system),
    )
    return Last(rows[0][0] if rows[0][1] is None else None, rows[0][1], rows[0][2] or 1) if rows else None
