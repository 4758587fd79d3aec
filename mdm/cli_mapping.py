"""`mdm mapping load`: rules of a mapping set out of a file, as drafts that a second person puts in force."""

import json
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mdm.cli_shared import current_database
from mdm.settings import Settings

if TYPE_CHECKING:  # see mdm.cli: a command imports what it needs
    from mdm.db import Database
    from mdm.load_rules import Written
    from mdm.load_table import Table


def add_parser(commands: Any) -> None:
    """Add the group to the sub-parsers of `mdm`."""
    group = commands.add_parser("mapping", help="mapping sets").add_subparsers(required=True, metavar="COMMAND")
    load: ArgumentParser = group.add_parser("load", help="rules out of a file, as drafts that a second person puts in force")
    load.add_argument("file", type=Path, metavar="FILE")
    load.add_argument("--set", required=True, metavar="S", help="the mapping set")
    load.add_argument("--columns", metavar="name=column,...", help="inputs and outputs of the set; without it the header names them")
    load.add_argument("--rejects", type=Path, metavar="FILE", help="write rejected rows there, to be mended and loaded again")
    load.add_argument("--json", action="store_true", help="one JSON document")
    load.set_defaults(command=_load)


def _load(settings: Settings, asked: Namespace) -> int:
    from mdm.load_files import open_table

    table = open_table(asked.file, name=asked.file.name)
    with current_database(settings) as database:
        written = _written(database, asked, table)
    if asked.rejects is not None:
        _write_rejects(asked.rejects, table, written)
    counts = {"drafts": written.drafts, "unchanged": written.unchanged, "rejected": len(written.rejected)}
    print(json.dumps(counts) if asked.json else ", ".join(f"{count} {what}" for what, count in counts.items()))
    for bad in () if asked.json else written.rejected[:20]:
        print(f"row {bad.number}: {'; '.join(f'{each.column} {each.fix}'.strip() for each in bad.reject.problems)}")
    return 1 if written.rejected else 0


def _written(database: "Database", asked: Namespace, table: "Table") -> "Written":
    """A transaction per thousand rules: what is written stays written, and the same file again goes on from there."""
    from mdm.access import SYSTEM_ACTOR
    from mdm.load_rules import RuleReader, Written, stated, write_rules
    from mdm.load_targets import read_columns
    from mdm.mapping import RULES_MAX
    from mdm.mapping_sets import By, get_set

    by, written = By(SYSTEM_ACTOR, "", datetime.now(UTC).date()), Written()
    definition = database.run(lambda session: get_set(session, asked.set)).definition
    written.stated = database.run(lambda session: stated(session, asked.set))
    reader = RuleReader(definition, table.header, read_columns(asked.columns) if asked.columns else ())
    rules = reader.rules(table, written)
    while chunk := list(islice(rules, RULES_MAX)):
        work = partial(write_rules, by=by, code=asked.set, found=chunk, known=written.stated, columns=reader.columns)
        written.add(database.run(work))
    return written


def _write_rejects(path: Path, table: "Table", written: "Written") -> None:
    from mdm.export_files import placed
    from mdm.load_rejects import write_rejects

    with placed(path) as file:
        file.writelines(write_rejects(table.header, sorted(written.rejected, key=lambda bad: bad.number)))
