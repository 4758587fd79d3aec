"""`mdm backup` and `mdm restore`: everything that Concord knows, into a folder and back."""

import json
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mdm.cli_shared import current_database, database
from mdm.settings import Settings

if TYPE_CHECKING:
    from mdm.backup import Manifest


def add_parsers(commands: Any) -> None:
    """Add both to the sub-parsers of `mdm`."""
    for name, command, told in (
        ("backup", _backup, "write database, secrets and files into a new folder, with the hash of each"),
        ("restore", _restore, "bring a backup back into an empty database, and begin a new epoch of the feed"),
    ):
        parser = commands.add_parser(name, help=told)
        parser.add_argument("folder", metavar="DIR", type=Path)
        parser.add_argument("--json", action="store_true", help="one JSON document")
        parser.set_defaults(command=command)


def _backup(settings: Settings, asked: Namespace) -> None:
    from mdm.backup import back_up

    settings.key_pepper(), settings.seal_key()  # made at their first use; without them keys and seals are worth nothing
    with current_database(settings) as found:
        _tell(back_up(found, settings.home, asked.folder.absolute()), asked)


def _restore(settings: Settings, asked: Namespace) -> None:
    from mdm.backup import restore

    with database(settings) as found:
        _tell(restore(found, settings.home, asked.folder.absolute(), settings.seal_key), asked)


def _tell(manifest: "Manifest", asked: Namespace) -> None:
    size = sum(size for size, _ in manifest.files.values())
    told = {"folder": str(asked.folder), "made_at": manifest.made_at, "revision": manifest.revision, "rows": sum(manifest.rows.values())}
    if asked.json:
        print(json.dumps({**told, "files": len(manifest.files), "bytes": size}))
    else:
        print(f"{asked.folder}: of {manifest.made_at}, {told['rows']:,} rows, {len(manifest.files)} files, {size:,} bytes")
