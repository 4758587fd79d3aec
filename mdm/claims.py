"""What sources say about relationships, kept as claims: a delivery's list takes the place of the one before.

A list speaks, per type and tree, about its earliest date and later ones. What was said about earlier dates stays: a department that is
delivered with another cost center from July on was charged to the former one until June.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from mdm.db import array, execute, fetch, lock, text_key, write
from mdm.entity import EntityType
from mdm.errors import FieldProblem, InvalidRecord
from mdm.ids import new_id
from mdm.jsonio import dumps
from mdm.records import Incoming
from mdm.standardise import Delivery, Standard
from mdm.statements import Assertion


@dataclass(frozen=True, slots=True)
class Content:
    """What a claim says; two claims of one record never say the same."""

    type: str
    tree: str
    system: str | None
    key: str | None
    target_id: UUID | None
    valid_from: date | None
    valid_to: date | None


def lock_sources(session: Session, entity: EntityType, standards: Sequence[Standard]) -> None:
    """Lock the source keys of deliveries and the keys that they name, domain by domain: nobody delivers one of these beside us."""
    wanted = {entity.name: {_place_key(s.delivery.system, s.delivery.key) for s in standards}}
    for standard in standards:
        for said in standard.relationships or ():
            rule = entity.relationship(said.type)
            if rule is not None and said.value is not None:
                wanted.setdefault(rule.target, set()).add(_place_key(said.system, said.value))
    for domain, keys in sorted(wanted.items()):
        lock(session, f"source:{domain}", keys)


def lock_source(session: Session, entity: EntityType, system: str, key: str) -> None:
    """The same for one record, before what it says now is read: a delivery of it comes before us or after us, whole."""
    lock(session, f"source:{entity.name}", {_place_key(system, key)})


def _place_key(system: str | None, key: str) -> int:
    return text_key(f"{system}|{key}")


def write_claims(session: Session, entity: EntityType, applied: Sequence[Incoming]) -> frozenset[UUID]:
    """Make the open claims of these records what they say; answers those that are new. Raises InvalidRecord for an unknown golden id."""
    speaking = [i for i in applied if i.standard.relationships is not None]
    if not speaking:
        return frozenset()
    _check_targets(session, entity, speaking)
    known = _known(session, [i.record_id for i in speaking if i.stored is not None])
    gone: list[UUID] = []
    fresh: dict[UUID, tuple[Incoming, Content]] = {}
    asserted: set[UUID] = set()
    for i in speaking:
        said, held = contents(i.standard), known.get(i.record_id, {})
        wanted = {*said, *_earlier(said, held)}
        gone += [claim for content, claim in held.items() if content not in wanted]
        added = {new_id(): content for content in sorted(wanted - held.keys(), key=str)}
        fresh |= {claim: (i, content) for claim, content in added.items()}
        asserted |= {claim for claim, content in added.items() if content in said}
    end_claims(session, gone)
    if fresh:
        write(session, INSERT_CLAIMS, (dumps([_row(entity, claim, *each) for claim, each in fresh.items()]).decode(),))
    return frozenset(asserted)


INSERT_CLAIMS = (
    "insert into relationship_claim (id, domain, type, tree, record_id, subject_id, target_domain, target_system, target_key, target_id,"
    " valid_from, valid_to, actor, reason, recorded_from) select x.id, x.domain, x.type, x.tree, x.record_id, x.subject_id,"
    " x.target_domain, x.target_system, x.target_key, x.target_id, x.valid_from, x.valid_to, x.actor, coalesce(x.reason, ''),"
    " statement_timestamp() from jsonb_to_recordset(%s::jsonb) as x(id uuid, domain text, type text, tree text, record_id uuid,"
    " subject_id uuid, target_domain text, target_system text, target_key text, target_id uuid, valid_from date, valid_to date,"
    " actor text, reason text)"
)


def _row(entity: EntityType, claim: UUID, incoming: Incoming, content: Content) -> dict[str, object]:
    return {**claim_row(entity, claim, content), "record_id": incoming.record_id, "actor": incoming.standard.delivery.system}


def claim_row(entity: EntityType, claim: UUID, content: Content) -> dict[str, object]:
    """A claim as the table holds it, but for whose it is."""
    rule = entity.relationship(content.type)
    return {
        "id": claim,
        "domain": entity.name,
        "type": content.type,
        "tree": content.tree,
        "target_domain": rule.target if rule is not None else "",
        "target_system": content.system,
        "target_key": content.key,
        "target_id": content.target_id,
        "valid_from": content.valid_from,
        "valid_to": content.valid_to,
    }


def end_claims(session: Session, claims: Sequence[UUID]) -> None:
    """Close their recorded spans; nothing is erased."""
    if claims:
        execute(
            session,
            "update relationship_claim set recorded_to = clock_timestamp() where id = any(%s) and recorded_to is null",
            (array(claims),),
        )


def contents(standard: Standard) -> frozenset[Content]:
    """What a delivery says, with its own dates where a statement has none."""
    return frozenset(_content(standard.delivery, said) for said in standard.relationships or ())


def _content(delivery: Delivery, said: Assertion) -> Content:
    start, end = said.valid_from or delivery.valid_from, said.valid_to or delivery.valid_to
    if start is not None and end is not None and end < start:  # the record's own dates say nothing about this one
        start, end = said.valid_from, said.valid_to
    return Content(said.type, said.tree or "", said.system, said.value, said.golden_id, start, end)


def _earlier(said: Iterable[Content], held: Iterable[Content]) -> set[Content]:
    """What was said about dates of which the new list does not speak."""
    begins: dict[tuple[str, str], date] = {}
    for content in said:
        slot, start = (content.type, content.tree), content.valid_from or date.min
        begins[slot] = min(begins.get(slot, start), start)
    kept = set()
    for content in held:
        begin = begins.get((content.type, content.tree), date.min)
        if (content.valid_from or date.min) < begin:
            last = begin - timedelta(days=1)
            kept.add(replace(content, valid_to=min(content.valid_to or last, last)))
    return kept


def _known(session: Session, records: Sequence[UUID]) -> dict[UUID, dict[Content, UUID]]:
    if not records:
        return {}
    rows = fetch(
        session,
        "select record_id, id, type, tree, target_system, target_key, target_id, valid_from, valid_to from relationship_claim"
        " where record_id = any(%s) and recorded_to is null",
        (array(records),),
    )
    found: dict[UUID, dict[Content, UUID]] = {}
    for row in rows:
        found.setdefault(row[0], {})[Content(*row[2:])] = row[1]
    return found


def _check_targets(session: Session, entity: EntityType, speaking: Sequence[Incoming]) -> None:
    named = {said.golden_id for i in speaking for said in i.standard.relationships or () if said.golden_id is not None}
    if not named:
        return
    domains = {row[0]: row[1] for row in fetch(session, "select id, domain from golden_record where id = any(%s)", (array(named),))}
    problems = []
    for i in speaking:
        for index, said in enumerate(i.standard.delivery.relationships or ()):
            rule = entity.relationship(said.type)
            if said.golden_id is not None and rule is not None and domains.get(said.golden_id) != rule.target:
                pointer = f"/relationships/{index}/golden_id"
                problems.append(FieldProblem("unknown_target", pointer, f"no golden record of {rule.target} has this id"))
    if problems:
        raise InvalidRecord(problems=tuple(problems))
