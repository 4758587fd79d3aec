"""The demo: a world to look at, served on this machine only, with random credentials that stand in MDM_HOME/demo.json.

Invariants: a database that holds anything else is never touched; /readyz answers 200 only when the world is in; when we end, nothing of us
runs on. Two audit rows say how far the world is: one before the first delivery, one after the last.
"""

import ipaddress
import json
import logging
import secrets
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from enum import Enum
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Protocol

from sqlalchemy.orm import Session

from mdm import audit, embedded, serving
from mdm.access import PHI, SYSTEM_ACTOR, Keyring, NewPrincipal, Role, create_client
from mdm.authentication import create_person
from mdm.db import Database, fetch
from mdm.errors import ServiceError, SettingsError
from mdm.migrate import migrate
from mdm.serving import Child
from mdm.settings import Profile, Settings

READY_SECONDS_MAX = 60
CHILDREN_STOP_SECONDS = 0.8
WATCH_SECONDS = 0.2
PROGRESS_SECONDS = 2.0
BEGUN, SEEDED = "demo:begun", "demo:seeded"
PEOPLE = (Role.STEWARD, Role.ADMIN, Role.AUDITOR)
Say = Callable[[str], None]
Signalled = Callable[[int, FrameType | None], object] | int | None


class World(Enum):
    """How far the demo world is in a database."""

    ABSENT = "absent"
    BEGUN = "begun"
    SEEDED = "seeded"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Keys and logins of the demo. The keys may read patients: in this world they are invented."""

    api_key: str
    admin_key: str
    steward_key: str
    users: list[dict[str, str]]


class Ended(BaseException):
    """Somebody told us to stop."""


# The pool says with a traceback whatever comes while it closes a connection, and then passes it on
logging.getLogger("sqlalchemy.pool.impl.QueuePool").addFilter(lambda record: not _is_end(record))


def _is_end(record: logging.LogRecord) -> bool:
    return record.exc_info is not None and isinstance(record.exc_info[1], Ended)


def run(settings: Settings, say: Say) -> None:
    """Serve the demo until a signal ends it. Raises SettingsError or ServiceError where it must not or cannot."""
    check_is_demo(settings)
    embedded.check_port_free(settings)
    children: list[Child] = []
    with _ended_by_signal():
        try:
            _serve(settings, children, say)
        except Ended:
            say("stopping")
        finally:
            _set_signals(signal.SIG_IGN)  # told once more while we end: we are at it
            serving.stop_children(children, CHILDREN_STOP_SECONDS)
            if settings.database_url is None or settings.broker_url is None:
                embedded.stop(settings)


def check_is_demo(settings: Settings) -> None:
    """Raise SettingsError unless this installation is a demo that only this machine can reach."""
    if settings.profile is Profile.PRODUCTION:
        raise SettingsError("the demo does not run with MDM_PROFILE=production")
    if not _is_loopback(settings.host):
        raise SettingsError("the demo listens on this machine only: leave MDM_HOST at 127.0.0.1")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@contextmanager
def _ended_by_signal() -> Iterator[None]:
    def end(_number: int, _frame: FrameType | None) -> None:
        _set_signals(signal.SIG_IGN)
        raise Ended

    with _signals_to(end):
        yield


@contextmanager
def _signals_put_off() -> Iterator[None]:
    """Be told at the end, not in the middle: whatever is half started nobody can find yet and stop."""
    told: list[int] = []
    with _signals_to(lambda number, _frame: told.append(number)):
        yield
    if told:
        signal.raise_signal(told[0])


@contextmanager
def _signals_to(handler: Signalled) -> Iterator[None]:
    before = _set_signals(handler)
    try:
        yield
    finally:
        for each, former in before.items():
            signal.signal(each, former)


def _set_signals(handler: Signalled) -> dict[signal.Signals, Signalled]:
    return {each: signal.signal(each, handler) for each in (signal.SIGTERM, signal.SIGINT)}


def _serve(settings: Settings, children: list[Child], say: Say) -> None:
    with _signals_put_off():
        found = serving.resolved(settings)
    serving.hand_on(found)
    with closing(Database(found.database_url or "")) as database:
        prepare(database)
        if _world(database) is not World.SEEDED:
            _seed_in_child(children)
        web = _start(children, "web server", ["serve"], settings.home / "web.log")
        known = credentials(database, settings)
    _wait_until_ready(settings, web)
    file = write_credentials(settings, known)
    _start(children, "worker", ["worker", "--concurrency", "1"], settings.home / "worker.log")
    _introduce(settings, known, file, say)
    while True:
        time.sleep(WATCH_SECONDS)
        for child in children:
            child.check_alive()


def prepare(database: Database) -> None:
    """Migrate a database that is empty or the demo's; raises ServiceError for any other, which stays as it is."""
    with database.unit_of_work() as session:
        tables = {row[0] for row in fetch(session, "select tablename from pg_tables where schemaname = 'public'")}
    if tables and "alembic_version" not in tables:
        raise ServiceError("the database holds tables that are not Concord's; the demo needs an empty one")
    migrate(database)
    if _world(database) is World.ABSENT and _holds_anything(database):
        raise ServiceError("the database holds data that is not the demo's; the demo needs an empty one")


