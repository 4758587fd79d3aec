"""The values of a mapping set's inputs and outputs in Concord's own terms: which golden record is meant, now or as it was known.

A value of a domain is a golden id, or a key of a system ({system, value}) that the crosswalk reads. Merged golden ids stand for their
survivor.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import LiteralString, NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import policy
from mdm.access import Actor, Verb
from mdm.crosswalk import Holder, holder, settled
from mdm.db import fetch
from mdm.entities import ENTITY_TYPES
from mdm.errors import Forbidden
from mdm.question import KEY, Plan, Question, ask, golden_id_of, plan
from mdm.systems import GOLDEN, SystemRegistry, registry

UNKNOWN_VALUE, UNKNOWN_SYSTEM, AMBIGUOUS_VALUE = "unknown_value", "unknown_system", "ambiguous_value"


class Reference(NamedTuple):
    """A key of a system (code or alias), as it is meant on a day: keys are given to somebody else years later."""

    domain: str
    system: str
    value: str
    day: date


@dataclass(frozen=True, slots=True)
class Understood:
    """References and golden ids, each with the golden id that it stands for; what is not understood has a problem code instead."""

    goldens: Mapping[Reference | str, str]
    problems: Mapping[Reference | str, str]
    missed: Mapping[tuple[str, str], list[str]]  # (domain, system) -> values that nobody knows


def understand(
    session: Session, actor: Actor, references: Collection[Reference], ids: Mapping[str, str], known_at: datetime | None
) -> Understood:
    """What these stand for; `ids` are golden ids with their domain. Raises Forbidden for a system outside the actor's scope."""
    goldens: dict[Reference | str, str] = {}
    problems: dict[Reference | str, str] = {}
    missed: dict[tuple[str, str], list[str]] = {}
    for (domain, system), group in _grouped(references).items():
        code = _check_scope(actor, registry(session), domain, system)
        for reference, found in _read(session, group, known_at).items():
            if found in _PROBLEMS:
                problems[reference] = found
            else:
                goldens[reference] = found
            if found == UNKNOWN_VALUE:
                missed.setdefault((domain, code), []).append(reference.value)
    known = survivors(session, ids.keys(), known_at)
    for golden_id, domain in ids.items():
        if golden_id in known and known[golden_id][1] == domain:
            goldens[golden_id] = known[golden_id][0]
        else:
            problems[golden_id] = UNKNOWN_VALUE
    return Understood(*_seen(session, actor, goldens, problems), missed)


_PROBLEMS = frozenset({UNKNOWN_VALUE, UNKNOWN_SYSTEM, AMBIGUOUS_VALUE})


def _grouped(references: Iterable[Reference]) -> dict[tuple[str, str], list[Reference]]:
    groups: dict[tuple[str, str], list[Reference]] = {}
    for reference in references:
        groups.setdefault((reference.domain, reference.system), []).append(reference)
    return groups


def _check_scope(actor: Actor, systems: SystemRegistry, domain: str, system: str) -> str:
    code = systems.resolve(system)
    if code is None and actor.systems is not None:
        raise Forbidden  # as for a system out of scope, which then cannot be told from none
    if code is not None and systems.is_source(code):
        policy.check(actor, Verb.LOOKUP, domain, code)
    return code or system


def _seen(
    session: Session, actor: Actor, goldens: dict[Reference | str, str], problems: dict[Reference | str, str]
) -> tuple[dict[Reference | str, str], dict[Reference | str, str]]:
    """A golden record to which no system in scope contributes does not exist for the actor."""
    if actor.systems is None:
        return goldens, problems
    seen = {str(golden) for golden in policy.visible(session, actor, {UUID(golden) for golden in goldens.values()})}
    hidden = {place: UNKNOWN_VALUE for place, golden in goldens.items() if golden not in seen}
    return {place: golden for place, golden in goldens.items() if golden in seen}, problems | hidden


def _read(session: Session, group: Sequence[Reference], known_at: datetime | None) -> dict[Reference, str]:
    """Reference -> golden id or problem; one statement for all of one system's keys, whatever their days."""
    values = sorted({reference.value for reference in group})
    planned = plan(registry(session), Question(ENTITY_TYPES[group[0].domain], group[0].system, (), values, group[0].day))
    if not isinstance(planned, Plan):
        return dict.fromkeys(group, UNKNOWN_SYSTEM)
    held = _held_now(session, planned) if known_at is None else _held_then(session, planned, known_at)
    keys = dict(zip(values, planned.keys, strict=True))
    return {reference: _one(held.get(keys[reference.value] or "", []), reference.day) for reference in group}


