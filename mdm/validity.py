"""Is this code good on this day, and if not, why, and what replaced it: what an interface asks before it posts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from sqlalchemy.orm import Session

from mdm.crosswalk import Holder, holder, settled
from mdm.db import fetch
from mdm.entity import REPLACED_BY, EntityType
from mdm.question import Plan, Question, ask, plan
from mdm.systems import GOLDEN, SystemRegistry

# The golden attributes of which "false" says that nothing may be posted: accounts have the one, cost centers the other.
POSTING = ("postable", "posting_allowed")


class Reason(StrEnum):
    """Why a value is not valid."""

    UNKNOWN_SYSTEM = "unknown_system"
    UNKNOWN_VALUE = "unknown_value"
    AMBIGUOUS = "ambiguous"
    MERGED = "merged"
    INACTIVE = "inactive"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    NOT_POSTABLE = "not_postable"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Valid, or why not.

    `replaced_by`: the one value of the same system that stands for the same entity on that day, else for what took the entity's place.
    """

    valid: bool
    reason: Reason | None = None
    replaced_by: str | None = None
    golden_id: str | None = None


def validate(session: Session, registry: SystemRegistry, question: Question) -> Verdict:
    """The verdict on the question's one value, on its day; both ends of a validity are inclusive. Targets are not asked for."""
    planned = plan(registry, replace(question, targets=(question.source,)))
    if not isinstance(planned, Plan):
        return Verdict(valid=False, reason=Reason.UNKNOWN_SYSTEM)
    day = question.as_of.isoformat()
    rows = settled([holder(cells) for cells in ask(session, planned)], day)
    reason = _reason(planned, rows, day) or _posting_problem(session, question.entity, rows[0].golden_id)
    golden_id = rows[0].golden_id if rows and reason is not Reason.AMBIGUOUS else None
    replaced_by = _replacement(rows, reason, day) or _successor(session, planned, reason, golden_id)
    return Verdict(reason is None, reason, replaced_by, golden_id)


def _reason(planned: Plan, rows: Sequence[Holder], day: str) -> Reason | None:
    if not rows:
        return Reason.UNKNOWN_VALUE
    row = rows[0]
    if any(other.golden_id != row.golden_id for other in rows):
        return Reason.AMBIGUOUS
    if planned.source == GOLDEN and row.golden_id != planned.keys[0]:
        return Reason.MERGED
    if not row.active:
        return Reason.INACTIVE
    if row.valid_from is not None and day < row.valid_from:
        return Reason.NOT_YET_VALID
    return None if row.is_effective(day) else Reason.EXPIRED


def _posting_problem(session: Session, entity: EntityType, golden_id: str) -> Reason | None:
    names = [attribute.name for attribute in entity.attributes if attribute.name in POSTING]
    if not names:
        return None
    rows = fetch(session, 'select "values" from golden_version where golden_id = %s and recorded_to is null', (golden_id,))
    return Reason.NOT_POSTABLE if any(values.get(name) == "false" for (values,) in rows for name in names) else None


def _replacement(rows: Sequence[Holder], reason: Reason | None, day: str) -> str | None:
    if reason is Reason.MERGED:
        return rows[0].golden_id
    if reason not in {Reason.INACTIVE, Reason.NOT_YET_VALID, Reason.EXPIRED}:
        return None
    values = {row.value for row in rows if row.system_id is not None and row.target_active and row.has_effective_target(day)}
    return values.pop() if len(values) == 1 else None


def _successor(session: Session, planned: Plan, reason: Reason | None, golden_id: str | None) -> str | None:
    """The value, in the same system, of the golden record that took the place of this one, or of that one's own successor."""
    if reason not in REPLACEABLE or golden_id is None or planned.source == GOLDEN:
        return None
    known = {"day": planned.question.as_of, "id": golden_id, "system": planned.registry.ids[planned.source], "type": REPLACED_BY}
    steps: dict[int, set[str]] = {}
    for step, value in fetch(session, _SUCCESSORS, {**known, "longest": SUCCESSORS_MAX}):
        steps.setdefault(step, set()).add(value)
    nearest = steps[min(steps)] if steps else set()
    return nearest.pop() if len(nearest) == 1 else None


REPLACEABLE = frozenset({Reason.INACTIVE, Reason.EXPIRED, Reason.NOT_POSTABLE})
SUCCESSORS_MAX = 20
_SUCCESSORS = (
    "with recursive after(id, step) as (select %(id)s::uuid, 0 union all select r.target_id, a.step + 1 from after a"
    " join relationship r on r.subject_id = a.id and r.type = %(type)s and r.recorded_to is null and not r.looped"
    " and (r.valid_from is null or r.valid_from <= %(day)s) and (r.valid_to is null or r.valid_to >= %(day)s)"
    " where a.step < %(longest)s)"
    " select a.step, x.value from after a join xref x on x.golden_id = a.id and x.system_id = %(system)s and x.recorded_to is null"
    " and x.own and x.status = 'active' and (x.valid_from is null or x.valid_from <= %(day)s)"
    " and (x.valid_to is null or x.valid_to >= %(day)s) where a.step > 0"
)