def _world(database: Database) -> World:
    with database.unit_of_work() as session:
        rows = fetch(session, "select action from audit where principal = %s and action = any(%s)", (SYSTEM_ACTOR.name, [BEGUN, SEEDED]))
    said = {row[0] for row in rows}
    return World.SEEDED if SEEDED in said else World.BEGUN if BEGUN in said else World.ABSENT


def _holds_anything(database: Database) -> bool:
    statement = "select exists (select 1 from source_record) or exists (select 1 from system) or exists (select 1 from principal)"
    with database.unit_of_work() as session:
        return bool(fetch(session, statement)[0][0])


def seed(database: Database, say: Say) -> None:
    """Have the demo world in this database: from the beginning, or on from where it was cut off; nothing when it is complete."""
    prepare(database)
    if _world(database) is World.SEEDED:
        say("the demo world is already here")
        return
    with database.unit_of_work() as session:
        audit.record(session, SYSTEM_ACTOR, BEGUN)
    say("building the demo world")
    started = time.monotonic()
    refused = import_module("seed.load").load_demo(database, _Reporter(say).report)
    with database.unit_of_work() as session:
        records = fetch(session, "select count(*) from source_record")[0][0]
        audit.record(session, SYSTEM_ACTOR, SEEDED, detail={"records": records, "refused": refused})
    say(f"{records:,} records in {time.monotonic() - started:.0f} s, {refused} refused")


class Progress(Protocol):
    """What the seed says of itself; it stands above this file and is started by name."""

    @property
    def domain(self) -> str: ...
    @property
    def done(self) -> int: ...
    @property
    def total(self) -> int: ...


class _Reporter:
    """A line now and then, with the count so far and the rate."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._started = self._said_at = time.monotonic()

    def report(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._said_at < PROGRESS_SECONDS and progress.done < progress.total:
            return
        self._said_at = now
        if progress.total == 0:
            self._say(f"  waiting for {progress.domain}")
            return
        rate = progress.done / (now - self._started)
        self._say(f"  {progress.domain:<14} {progress.done:>7,} of {progress.total:,}   {rate:,.0f}/s")


def _start(children: list[Child], name: str, arguments: Sequence[str], log: Path | None = None) -> Child:
    """Start a child; whoever is told to stop meanwhile has it among the `children` that he ends."""
    with _signals_put_off():
        child = serving.start_child(name, arguments, log)
        children.append(child)
    return child


def _seed_in_child(children: list[Child]) -> None:
    """In a process of its own, so that what the generator needs is not held for as long as the demo runs."""
    child = _start(children, "seed", ["seed"])
    if child.process.wait() != 0:
        raise ServiceError("the demo world could not be loaded")
    children.remove(child)


def credentials(database: Database, settings: Settings) -> Credentials:
    """Those in demo.json while they work, else new ones."""
    known = _read_credentials(_file(settings))
    pepper = settings.key_pepper()
    if known is not None and Keyring(database, pepper).authenticate(known.api_key) is not None:
        return known
    _file(settings).unlink(missing_ok=True)
    return database.run(lambda session: _new_credentials(session, pepper))


def _read_credentials(file: Path) -> Credentials | None:
    try:
        said = json.loads(file.read_text())
        return Credentials(said["api_key"], said["admin_key"], said["steward_key"], said["users"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _new_credentials(session: Session, pepper: bytes) -> Credentials:
    # A database whose demo.json was lost keeps its former people; nobody can know their passwords.
    suffix = f"-{secrets.token_hex(2)}" if fetch(session, "select 1 from principal limit 1") else ""
    users = [{"name": f"{role.value}{suffix}", "role": role.value, "password": secrets.token_urlsafe(15)} for role in PEOPLE]
    for user in users:
        create_person(session, NewPrincipal(user["name"], Role(user["role"])), user["password"])
    return Credentials(
        api_key=_new_key(session, pepper, Role.INTEGRATION, suffix),
        admin_key=_new_key(session, pepper, Role.ADMIN, suffix),
        steward_key=_new_key(session, pepper, Role.STEWARD, suffix),
        users=users,
    )


def _new_key(session: Session, pepper: bytes, role: Role, suffix: str) -> str:
    client = NewPrincipal(f"demo-{role.value}{suffix}", role, grants=frozenset({PHI}))
    return create_client(session, pepper, client, created_by=SYSTEM_ACTOR.name, demo=True)[1]


def _file(settings: Settings) -> Path:
    return settings.home / "demo.json"


def write_credentials(settings: Settings, known: Credentials) -> Path:
    """demo.json, readable by its owner alone, whole or not at all."""
    draft = _file(settings).with_suffix(".new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(json.dumps({"url": serving.web_address(settings), **asdict(known)}, indent=2) + "\n")
    return draft.replace(_file(settings))


def _wait_until_ready(settings: Settings, web: Child) -> None:
    deadline = time.monotonic() + READY_SECONDS_MAX
    while not serving.is_ready(settings):
        web.check_alive()
        if time.monotonic() > deadline:
            raise ServiceError(f"the web server did not become ready within {READY_SECONDS_MAX} s; see {web.log}")
        time.sleep(serving.POLL_SECONDS)


def _introduce(settings: Settings, known: Credentials, file: Path, say: Say) -> None:
    address = serving.web_address(settings)
    say(f"Concord is ready at {address}   API: {address}/docs")
    for user in known.users:
        say(f"  sign in as {user['name']:<14} password {user['password']}")
    say(f"  API key {known.api_key}")
    say(f"All of this stands in {file}. Stop with Ctrl-C.")
