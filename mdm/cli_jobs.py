"""`mdm jobs`: what runs later, how far it is, and what went wrong with it."""

import json
from argparse import SUPPRESS, ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mdm.cli_shared import current_database
from mdm.errors import UnusableInput
from mdm.settings import Settings

if TYPE_CHECKING:  # see mdm.cli: a command imports what it needs
    from mdm.oversight import JobView

STATES = ("queued", "running", "done", "failed", "quarantined", "cancelled")


def add_parser(commands: Any) -> None:
    """Add `jobs` to the sub-parsers of `mdm`: the list, and below it what is done with one."""
    jobs = commands.add_parser("jobs", help="jobs: the list, newest first; show, cancel or retry one")
    jobs.add_argument("--state", choices=STATES)
    jobs.add_argument("--queue", metavar="Q")
    jobs.add_argument("--kind", metavar="K")
    jobs.add_argument("--limit", type=int, default=50, choices=range(1, 201), metavar="N", help="at most so many (50)")
    jobs.add_argument("--json", action="store_true", help="one JSON document")
    jobs.set_defaults(command=_list)
    below = jobs.add_subparsers(metavar="COMMAND")
    _of_one(below.add_parser("show", help="everything about a job"), _show)
    _of_one(below.add_parser("cancel", help="end a job: at once, or after the chunk under way"), _cancel)
    _of_one(below.add_parser("retry", help="try a failed or quarantined job again"), _retry)


def _of_one(parser: ArgumentParser, command: Callable[[Settings, Namespace], None]) -> None:
    parser.add_argument("id", metavar="ID")
    # SUPPRESS: said before the word `show` it would else be forgotten
    parser.add_argument("--json", action="store_true", default=SUPPRESS, help="one JSON document")
    parser.set_defaults(command=command)


def _list(settings: Settings, asked: Namespace) -> None:
    from mdm.access import SYSTEM_ACTOR
    from mdm.oversight import Wanted, list_jobs

    wanted = Wanted(state=asked.state, queue=asked.queue, kind=asked.kind, limit=asked.limit)
    with current_database(settings) as database:
        page = database.run(lambda session: list_jobs(session, SYSTEM_ACTOR, wanted))
    if asked.json:
        _print_json({"items": [_document(job) for job in page.items]})
        return
    for job in page.items:
        print(f"{job.id}  {job.state:<11} {job.queue:<11} {job.kind:<18} {_how_far(job):<28} {job.error or ''}".rstrip())


def _show(settings: Settings, asked: Namespace) -> None:
    from mdm.access import SYSTEM_ACTOR
    from mdm.oversight import get

    wanted = _id(asked)
    with current_database(settings) as database:
        _print_job(database.run(lambda session: get(session, SYSTEM_ACTOR, wanted)), asked)


def _cancel(settings: Settings, asked: Namespace) -> None:
    from mdm.access import SYSTEM_ACTOR
    from mdm.oversight import cancel

    wanted = _id(asked)
    with current_database(settings) as database:
        _print_job(database.run(lambda session: cancel(session, SYSTEM_ACTOR, wanted, "")), asked)


def _retry(settings: Settings, asked: Namespace) -> None:
    from mdm.access import SYSTEM_ACTOR
    from mdm.oversight import retry

    wanted = _id(asked)
    with current_database(settings) as database:
        _print_job(database.run(lambda session: retry(session, SYSTEM_ACTOR, wanted, "")), asked)


def _id(asked: Namespace) -> UUID:
    try:
        return UUID(asked.id)
    except ValueError:
        raise UnusableInput("ID must be a job's id, as `mdm jobs` prints it") from None


def _print_job(job: "JobView", asked: Namespace) -> None:
    if asked.json:
        _print_json(_document(job))
        return
    for name, value in _document(job).items():
        if value not in (None, {}):
            print(f"{name:<13} {json.dumps(value) if isinstance(value, dict) else value}")


def _how_far(job: "JobView") -> str:
    """As in: settling 1,200 of 5,000, 300/s."""
    told: Any = job.progress
    if not told:
        return ""
    counted = f" {told['done']:,} of {told['total']:,}" if told["total"] else ""
    return f"{told['stage']}{counted}" + (f", {told['rate']:,.0f}/s" if told["rate"] else "")


def _document(job: "JobView") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(asdict(job), default=str))
    return found


def _print_json(document: object) -> None:
    print(json.dumps(document, indent=2))
