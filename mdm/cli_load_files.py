"""Files and folders that `mdm load` is to read become loads; a load that is there is read otherwise than before."""

import json
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mdm.cli_shared import domain
from mdm.errors import UnusableInput
from mdm.settings import Settings

if TYPE_CHECKING:  # see mdm.cli: a command imports what it needs
    from sqlalchemy.orm import Session

    from mdm.db import Database
    from mdm.entity import EntityType
    from mdm.load_draft import Changes
    from mdm.loads import LoadView

REQUEST_ID = "cli"
_HOW = ("columns", "step", "encoding", "delimiter", "sheet", "header_row")
_WHOSE = ("domain", "system")


def add_reading(parser: ArgumentParser) -> None:
    parser.add_argument("--domain", metavar="D")
    parser.add_argument("--system", metavar="S")
    parser.add_argument(
        "--columns", default="", metavar="attribute=column,...", help="what is not said is taken from the template, or suggested"
    )
    parser.add_argument("--step", action="append", default=[], metavar="JSON", help="a repair of one column, such as a date order")
    parser.add_argument("--encoding", metavar="E")
    parser.add_argument("--delimiter", metavar="C")
    parser.add_argument("--sheet", metavar="S")
    parser.add_argument("--header-row", type=int, metavar="N", help="where the names stand; else the first row with anything in it")


def reading(asked: Namespace) -> tuple[Any, Any, Any]:
    """Columns, steps and options as the command line says them."""
    from mdm.load_table import Options
    from mdm.load_targets import read_columns

    try:
        steps = [json.loads(step) for step in asked.step] or None  # none said: those of the template
    except json.JSONDecodeError as error:
        raise UnusableInput('--step takes JSON, such as {"kind": "date_order", "column": "DOB", "order": "DMY"}') from error
    columns = read_columns(asked.columns) if asked.columns else ()
    return columns, steps, Options(asked.encoding, asked.delimiter, asked.sheet, asked.header_row)


def known_load(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def to_plan(database: "Database", settings: Settings, asked: Namespace) -> list[UUID]:
    """A load that is there; or a file, or the files of a folder in the order of its manifest, each of which becomes a load."""
    from mdm.entities import ENTITY_TYPES
    from mdm.load_manifest import read_manifest

    known, path = known_load(asked.what), Path(asked.what)
    if known is not None:
        _check_unsaid(asked, _WHOSE, "a load keeps its domain and system")
        return [known]
    if path.is_dir():
        _check_unsaid(asked, (*_WHOSE, *_HOW), "the manifest says how the files of a folder are read")
        parts = read_manifest(path, ENTITY_TYPES)
        return [_upload(database, settings, p.path, (ENTITY_TYPES[p.domain], p.system, (p.mapping, p.steps, p.options))) for p in parts]
    if asked.domain is None or asked.system is None:
        raise UnusableInput("say --domain D and --system S")
    return [_upload(database, settings, path, (domain(asked.domain), asked.system, reading(asked)))]


def _check_unsaid(asked: Namespace, names: tuple[str, ...], why: str) -> None:
    said = [f"--{name.replace('_', '-')}" for name in names if getattr(asked, name)]
    if said:
        raise UnusableInput(f"{', '.join(said)}: {why}")


def _upload(database: "Database", settings: Settings, path: Path, what: tuple["EntityType", str, tuple[Any, Any, Any]]) -> UUID:
    from mdm.access import SYSTEM_ACTOR
    from mdm.load_upload import Upload, upload

    entity, system, how = what
    try:
        content = path.open("rb")
    except OSError as error:
        raise UnusableInput(f"{path}: {error.strerror}") from error
    with content:
        given = Upload(entity, system, content, path.name, *how)
        return upload(database, settings.home, SYSTEM_ACTOR, given, REQUEST_ID).id


def ask_plan(database: "Database", settings: Settings, load_id: UUID, asked: Namespace) -> "LoadView":
    """Plan a load; one that was there, read as is said now, where that is said."""
    from mdm import loads
    from mdm.access import SYSTEM_ACTOR

    if known_load(asked.what) is None or not any(getattr(asked, name) for name in _HOW):
        return database.run(lambda session: loads.ask_plan(session, SYSTEM_ACTOR, load_id, REQUEST_ID))
    return database.run(lambda session: _plan_otherwise(session, settings, load_id, asked))


def _plan_otherwise(session: "Session", settings: Settings, load_id: UUID, asked: Namespace) -> "LoadView":
    from mdm import load_draft, loads
    from mdm.access import SYSTEM_ACTOR
    from mdm.load_steps import check_steps

    changes = _changes(loads.get(session, SYSTEM_ACTOR, load_id, lock=True), asked)
    load_draft.change(session, SYSTEM_ACTOR, load_id, changes, REQUEST_ID)
    view = load_draft.settle(session, SYSTEM_ACTOR, settings.home, load_id, REQUEST_ID)
    # What the file has no column for, it leaves out
    missing = sorted({each.column for each in changes.columns or ()} - {column for _, column in view.options["columns"]})
    if missing:
        raise UnusableInput(f"the file has no column {', '.join(missing)}")
    check_steps([step["column"] for step in view.options["steps"]], changes.steps or ())
    return view


def _changes(view: "LoadView", asked: Namespace) -> "Changes":
    """What is said replaces what was chosen for the same; the rest stays."""
    from dataclasses import asdict

    from mdm.load_draft import Changes
    from mdm.load_steps import given_step, read_step
    from mdm.load_table import Options
    from mdm.load_targets import Binding

    columns, raw, how = reading(asked)
    steps = [given_step(step) for step in raw or ()]
    targets, taken = {each.target for each in columns}, {each.column for each in columns}
    stay = [Binding(target, column) for target, column in view.options["columns"] if target not in targets and column not in taken]
    named = {(step.kind, step.column) for step in steps}
    others = [step for step in map(read_step, view.options["steps"]) if (step.kind, step.column) not in named]
    said = {name: value for name, value in asdict(how).items() if value is not None}
    return Changes((*columns, *stay), [*others, *steps], Options(**{**view.options["reading"], **said}))
