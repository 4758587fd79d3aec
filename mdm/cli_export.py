"""`mdm export`: extracts for flows that work offline, whole or since a position of the change feed."""

import json
import shutil
import sys
from argparse import ArgumentParser, Namespace
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

from mdm.cli_shared import current_database, domain
from mdm.errors import Invalid, UnusableInput
from mdm.settings import Settings

if TYPE_CHECKING:  # see mdm.cli: a command imports what it needs
    from sqlalchemy.orm import Session

    from mdm.exports import Extract


def add_parser(commands: Any) -> None:
    """Add the group to the sub-parsers of `mdm`."""
    group = commands.add_parser("export", help="extracts for flows that work offline").add_subparsers(required=True, metavar="WHAT")
    crosswalk = group.add_parser("crosswalk", help="identifiers and the golden records that hold them")
    crosswalk.add_argument("--system", action="append", default=[], metavar="S", help="of this system only; may be repeated")
    golden = group.add_parser("golden", help="golden records and their values")
    for parser in (crosswalk, golden):
        _add_common(parser)


def _add_common(parser: ArgumentParser) -> None:
    parser.add_argument("--domain", required=True, metavar="D")
    parser.add_argument("--since", metavar="POSITION", help="only what changed since: `position` of an earlier extract")
    parser.add_argument("--to", type=Path, metavar="FILE", help="write this file, and FILE.json about it; without it: CSV to the output")
    parser.add_argument("--format", choices=("csv", "parquet"), help="by the ending of FILE unless said")
    parser.add_argument("--json", action="store_true", help="what was written, as one JSON document")
    parser.set_defaults(command=_export, what=parser.prog.split()[-1])


def _export(settings: Settings, asked: Namespace) -> None:
    from mdm.export_files import placed

    form = _format(asked)
    if asked.to is None:
        with TemporaryFile() as file:
            about = _written(settings, asked, form, file)
            _say(asked, about, sys.stderr)
            file.seek(0)
            shutil.copyfileobj(file, sys.stdout.buffer)
        return
    if not asked.to.parent.is_dir():
        raise UnusableInput(f"{asked.to}: there is no such folder")
    with placed(asked.to) as file:
        about = {"file": str(asked.to), **_written(settings, asked, form, file)}
    with placed(asked.to.with_name(asked.to.name + ".json")) as file:
        file.write(json.dumps(about, indent=1).encode())
    _say(asked, about, sys.stdout)


def _format(asked: Namespace) -> str:
    form = asked.format or ("csv" if asked.to is None else asked.to.suffix.removeprefix("."))
    if form not in {"csv", "parquet"}:
        raise UnusableInput("say --format csv or parquet, or a FILE with such an ending")
    return str(form)


def _written(settings: Settings, asked: Namespace, form: str, file: BinaryIO) -> dict[str, Any]:
    """Write the extract; it counts as exported once its audit row is committed, and only then does anybody get to see the file."""
    from mdm.export_files import write

    def work(session: "Session") -> "Extract":
        file.seek(0)
        file.truncate()
        extract = _extract(session, asked)
        write(extract, form, file)
        return extract

    with current_database(settings) as database:
        extract = database.run(work)
    return {
        "kind": extract.kind,
        "domain": extract.domain,
        "format": form,
        "rows": extract.rows,
        "version": extract.version,
        "since": None if extract.since is None else str(extract.since),
        "position": str(extract.position),
        "columns": [column.name for column in extract.columns],
        "sha256": _hash(file),
    }


def _hash(file: BinaryIO) -> str:
    file.flush()
    file.seek(0)
    digest = sha256()
    while block := file.read(1024 * 1024):
        digest.update(block)
    return digest.hexdigest()


def _extract(session: "Session", asked: Namespace) -> "Extract":
    from mdm import exports
    from mdm.access import SYSTEM_ACTOR
    from mdm.reading import Reader

    reader, entity = Reader(SYSTEM_ACTOR, ""), domain(asked.domain)
    try:
        if asked.what == "crosswalk":
            return exports.crosswalk(session, entity, reader, asked.system, asked.since)
        return exports.golden(session, entity, reader, asked.since)
    except Invalid as error:  # an option is wrong: --since is no position of ours, or there is no such system
        raise UnusableInput(error.message, error.problems) from error


def _say(asked: Namespace, about: dict[str, Any], where: TextIO) -> None:
    if asked.json:
        print(json.dumps(about), file=where)
    else:
        said = f"{about['rows']} rows, position {about['position']}, version {about['version']}"
        print(f"{about['file']}: {said}" if "file" in about else said, file=where)
