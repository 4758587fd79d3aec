"""`mdm`: what an operator does from a shell.

What goes wrong as expected is one line on standard error, never a traceback: status 1, or 2 for files and options that cannot be used.
"""

import gc
import json
import os
import signal
import sys
import threading
from argparse import SUPPRESS, ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict
from importlib import import_module
from typing import TYPE_CHECKING

from mdm import cli_audit, cli_backup, cli_explain, cli_export, cli_feed, cli_jobs, cli_load, cli_mapping, cli_match, cli_repair
from mdm.cli_shared import current_database, database, line_of, refused_by_database
from mdm.errors import ConcordError, ServiceError, UnknownDomain, UnknownSystem, UnusableInput
from mdm.settings import NO_BROKER, Profile, Settings

if TYPE_CHECKING:  # a command imports what it needs: `mdm keys` must not wait for a web server
    from sqlalchemy.orm import Session

    from mdm.access import NewPrincipal
    from mdm.db import Database

COLLECT = (50_000, 20, 50)  # what is imported stays: looking through it for garbage took an eighth of the start
ROLES = ("integration", "steward", "loader", "auditor", "admin")


def main(arguments: Sequence[str] | None = None) -> int:
    """The status for the shell: 0, or 1 or 2 after one line that says why not."""
    gc.set_threshold(*COLLECT)
    asked = _parser().parse_args(arguments)
    try:
        return _run(asked)
    except ConcordError as error:
        return _refuse(line_of(error), 2 if isinstance(error, UnusableInput) else 1)
    except OSError as error:
        return _refuse(f"{error.filename or 'the system'}: {error.strerror}", 1)
    except KeyboardInterrupt:
        return 130


def _refuse(line: str, status: int) -> int:
    print("mdm:", line, file=sys.stderr)
    return status


def _run(asked: Namespace) -> int:
    from mdm.db import DatabaseError

    if asked.with_parent is not None:
        from mdm.serving import end_with_parent

        end_with_parent(asked.with_parent)
    try:
        status: int | None = asked.command(Settings.from_env(os.environ), asked)
    except DatabaseError as error:
        raise refused_by_database(error) from error
    return status or 0


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="mdm", description="Concord: master data and crosswalk for hospital groups.")
    parser.add_argument("--with-parent", type=int, metavar="PID", help=SUPPRESS)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, command, help_text in _PLAIN:
        commands.add_parser(name, help=help_text).set_defaults(command=command)
    worker = commands.add_parser("worker", help="run jobs, until stopped")
    worker.add_argument("--once", action="store_true", help="do what is due and end, for a system timer")
    worker.add_argument("--concurrency", type=int, default=2, choices=range(1, 65), metavar="N", help="jobs at the same time (2)")
    worker.add_argument("--queue", action="append", metavar="Q", help="only this queue; may be repeated")
    worker.set_defaults(command=_worker)
    seed = commands.add_parser("seed", help="load the demo world into an empty database")
    seed.add_argument("--check", action="store_true", help="compare what is there with the known truth, per domain")
    seed.set_defaults(command=_seed)
    doctor = commands.add_parser("doctor", help="check settings, services and the promises of the data")
    doctor.add_argument("--json", action="store_true", help="one JSON document")
    doctor.add_argument("--deep", action="store_true", help="also derive every golden value anew")
    doctor.add_argument("--recompute", action="store_true", help="also work out anew who is who, from records and decisions")
    doctor.set_defaults(command=_doctor)
    cli_repair.add_parser(commands)
    cli_jobs.add_parser(commands)
    _add_keys(commands.add_parser("keys", help="keys of clients"))
    _add_users(commands.add_parser("users", help="people who sign in"))
    match = commands.add_parser("match", help="the models: how well they do, on files and on what is stored")
    match_commands = match.add_subparsers(required=True, metavar="COMMAND")
    cli_match.add_commands(match_commands)
    cli_explain.add_parser(match_commands)
    cli_feed.add_parser(commands)
    cli_export.add_parser(commands)
    cli_mapping.add_parser(commands)
    cli_load.add_parser(commands)
    cli_backup.add_parsers(commands)
    cli_audit.add_parser(commands)
    return parser


def _add_keys(parser: ArgumentParser) -> None:
    create = parser.add_subparsers(required=True, metavar="COMMAND").add_parser("create", help="print a new key, this once")
    create.add_argument("name", metavar="NAME")
    create.add_argument("--role", required=True, choices=ROLES)
    _add_scope(create)
    create.set_defaults(command=_create_key)


