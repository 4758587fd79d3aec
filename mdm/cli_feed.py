"""`mdm feed`: the change feed of an installation, for whoever restores it."""

import sys
from argparse import ArgumentParser, Namespace
from typing import Any

from mdm.cli_shared import current_database
from mdm.errors import UnusableInput
from mdm.settings import Settings


def add_parser(commands: Any) -> None:
    """Add the group to the sub-parsers of `mdm`."""
    group: ArgumentParser = commands.add_parser("feed", help="the change feed")
    epoch = group.add_subparsers(required=True, metavar="COMMAND").add_parser(
        "new-epoch", help="after a restore: refuse every position that consumers hold, so that they copy anew"
    )
    epoch.add_argument("--yes", action="store_true", help="do not ask")
    epoch.set_defaults(command=_new_epoch)


def _new_epoch(settings: Settings, asked: Namespace) -> int:
    from mdm.access import SYSTEM_ACTOR
    from mdm.changes import new_epoch

    if not asked.yes and not sys.stdin.isatty():
        raise UnusableInput("say --yes: every consumer will copy everything anew")
    if not asked.yes and input("Every consumer will copy everything anew. Go on? [y/N] ").strip().lower() not in {"y", "yes"}:
        return 1
    with current_database(settings) as database:
        print(database.run(lambda session: new_epoch(session, SYSTEM_ACTOR)))
    return 0