def _one(rows: Sequence[Holder], day: date) -> str:
    if len(rows) == 1:  # nearly every key
        return rows[0].golden_id
    goldens = {row.golden_id for row in settled(rows, day.isoformat())}
    return UNKNOWN_VALUE if not goldens else goldens.pop() if len(goldens) == 1 else AMBIGUOUS_VALUE


def _held_now(session: Session, planned: Plan) -> dict[str, list[Holder]]:
    held: dict[str, list[Holder]] = {}
    for cells in ask(session, planned):
        held.setdefault(cells[KEY] or "", []).append(holder(cells))
    return held


def _held_then(session: Session, planned: Plan, known_at: datetime) -> dict[str, list[Holder]]:
    """The same from rows of the crosswalk that were open at that moment; golden ids stand for themselves or whom they had gone into."""
    keys = [key for key in planned.keys if key is not None]
    if planned.source == GOLDEN:
        then = survivors(session, keys, known_at)
        rows = [(key, then[key][0], True, True, None, None) for key in keys if key in then]
    else:
        rows = fetch(session, _HELD_THEN, (planned.question.entity.name, planned.registry.ids[planned.source], keys, known_at, known_at))
    held: dict[str, list[Holder]] = {}
    for value, golden, own, active, valid_from, valid_to in rows:
        row = Holder(
            golden_id=golden,
            system_id=None,
            value="",
            target_active=False,
            target_valid_from=None,
            target_valid_to=None,
            own=own,
            active=active,
            pending=False,
            valid_from=valid_from,
            valid_to=valid_to,
        )
        held.setdefault(value, []).append(row)
    return held


_HELD_THEN: LiteralString = (
    "select value, golden_id::text, own, status = 'active', to_char(valid_from, 'YYYY-MM-DD'), to_char(valid_to, 'YYYY-MM-DD') from xref"
    " where domain = %s and system_id = %s and value = any(%s) and recorded_from <= %s and (recorded_to is null or recorded_to > %s)"
)


def survivors(session: Session, ids: Collection[str], known_at: datetime | None) -> dict[str, tuple[str, str]]:
    """Golden id -> the one that it stands for then (None: now), and their domain; ids of nobody are left out."""
    wanted = [each for each in ids if golden_id_of(each) == each]
    if not wanted:
        return {}
    if known_at is None:
        rows = fetch(
            session,
            "select id::text, coalesce(merged_into, id)::text, domain from golden_record where id = any(%s::text[]::uuid[])",
            (wanted,),
        )
    else:
        rows = fetch(session, _SURVIVORS_THEN, {"ids": wanted, "at": known_at})
    return {row[0]: (row[1], row[2]) for row in rows}


def survivors_now(session: Session, ids: Collection[str]) -> dict[str, str]:
    """Golden id -> the one that it stands for today."""
    return {golden_id: survivor for golden_id, (survivor, _) in survivors(session, ids, None).items()}


# A golden record that still had records of its own stood for itself; else its last record tells into which one it had gone.
_SURVIVORS_THEN: LiteralString = """
select g.id::text, coalesce(
         (select l.golden_id from link l where l.golden_id = g.id and l.recorded_from <= %(at)s
             and (l.recorded_to is null or l.recorded_to > %(at)s) limit 1),
         (select n.golden_id from (select record_id from link where golden_id = g.id and recorded_to <= %(at)s
                                    order by recorded_to desc, record_id limit 1) o
            join link n on n.record_id = o.record_id and n.recorded_from <= %(at)s and (n.recorded_to is null or n.recorded_to > %(at)s)
           limit 1),
         g.merged_into, g.id)::text, g.domain
  from golden_record g where g.id = any(%(ids)s::text[]::uuid[])
"""


def namesakes(
    session: Session, survivor_ids: Collection[str], named: Collection[str], known_at: datetime | None
) -> dict[str, tuple[str, ...]]:
    """Survivor -> the other golden ids that stand for it; `named` are those that rules name."""
    if not survivor_ids or not named:
        return {}
    if known_at is None:
        rows = fetch(
            session,
            "select merged_into::text, id::text from golden_record where merged_into = any(%s::text[]::uuid[]) order by id",
            (list(survivor_ids),),
        )
    else:
        then = survivors(session, named, known_at)
        rows = [(survivor, golden) for golden, (survivor, _) in sorted(then.items()) if survivor != golden and survivor in survivor_ids]
    found: dict[str, list[str]] = {}
    for survivor, golden in rows:
        found.setdefault(survivor, []).append(golden)
    return {survivor: tuple(others) for survivor, others in found.items()}
