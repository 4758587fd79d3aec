"""What the job of a load reads, and how."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from sqlalchemy.orm import Session

from mdm.db import fetch
from mdm.entities import ENTITY_TYPES
from mdm.entity import EntityType
from mdm.load_steps import Step, read_step
from mdm.load_table import Options
from mdm.load_targets import Binding
from mdm.load_targets import Mapping as Columns


@dataclass(frozen=True, slots=True)
class Source:
    """What is read, and how."""

    entity: EntityType
    system: str
    path: Path
    name: str
    options: Options
    columns: Columns
    steps: Sequence[Step]


def source_of(session: Session, load_id: UUID, home: Path) -> Source | None:
    """What the job of a load reads; None where load or domain is gone."""
    rows = fetch(session, "select domain, system, place, name, options from load where id = %s", (load_id,))
    if not rows or rows[0][0] not in ENTITY_TYPES:
        return None
    domain, system, place, name, options = rows[0]
    columns = tuple(Binding(target, column) for target, column in options["columns"])
    steps = [read_step(step) for step in options["steps"]]
    return Source(ENTITY_TYPES[domain], system, home / place, name, Options(**options["reading"]), columns, steps)
