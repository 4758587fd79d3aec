"""Rules that route tasks to queues by kind, domain and system. A queue is a name; who works on it filters by it.

The rules are data. Wherever a task is opened, the database's own `task_queue` asks them (migration 0020): no way of opening one passes by.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import audit
from mdm.access import Actor
from mdm.db import execute, fetch
from mdm.errors import Conflict, FieldProblem, Invalid, NotFound
from mdm.ids import new_id
from mdm.systems import list_systems
from mdm.tasks import VERDICTS
from mdm.values.kind import clean_text

ANY = ""
QUEUE_MAX = 40
RULES_MAX = 200
SAMPLE = 1_000  # tasks of which a rule says how many it would have routed


@dataclass(frozen=True, slots=True)
class Route:
    """Tasks of this domain, kind and system (ANY: of each) go to a queue."""

    domain: str
    kind: str
    system: str
    queue: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule, how many of the last thousand tasks fit it, and how many of them no rule that says more takes from it."""

    id: UUID
    route: Route
    created_by: str
    fits: int
    routes: int


def rules(session: Session) -> Sequence[Rule]:
    """In the order in which they are asked: the first that fits routes."""
    rows = fetch(session, _RULES, {"sample": SAMPLE})
    return [Rule(row[0], Route(*row[1:5]), *row[5:]) for row in rows]


_RULES: LiteralString = (
    "with t as materialized (select domain, kind, records, detail from task order by id desc limit %(sample)s), fit as materialized ("
    " select t.n, r.id, row_number() over (partition by t.n order by r.system <> '' desc, r.domain <> '' desc, r.kind <> '' desc,"
    " r.system) as place from (select row_number() over () as n, t.* from t) t join routing_rule r on r.domain in ('', t.domain)"
    " and r.kind in ('', t.kind) and (r.system = '' or r.system = t.detail ->> 'system'"
    " or exists (select 1 from source_record s where s.id = any(t.records) and s.system = r.system)))"
    " select r.id, r.domain, r.kind, r.system, r.queue, r.created_by, count(f.id), count(f.id) filter (where f.place = 1)"
    " from routing_rule r left join fit f on f.id = r.id group by r.id"
    " order by r.system <> '' desc, r.domain <> '' desc, r.kind <> '' desc, r.system, r.domain, r.kind"
)


def queues(session: Session) -> list[str]:
    return [row[0] for row in fetch(session, "select distinct queue from routing_rule order by queue")]


def add(session: Session, actor: Actor, domains: Sequence[str], route: Route) -> int:
    """A rule more; what is open is routed anew: how many changed their queue. Raises Invalid; Conflict for a second rule of one reach."""
    _check(session, domains, route)
    told = (new_id(), route.domain, route.kind, route.system, clean_text(route.queue), actor.name)
    added = execute(
        session,
        "insert into routing_rule (id, domain, kind, system, queue, created_by) values (%s, %s, %s, %s, %s, %s)"
        " on conflict (domain, kind, system) do nothing",
        told,
    )
    if not added:
        raise Conflict("there is a rule for exactly these tasks already; delete it first")
    return _again(session, actor, "routing:add", route)


def delete(session: Session, actor: Actor, rule_id: UUID) -> int:
    """A rule less; open tasks are routed anew: how many changed their queue. Raises NotFound."""
    rows = fetch(session, "delete from routing_rule where id = %s returning domain, kind, system, queue", (rule_id,))
    if not rows:
        raise NotFound("there is no such rule")
    return _again(session, actor, "routing:delete", Route(*rows[0]))


def _check(session: Session, domains: Sequence[str], route: Route) -> None:
    systems = [view.code for view in list_systems(session)]
    choices = {"domain": domains, "kind": list(VERDICTS), "system": systems}
    wrong = [name for name, known in choices.items() if getattr(route, name) not in {ANY, *known}]
    problems = [FieldProblem("unknown_choice", f"/{name}", "there is no such one") for name in wrong]
    queue = clean_text(route.queue)
    if not 1 <= len(queue) <= QUEUE_MAX:
        problems.append(FieldProblem("bad_name", "/queue", f"1 to {QUEUE_MAX} characters"))
    if fetch(session, "select count(*) from routing_rule")[0][0] >= RULES_MAX:
        problems.append(FieldProblem("too_many", "/queue", f"at most {RULES_MAX} rules"))
    if problems:
        raise Invalid(problems=tuple(problems))


def _again(session: Session, actor: Actor, action: str, route: Route) -> int:
    changed = execute(
        session,
        "update task t set queue = n.queue from (select id, task_queue(domain, kind, records, detail) as queue"
        " from task where status = 'open') n where t.id = n.id and t.status = 'open' and t.queue is distinct from n.queue",
    )
    told: dict[str, Any] = {"kind": route.kind, "system": route.system, "queue": route.queue, "tasks": changed}
    audit.record(session, actor, action, domain=route.domain or None, detail=told)
    return changed
