"""The two versions of a record that an overlay task asks about, side by side. Evidence stands in the row it is about, as it was stored."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from matching.model import Model
from matching.score import Evidence
from mdm import mask
from mdm.db import fetch
from mdm.entity import EntityType
from mdm.errors import NotFound
from mdm.golden import SourceView
from mdm.identifier_systems import BY_CODE
from mdm.models import scorer
from mdm.reading import Reader, read_sources
from mdm.systems import registry
from mdm.tasks import TaskView
from stewardship_ui.showing import shown

Texts = Sequence[str]
Row = tuple[str, Sequence[tuple[Texts, Sequence[Evidence]]]]  # a title, and per column its texts and what the comparison said


@dataclass(frozen=True, slots=True)
class Strength:
    """What the stored evidence against the present version adds up to, without a prior."""

    weight: float
    evidence: tuple[Evidence, ...]
    vetoes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """One version: what it is called, its values by row, and how it compares with the present one."""

    title: str
    line: str
    values: Mapping[str, Texts]
    strength: Strength | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The columns, the first of which is the present version, and the rows."""

    columns: Sequence[Column]
    rows: Sequence[Row]


def compare(session: Session, entity: EntityType, reader: Reader, task: TaskView) -> Comparison:
    """What the task is about, as this reader may see it; every read is audited."""
    columns = _overlay(session, entity, reader, task)
    return Comparison(columns, list(_rows(entity, scorer(session, entity).model, columns)))


def _overlay(session: Session, entity: EntityType, reader: Reader, task: TaskView) -> list[Column]:
    views = [view for view in read_sources(session, entity, reader, task.goldens[0]) if view.record_id == task.records[0]]
    if not views:
        raise NotFound
    version = "select raw from source_record_version where record_id = %s and version = %s"
    (incoming,), *_ = fetch(session, version, (task.records[0], task.detail["version"]))
    detail = task.detail["evidence"]
    evidence = tuple(Evidence(**item) for item in detail["items"])
    strength = Strength(sum(e.weight for e in evidence), evidence, tuple(detail["vetoes"]))
    values = _source_values(entity, reader, mask.values(entity, reader.actor, incoming["attributes"]))
    systems = registry(session)
    # What is secret is known by its code; a source may have used an alias.
    named = [(systems.resolve(system) or system, value) for system, value in incoming["identifiers"]]
    held = _by_row(entity, [(system, mask.identifier(reader.actor, system, value)) for system, value in named])
    now = _source_column(entity, reader, views[0], "Present version")
    return [now, Column("Incoming version", now.line, {**values, **held}, strength=strength)]


def _source_column(entity: EntityType, reader: Reader, view: SourceView, title: str) -> Column:
    values = {**_source_values(entity, reader, view.attributes), **_by_row(entity, view.identifiers)}
    return Column(title, f"{view.system} {view.key}", values)


def _source_values(entity: EntityType, reader: Reader, values: Mapping[str, Any]) -> dict[str, Texts]:
    return {a.name: shown(reader.actor, a, values.get(a.name), raw=True) for a in entity.attributes}


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
