"""How files of a system about a domain are read: versions that never change, and the columns of a new file by them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from mdm.db import execute, fetch, lock, text_key
from mdm.entity import EntityType
from mdm.jsonio import dumps
from mdm.load_columns import suggest
from mdm.load_table import Cells
from mdm.load_targets import Binding, check_mapping, takes_many
from mdm.load_targets import Mapping as Columns
from mdm.systems import registry

TAKEN_FROM = 0.75  # suggestions from this confidence on are taken where nobody said anything


@dataclass(frozen=True, slots=True)
class Template:
    """One version: which column becomes what, and the steps that repair cells."""

    domain: str
    system: str
    version: int
    columns: Columns
    steps: tuple[Mapping[str, Any], ...]
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file will be read: `version` of the template that says the same."""

    columns: Columns
    steps: tuple[Mapping[str, Any], ...]
    version: int


def templates(session: Session, domain: str, system: str) -> list[Template]:
    """All versions, the newest first."""
    rows = fetch(
        session,
        "select version, mapping, steps, created_by, created_at from load_template where domain = %s and system = %s order by version desc",
        (domain, system),
    )
    return [
        Template(domain, system, version, tuple(Binding(*pair) for pair in mapping["columns"]), tuple(steps), by, at)
        for version, mapping, steps, by, at in rows
    ]


def choose(session: Session, entity: EntityType, system: str, header: Sequence[str], sample: Sequence[Cells], given: Columns) -> Columns:
    """What each column becomes: as said, else as the newest template has it, else as suggested. Raises UnusableInput."""
    columns = propose(session, entity, system, header, sample, given)
    check_mapping(entity, header, columns, registry(session))
    return columns


def propose(
    session: Session, entity: EntityType, system: str, header: Sequence[str], sample: Sequence[Cells], given: Columns = ()
) -> Columns:
    """The same, as far as it is known."""
    former = [each.columns for each in templates(session, entity.name, system)]
    found = list(given)
    known = [each for columns in former[:1] for each in columns if each.column in header]
    suggested = [
        Binding(s.target, s.column) for s in suggest(entity, header, sample, former) if s.target and s.confidence >= TAKEN_FROM and s.column
    ]
    for each in (*known, *suggested):
        is_free = each.column not in {b.column for b in found}
        if is_free and (takes_many(entity, each.target) or each.target not in {b.target for b in found}):
            found.append(each)
    return tuple(found)


def former_steps(session: Session, entity: EntityType, system: str, header: Sequence[str]) -> list[Mapping[str, Any]]:
    """The steps of the newest template, those whose column the file has."""
    newest = next(iter(templates(session, entity.name, system)), None)
    return [] if newest is None else [step for step in newest.steps if step["column"] in header]


def keep(session: Session, entity: EntityType, system: str, columns: Columns, steps: Sequence[Mapping[str, Any]], by: str) -> Reading:
    """The template version that says this; a new one unless the newest does."""
    hold(session, entity.name, system)
    newest = next(iter(templates(session, entity.name, system)), None)
    if newest is not None and set(newest.columns) == set(columns) and list(newest.steps) == list(steps):
        return Reading(newest.columns, newest.steps, newest.version)
    version = 1 if newest is None else newest.version + 1
    execute(
        session,
        "insert into load_template (domain, system, version, mapping, steps, created_by) values (%s, %s, %s, %s::jsonb, %s::jsonb, %s)",
        (
            entity.name,
            system,
            version,
            dumps({"columns": [[each.target, each.column] for each in columns]}).decode(),
            dumps(list(steps)).decode(),
            by,
        ),
    )
    return Reading(tuple(columns), tuple(steps), version)


def hold(session: Session, domain: str, system: str) -> None:
    """Nobody else keeps a version until this transaction ends, so that two at once do not get one number."""
    lock(session, "load template", {text_key(f"{domain}|{system}")})
