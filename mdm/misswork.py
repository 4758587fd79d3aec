"""Misses become work: their rows, the mapping task of each, the tickets that wait for them, and how all three end together.

A miss is open until its value becomes known (by a steward, or by a delivery that brings it) or a steward refuses it. Whoever settles it
locks its row; the event is in the same transaction, so that it is told once.

No value stands in a task or an event of a patient: there it is in the miss alone, and read through `mdm/workbench.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log10
from typing import Any, LiteralString, NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session

from mdm.db import execute, fetch, peek
from mdm.entities import ENTITY_TYPES
from mdm.entity import EntityType
from mdm.feed import Happening, publish
from mdm.ids import new_id
from mdm.jsonio import dumps
from mdm.systems import GOLDEN

UNKNOWN_VALUE, NO_TARGET = "unknown_value", "no_target"
KIND = "mapping"
NAMES_MAX = 20  # clients and targets remembered of one miss


class Miss(NamedTuple):
    """What was asked in vain: `unknown_value`, or `no_target` of a golden record (then `value` is its id, `system` concord)."""

    domain: str
    system: str
    value: str
    kind: str = UNKNOWN_VALUE
    target: str = ""


@dataclass(slots=True)
class Counted:
    """How often, by whom, and into which systems."""

    miss: Miss
    number: int
    clients: set[str]
    targets: set[str]

    def add(self, other: "Counted") -> None:
        self.number += other.number
        self.clients |= other.clients
        self.targets |= other.targets


@dataclass(frozen=True, slots=True)
class Written:
    """A miss as it stands; `golden_id`: who holds the value by now, if anybody does."""

    id: UUID
    miss: Miss
    count: int
    status: str
    golden_id: UUID | None


def impact(count: int) -> float:
    """How much a mapping task matters: ten for every tenfold of the traffic, so that a thousand misses weigh as much as an overlay (30)."""
    return 10 * log10(1 + count)


def record(session: Session, counted: Sequence[Counted]) -> list[Written]:
    """Add up the misses, and open or raise the task of each that is still unknown and not refused. Give them sorted by miss."""
    rows = fetch(session, _COUNT, (dumps([_row(each) for each in counted]).decode(), NAMES_MAX, NAMES_MAX))
    known = _holders(session, [row[0] for row in rows])
    written = [_written(row, known) for row in rows]
    _open(session, [each for each in written if each.status == "open"])
    return written


def _row(counted: Counted) -> dict[str, Any]:
    names = {"clients": sorted(counted.clients), "targets": sorted(counted.targets)}
    return {"id": new_id(), **counted.miss._asdict(), "count": counted.number, **names}


_COUNT: LiteralString = (
    "insert into miss as m (id, domain, system, value, kind, target, count, clients, targets)"
    " select id, domain, system, value, kind, target, count, clients, targets from jsonb_to_recordset(%s::jsonb) as x(id uuid, domain text,"
    " system text, value text, kind text, target text, count bigint, clients text[], targets text[])"
    " on conflict (domain, system, value, kind, target) do update set count = m.count + excluded.count, last_seen = now(),"
    " clients = array(select distinct n from unnest(m.clients || excluded.clients) n order by n limit %s),"
    " targets = array(select distinct n from unnest(m.targets || excluded.targets) n order by n limit %s)"
    " returning id, domain, system, value, kind, target, count,"
    " case when status = 'resolved' or (status = 'ignored' and ignored_until < current_date) then 'open' else status end"
)
# Who holds by now what was asked in vain. A golden id is read as one only where it is one.
_KNOWN: LiteralString = (
    "select m.id, x.golden_id from miss m join identifier_system s on s.code = m.system"
    " join xref x on x.domain = m.domain and x.system_id = s.id and x.value = m.value and x.recorded_to is null"
    " where m.id = any(%(ids)s) and m.kind = 'unknown_value'"
    " union select m.id, x.golden_id from miss m"
    " join golden_record g on g.id = case when m.kind = 'no_target' then m.value::uuid end"
    " join identifier_system s on s.code = m.target join xref x on x.golden_id = coalesce(g.merged_into, g.id) and x.system_id = s.id"
    " and x.recorded_to is null and x.status = 'active' where m.id = any(%(ids)s) and m.kind = 'no_target'"
)


def _holders(session: Session, ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """Of those misses whose value is known by now, the golden record that holds it."""
    found: dict[UUID, UUID] = dict(fetch(session, _KNOWN, {"ids": list(ids)}))
    return found


def _written(row: Sequence[Any], known: Mapping[UUID, UUID]) -> Written:
    golden_id = known.get(row[0])
    return Written(row[0], Miss(*row[1:6]), row[6], row[7] if golden_id is None else "resolved", golden_id)


def _open(session: Session, misses: Sequence[Written]) -> None:
    """Open the tasks, raise those that are open. One that a steward is just deciding is left alone: waiting for it could wait for us."""
    execute(
        session,
        "update miss set status = 'open', ignored_until = null where id = any(%s) and status <> 'open'",
        ([each.id for each in misses],),
    )
    wanted = [_task(each) for each in misses if is_work(each.miss)]
    if not wanted:
        return
    execute(
        session,
        "insert into task (id, domain, kind, dedupe_key, goldens, records, detail, impact)"
        " select id, domain, 'mapping', key, goldens, '{}', detail, impact from jsonb_to_recordset(%s::jsonb)"
        " as x(id uuid, domain text, key text, goldens uuid[], detail jsonb, impact float8)"
        " on conflict (dedupe_key) where status = 'open' do nothing",
        (dumps(wanted).decode(),),
    )
    execute(
        session,
        "update task t set impact = w.impact from unnest(%s::text[], %s::float8[]) w(key, impact),"
        " (select id from task where dedupe_key = any(%s) and status = 'open' for update skip locked) free"
        " where t.id = free.id and t.dedupe_key = w.key and t.impact < w.impact",
        ([task["key"] for task in wanted], [task["impact"] for task in wanted], [task["key"] for task in wanted]),
    )


def is_work(miss: Miss) -> bool:
    """Whether a steward could settle it: golden ids are ours alone to give, and of a domain that nobody declares nothing is known."""
    return miss.domain in ENTITY_TYPES and (miss.kind == NO_TARGET or miss.system != GOLDEN)


def _task(written: Written) -> dict[str, Any]:
    miss = written.miss
    return {
        "id": new_id(),
        "domain": miss.domain,
        "key": task_key(written.id),
        "goldens": [miss.value] if miss.kind == NO_TARGET else [],
        "detail": {"miss": str(written.id), **said(ENTITY_TYPES[miss.domain], miss)},
        "impact": impact(written.count),
    }


def task_key(miss_id: UUID) -> str:
    return f"{KIND}:{miss_id}"


def said(entity: EntityType, miss: Miss) -> dict[str, str]:
    """What may be told of a miss in a task or an event: of a patient, never the value."""
    told = {"kind": miss.kind, "system": miss.system, **({"target": miss.target} if miss.target else {})}
    return told if entity.phi else {**told, "value": miss.value}


def close_known(session: Session, ids: Sequence[UUID]) -> None:
    """Close those misses whose value has become known meanwhile, and tell of it."""
    found = _holders(session, ids)
    happened: dict[str, list[Happening]] = {}
    for domain, happening in _resolve(session, found):
        happened.setdefault(domain, []).append(happening)
    for domain, happenings in happened.items():
        publish(session, domain, happenings)


def resolved_by(session: Session, entity: EntityType, rows: Sequence[Mapping[str, Any]]) -> list[Happening]:
    """Close the misses that these new crosswalk rows (system_id, value, golden_id) answer; the caller publishes what happened."""
    slim = [{name: row[name] for name in ("system_id", "value", "golden_id")} for row in rows]
    asked = {"rows": dumps(slim).decode(), "domain": entity.name, "golden": GOLDEN}
    # Whether a golden record has a key in some system is asked of the rows that are still waiting, too; of patients it is not asked.
    answered = peek(session, _ANSWERED, asked) if entity.phi else fetch(session, _ANSWERED_EITHER, asked)
    found: dict[UUID, UUID] = dict(answered)
    return [happening for _, happening in _resolve(session, found)]


_ANSWERED: LiteralString = (
    "with x as (select * from jsonb_to_recordset(%(rows)s::jsonb) as x(system_id int, value text, golden_id uuid))"
    " select m.id, x.golden_id from x join identifier_system s on s.id = x.system_id join miss m on m.domain = %(domain)s"
    " and m.system = s.code and m.value = x.value and m.kind = 'unknown_value' and m.target = '' and m.status <> 'resolved'"
)
_ANSWERED_EITHER: LiteralString = (
    _ANSWERED + " union all select m.id, x.golden_id from (select distinct golden_id from x) x"
    " cross join lateral (select x.golden_id as id union all select g.id from golden_record g where g.merged_into = x.golden_id) g"
    " join miss m on m.domain = %(domain)s and m.system = %(golden)s and m.value = g.id::text and m.kind = 'no_target'"
    " and m.status <> 'resolved' where exists (select 1 from xref t join identifier_system s on s.id = t.system_id and s.code = m.target"
    " where t.golden_id = x.golden_id and t.recorded_to is null and t.status = 'active')"
)


def _resolve(session: Session, found: Mapping[UUID, UUID]) -> list[tuple[str, Happening]]:
    """Close misses with their tasks and tickets; each with its domain and what happened. Of two at once, only the first finds anything."""
    if not found:
        return []
    # The task before the miss, as a steward does who is deciding it; misses in the order in which they are counted.
    keys = [task_key(miss_id) for miss_id in found]
    fetch(session, "select id from task where dedupe_key = any(%s) and status = 'open' order by id for update", (keys,))
    rows = fetch(
        session,
        "update miss m set status = 'resolved', ignored_until = null from (select id from miss where id = any(%s) and status <> 'resolved'"
        ' order by domain collate "C", system, value, kind collate "C", target for update) l'
        " where m.id = l.id and m.status <> 'resolved' returning m.id, m.domain, m.system, m.value, m.kind, m.target",
        (list(found),),
    )
    ids = [row[0] for row in rows]
    if not ids:
        return []
    execute(
        session,
        "update task set status = 'obsolete', closed_at = now(), version = version + 1 where dedupe_key = any(%s) and status = 'open'",
        (keys,),
    )
    tickets = close_tickets(session, ids, "resolved")
    return [(row[1], _happening("crosswalk.resolved", row[0], Miss(*row[1:]), tickets, found[row[0]])) for row in rows]


def refuse(session: Session, miss_id: UUID, miss: Miss) -> Happening:
    """Tell those who wait that nobody will map this."""
    return _happening("crosswalk.rejected", miss_id, miss, close_tickets(session, [miss_id], "rejected"), miss_id)


def _happening(what: str, miss_id: UUID, miss: Miss, tickets: Mapping[UUID, Sequence[str]], subject: UUID) -> Happening:
    return Happening(what, subject, {**said(ENTITY_TYPES[miss.domain], miss), "tickets": list(tickets.get(miss_id, ()))})


def close_tickets(session: Session, misses: Sequence[UUID], status: str) -> dict[UUID, list[str]]:
    """Settle the tickets that wait for these misses; their ids by miss."""
    rows = fetch(
        session,
        "update ticket set status = %s, closed_at = now() where miss_id = any(%s) and status = 'pending' and expires_at > now()"
        " returning miss_id, id",
        (status, list(misses)),
    )
    found: dict[UUID, list[str]] = {}
    for miss_id, ticket in sorted(rows):
        found.setdefault(miss_id, []).append(str(ticket))
    return found


def reopen(session: Session, miss_id: UUID) -> None:
    """A decision about the miss was taken back: it is a question again, and on the work list.

    One that nobody has asked for so long that it was let go (`mdm.retention`) is made anew by whoever asks it again.
    """
    rows = fetch(session, "select id, domain, system, value, kind, target, count, 'open' from miss where id = %s for update", (miss_id,))
    if rows and not _holders(session, [miss_id]):
        _open(session, [_written(rows[0], {})])
