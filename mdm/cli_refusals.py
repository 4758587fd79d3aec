"""What a command of `mdm load` refuses: one line on standard error, with `--json` the problem as the API answers it, and a status.

1: refused. 2: the file or the options cannot be used. 3: a guard rail is hit. 4: the plan is stale. 5: a second person has to agree.
"""

import json
import sys
from argparse import Namespace
from collections.abc import Callable, Mapping

from mdm.cli_shared import line_of, refused_by_database
from mdm.errors import ConcordError, Conflict, Invalid, PlanStale
from mdm.settings import Settings

RAIL, STALE, SECOND = 3, 4, 5
Command = Callable[[Settings, Namespace], int | None]


class SecondNeeded(Conflict):
    """A second person has to agree: apply or undo it as somebody else, or name them with --second."""

    code = "second_person_needed"


def refusing(command: Command) -> Command:
    """The command; what it refuses is told, and its status is that of the refusal."""

    def run(settings: Settings, asked: Namespace) -> int | None:
        from mdm.db import DatabaseError

        try:
            return command(settings, asked)
        except ConcordError as error:
            return _refuse(error, asked)
        except DatabaseError as error:
            return _refuse(refused_by_database(error), asked)

    return run


def _refuse(error: ConcordError, asked: Namespace) -> int:
    print("mdm:", line_of(error), file=sys.stderr)
    if getattr(asked, "json", False):
        from mdm.problems import document_of

        print(json.dumps(document_of(error), indent=2))
    return next((status for kind, status in _statuses().items() if isinstance(error, kind)), 1)


def _statuses() -> Mapping[type[ConcordError], int]:
    from mdm.load_checks import RailHit
    from mdm.load_watch import WatchStopped

    return {Invalid: 2, RailHit: RAIL, WatchStopped: RAIL, PlanStale: STALE, SecondNeeded: SECOND}
