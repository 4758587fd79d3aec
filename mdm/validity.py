"""Is this code good on this day, and if not, why, and what replaced it: what an interface asks before it posts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from sqlalchemy.orm import Session

from mdm.crosswalk import Holder, holder, settled
from mdm.db import fetch
from mdm.entity import EntityType
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
    """Valid, or why not. `replaced_by`: the one value of the same system that stands for the same entity on that day."""

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
    return Verdict(reason is None, reason, _replacement(rows, reason, day), golden_id)


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