def _add_users(parser: ArgumentParser) -> None:
    below = parser.add_subparsers(required=True, metavar="COMMAND")
    create = below.add_parser("create", help="print the new person's password, this once")
    create.add_argument("name", metavar="NAME")
    create.add_argument("--role", required=True, choices=ROLES)
    _add_scope(create)
    create.set_defaults(command=_create_user)
    reset = below.add_parser("reset", help="who lost what they sign in with: no second factor any more; print a new password, this once")
    reset.add_argument("name", metavar="NAME")
    reset.add_argument("--keep-password", action="store_true", help="only the second factor goes")
    reset.set_defaults(command=_reset_user)


def _add_scope(parser: ArgumentParser) -> None:
    parser.add_argument("--domain", action="append", metavar="D", help="only this domain; may be repeated")
    parser.add_argument("--system", action="append", metavar="S", help="only this system; may be repeated")
    parser.add_argument("--grant", action="append", default=[], metavar="G", help="phi: may read patients; unmask")


def _up(settings: Settings, _: Namespace) -> None:
    from mdm.db import Database, safe_address
    from mdm.migrate import migrate

    found = _resolved(settings)
    _check_broker(found)
    with closing(Database(found.database_url or "")) as database:
        migrate(database)
    print(f"database {safe_address(found.database_url or '')}")
    print(f"broker   {safe_address(found.broker_url) if found.broker_url not in {None, NO_BROKER} else NO_BROKER}")


def _down(settings: Settings, _: Namespace) -> None:
    from mdm import embedded

    embedded.stop(settings)


def _migrate(settings: Settings, _: Namespace) -> None:
    from mdm.migrate import migrate

    with database(settings) as found:
        migrate(found)


def _serve(settings: Settings, _: Namespace) -> None:
    from mdm import serving
    from mdm.embedded import check_port_free

    check_port_free(settings)
    found = _resolved(settings)
    serving.hand_on(found)
    serving.serve(found)


def _worker(settings: Settings, asked: Namespace) -> None:
    from mdm import jobs, logs, worker
    from mdm.sending import Outlet

    queues = tuple(asked.queue or jobs.QUEUES)
    if not set(queues) <= set(jobs.QUEUES):
        raise UnusableInput(f"the queues are {', '.join(jobs.QUEUES)}")
    found = _resolved(settings)
    logs.configure(found.log_level)
    broker = found.broker_url or NO_BROKER
    vault = worker.Vault(found.home, found.seal_key())
    place = worker.Place(found.database_url or "", broker, found.match_memory_gb, Outlet.of(found), vault, asked.concurrency, queues)
    if asked.once:
        print(worker.work_once(place))
    elif broker == NO_BROKER:
        worker.work_without_broker(place, _stop_event())
    else:
        _look_for_broker(found)
        worker.work_with_broker(place)


def _stop_event() -> threading.Event:
    stop = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stop.set())
    return stop


def _demo(settings: Settings, _: Namespace) -> None:
    from mdm import demo

    demo.run(settings, _say)


def _seed(settings: Settings, asked: Namespace) -> int:
    from mdm import demo

    if asked.check:
        with current_database(settings) as found:
            return _check_seed(found)
    with database(settings) as found:
        demo.check_is_demo(settings)
        demo.seed(found, _say)
    return 0


def _doctor(settings: Settings, asked: Namespace) -> int:
    from mdm import doctor, serving

    findings = []
    for finding in doctor.examine(serving.with_urls(settings), deep=asked.deep, recompute=asked.recompute):
        findings.append(finding)
        if not asked.json:
            _say(f"{'ok  ' if finding.ok else 'FAIL'}  {finding.check}: {finding.detail}")
    ok = all(finding.ok for finding in findings)
    if asked.json:
        _say(json.dumps({"ok": ok, "checks": [asdict(finding) for finding in findings]}, indent=2))
    return 0 if ok else 1


def _create_key(settings: Settings, asked: Namespace) -> None:
    from mdm import audit
    from mdm.access import SYSTEM_ACTOR, create_client

    def work(session: "Session") -> str:
        client = _principal(session, asked)
        demo = settings.profile is Profile.DEMO
        key_id, token = create_client(session, settings.key_pepper(), client, created_by=SYSTEM_ACTOR.name, demo=demo)
        audit.record(session, SYSTEM_ACTOR, "key:create", detail={"key": str(key_id), "name": client.name, "role": client.role.value})
        return token

    with current_database(settings) as found:
        print(found.run(work))


