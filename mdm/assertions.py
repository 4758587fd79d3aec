"""What stewards say of misses: this value belongs to that golden record, or it is not worth a thought, or it can be nobody's.

That an identifier belongs to a golden record is a durable statement (`identifier_assertion`). It hangs on the golden record's oldest source
record, so that it goes where that record goes, through merges and splits, and deriving from scratch finds it again. Every statement has
its decision in the log and can be taken back.
"""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy.orm import Session

from mdm.db import execute, fetch
from mdm.derive import derive
from mdm.entity import EntityType
from mdm.errors import Conflict, FieldProblem, Invalid, NotFound
from mdm.feed import Happening, publish
from mdm.identity import Act, Saying, write_down
from mdm.ids import new_id
from mdm.members import members_of
from mdm.misswork import Miss, refuse, reopen
from mdm.resolve import Settled
from mdm.systems import registry

STATUS = {"ignore": "ignored", "not_ours": "rejected"}


@dataclass(frozen=True, slots=True)
class Said:
    """What a steward said of a miss; `until`: the last day on which an ignored one is no work."""

    miss_id: UUID
    verdict: str
    candidate: UUID | None
    until: date | None


def settle_miss(session: Session, entity: EntityType, said: Said, act: Act) -> UUID:
    """Write the decision and what follows from it; its id. The task is already locked.

    Raises Conflict when the value has become known meanwhile.
    """
    if said.verdict == "map":
        return _map(session, entity, said, act)
    miss = _open_miss(session, said.miss_id)
    until = said.until and said.until.isoformat()
    saying = Saying("ignore", [], (), detail={"miss": str(said.miss_id), "verdict": said.verdict, "until": until})
    write_down(session, entity, saying, act, Settled())
    execute(session, "update miss set status = %s, ignored_until = %s where id = %s", (STATUS[said.verdict], said.until, said.miss_id))
    publish(session, entity.name, [refuse(session, said.miss_id, miss)])
    return saying.id


def _map(session: Session, entity: EntityType, said: Said, act: Act) -> UUID:
    golden_id = checked_candidate(session, entity, said.candidate)
    miss = _open_miss(session, said.miss_id)
    oldest = min((member.id for member in members_of(session, [golden_id]).get(golden_id, ())), default=None)  # ids sort by time
    if oldest is None:
        raise Conflict("this golden record has no source records any more: the load that brought them was taken back")
    saying = Saying("map", [oldest], (), detail={"miss": str(said.miss_id), "golden_id": str(golden_id)})
    write_down(session, entity, saying, act, Settled())
    execute(
        session,
        "insert into identifier_assertion (id, domain, system, value, record_id, decision_id) values (%s, %s, %s, %s, %s, %s)",
        (new_id(), entity.name, miss.system, miss.value, oldest, saying.id),
    )
    publish(session, entity.name, _derive(session, entity, golden_id))
    return saying.id


def checked_candidate(session: Session, entity: EntityType, candidate: UUID | None) -> UUID:
    """The golden record that was named, locked; raises Invalid when none was, Conflict when it is merged away by now."""
    if candidate is None:
        raise Invalid(problems=(FieldProblem("required", "/candidate", "say which golden record it belongs to"),))
    rows = fetch(session, "select status from golden_record where id = %s and domain = %s for update", (candidate, entity.name))
    if not rows:
        raise Invalid(problems=(FieldProblem("unknown_candidate", "/candidate", "there is no such golden record"),))
    if rows[0][0] == "merged":
        raise Conflict("this golden record was merged into another; look again")
    return candidate


def _open_miss(session: Session, miss_id: UUID) -> Miss:
    rows = fetch(session, "select domain, system, value, kind, target, status from miss where id = %s for update", (miss_id,))
    if not rows or rows[0][5] != "open":
        raise Conflict("this value is known or settled by now")
    return Miss(*rows[0][:5])


def _derive(session: Session, entity: EntityType, golden_id: UUID) -> list[Happening]:
    return derive(session, entity, registry(session), members_of(session, [golden_id]), new=frozenset())


def unmap(session: Session, entity: EntityType, decision_id: UUID) -> list[Happening]:
    """Take a `map` or `ignore` back: the identifier is nobody's again, and the miss is work again. The caller logs who did and publishes.

    Raises NotFound for a decision of another kind, Conflict when it was taken back before.
    """
    rows = fetch(session, "select kind, detail -> 'miss' from decision where id = %s and domain = %s", (decision_id, entity.name))
    if not rows or rows[0][0] not in {"map", "ignore"}:
        raise NotFound("there is no such mapping decision")
    kind, miss_id = rows[0][0], UUID(rows[0][1])
    happened = _withdraw(session, entity, decision_id) if kind == "map" else []
    if kind == "ignore":
        _reconsider(session, miss_id)
    reopen(session, miss_id)
    return happened


def _withdraw(session: Session, entity: EntityType, decision_id: UUID) -> list[Happening]:
    """Close the assertion and derive the golden record that it hangs on, wherever that is by now."""
    rows = fetch(
        session,
        "select g.id from identifier_assertion a join link l on l.record_id = a.record_id and l.recorded_to is null"
        " join golden_record g on g.id = l.golden_id where a.decision_id = %s and a.recorded_to is null for update of g",
        (decision_id,),
    )
    closed = execute(
        session,
        "update identifier_assertion set recorded_to = clock_timestamp() where decision_id = %s and recorded_to is null",
        (decision_id,),
    )
    if not closed:
        raise Conflict("this decision was taken back already")
    return _derive(session, entity, rows[0][0]) if rows else []  # of a withdrawn record nothing follows


def _reconsider(session: Session, miss_id: UUID) -> None:
    rows = fetch(session, "select status from miss where id = %s for update", (miss_id,))
    if rows and rows[0][0] not in STATUS.values():
        raise Conflict("this decision was taken back already")
    execute(session, "update miss set status = 'open' where id = %s", (miss_id,))
