"""What a plan does not know: what happened since to golden records and keys that it touches.

Of a plan that has begun, only the rows that still wait count, and what its own rows did is no news to it.
"""

from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from mdm.db import fetch
from mdm.entity import EntityType
from mdm.errors import FieldProblem
from mdm.load_same import ALL_ROWS
from mdm.models import current_scorer


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan of a load of this system, made with a version of the domain's model. `begun`: some of its rows are applied."""

    load_id: UUID
    id: UUID | None
    system: str
    model: str
    begun: bool


def has_begun(session: Session, plan_id: UUID | None) -> bool:
    """Whether anything of the plan was applied."""
    return bool(fetch(session, "select exists (select 1 from load_row where plan_id = %s and became is not null)", (plan_id,))[0][0])


def changed_since(session: Session, entity: EntityType, plan: Plan) -> list[FieldProblem]:
    """Another model, or something that happened to a golden record or a key."""
    model = current_scorer(session, entity).model.version
    found = []
    if plan.model != model:
        found.append(FieldProblem("model_changed", "/model", f"the domain's model is {model} now"))
    asked = {"load": plan.load_id, "plan": plan.id, "domain": entity.name, "system": plan.system}
    touched, keys = fetch(session, _CHANGED_OF_WAITING if plan.begun else _CHANGED, asked)[0]
    if touched:
        found.append(
            FieldProblem("golden_records_changed", "/golden_state", f"{touched} golden records that the plan touches have changed")
        )
    if keys:
        found.append(FieldProblem("records_changed", "/golden_state", f"{keys} records of the file's keys were delivered or changed"))
    return found


_RECENT: LiteralString = (
    "with recent as materialized (select distinct e.golden_id from event e, load_plan p where p.id = %(plan)s and e.n > p.mark"
    " and e.domain = %(domain)s), "
)
_MADE: LiteralString = "(select created_at from load_plan where id = %(plan)s)"
_CHANGED: LiteralString = (
    _RECENT + "keys as materialized (select distinct r.key from recent join link l on l.golden_id = recent.golden_id"
    " join source_record r on r.id = l.record_id where r.domain = %(domain)s and r.system = %(system)s and r.updated_at >= " + _MADE + ")"
    " select (select count(distinct x.golden_id) from load_row x join recent on recent.golden_id = x.golden_id where x.plan_id = %(plan)s),"
    " (select count(*) from " + ALL_ROWS + " where r.plan_id = %(plan)s and r.key in (select key from keys))"
)
# Records that the load wrote itself, or whose evidence it took (`load_move`)
_OWN: LiteralString = (
    "(exists (select 1 from load_row o where o.plan_id = %(plan)s and o.record_id = r.id and o.became is not null)"
    " or exists (select 1 from load_move m where m.load_id = %(load)s and m.record_id = r.id))"
)
_CHANGED_OF_WAITING: LiteralString = (
    _RECENT + "waiting as materialized (select x.key, x.golden_id from load_row x where x.plan_id = %(plan)s and x.became is null"
    " and x.planned not in ('unchanged', 'rejected')), members as materialized (select w.golden_id, r.key, r.system,"
    " r.updated_at >= " + _MADE + " and not " + _OWN + " as changed, " + _OWN + " as own, exists (select 1 from decision d"
    " where d.records @> array[r.id] and d.created_at >= " + _MADE + ") as decided"
    " from (select distinct golden_id from waiting join recent using (golden_id)) w"
    " join link l on l.golden_id = w.golden_id and l.recorded_to is null join source_record r on r.id = l.record_id)"
    " select (select count(*) from (select w.golden_id from (select distinct golden_id from waiting join recent using (golden_id)) w"
    " left join members m on m.golden_id = w.golden_id group by w.golden_id"
    " having coalesce(bool_or(m.changed or m.decided), true) or not bool_or(m.own)) changed),"
    " (select count(*) from waiting w join source_record r on r.domain = %(domain)s and r.system = %(system)s and r.key = w.key"
    " where r.updated_at >= " + _MADE + " and not " + _OWN + ")"
)