def _create_user(settings: Settings, asked: Namespace) -> None:
    from mdm import audit
    from mdm.access import SYSTEM_ACTOR
    from mdm.authentication import create_person, new_password

    password, due = new_password(), settings.profile is Profile.PRODUCTION

    def work(session: "Session") -> None:
        person = _principal(session, asked)
        create_person(session, person, password, due=due)
        audit.record(session, SYSTEM_ACTOR, "user:create", detail={"name": person.name, "role": person.role.value})

    with current_database(settings) as found:
        found.run(work)
    print(password)


def _reset_user(settings: Settings, asked: Namespace) -> None:
    from mdm import people
    from mdm.access import SYSTEM_ACTOR
    from mdm.authentication import new_password

    password = None if asked.keep_password else new_password()
    with current_database(settings) as found:
        found.run(lambda session: people.reset(session, SYSTEM_ACTOR, asked.name, password))
    if password is not None:
        print(password)


def _principal(session: "Session", asked: Namespace) -> "NewPrincipal":
    """Who was asked for; a mistyped scope would be a key that silently does nothing."""
    from mdm.access import NewPrincipal, Role
    from mdm.entities import ENTITY_TYPES
    from mdm.systems import registry

    domains = None if asked.domain is None else frozenset(asked.domain)
    systems = None if asked.system is None else frozenset(asked.system)
    unknown = sorted((domains or frozenset()) - set(ENTITY_TYPES))
    if unknown:
        raise UnknownDomain(f"no such domain: {', '.join(unknown)}; there are {', '.join(sorted(ENTITY_TYPES))}")
    unknown = sorted((systems or frozenset()) - set(registry(session).ids))
    if unknown:
        raise UnknownSystem(f"no such system: {', '.join(unknown)}")
    return NewPrincipal(asked.name, Role(asked.role), domains, systems, frozenset(asked.grant))


def _check_seed(database: "Database") -> int:
    """Per domain, how the golden records compare with the truth that the generator knows."""
    found = import_module("seed.load").check(database)
    if not any(quality.found_pairs for quality in found.values()):
        raise ServiceError("nothing of the demo world is here: run `mdm seed` or `mdm demo`")
    _say(f"{'domain':<14} {'precision':>9} {'recall':>9} {'F1':>9} {'true':>7} {'found':>7}")
    for domain, quality in found.items():
        shares = f"{quality.precision:>9.4f} {quality.recall:>9.4f} {quality.f1:>9.4f}"
        _say(f"{domain:<14} {shares} {quality.true_pairs:>7,} {quality.found_pairs:>7,}")
    return 0


def _resolved(settings: Settings) -> Settings:
    from mdm import serving

    return serving.resolved(settings)


def _check_broker(settings: Settings) -> None:
    """A wrong address shows when it is set up."""
    if not _broker_answers(settings):
        raise ServiceError(_NO_ANSWER.format(_safe(settings)))


def _look_for_broker(settings: Settings) -> None:
    """Say that it does not answer; it is done without until it does, for a worker that ends would leave everything undone."""
    if not _broker_answers(settings):
        _say(_NO_ANSWER.format(_safe(settings)) + ": looking into the table meanwhile")


_NO_ANSWER = "the broker at {} does not answer (MDM_BROKER_URL)"


def _safe(settings: Settings) -> str:
    from mdm.db import safe_address

    return safe_address(settings.broker_url or "")


def _broker_answers(settings: Settings) -> bool:
    from mdm.doorbell import celery_app, is_answering

    url = settings.broker_url
    return url in {None, NO_BROKER} or is_answering(celery_app(url or ""))


def _say(line: str) -> None:
    print(line, flush=True)


_PLAIN: tuple[tuple[str, Callable[[Settings, Namespace], int | None], str], ...] = (
    ("up", _up, "start what no URL names, and migrate"),
    ("down", _down, "stop what is embedded"),
    ("serve", _serve, "API and UI, until stopped"),
    ("migrate", _migrate, "bring the database to this version's schema"),
    ("demo", _demo, "the demo world with API, UI and worker, until stopped"),
)

if __name__ == "__main__":
    sys.exit(main())
