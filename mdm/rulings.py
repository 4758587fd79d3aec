"""What stewards answer to findings: an oversize golden record, an identifier that several carry, drift.

Each is one decision, which `mdm.undo` takes back like any other.
A ruling on an identifier changes what records carry; so they are read anew from what their sources delivered, with the rulings that stand.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import drift, findings, identifier_rulings, identity, pins, shared_identifiers
from mdm.candidates import limits, read_blocks
from mdm.db import fetch
from mdm.decisions import DIFFERENT, DecisionView, said
from mdm.entity import EntityType
from mdm.errors import Conflict, FieldProblem, Invalid
from mdm.golden import locate
from mdm.guard import demote_overshared
from mdm.identifier_rulings import PLACEHOLDER, SHARED, VOID
from mdm.identity import RECORDS_MAX, Act, Saying, lock_records, say, taken_together
from mdm.ingest import Writing, store
from mdm.models import scorer as active_scorer
from mdm.reread import current

SAME, BELONGS, ACCEPT, RESTORE = "same", "belongs", "accept", "restore"


@dataclass(frozen=True, slots=True)
class Asked:
    """The task that is answered: what it is about."""

    id: UUID
    goldens: Sequence[UUID]
    records: Sequence[UUID]
    detail: Mapping[str, Any]


def size(session: Session, entity: EntityType, task: Asked, groups: Sequence[Sequence[UUID]], act: Act) -> UUID:
    """Keep: these records are one entity, however many they are. With groups: they are parted."""
    golden_id = locate(session, entity, task.goldens[0])[0]
    if groups:
        return identity.split(session, entity, golden_id, groups, act).decision_id
    members = taken_together(session, entity, [golden_id], None)[golden_id]
    return say(session, entity, Saying(findings.KEEP_SIZE, [m.id for m in members], ()), act).decision_id


def shared(session: Session, entity: EntityType, task: Asked, verdict: str, candidate: UUID | None, act: Act) -> UUID:
    """Of an identifier that several golden records carry: they are one, are not, it is the candidate's, nobody's, or theirs."""
    place = shared_identifiers.value_of(session, entity, task.id)
    if verdict == PLACEHOLDER:
        return _nobodys(session, entity, place, act)
    members = taken_together(session, entity, task.goldens, None)
    if verdict == SAME:
        return say(session, entity, identity.merging(session, min(members), members, SAME), act).decision_id
    carriers = shared_identifiers.carriers_of(session, task.goldens, place)
    records = sorted(record for held in carriers.values() for record in held)
    if verdict == BELONGS:
        if candidate not in carriers:
            raise Invalid(problems=(FieldProblem("unknown_candidate", "/candidate", "name one of those that carry it"),))
        wrong = sorted(record for golden, held in carriers.items() if golden != candidate for record in held)
        return _rule(session, entity, Saying(BELONGS, records, ()), (place, VOID, wrong, wrong), act)
    apart = [(a, b) for one in carriers for other in carriers if one < other for a in carriers[one] for b in carriers[other]]
    saying = Saying(verdict, records, said(DIFFERENT, apart) if verdict == DIFFERENT else ())
    return _rule(session, entity, saying, (place, SHARED, records, ()), act)


Ruling = tuple[tuple[str, str], str, Sequence[UUID | None], Sequence[UUID]]  # value, what, of which records, whose evidence changes


def _nobodys(session: Session, entity: EntityType, place: tuple[str, str], act: Act) -> UUID:
    records = identifier_rulings.carriers(session, entity.name, *place)
    rule = next((rule for rule in entity.identifiers if rule.system == place[0]), None)
    if len(records) > RECORDS_MAX and (rule is None or rule.max_holders is None):
        raise Conflict(f"more than {RECORDS_MAX} records are compared by this value; part them in their sources first")
    # Where more carry it than a guard allows, nobody has been compared by it anyway, and the decision names some of them.
    few = records if len(records) <= RECORDS_MAX else []
    return _rule(session, entity, Saying(PLACEHOLDER, records[:RECORDS_MAX], ()), (place, PLACEHOLDER, [None], few), act)


def _rule(session: Session, entity: EntityType, saying: Saying, ruling: Ruling, act: Act) -> UUID:
    place, what, of, changed = ruling
    lock_records(session, entity, saying.records)
    identifier_rulings.add(session, saying.id, (entity.name, *place), what, of)
    return say(session, entity, replace(saying, beside=read_anew(session, entity, changed)), act).decision_id


def take_back(session: Session, entity: EntityType, decision: DecisionView) -> frozenset[UUID]:
    """What a decision ruled of identifiers holds no longer; the records whose company may have depended on it."""
    records = identifier_rulings.end(session, decision.id)
    return read_anew(session, entity, records if len(records) <= RECORDS_MAX else ())


def read_anew(session: Session, entity: EntityType, records: Sequence[UUID]) -> frozenset[UUID]:
    """These records as their sources delivered them last, with the rulings that stand; the records at their former and present edges."""
    model = active_scorer(session, entity)
    changed = current(session, entity, model.model, records)
    if not changed:
        return frozenset()
    keys = {key: rule for i in changed for key, rule in i.keys.items()}
    blocks = read_blocks(session, keys, limits(model.model, keys))
    applied, demoted = demote_overshared(session, entity, blocks, changed)
    _, _, change = store(session, entity, model, Writing(blocks, applied, demoted, versioned=True))
    return change.records | change.beside


def drifted(session: Session, entity: EntityType, task: Asked, verdict: str, act: Act) -> UUID:
    """Accept the new state, restore the old, or leave it be as a known exception."""
    golden_id = locate(session, entity, task.goldens[0])[0]
    if verdict not in {ACCEPT, RESTORE}:
        taken_together(session, entity, [golden_id], None)
        key = fetch(session, "select dedupe_key from task where id = %s", (task.id,))[0][0]
        return say(session, entity, Saying(drift.EXCEPTION, task.records, (), detail={"finding": key}), act).decision_id
    if task.detail["rule"] == drift.PIN:
        return pins.pin(session, entity, golden_id, _pin(session, task, verdict), act).decision_id
    if verdict == RESTORE:
        changed = [UUID(record) for record in task.detail["changed"]]
        return identity.split(session, entity, golden_id, [[max(changed)]], act).decision_id
    members = taken_together(session, entity, [golden_id], None)
    return say(session, entity, identity.merging(session, golden_id, members, SAME), act).decision_id


def _pin(session: Session, task: Asked, verdict: str) -> pins.NewPin:
    """The pin moves to what the sources say now, or is said again; what it was comes back when that is taken back."""
    name = task.detail["attribute"]
    if verdict == RESTORE:
        detail = fetch(session, "select detail from decision where id = %s", (UUID(task.detail["decision"]),))[0][0]
        return pins.NewPin(name, detail["value"])
    rows = fetch(
        session,
        "select r.clean -> 'attributes' -> %s from source_record r where r.id = any(%s::uuid[]) order by r.updated_at desc, r.id limit 1",
        (name, list(task.records)),
    )
    return pins.NewPin(name, rows[0][0])
