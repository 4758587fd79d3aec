"""A file becomes a load: looked at, its columns settled, kept below MDM_HOME. Nothing of it is read into the database yet."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import IO, Any
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import load_templates, loads, policy
from mdm.access import Actor, Verb
from mdm.db import Database
from mdm.entity import EntityType
from mdm.errors import UnknownSystem
from mdm.ids import new_id
from mdm.load_files import open_table
from mdm.load_keep import Kept, drop, keep
from mdm.load_steps import Step, check_steps, given_step
from mdm.load_table import Cells, Options, Table
from mdm.load_targets import Mapping as Columns
from mdm.loads import LoadView, NewLoad
from mdm.systems import registry

SAMPLE_ROWS = 500
NAME_LENGTH_MAX = 200
_UNNAMEABLE = re.compile("[\x00-\x1f\x7f/\\\\\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that somebody wants loaded; of `columns` what is not said is taken from the template, or suggested.

    `steps`: None takes those of the template, an empty list none.
    """

    entity: EntityType
    system: str
    content: IO[bytes]
    name: str
    columns: Columns = ()
    steps: Sequence[Mapping[str, Any]] | None = None
    reading: Options = field(default_factory=Options)


def upload(database: Database, home: Path, actor: Actor, given: Upload, request_id: str) -> LoadView:
    """Raises UnusableFile, UnusableInput for columns and steps that cannot be, UnknownSystem, Forbidden."""
    return upload_all(database, home, actor, [given], request_id)[0]


def upload_all(database: Database, home: Path, actor: Actor, given: Sequence[Upload], request_id: str) -> list[LoadView]:
    """Several files, each a load of its own: all of them, or none where one cannot be. Raises as `upload`."""
    for each in given:
        policy.check(actor, Verb.LOAD, each.entity.name, each.system)
        database.run(partial(check_system, system=each.system))
    lying: list[_Lying] = []
    try:
        for each in given:
            lying = [*lying, _keep(home, each)]
        looked = [_look(home, each) for each in lying]
        return database.run(lambda session: [_register(session, actor, each, request_id) for each in looked])
    except BaseException:  # whatever went wrong: a file without a load would lie there for ever
        for kept in lying:
            drop(home, kept.kept)
        raise


@dataclass(frozen=True, slots=True)
class _Lying:
    """A file that is kept and has no load yet."""

    given: Upload
    load_id: UUID
    kept: Kept
    steps: Sequence[Step] | None


def _keep(home: Path, given: Upload) -> _Lying:
    steps = None if given.steps is None else [given_step(step) for step in given.steps]
    given = replace(given, name=_UNNAMEABLE.sub("_", given.name)[-NAME_LENGTH_MAX:])
    load_id = new_id()
    return _Lying(given, load_id, keep(home, load_id, given.content, given.name), steps)


@dataclass(frozen=True, slots=True)
class _Looked:
    """The same once it is known to be a table: its first rows."""

    lying: _Lying
    table: Table
    sample: Sequence[Cells]


def _look(home: Path, lying: _Lying) -> _Looked:
    table = open_table(home / lying.kept.place, name=lying.given.name, options=lying.given.reading)
    check_steps(table.header, lying.steps or ())
    return _Looked(lying, table, next((batch.rows for batch in table.batches(SAMPLE_ROWS)), []))


def _register(session: Session, actor: Actor, looked: _Looked, request_id: str) -> LoadView:
    lying, table = looked.lying, looked.table
    given = lying.given
    former = load_templates.former_steps(session, given.entity, given.system, table.header)
    steps = former if lying.steps is None else [step.as_json() for step in lying.steps]
    columns = load_templates.choose(session, given.entity, given.system, table.header, looked.sample, given.columns)
    template = load_templates.keep(session, given.entity, given.system, columns, steps, actor.name)
    new = NewLoad(lying.load_id, **_new(given, lying.kept, table, template))
    return loads.create(session, given.entity, actor, new, request_id)


def _new(given: Upload, kept: Kept, table: Table, template: load_templates.Reading) -> dict[str, Any]:
    reading = Options(table.encoding, table.delimiter, table.sheet, given.reading.header_row)
    return {
        "domain": given.entity.name,
        "system": given.system,
        "name": given.name,
        "place": kept.place,
        "sha256": kept.sha256,
        "bytes": kept.bytes,
        "columns": template.columns,
        "steps": template.steps,
        "reading": reading,
        "template": template.version,
    }


def check_system(session: Session, system: str) -> None:
    known = registry(session)
    if system not in known.ids or not known.is_source(system):
        raise UnknownSystem(f"there is no source system {system}; register it first")
