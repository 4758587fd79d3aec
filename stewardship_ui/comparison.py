"""A task's subject and candidates side by side. Evidence stands in the row it is about, as it was stored.

Beside it: the same evidence as a sum with what would turn the outcome, wherever today's model still says what was stored.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from matching.explain import Explanation, explain
from matching.model import Model
from matching.score import Evidence
from mdm import mask
from mdm.db import fetch
from mdm.entity import EntityType
from mdm.errors import NotFound
from mdm.golden import GoldenView, SourceView
from mdm.identifier_systems import BY_CODE
from mdm.models import scorer
from mdm.reading import Reader, read_golden, read_sources
from mdm.records import read_columns
from mdm.systems import registry
from mdm.tasks import TaskView
from stewardship_ui.showing import shown

_ROUNDING = 1e-9  # what a weight may differ by after it was stored

Texts = Sequence[str]
Row = tuple[str, Sequence[tuple[Texts, Sequence[Evidence]]]]  # a title, and per column its texts and what the comparison said


@dataclass(frozen=True, slots=True)
class Strength:
    """What a pair's stored evidence adds up to. `is_total` is False where the prior is left out, as against a record's former version.

    No `explanation`: the model has changed since, and its numbers are others.
    """

    weight: float
    evidence: tuple[Evidence, ...]
    vetoes: tuple[str, ...]
    capped: bool
    is_total: bool = True
    explanation: Explanation | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """One side: what it is called, which golden record it is, its values by row, and how it compares with the subject."""

    title: str
    line: str
    values: Mapping[str, Texts]
    golden_id: UUID | None = None
    strength: Strength | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The columns, the first of which is the subject; the rows; and the model whose thresholds apply."""

    columns: Sequence[Column]
    rows: Sequence[Row]
    model: Model


def compare(session: Session, entity: EntityType, reader: Reader, task: TaskView) -> Comparison:
    """What the task is about, as this reader may see it; every read is audited."""
    columns = _COLUMNS[task.kind](session, entity, reader, task)
    model = scorer(session, entity).model
    return Comparison(columns, list(_rows(entity, model, columns)), model)


def _review(session: Session, entity: EntityType, reader: Reader, task: TaskView) -> list[Column]:
    subject = read_golden(session, entity, reader, task.goldens[0])
    found = [_golden_column(entity, reader, subject, "Subject")]
    reasons = {candidate["golden_id"]: candidate["reason"] for candidate in task.detail["candidates"]}
    for number, golden_id in enumerate(task.goldens[1:], start=1):
        view = read_golden(session, entity, reader, golden_id)
        strength = _strongest(session, entity, subject.records, view.records)
        found.append(_golden_column(entity, reader, view, f"Candidate {number}", strength, reasons.get(str(golden_id), "")))
    return found


def _golden_column(
    entity: EntityType, reader: Reader, view: GoldenView, title: str, strength: Strength | None = None, reason: str = ""
) -> Column:
    values = {a.name: shown(reader.actor, a, view.values.get(a.name)) for a in entity.attributes}
    held = _by_row(entity, [(each.system, each.value) for each in view.identifiers])
    return Column(title, mask.line(entity, view.values), {**values, **held}, view.id, strength, reason)


def _cut(session: Session, entity: EntityType, reader: Reader, task: TaskView) -> list[Column]:
    """One column per record, part by part; each further part shows its strongest tie to the first."""
    views = {str(view.record_id): view for view in read_sources(session, entity, reader, task.goldens[0])}
    parts = [[record for record in part if record in views] for part in task.detail["parts"]]
    first = [UUID(record) for record in parts[0]]
    found = []
    for number, part in enumerate(parts, start=1):
        tie = _strongest(session, entity, first, [UUID(record) for record in part]) if number > 1 else None
        found += [_source_column(entity, reader, views[r], f"Part {number}", tie if r == part[0] else None) for r in part]
    return found


