"""A load before its plan, settled step by step: how the file is read, which column is what, which repairs are made. All of it lies here.

A draft is a load whose columns need not be complete yet. Whatever is changed takes it back to `uploaded`: a plan that was made of
something else can no longer be applied. Cells of a file about patients are shown to whoever uploaded it, and every look is audited.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy.orm import Session

from mdm import audit, load_templates, loads, policy
from mdm.access import Actor, Verb
from mdm.db import Database, execute
from mdm.entity import EntityType
from mdm.errors import Conflict, NotFound
from mdm.ids import new_id
from mdm.load_columns import Suggestion, suggest
from mdm.load_files import open_table
from mdm.load_keep import drop, keep
from mdm.load_profile import ColumnProfile, Finding, Profiler
from mdm.load_rejected import sees_cells
from mdm.load_source import Source, source_of
from mdm.load_steps import Step
from mdm.load_table import Cells, Options, RowReject, Table
from mdm.load_targets import Mapping as Columns
from mdm.load_targets import check_mapping, required
from mdm.load_upload import SAMPLE_ROWS, Upload, check_system
from mdm.load_values import Converter
from mdm.loads import LoadView, NewLoad
from mdm.systems import registry

SHOWN_ROWS = 20
EXAMINED_ROWS = 200_000
_BATCH = 5_000
_COUNTED = 200


@dataclass(frozen=True, slots=True)
class Draft:
    """A load, its file as it is read now, what was chosen so far, and the columns that no load can do without and nobody has named."""

    view: LoadView
    entity: EntityType
    table: Table
    options: Options
    rows: Sequence[Cells]
    columns: Columns
    steps: Sequence[Step]
    missing: Sequence[str]


@dataclass(frozen=True, slots=True)
class Problems:
    """Rows that would be rejected for one reason in one column, and what to do."""

    code: str
    column: str
    rows: int
    fix: str


@dataclass(frozen=True, slots=True)
class Examined:
    """What the file holds after the repairs, and what of it would be rejected. `cut`: only its first rows were looked at."""

    rows: int
    right: int
    columns: Sequence[ColumnProfile]
    findings: Sequence[Finding]
    problems: Sequence[Problems]
    applied: Mapping[str, int]
    cut: bool


def begin(database: Database, home: Path, actor: Actor, given: Upload, request_id: str) -> LoadView:
    """Keep the file and make its draft, with the columns that a template or a sure suggestion knows. Raises UnusableFile, UnknownSystem."""
    policy.check(actor, Verb.LOAD, given.entity.name, given.system)
    database.run(lambda session: check_system(session, given.system))
    load_id = new_id()
    kept = keep(home, load_id, given.content, given.name)
    try:
        table = open_table(home / kept.place, name=given.name, options=given.reading)
        sample = next((batch.rows for batch in table.batches(SAMPLE_ROWS)), [])

        def register(session: Session) -> LoadView:
            columns = load_templates.propose(session, given.entity, given.system, table.header, sample)
            steps = load_templates.former_steps(session, given.entity, given.system, table.header)
            new = NewLoad(
                load_id, given.entity.name, given.system, given.name, kept.place, kept.sha256, kept.bytes, columns, steps, given.reading
            )
            return loads.create(session, given.entity, actor, new, request_id)

        return database.run(register)
    except BaseException:  # whatever went wrong: a file without a load would lie there for ever
        drop(home, kept)
        raise


def look(database: Database, home: Path, actor: Actor, load_id: UUID, request_id: str) -> Draft:
    """The draft with its first rows. Raises NotFound, UnusableFile where other options make the file unreadable."""
    view, source = database.run(lambda session: _source(session, home, actor, load_id))
    table = open_table(source.path, name=source.name, options=source.options)
    sees = sees_cells(actor, view)
    rows = next((batch.rows for batch in table.batches(SHOWN_ROWS)), [])[:SHOWN_ROWS] if sees else []
    if rows and source.entity.phi:
        database.run(lambda session: _audit(session, actor, "load:look", view, request_id))
    columns = tuple(each for each in source.columns if each.column in table.header)
    named = {each.target for each in columns}
    missing = [target for target in required(source.entity) if target not in named]
    return Draft(view, source.entity, table, source.options, rows, columns, source.steps, missing)


def _source(session: Session, home: Path, actor: Actor, load_id: UUID, *, lock: bool = False) -> tuple[LoadView, Source]:
    view, source = loads.get(session, actor, load_id, lock=lock), source_of(session, load_id, home)
    if source is None or not source.path.is_file():
        raise NotFound("the file of this load is no longer here")
    return view, source


def suggestions(database: Database, home: Path, actor: Actor, load_id: UUID) -> tuple[Suggestion, ...]:
    """What each column seems to be, and why."""
    view, source = database.run(lambda session: _source(session, home, actor, load_id))
    table = open_table(source.path, name=source.name, options=source.options)
    sample = next((batch.rows for batch in table.batches(SAMPLE_ROWS)), [])
    former = database.run(lambda session: load_templates.templates(session, view.domain, view.system))
    return suggest(source.entity, table.header, sample, [each.columns for each in former])


def examine(database: Database, home: Path, actor: Actor, load_id: UUID) -> Examined:
    """Read the whole file as it would be loaded. Raises Conflict while a required column is missing."""
    _, source = database.run(lambda session: _source(session, home, actor, load_id))
    table = open_table(source.path, name=source.name, options=source.options)
    database.run(lambda session: check_mapping(source.entity, table.header, source.columns, registry(session)))
    steps = [step for step in source.steps if step.column in table.header]  # read otherwise, a file may have other columns than before
    converter = Converter(source.entity, source.system, table.header, source.columns, steps)
    profiler, found = Profiler(source.entity, table.header, source.columns), _Found()
    for batch in islice(table.batches(_BATCH), EXAMINED_ROWS // _BATCH):
        repaired = converter.repair(batch.rows)
        profiler.add(repaired)
        found.add(len(batch.rows), [*converter.screen(repaired).values(), *(bad.reject for bad in batch.rejected)], len(batch.rejected))
    return Examined(
        found.rows,
        found.rows - found.wrong,
        profiler.columns(),
        profiler.findings(),
        found.problems(),
        dict(converter.applied),
        found.rows >= EXAMINED_ROWS,
    )


class _Found:
    """Rejects, counted by reason."""

    def __init__(self) -> None:
        self.rows = self.wrong = 0
        self._counts: Counter[tuple[str, str, str]] = Counter()

    def add(self, rows: int, rejects: Sequence[RowReject], unread: int) -> None:
        self.rows += rows + unread
        self.wrong += len(rejects)
        self._counts.update((each.code, each.column, each.fix) for each in rejects)

    def problems(self) -> list[Problems]:
        """By reason and column; of several remedies the one that most rows need."""
        best: dict[tuple[str, str], tuple[int, int, str]] = {}
        for (code, column, fix), rows in self._counts.items():
            total, most, said = best.get((code, column), (0, 0, ""))
            best[code, column] = (total + rows, max(most, rows), fix if rows > most else said)
        found = [Problems(code, column, total, fix) for (code, column), (total, _, fix) in best.items()]
        return sorted(found, key=lambda each: (each.code, -each.rows))[:_COUNTED]


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be other than it is; None stays."""

    columns: Columns | None = None
    steps: Sequence[Step] | None = None
    reading: Options | None = None


