"""What a steward sees of a miss: how often, by whom, since when, and the golden records that it could mean. Made when it is read.

Of a patient's number only spellings of the very same number are suggested: its neighbours are other people.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import mask, policy
from mdm.access import Actor
from mdm.db import array, fetch
from mdm.entity import EntityType
from mdm.golden import display
from mdm.misswork import NO_TARGET, Miss
from mdm.reading import Reader
from mdm.similar import BEST, Known, Suggestion, Wanted, core, habits, rank, variants
from mdm.systems import GOLDEN, SystemRegistry, registry
from mdm.tasks import TaskView

NEAR_MAX = 2_000  # identifiers, and names, that are compared with one question
_MAPPED_MAX = 500  # earlier mappings that are learned from
_PREFIX = 2


def shown(session: Session, entity: EntityType, reader: Reader, task: TaskView) -> TaskView:
    """The task with the miss as it is now and, while it is open, its five best candidates, as this reader may see them.

    Of a miss that was let go (`mdm.retention`) the task says what it said itself.
    """
    rows = fetch(
        session,
        "select domain, system, value, kind, target, count, status, first_seen, last_seen, clients, targets from miss where id = %s",
        (UUID(task.detail["miss"]),),
    )
    if not rows:
        return replace(task, detail={"value": "", **task.detail, "count": 0, "status": "gone", "clients": [], "targets": []})
    miss, (count, status, first_seen, last_seen, clients, targets) = Miss(*rows[0][:5]), rows[0][5:]
    systems = registry(session)
    value_type = systems.value_type(miss.system)
    detail: dict[str, Any] = {
        **task.detail,
        "value": mask.identifier(reader.actor, miss.system, miss.value),
        "hint": None if systems.is_source(miss.system) or miss.system == GOLDEN else value_type.read(miss.value).problem,
        "count": count,
        "status": status,
        "first_seen": first_seen.isoformat(),
        "last_seen": last_seen.isoformat(),
        "clients": clients,
        "targets": targets,
    }
    if task.status == "open":
        detail["candidates"] = candidates(session, entity, systems, reader.actor, miss)
    return replace(task, detail=detail)


def candidates(session: Session, entity: EntityType, systems: SystemRegistry, actor: Actor, miss: Miss) -> list[dict[str, Any]]:
    """The best suggestions among the golden records that exist for this reader: id, score, reason, line, and what speaks for it."""
    return candidates_of(session, entity, systems, actor, [miss])[0]


def candidates_of(
    session: Session, entity: EntityType, systems: SystemRegistry, actor: Actor, misses: Sequence[Miss]
) -> list[list[dict[str, Any]]]:
    """The same of several, in as many statements as of one where they begin alike."""
    found = _suggestions(session, entity, systems, misses)
    seen = policy.visible(session, actor, {each.golden_id for some in found for each in some})
    best = [
        [each for each in some if each.golden_id in seen and (each.system == GOLDEN or _may_know(systems, actor, each))][:BEST]
        for some in found
    ]
    lines = _values(session, sorted({each.golden_id for some in best for each in some}))
    return [[_told(entity, actor, each, lines) for each in some] for some in best]


def _told(entity: EntityType, actor: Actor, each: Suggestion, lines: Mapping[UUID, Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "golden_id": str(each.golden_id),
        "score": each.score,
        "reason": each.reason,
        "system": each.system,
        "value": mask.identifier(actor, each.system, each.value),
        "display": mask.line(entity, mask.values(entity, actor, lines.get(each.golden_id, {}))),
    }


def _may_know(systems: SystemRegistry, actor: Actor, suggestion: Suggestion) -> bool:
    return not systems.is_source(suggestion.system) or policy.in_scope(actor, suggestion.system)


def _suggestions(session: Session, entity: EntityType, systems: SystemRegistry, misses: Sequence[Miss]) -> list[list[Suggestion]]:
    learned = {
        system: habits(_mapped(session, entity, systems, system)) for system in {each.system for each in misses if each.kind != NO_TARGET}
    }
    spelt = {each: sorted(variants(each.value, learned[each.system])) for each in misses if each.kind != NO_TARGET}
    everybody = array(systems.ids.values())
    asked = sorted({text for found in spelt.values() for text in found})
    rows = fetch(session, _EXACT, (entity.name, everybody, asked, NEAR_MAX * len(misses))) if asked else []
    near = _Near(session, entity, systems)
    found = []
    for each in misses:
        if each.kind == NO_TARGET:
            found.append(_for_golden(session, entity, systems, each))
            continue
        codes = _codes(systems, [row for row in rows if row[2] in spelt[each]])
        codes += [] if entity.phi else near.of(each.value)
        found.append(rank(Wanted(each.system, each.value, habits=learned[each.system]), codes, limit=BEST * 4))
    return found


class _Near:
    """All codes of a small domain, of a large one those that begin alike; each beginning is read once."""

    def __init__(self, session: Session, entity: EntityType, systems: SystemRegistry) -> None:
        self._session, self._entity, self._systems = session, entity, systems
        self._known: dict[tuple[str, ...], list[Known]] = {}

    def of(self, value: str) -> list[Known]:
        everything = self._read(("",))
        if len(everything) < NEAR_MAX:
            return everything
        return self._read(tuple(sorted({text[:_PREFIX] for text in (value, core(value), core(value).upper()) if text})))

    def _read(self, begins: tuple[str, ...]) -> list[Known]:
        if begins not in self._known:
            params = (list(begins), self._entity.name, array(self._systems.ids.values()), NEAR_MAX)
            self._known[begins] = _codes(self._systems, fetch(self._session, _NEAR, params))
        return self._known[begins]


_EXACT: LiteralString = (
    "select x.golden_id, x.system_id, x.value from xref x where x.domain = %s and x.system_id = any(%s) and x.value = any(%s)"
    " and x.recorded_to is null limit %s"
)
# An index range per system and prefix: bounded, however large the domain.
_NEAR: LiteralString = (
    "select x.golden_id, x.system_id, x.value from unnest(%s::text[]) p join xref x on x.domain = %s and x.system_id = any(%s)"
    ' and x.value >= p collate "C" and x.value < (p || U&\'\\+10FFFF\') collate "C" and x.recorded_to is null limit %s'
)


def _codes(systems: SystemRegistry, rows: Sequence[Sequence[Any]]) -> list[Known]:
    return [Known(golden_id, systems.codes[system_id], value) for golden_id, system_id, value in rows]


def _mapped(session: Session, entity: EntityType, systems: SystemRegistry, system: str) -> Iterable[tuple[str, list[str]]]:
    """What was mapped of this system before: the value, and what else the golden record is called by."""
    rows = fetch(
        session,
        "select a.value, array_agg(x.value order by x.value) from (select * from identifier_assertion where domain = %s and system = %s"
        " and recorded_to is null order by recorded_from desc limit %s) a"
        " join link l on l.record_id = a.record_id and l.recorded_to is null join xref x on x.golden_id = l.golden_id"
        " and x.recorded_to is null and x.own and x.system_id <> %s group by a.id, a.value order by a.value",
        (entity.name, system, _MAPPED_MAX, systems.ids.get(system, 0)),
    )
    return [(value, others) for value, others in rows]


def _for_golden(session: Session, entity: EntityType, systems: SystemRegistry, miss: Miss) -> list[Suggestion]:
    """Golden records with a key in the system asked for, by their description and by codes; itself is none of them."""
    subject: UUID = fetch(session, "select coalesce(merged_into, id) from golden_record where id = %s", (miss.value,))[0][0]
    values = _values(session, [subject])[subject]
    line = display(entity, values)
    own = [row[0] for row in fetch(session, "select value from xref where golden_id = %s and recorded_to is null and own", (subject,))]
    rows = fetch(
        session,
        "select x.golden_id, x.value, v.values from xref x join golden_version v on v.golden_id = x.golden_id and v.recorded_to is null"
        " where x.domain = %s and x.system_id = %s and x.recorded_to is null and x.own and x.status = 'active' and x.golden_id <> %s"
        " order by x.value limit %s",
        (entity.name, systems.ids.get(miss.target, 0), subject, NEAR_MAX),
    )
    known = [Known(golden_id, miss.target, value, display(entity, found)) for golden_id, value, found in rows]
    ranked = [suggestion for code in own or [""] for suggestion in rank(Wanted(miss.system, code, line), known, BEST * 4)]
    best: dict[UUID, Suggestion] = {}
    for suggestion in sorted(ranked, key=lambda each: (-each.score, str(each.golden_id))):
        best.setdefault(suggestion.golden_id, suggestion)
    return list(best.values())


def _values(session: Session, goldens: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    rows = fetch(
        session, "select golden_id, values from golden_version where golden_id = any(%s) and recorded_to is null", (list(goldens),)
    )
    found: dict[UUID, dict[str, Any]] = dict(rows)
    return found