def _overlay(session: Session, entity: EntityType, reader: Reader, task: TaskView) -> list[Column]:
    views = [view for view in read_sources(session, entity, reader, task.goldens[0]) if view.record_id == task.records[0]]
    if not views:
        raise NotFound
    version = "select raw from source_record_version where record_id = %s and version = %s"
    (incoming,), *_ = fetch(session, version, (task.records[0], task.detail["version"]))
    detail = task.detail["evidence"]
    evidence = tuple(Evidence(**item) for item in detail["items"])
    strength = Strength(sum(e.weight for e in evidence), evidence, tuple(detail["vetoes"]), detail["capped"], is_total=False)
    values = _source_values(entity, reader, mask.values(entity, reader.actor, incoming["attributes"]))
    systems = registry(session)
    # What is secret is known by its code; a source may have used an alias.
    named = [(systems.resolve(system) or system, value) for system, value in incoming["identifiers"]]
    held = _by_row(entity, [(system, mask.identifier(reader.actor, system, value)) for system, value in named])
    now = _source_column(entity, reader, views[0], "Present version")
    return [now, Column("Incoming version", now.line, {**values, **held}, strength=strength)]


def _source_column(entity: EntityType, reader: Reader, view: SourceView, title: str, strength: Strength | None = None) -> Column:
    values = {**_source_values(entity, reader, view.attributes), **_by_row(entity, view.identifiers)}
    return Column(title, f"{view.system} {view.key}", values, strength=strength)


def _source_values(entity: EntityType, reader: Reader, values: Mapping[str, Any]) -> dict[str, Texts]:
    return {a.name: shown(reader.actor, a, values.get(a.name), raw=True) for a in entity.attributes}


_COLUMNS = {"review": _review, "cut": _cut, "overlay": _overlay}


def _strongest(session: Session, entity: EntityType, mine: Sequence[UUID], others: Sequence[UUID]) -> Strength | None:
    """The stored evidence of the strongest pair between two groups of records, None when no pair ever reached review."""
    rows = fetch(
        session,
        "select weight, evidence, low, high from edge where (low = any(%(mine)s) and high = any(%(others)s))"
        " or (low = any(%(others)s) and high = any(%(mine)s)) order by weight desc, low, high limit 1",
        {"mine": list(mine), "others": list(others)},
    )
    if not rows:
        return None
    weight, stored, low, high = rows[0]
    evidence = tuple(Evidence(**item) for item in stored["items"])
    explanation = _explanation(session, entity, low, high, evidence)
    return Strength(weight, evidence, tuple(stored["vetoes"]), stored["capped"], explanation=explanation)


def _explanation(session: Session, entity: EntityType, low: UUID, high: UUID, stored: Sequence[Evidence]) -> Explanation | None:
    columns = read_columns(session, (low, high))
    found = explain(scorer(session, entity), columns[low], columns[high])
    steps = {(step.comparison, step.level): step.weight for step in found.steps}
    known = {(evidence.comparison, evidence.level): evidence.weight for evidence in stored}
    is_same = steps.keys() == known.keys() and all(abs(steps[said] - weight) < _ROUNDING for said, weight in known.items())
    return found if is_same else None


def _by_row(entity: EntityType, identifiers: Iterable[tuple[str, str]]) -> Mapping[str, Texts]:
    """Identifiers by the column under which matching compares them; local keys share one row."""
    names = {rule.system: rule.name for rule in entity.identifiers}
    found: dict[str, list[str]] = {}
    for system, value in identifiers:
        name = names.get(system, system if system in BY_CODE else "")
        found.setdefault(name, []).append(value if name else f"{system} {value}")
    return found


def _rows(entity: EntityType, model: Model, columns: Sequence[Column]) -> Iterable[Row]:
    """The domain's own order; a row without a value and without evidence is left out."""
    about = {comparison.name: comparison.needs[0].partition(".")[0] for comparison in model.comparisons}
    titles = {a.name: a.title for a in entity.attributes} | {rule.name: BY_CODE[rule.system].label for rule in entity.identifiers}
    own = list(titles)
    titles |= {code: system.label for code, system in BY_CODE.items()} | {"keys": "Reference to the other record", "": "Local keys"}
    spoken = [about.get(e.comparison, e.comparison) for c in columns if c.strength for e in c.strength.evidence]
    names = dict.fromkeys([*own, *(name for c in columns for name in c.values if name), *spoken, ""])
    for name in names:
        cells = [(c.values.get(name, ()), _evidence(c, about, name)) for c in columns]
        if any(texts or evidence for texts, evidence in cells):
            yield titles.get(name) or name.replace("_", " ").capitalize(), cells


def _evidence(column: Column, about: Mapping[str, str], name: str) -> list[Evidence]:
    if column.strength is None:
        return []
    return [e for e in column.strength.evidence if about.get(e.comparison, e.comparison) == name]
