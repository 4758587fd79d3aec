"""Identifier values that several golden records carry although one should, or that more records carry than their guard allows.

An open review that joins all carriers comes first: who is one, may carry one value. What is asked here is what is left then. The value
itself stands in the dedupe key alone, which never leaves the database.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from matching.cluster import connected, pair
from mdm.db import array, fetch
from mdm.entity import EntityType, IdentifierRule
from mdm.finding import Finding, Known
from mdm.identifier_rulings import ruled
from mdm.members import Member
from mdm.standardise import compared_identifier
from mdm.systems import SystemRegistry, registry

KIND = "shared_identifier"
SHOWN_MAX = 50  # carriers that a task names: the oldest; a placeholder may have thousands
EXCLUSIVE, OVER_SHARED = "exclusive", "over_shared"
Place = tuple[str, str]  # identifier system, value


def wanted(session: Session, entity: EntityType, members: Iterable[Member], known: Sequence[Known]) -> list[Finding]:
    """What should be asked of the values that these records carry, and of those that open tasks are about."""
    places = _suspects(entity, registry(session), members) if any(map(_watched, entity.identifiers)) else set()
    places |= {_place(entity, each.key) for each in known}
    if not places:
        return []
    held = [each for each in _held(session, entity, places) if each.count > 1]
    told = ruled(session, entity.name, [each.place for each in held]) if held else {}
    found = (_judged(session, entity, each, told.get(each.place, set())) for each in held)
    return [finding for finding in found if finding is not None]


def key_of(entity: EntityType, place: Place) -> str:
    return f"{KIND}:{entity.name}:{place[0]}:{place[1]}"


def _place(entity: EntityType, key: str) -> Place:
    system, _, value = key.removeprefix(f"{KIND}:{entity.name}:").partition(":")
    return system, value


def value_of(session: Session, entity: EntityType, task_id: UUID) -> Place:
    """The identifier that a task is about: its system and its value."""
    return _place(entity, fetch(session, "select dedupe_key from task where id = %s", (task_id,))[0][0])


def _watched(rule: IdentifierRule) -> bool:
    return rule.exclusive or rule.strong or (rule.max_holders or 0) > 1  # a guard of one says that the value is no evidence at all


def _suspects(entity: EntityType, systems: SystemRegistry, members: Iterable[Member]) -> set[Place]:
    """Values that should be of one entity, and values that were taken out of the comparison: too many carry them."""
    found: set[Place] = set()
    for member in members:
        for rule in entity.identifiers:
            values = member.identifiers.get(rule.system, ()) if _watched(rule) else ()
            for value in values:
                kind = systems.value_type(rule.system)
                compared = compared_identifier(kind, value) in member.columns.get(rule.name, ())
                if (rule.exclusive or rule.strong or not compared) and kind.read(value).is_evidence:
                    found.add((rule.system, value))
    return found


@dataclass(frozen=True, slots=True)
class _Held:
    """A value with the golden records that carry it, the oldest first, and how many they are."""

    place: Place
    goldens: tuple[UUID, ...]
    count: int


def _held(session: Session, entity: EntityType, places: set[Place]) -> list[_Held]:
    rows = fetch(
        session,
        "select c.system, c.value, (array_agg(distinct x.golden_id))[1:%(shown)s], count(distinct x.golden_id)"
        " from unnest(%(systems)s::text[], %(values)s::text[]) c(system, value) join identifier_system s on s.code = c.system"
        " cross join lateral (select golden_id from xref where domain = %(domain)s and system_id = s.id and value = c.value"
        " and recorded_to is null and not own and status = 'active' offset 0) x group by 1, 2 order by 1, 2",
        {"systems": [s for s, _ in places], "values": [v for _, v in places], "domain": entity.name, "shown": SHOWN_MAX},
    )
    return [_Held((row[0], row[1]), tuple(row[2]), row[3]) for row in rows]


def _judged(session: Session, entity: EntityType, held: _Held, told: set[UUID | None]) -> Finding | None:
    rule = next((rule for rule in entity.identifiers if rule.system == held.place[0]), None)
    if rule is None or None in told:
        return None
    carriers = _carriers(session, held)
    goldens = tuple(sorted(carriers))
    count = max(held.count, sum(map(len, carriers.values())))
    over = rule.max_holders is not None and count > rule.max_holders
    if len(goldens) < 2 or not (over or rule.exclusive or rule.strong):
        return None
    if all(told & records for records in carriers.values()) or _under_review(session, goldens):
        return None
    detail = {
        "system": held.place[0],
        "rule": OVER_SHARED if over else EXCLUSIVE,
        "limit": rule.max_holders if over else 1,
        "golden_records": min(held.count, SHOWN_MAX),
        "more": held.count > SHOWN_MAX,
    }
    records = tuple(sorted(record for held_by in carriers.values() for record in held_by))
    return Finding(key_of(entity, held.place), KIND, goldens, records, detail, 15.0 + min(held.count, SHOWN_MAX))


def _carriers(session: Session, held: _Held) -> dict[UUID, set[UUID]]:
    """Golden records with those of their active records that carry the value."""
    found: dict[UUID, set[UUID]] = {}
    for golden, record in fetch(session, _CARRIERS, (array(held.goldens), *held.place)):
        found.setdefault(golden, set()).add(record)
    return found


_CARRIERS: LiteralString = (
    "select l.golden_id, r.id from link l join source_record r on r.id = l.record_id where l.golden_id = any(%s::uuid[])"
    " and l.recorded_to is null and r.status = 'active' and r.clean -> 'identifiers' -> %s ? %s"
)


def _under_review(session: Session, goldens: Sequence[UUID]) -> bool:
    """Whether open reviews ask of all of them, together, whether they are one."""
    rows = fetch(
        session,
        "select goldens from task where kind = 'review' and status = 'open' and goldens && %s::uuid[]",
        (array(goldens),),
    )
    joins = [pair(str(row[0][0]), str(other)) for row in rows for other in row[0][1:]]
    return {str(golden) for golden in goldens} <= connected(joins, [str(goldens[0])])


def carriers_of(session: Session, task_goldens: Sequence[UUID], place: Place) -> Mapping[UUID, set[UUID]]:
    """Of the golden records of a task, which of their records carry the value now."""
    return _carriers(session, _Held(place, tuple(task_goldens), len(task_goldens)))
