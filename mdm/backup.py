"""A backup is a folder: the database as pg_dump wrote it, the files of MDM_HOME, and a manifest with the hash of each.

It is whole or not there: it is built beside its place and moved there last. What is restored is checked first, file by file, goes into an
empty database only, all of it or nothing, and is counted afterwards. A restore begins a new epoch of the feed: what came after the backup
may have been read.

A backup holds everything that Concord knows, the secret that API keys are hashed with included: it belongs on encrypted storage.
"""

import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import file_digest
from itertools import islice
from pathlib import Path
from typing import IO, LiteralString, cast

import psycopg
from alembic.script import ScriptDirectory
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo
from sqlalchemy.orm import Session

from mdm import audit
from mdm.access import SYSTEM_ACTOR
from mdm.changes import new_epoch
from mdm.db import Database, execute, fetch
from mdm.embedded import postgres_binaries
from mdm.errors import ServiceError, UnusableInput
from mdm.migrate import config, migrate
from mdm.seal import break_off

FORMAT = 1
DUMP, MANIFEST, FILES = "database.dump", "manifest.json", "home"
_TOO_NEW, _HEAD_LINES = b"SET transaction_timeout = 0;\n", 40  # stands among the first lines of what pg_restore 17 and later write
_SERVICES = frozenset({"postgres", "valkey", "services.lock", "demo.json"})  # what runs there, not what is known there


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds: when, of which schema, how many rows of each table, and every file with its size and SHA-256."""

    format: int
    made_at: str
    revision: str
    rows: Mapping[str, int]
    files: Mapping[str, tuple[int, str]]


def back_up(database: Database, home: Path, place: Path) -> Manifest:
    """Write a backup. Raises UnusableInput for a place where something is already, or inside MDM_HOME."""
    if place.exists():
        raise UnusableInput(f"{place} exists already: a backup never overwrites")
    if place.resolve().is_relative_to(home.resolve()):
        raise UnusableInput("a backup inside MDM_HOME would be lost with it")
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = place.with_name(f".{place.name}.{secrets.token_hex(6)}")
    draft.mkdir(mode=0o700)
    try:
        manifest = _write(database, home, draft)
        draft.rename(place)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return manifest


def _write(database: Database, home: Path, draft: Path) -> Manifest:
    database.run(lambda session: audit.record(session, SYSTEM_ACTOR, "backup:make"))
    with psycopg.connect(database.url) as connection:  # one snapshot for the dump and for what is counted
        connection.execute("set transaction isolation level repeatable read, read only")
        [snapshot] = connection.execute("select pg_export_snapshot()").fetchone() or ("",)
        [revision] = connection.execute("select version_num from alembic_version").fetchone() or ("",)
        rows = _count(connection)
        _run(
            "pg_dump", database.url, "--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}", f"--file={draft / DUMP}"
        )
    _copy_home(home, draft / FILES)
    manifest = Manifest(FORMAT, datetime.now(UTC).isoformat(), revision, rows, _hashes(draft))
    (draft / MANIFEST).write_text(json.dumps(asdict(manifest), indent=1))
    for path in draft.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    return manifest


def _copy_home(home: Path, to: Path) -> None:
    """Everything but what services keep there; sockets and the like are nothing to keep."""
    to.mkdir(mode=0o700)
    for path in sorted(home.iterdir()) if home.is_dir() else ():
        if path.name in _SERVICES or path.suffix == ".log" or path.is_symlink():
            continue
        if path.is_file():
            shutil.copyfile(path, to / path.name)
        elif path.is_dir():
            shutil.copytree(path, to / path.name, copy_function=shutil.copyfile, ignore=_no_files)


def _no_files(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if (path := Path(folder) / name).is_symlink() or not (path.is_file() or path.is_dir())]


def _hashes(folder: Path) -> dict[str, tuple[int, str]]:
    found = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as opened:
            found[str(path.relative_to(folder))] = path.stat().st_size, file_digest(opened, "sha256").hexdigest()
    return found


def restore(database: Database, home: Path, place: Path, seal_key: Callable[[], bytes]) -> Manifest:
    """Bring a backup back into an empty database, then begin a new epoch of the feed.

    Raises UnusableInput, and changes nothing, for a backup that is damaged or of a later version, for a database that holds anything, and
    for a MDM_HOME that holds another installation's files.
    """
    manifest = check(place)
    _check_empty(database)
    _check_home(home, place / FILES)
    _refill(database.url, place / DUMP)
    with psycopg.connect(database.url) as connection:
        if (restored := _count(connection)) != manifest.rows:
            wrong = sorted(name for name in manifest.rows if restored.get(name) != manifest.rows[name])
            raise ServiceError(f"the restored database differs from the backup in {', '.join(wrong)}: drop it and try again")
    _return_home(place / FILES, home)
    migrate(database)
    database.run(lambda session: break_off(session, seal_key()))
    database.run(lambda session: _begin_anew(session, manifest))
    return manifest


def check(place: Path) -> Manifest:
    """The manifest of a backup whose every file is as it was written. Raises UnusableInput."""
    try:
        told = json.loads((place / MANIFEST).read_text())
        manifest = Manifest(**{**told, "files": {name: (size, digest) for name, (size, digest) in told["files"].items()}})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UnusableInput(f"{place} is no backup: it has no readable {MANIFEST}") from error
    known = {script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()}
    if manifest.format != FORMAT or manifest.revision not in known:
        raise UnusableInput("this backup was made by a later version of Concord: restore it with that version")
    found = {name: told for name, told in _hashes(place).items() if name != MANIFEST}
    if found != manifest.files:
        wrong = sorted(name for name in {*found, *manifest.files} if found.get(name) != manifest.files.get(name))
        raise UnusableInput(f"this backup is damaged: {', '.join(wrong)}")
    return manifest


def _check_empty(database: Database) -> None:
    statement = "select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r', 'p') and"
    held = database.run(lambda session: fetch(session, statement + " n.nspname !~ '^pg_' and n.nspname <> 'information_schema'"))[0][0]
    if held:
        raise UnusableInput("the database is not empty: restore into a new one")


def _check_home(home: Path, kept: Path) -> None:
    """Files are put where there are none; one that is there already must be the same."""
    for path in sorted(path for path in kept.rglob("*") if path.is_file()):
        present = home / path.relative_to(kept)
        if present.exists() and present.read_bytes() != path.read_bytes():
            raise UnusableInput(f"{present} is another installation's: restore under a new MDM_HOME")


def _return_home(kept: Path, home: Path) -> None:
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in sorted(path for path in kept.rglob("*") if path.is_file()):
        present = home / path.relative_to(kept)
        present.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copyfile(path, present)
        present.chmod(0o600)


def _begin_anew(session: Session, manifest: Manifest) -> None:
    """What was running when the backup was made runs nowhere; positions that consumers hold are of a former epoch."""
    execute(session, "analyze")
    execute(session, "update job set lease_until = now() - interval '1 s' where state = 'running'")
    audit.record(session, SYSTEM_ACTOR, "backup:restore", detail={"made_at": manifest.made_at, "revision": manifest.revision})
    new_epoch(session, SYSTEM_ACTOR)


def _count(connection: psycopg.Connection[tuple[object, ...]]) -> dict[str, int]:
    """The rows of every table of ours."""
    listed = connection.execute("select tablename from pg_tables where schemaname = 'public' order by 1").fetchall()
    counts = {}
    for (name,) in listed:
        counted = sql.SQL("select count(*) from {}").format(sql.Identifier(str(name)))
        counts.update({str(name): cast("int", row[0]) for row in connection.execute(counted)})
    return counts


def _refill(url: str, dump: Path) -> None:
    """The dump as statements, carried out in one transaction. pg_restore alone would set a parameter that servers before 17 do not know."""
    wanted = [_tool("pg_restore"), "--file=-", "--no-owner", "--no-privileges", str(dump)]
    told = [_tool("psql"), "--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", "--no-password", "--file=-"]
    target, environ = conninfo_to_dict(url)["dbname"], _environ(url)
    with (
        subprocess.Popen(wanted, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as reader,  # noqa: S603
        subprocess.Popen(  # noqa: S603
            [*told, f"--dbname={target}"], env=environ, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as writer,
    ):
        _carry(cast("IO[bytes]", reader.stdout), stdin := cast("IO[bytes]", writer.stdin))
        if reader.wait() != 0:
            writer.kill()  # before it has read an end: the transaction is never committed
        with suppress(BrokenPipeError):
            stdin.close()
        for program, process in (("pg_restore", reader), ("psql", writer)):
            _check_ended(program, process.wait(), cast("IO[bytes]", process.stderr).read().decode(errors="replace"))


def _carry(read: IO[bytes], write: IO[bytes]) -> None:
    """From one to the other, without the one setting; when the one that writes has ended, what it said tells why."""
    with suppress(BrokenPipeError), read:
        for line in islice(read, _HEAD_LINES):
            if line != _TOO_NEW:
                write.write(line)
        shutil.copyfileobj(read, write, 1 << 20)
        write.flush()


def _run(program: LiteralString, url: str, *options: str) -> None:
    done = subprocess.run(  # noqa: S603  (a program of PostgreSQL's, and a folder that the operator named)
        [_tool(program), "--no-password", *options], env=_environ(url), capture_output=True, text=True, check=False
    )
    _check_ended(program, done.returncode, done.stderr)


def _check_ended(program: str, status: int, said: str) -> None:
    if status != 0:
        raise ServiceError(f"{program} failed: {(said.strip().splitlines() or ['without a word'])[0]}")


def _environ(url: str) -> dict[str, str]:
    """Where the database is, for a tool of PostgreSQL's: in its environment, because anybody may read what it was called with."""
    known = conninfo_to_dict(url)
    names = {option.keyword.decode(): option.envvar.decode() for option in Conninfo.get_defaults() if option.envvar}
    return {"PATH": os.defpath, "LC_ALL": "C", **{names[key]: str(value) for key, value in known.items() if key in names}}


def _tool(program: str) -> str:
    """From the embedded wheel, else from the system."""
    try:
        embedded = postgres_binaries() / program
        if embedded.exists():
            return str(embedded)
    except ServiceError:
        pass
    found = shutil.which(program)
    if found is None:
        raise ServiceError(f"{program} is missing: install the extra `embedded`, or PostgreSQL's client programs")
    return found
