"""Load templates as people look after them: which there are, what tells two versions apart, a former one used again.

A template belongs to one domain and one system; whoever may not load these does not see it. Versions are only ever added.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import audit, policy
from mdm.access import Actor, Verb
from mdm.db import fetch
from mdm.entity import EntityType
from mdm.errors import Conflict, NotFound
from mdm.load_steps import Step, read_step
from mdm.load_targets import check_mapping
from mdm.load_templates import Template, hold, keep, templates
from mdm.systems import registry

LOADS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Overview:
    """The newest version of one template, and how many there are."""

    domain: str
    system: str
    version: int
    columns: int
    steps: int
    created_by: str
    created_at: datetime
    versions: int


@dataclass(frozen=True, slots=True)
class Use:
    """How many loads were read by a version, and the last of them."""

    count: int
    loads: Sequence[UUID]


@dataclass(frozen=True, slots=True)
class Moved:
    """A column that becomes something else than before."""

    column: str
    before: Sequence[str]
    after: Sequence[str]


@dataclass(frozen=True, slots=True)
class Difference:
    """What the later of two versions says otherwise. `is_reordered`: the same repairs, in another order."""

    added: Mapping[str, Sequence[str]]
    removed: Mapping[str, Sequence[str]]
    moved: Sequence[Moved]
    steps_added: Sequence[Step]
    steps_removed: Sequence[Step]
    is_reordered: bool

    @property
    def is_empty(self) -> bool:
        return not (self.added or self.removed or self.moved or self.steps_added or self.steps_removed or self.is_reordered)


def overview(session: Session, actor: Actor) -> list[Overview]:
    """Every template that the actor may load by, in one statement."""
    systems = None if actor.systems is None else sorted(actor.systems)
    rows = fetch(
        session,
        "select distinct on (domain, system) domain, system, version, jsonb_array_length(mapping -> 'columns'), jsonb_array_length(steps),"
        " created_by, created_at, count(*) over (partition by domain, system) from load_template"
        " where domain = any(%s) and (%s::text[] is null or system = any(%s)) order by domain, system, version desc",
        (sorted(policy.domains(actor, Verb.LOAD)), systems, systems),
    )
    return [Overview(*row) for row in rows]


def versions(session: Session, actor: Actor, domain: str, system: str) -> list[Template]:
    """All versions, the newest first. Raises NotFound where there is none, and for what the actor may not load."""
    found = templates(session, domain, system) if policy.can(actor, Verb.LOAD, domain, system) else []
    if not found:
        raise NotFound("there is no such template")
    return found


def uses(session: Session, domain: str, system: str) -> dict[int, Use]:
    """The loads of each version that any load was read by."""
    rows = fetch(
        session,
        "select template, count(*), (array_agg(id order by id desc))[1:%s] from load"
        " where domain = %s and system = %s and template is not null group by template",
        (LOADS_SHOWN, domain, system),
    )
    return {version: Use(count, ids) for version, count, ids in rows}


def steps_of(template: Template) -> list[Step]:
    return [read_step(step) for step in template.steps]


def difference(before: Template, after: Template) -> Difference:
    """By columns, since a file has these; a step that says something else is one removed and one added. Pure."""
    was, now = _targets(before), _targets(after)
    had, has = steps_of(before), steps_of(after)
    return Difference(
        added={column: now[column] for column in now if column not in was},
        removed={column: was[column] for column in was if column not in now},
        moved=[Moved(column, was[column], now[column]) for column in was if column in now and was[column] != now[column]],
        steps_added=[step for step in has if step not in had],
        steps_removed=[step for step in had if step not in has],
        is_reordered=had != has and all(step in had for step in has) and all(step in has for step in had),
    )


def _targets(template: Template) -> dict[str, tuple[str, ...]]:
    """What becomes of each column; the command line can say several things of one."""
    columns = sorted({each.column for each in template.columns})
    return {column: tuple(sorted(each.target for each in template.columns if each.column == column)) for column in columns}


@dataclass(frozen=True, slots=True)
class Again:
    """Which version is to be used again, by whoever saw `newest` as the newest."""

    version: int
    newest: int


def use_again(session: Session, actor: Actor, entity: EntityType, system: str, wanted: Again, request_id: str) -> int:
    """A former version becomes the newest, under a number of its own. Twice is as once.

    Raises NotFound, Conflict where somebody kept a newer one meanwhile, UnusableInput where the domain no longer has what it names.
    """
    hold(session, entity.name, system)
    found = versions(session, actor, entity.name, system)
    former = next((each for each in found if each.version == wanted.version), None)
    if former is None:
        raise NotFound("there is no such version")
    if difference(found[0], former).is_empty:
        return found[0].version
    if found[0].version != wanted.newest:
        raise Conflict(f"version {found[0].version} was kept meanwhile; look at it first")
    check_mapping(entity, [each.column for each in former.columns], former.columns, registry(session))
    kept = keep(session, entity, system, former.columns, former.steps, actor.name)
    detail = {"system": system, "version": kept.version, "again": former.version}
    audit.record(session, actor, "template:again", domain=entity.name, request_id=request_id, detail=detail)
    return kept.version
