"""Taking a decision back: what is true then is what would be true had it never been made. Later decisions stand.

Not an inverse act but the same derivation over one decision less. The machine never parts what is published; so everybody is first put
where they would be without the decision (`_homes`), then evidence and the decisions that stand say who belongs together.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import rulings, updates
from mdm.assertions import unmap
from mdm.db import array, execute, fetch
from mdm.decisions import SAME, DecisionView, get, standing, unjudge
from mdm.drift import EXCEPTION
from mdm.entity import EntityType
from mdm.errors import Conflict, NotFound
from mdm.feed import publish, withdraw
from mdm.findings import KEEP_SIZE
from mdm.identifier_rulings import PLACEHOLDER, SHARED
from mdm.identity import Act, Done, Saying, lock_records, say, write_down
from mdm.ids import new_id
from mdm.jsonio import dumps
from mdm.members import homes
from mdm.models import scorer as active_scorer
from mdm.pins import unpin
from mdm.relationships import derive_relationships
from mdm.resolve import Settled, redirect
from mdm.systems import registry

_IMPACT = 25.0  # beside reviews, whose impact is their weight: somebody waits for this answer
HOLD = timedelta(seconds=30)  # between a person's decision and its being told: long enough to notice a slip
Homes = Mapping[UUID, UUID | None]


@dataclass(frozen=True, slots=True)
class Kept:
    """A record that is not back where it was before the decision, and why: decisions that stand, or, without any, the evidence."""

    record_id: UUID
    golden_id: UUID
    decisions: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Undone:
    """What taking back did, and what it could not bring back; `task_id` is the work that this leaves."""

    decision_id: UUID
    goldens: tuple[UUID, ...]
    kept: tuple[Kept, ...]
    task_id: UUID | None


def undo(session: Session, entity: EntityType, decision_id: UUID, act: Act) -> Undone:
    """Take back a decision of this domain, not only the last one.

    Raises NotFound, or Conflict for one that was taken back already and for one that cannot be: an undo (decide again instead).
    """
    decision = _taken(session, entity, decision_id)
    handler = _UNDO.get(decision.kind)
    if handler is None:
        raise Conflict(f"a decision of kind {decision.kind} cannot be taken back")
    held = _held(session, decision)
    undone = handler(session, entity, decision, replace(act, hold=HOLD) if held else act)
    _close_leftovers(session, decision_id)
    if held:
        # Nobody was told of the act, so that nobody is told of its end.
        withdraw(session, [*held, *_named_events(get(session, undone.decision_id))])
    return undone


def _held(session: Session, decision: DecisionView) -> list[UUID]:
    """The events of a decision that still wait; none where one of them was told already."""
    named = _named_events(decision)
    if not named:
        return []
    fetch(session, "select 1 from feed_position for update")  # before all other locks, as `withdraw` would later: none is told meanwhile
    waiting = fetch(
        session,
        "select count(*) from event where event_id = any(%s) and seq is null and withdrawn_at is null and release_at > now()",
        (named,),
    )
    return named if waiting[0][0] == len(named) else []


def _named_events(decision: DecisionView) -> list[UUID]:
    return [UUID(event) for event in decision.detail.get("held", ())]


def _taken(session: Session, entity: EntityType, decision_id: UUID) -> DecisionView:
    """The decision, locked. The unique `revokes` would refuse a second undo; the lock lets it be told in words."""
    if not fetch(session, "select 1 from decision where id = %s and domain = %s for update", (decision_id, entity.name)):
        raise NotFound("there is no such decision in this domain")
    decision = get(session, decision_id)
    if decision.revoked_by is not None:
        raise Conflict(f"this decision was taken back already, by decision {decision.revoked_by}")
    return decision


def _undo_identity(session: Session, entity: EntityType, decision: DecisionView, act: Act) -> Undone:
    before = _involved(session, entity, decision)
    scorer = active_scorer(session, entity)
    unjudge(session, scorer, decision.id)
    _reopen_tasks(session, decision.id)
    beside = rulings.take_back(session, entity, decision)
    places: Homes = _homes(session, decision, list(before)) if decision.detail["moves"] else {}
    done = say(session, entity, Saying("undo", list(before), (), places, decision.id, beside=beside), act)
    _turn_back(session, entity, decision.id, done.decision_id)
    kept = _kept(session, decision, before, done)
    return Undone(done.decision_id, done.goldens, kept, _conflict_task(session, entity, decision, kept) if kept else None)


def _turn_back(session: Session, entity: EntityType, decision_id: UUID, undoing: UUID) -> None:
    """Ids that were merged before, and that the decision had turned elsewhere, answer with the survivor of the former merge again."""
    rows = fetch(
        session,
        "select r.golden_id, coalesce(s.merged_into, s.id) from golden_redirect r join golden_record g on g.id = r.golden_id"
        " cross join lateral (select p.survivor from golden_redirect p where p.golden_id = r.golden_id and p.id < r.id"
        " order by p.id desc limit 1) p join golden_record s on s.id = p.survivor"
        " where r.decision_id = %s and r.recorded_to is null and g.merged_into <> coalesce(s.merged_into, s.id) order by r.golden_id",
        (decision_id,),
    )
    turned = [(row[0], row[1]) for row in rows]
    if turned:
        happened = redirect(session, turned, undoing)
        derive_relationships(session, entity, registry(session), {}, turned)
        publish(session, entity.name, happened)


def _involved(session: Session, entity: EntityType, decision: DecisionView) -> dict[UUID, UUID]:
    """Every record of the golden records that hold a record which the decision named or moved, with its golden id; all locked."""
    if "moves" not in decision.detail:
        raise Conflict("this decision is older than undo: it did not note which records moved")
    # Not only those that it is about: whoever the evidence moved along goes back along
    records = sorted({*decision.records, *(UUID(record) for record, _, _ in decision.detail["moves"])})
    lock_records(session, entity, records)
    goldens = homes(session, records)
    while True:
        fetch(session, "select 1 from golden_record where id = any(%s) order by id for update", (array(goldens),))
        there: dict[UUID, UUID] = dict(fetch(session, _THERE, {"records": array(records)}))
        if set(there.values()) <= set(goldens):
            return there
        goldens = list(there.values())


_THERE: LiteralString = (
    "select record_id, golden_id from link where recorded_to is null and golden_id = any(array("
    "select golden_id from link where record_id = any(%(records)s) and recorded_to is null)) order by record_id"
)
_LAST_HOMES: LiteralString = (
    "with edge_of_time as (select min(id) as first from link where decision_id = %(id)s)"
    " select distinct on (l.record_id) l.record_id, l.golden_id from link l left join decision d on d.id = l.decision_id"
    " left join decision r on r.revokes = d.id where l.record_id = any(%(records)s) and case when l.decision_id is null or d.kind = 'undo'"
    # What the machine worked out before stands; what it did later is worked out again. So with what followed from taking others back.
    " then l.id < (select first from edge_of_time)"
    # Of a decision taken back before: whom it had brought here, and its taking back left here, has been here on evidence since.
    " when r.id is not null then l.id < (select first from edge_of_time) and r.created_at < %(at)s"
    " and coalesce(l.recorded_to, 'infinity') > r.created_at"
    " and not exists (select 1 from link n where n.record_id = l.record_id and n.decision_id = r.id)"
    # Decisions stand, earlier and later ones, unless taken back.
    " else d.id <> %(id)s end"
    " order by l.record_id, l.id desc"
)


def _homes(session: Session, decision: DecisionView, records: Sequence[UUID]) -> Homes:
    """Where each record would be without the decision; None: it came later, and evidence alone says where it belongs."""
    rows = fetch(session, _LAST_HOMES, {"id": decision.id, "at": decision.created_at, "records": array(records)})
    last: dict[UUID, UUID] = dict(rows)
    living = {golden: _living(session, decision, golden) for golden in set(last.values())}
    return {record: living[last[record]] if record in last else None for record in records}


def _living(session: Session, decision: DecisionView, golden_id: UUID) -> UUID:
    """The golden id itself, unless another decision, or the machine before this one, merged it away for good."""
    while True:
        rows = fetch(
            session,
            "select r.survivor from golden_redirect r left join decision d on d.id = r.decision_id where r.golden_id = %s"
            " and r.recorded_to is null and d.id is distinct from %s and case when d.id is null or d.kind = 'undo'"
            " then r.recorded_from < %s else not exists (select 1 from decision t where t.revokes = d.id) end",
            (golden_id, decision.id, decision.created_at),
        )
        if not rows:
            return golden_id
        golden_id = rows[0][0]


def _kept(session: Session, decision: DecisionView, before: Mapping[UUID, UUID], done: Done) -> tuple[Kept, ...]:
    """Records that the decision had moved, and that neither moved now nor are where it took them from."""
    left = {UUID(record): UUID(golden) for record, golden, _ in decision.detail["moves"]}
    found = []
    for record in sorted(left.keys() & before.keys()):
        golden = done.golden_of[record]
        if golden == before[record] != left[record]:
            mates = [other for other, place in done.golden_of.items() if place == golden]
            because = {other for other, said in standing(session, SAME, mates) if record in {said.low, said.high}}
            found.append(Kept(record, golden, tuple(sorted(because))))
    return tuple(found)


def _conflict_task(session: Session, entity: EntityType, decision: DecisionView, kept: Sequence[Kept]) -> UUID:
    """What taking back could not bring back is for a person to look at."""
    goldens = sorted({k.golden_id for k in kept})
    detail = {
        "decision": str(decision.id),
        "kept": [{"record_id": str(k.record_id), "golden_id": str(k.golden_id), "decisions": [str(d) for d in k.decisions]} for k in kept],
    }
    rows = fetch(
        session,
        "insert into task (id, domain, kind, dedupe_key, goldens, records, detail, impact, due_at)"
        " values (%s, %s, 'undo', %s, %s, %s, %s::jsonb, %s, now() + interval '1 day') returning id",
        (
            new_id(),
            entity.name,
            f"undo:{entity.name}:{decision.id}",
            goldens,
            [k.record_id for k in kept],
            dumps(detail).decode(),
            _IMPACT,
        ),
    )
    task_id: UUID = rows[0][0]
    return task_id


def _reopen_tasks(session: Session, decision_id: UUID) -> None:
    """Tasks that the decision settled have no answer any more; those that are still asked open again, as themselves (`mdm.reviews`).

    A split, merge or move is asked by a person, and nothing but this opens it again, unless it was asked anew meanwhile.
    """
    execute(session, _REOPEN, (decision_id,))


_REOPEN: LiteralString = (
    "with a as (select s.id, s.kind in ('split', 'merge', 'move') and not exists (select 1 from task o where o.dedupe_key = s.dedupe_key"
    " and o.status = 'open') as again from task s where s.decision_id = %s and s.status = 'settled')"
    " update task t set decision_id = null, version = version + 1,"
    " status = case when a.again then 'open' else 'obsolete' end, closed_at = case when a.again then null else closed_at end"
    " from a where t.id = a.id"
)


def _close_leftovers(session: Session, decision_id: UUID) -> None:
    """Nobody needs to look any more at what taking this decision back would have left."""
    execute(
        session,
        "update task set status = 'obsolete', closed_at = now(), version = version + 1 where kind = 'undo' and status = 'open'"
        " and detail -> 'kept' @> jsonb_build_array(jsonb_build_object('decisions', jsonb_build_array(%s::text)))",
        (str(decision_id),),
    )


def _undo_pin(session: Session, entity: EntityType, decision: DecisionView, act: Act) -> Undone:
    _reopen_tasks(session, decision.id)
    done = unpin(session, entity, decision, act)
    return Undone(done.decision_id, done.goldens, (), None)


def _undo_update(session: Session, entity: EntityType, decision: DecisionView, act: Act) -> Undone:
    _reopen_tasks(session, decision.id)
    taken_back = updates.take_back(session, entity, decision, act)
    return Undone(taken_back, tuple(homes(session, decision.records)), (), None)


def _undo_mapping(session: Session, entity: EntityType, decision: DecisionView, act: Act) -> Undone:
    _reopen_tasks(session, decision.id)
    happened = unmap(session, entity, decision.id)
    saying = Saying("undo", decision.records, (), revokes=decision.id)
    write_down(session, entity, saying, act, Settled())
    publish(session, entity.name, happened)
    return Undone(saying.id, tuple(homes(session, decision.records)), (), None)


Handler = Callable[[Session, EntityType, DecisionView, Act], Undone]
_UNDO: dict[str, Handler] = {
    **dict.fromkeys(("same", "different", "merge", "link-only", "split", "move", "answer"), _undo_identity),
    **dict.fromkeys((rulings.BELONGS, PLACEHOLDER, SHARED, KEEP_SIZE, EXCEPTION), _undo_identity),
    "pin": _undo_pin,
    "accept": _undo_update,
    "reject": _undo_update,
    "map": _undo_mapping,
    "ignore": _undo_mapping,
}
UNDOABLE = frozenset(_UNDO)