def change(session: Session, actor: Actor, load_id: UUID, changes: Changes, request_id: str) -> LoadView:
    """Choose otherwise. Raises Conflict for a load that is planned right now, or was applied."""
    view = loads.get(session, actor, load_id, lock=True)
    _check_open(view)
    options = dict(view.options)
    if changes.columns is not None:
        options["columns"] = [[each.target, each.column] for each in changes.columns]
    if changes.steps is not None:
        options["steps"] = [step.as_json() for step in changes.steps]
    if changes.reading is not None:
        options["reading"] = asdict(changes.reading)
    if options == view.options:
        return view
    execute(
        session,
        "update load set options = %s, status = 'uploaded', asked_by = null, approved_by = null, same_as = null where id = %s",
        (Jsonb(options), load_id),
    )
    _audit(session, actor, "load:change", view, request_id)
    return loads.get(session, actor, load_id)


def _check_open(view: LoadView) -> None:
    if view.status not in {"uploaded", "planned"}:
        raise Conflict(f"this load is {view.status}: how its file is read stands")
    if (view.job or {}).get("state") in {"queued", "running"}:
        raise Conflict("a plan of this load is being made; end it first, or wait for it")


def settle(session: Session, actor: Actor, home: Path, load_id: UUID, request_id: str) -> LoadView:
    """What was chosen is enough: keep it as the template of this system, and plan. Raises UnusableInput, Conflict."""
    view, source = _source(session, home, actor, load_id, lock=True)  # what is chosen in another window comes before this, or after it
    _check_open(view)
    table = open_table(source.path, name=source.name, options=source.options)
    columns = tuple(each for each in source.columns if each.column in table.header)
    check_mapping(source.entity, table.header, columns, registry(session))
    steps = [step.as_json() for step in source.steps if step.column in table.header]
    kept = load_templates.keep(session, source.entity, source.system, columns, steps, actor.name)
    reading = replace(source.options, encoding=table.encoding, delimiter=table.delimiter, sheet=table.sheet)
    options: dict[str, Any] = {
        "columns": [[each.target, each.column] for each in kept.columns],
        "steps": [dict(step) for step in kept.steps],
        "reading": asdict(reading),
    }
    execute(session, "update load set options = %s, template = %s where id = %s", (Jsonb(options), kept.version, load_id))
    return loads.ask_plan(session, actor, load_id, request_id)


def _audit(session: Session, actor: Actor, action: str, view: LoadView, request_id: str) -> None:
    audit.record(session, actor, action, domain=view.domain, request_id=request_id, detail={"load": str(view.id)})
