"""Waves of a load: rows whose attributes have certain values are applied, the others wait.

A wave is said as people write it, and compared as values are stored: cleaned, whatever the case; of many values any one.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import mask
from mdm.access import Actor
from mdm.db import execute, fetch
from mdm.entity import EntityType
from mdm.errors import Conflict, FieldProblem, Invalid
from mdm.jsonio import dumps
from mdm.values.kind import clean_text

if TYPE_CHECKING:  # Arrow comes with it, which no web process needs before a wave is asked for
    from mdm.load_rows import Row

ROWS_LOOKED_THROUGH = 100_000  # while somebody waits for the answer: a wave that lies deeper is believed
_VALUES_NAMED = 20

Wanted = Mapping[str, frozenset[str]]  # by attribute, the forms in which its value may stand


@dataclass(frozen=True, slots=True)
class Waiting:
    """A plan whose rows wait."""

    plan_id: UUID
    entity: EntityType
    system: str


def wanted_of(entity: EntityType, wave: Mapping[str, str]) -> Wanted:
    """A wave as rows are compared with it."""
    kinds = {each.name: each.type for each in entity.attributes}
    return {name: frozenset(_form(text) for text in (said, kinds[name].read(said).value) if text) for name, said in wave.items()}


def is_of(row: "Row", wave: Wanted) -> bool:
    return all(not forms.isdisjoint(_form(each) for each in _values(row, name)) for name, forms in wave.items())


def _form(text: str) -> str:
    return clean_text(text).casefold()


def _values(row: "Row", name: str) -> tuple[str, ...]:
    """As it is stored; what did not clean is stored as it was delivered."""
    found: Any = row.standard.attributes.get(name) or row.standard.delivery.attributes.get(name) or ()
    return (found,) if isinstance(found, str) else tuple(found)


def check_wave(session: Session, actor: Actor, waiting: Waiting, wave: Mapping[str, str]) -> None:
    """Raise Invalid for a wave by something that the domain has not, or in which no row is that waits; it says which values there are."""
    attributes = {each.name: each for each in waiting.entity.attributes}
    unknown = sorted(set(wave) - set(attributes))
    if unknown:
        raise Invalid.at("unknown_attribute", f"/wave/{unknown[0]}", f"{waiting.entity.label} has no such attribute")
    wanted = wanted_of(waiting.entity, wave)
    there: dict[str, Counter[str]] = {name: Counter() for name in wave}
    for looked, row in enumerate(_rows(session, waiting)):
        if is_of(row, wanted) or looked >= ROWS_LOOKED_THROUGH:
            return
        for name in wave:
            there[name].update(_values(row, name))
    missing = [name for name in sorted(wave) if wanted[name].isdisjoint(_form(each) for each in there[name])]
    problems = [FieldProblem("empty_wave", f"/wave/{name}", _there(actor, waiting.entity, name, there[name])) for name in missing]
    together = FieldProblem("empty_wave", "/wave", "there are rows with each of these values, but none with all of them")
    raise Invalid("no row that waits is in this wave", tuple(problems) or (together,))


def _there(actor: Actor, entity: EntityType, name: str, values: Counter[str]) -> str:
    """Which values there are instead, the most frequent ones first; none to whom they would be masked."""
    attribute = next(each for each in entity.attributes if each.name == name)
    if not values:
        return f"no row that waits has a {name}"
    if not mask.sees(actor, attribute.sensitivity):
        return f"no row that waits has this {name}"
    named = ", ".join(value for value, _ in values.most_common(_VALUES_NAMED))
    return f"no row that waits has this {name}; there are {named}" + (" and others" if len(values) > _VALUES_NAMED else "")


def _rows(session: Session, waiting: Waiting) -> "Iterator[Row]":
    """Rows of the plan that nobody has applied, piece by piece."""
    from mdm.load_rows import read_groups  # noqa: PLC0415  (see above)

    pieces = fetch(session, "select way, no from load_piece where plan_id = %s and way <> 'staged' order by way, no", (waiting.plan_id,))
    for way, no in pieces:
        found = fetch(session, "select content from load_piece where plan_id = %s and way = %s and no = %s", (waiting.plan_id, way, no))
        rows = [row for group in read_groups(waiting.system, found[0][0]) for row in group]
        left = left_of(session, waiting.plan_id, [row.no for row in rows])
        yield from (row for row in rows if row.no in left)


def left_of(session: Session, plan_id: UUID, numbers: list[int]) -> frozenset[int]:
    """Those of these rows that no wave has applied."""
    rows = fetch(session, "select no from load_row where plan_id = %s and no = any(%s) and became is null", (plan_id, numbers))
    return frozenset(row[0] for row in rows)


def begin_wave(session: Session, plan_id: UUID, wave: Mapping[str, str] | None) -> None:
    """The plan's next wave; without one, all rows that wait."""
    said = {"wave": dict(wave)} if wave else {}
    execute(session, "update load_plan set report = (report - 'wave') || %s::jsonb where id = %s", (dumps(said).decode(), plan_id))


def check_under_way(report: Mapping[str, Any], wave: Mapping[str, str] | None) -> None:
    """Raise Conflict while other rows of the plan are being applied than those that are asked for."""
    if report.get("wave", {}) != dict(wave or {}):
        raise Conflict("other rows of this load are being applied: ask again when that has ended")


def waves_as_seen(entity: EntityType, actor: Actor, report: Mapping[str, Any]) -> dict[str, Any]:
    """What a plan's report tells of waves, with values as the actor may see them."""
    told: dict[str, Any] = {}
    if "wave" in report:
        told["wave"] = mask.values(entity, actor, report["wave"])
    if "asked" in report:
        told["asked"] = {**report["asked"], "wave": mask.values(entity, actor, report["asked"]["wave"])}
    return told
