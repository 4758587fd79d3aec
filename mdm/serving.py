"""Running things: the web server in this process, other commands of ours as children. Everything is handed on by environment variables.

A child stands in a process group of its own, so that one signal reaches one command, and ends when we end, however we end.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from http.client import HTTPConnection, HTTPException
from importlib import import_module
from pathlib import Path

from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

from mdm.embedded import check_database, ensure_postgres, ensure_valkey
from mdm.errors import ServiceError
from mdm.settings import NO_BROKER, Settings

APPLICATION = "stewardship_ui.wsgi"
THREADS_PER_WEB_WORKER = 4  # as many as one process can use before they only wait for the interpreter
WEB_STOP_SECONDS = 1
POLL_SECONDS = 0.05
_PR_SET_PDEATHSIG = 1


def with_urls(settings: Settings) -> Settings:
    """The same settings with both URLs known: what is embedded runs now."""
    return replace(settings, database_url=ensure_postgres(settings), broker_url=ensure_valkey(settings) or NO_BROKER)


def resolved(settings: Settings) -> Settings:
    """With both URLs known, and a database that answers; raises ServiceError."""
    found = with_urls(settings)
    check_database(found.database_url or "")
    return found


def hand_on(settings: Settings) -> None:
    """What we start from now on finds the services that we found."""
    os.environ.update(MDM_HOME=str(settings.home), MDM_DATABASE_URL=settings.database_url or "", MDM_BROKER_URL=settings.broker_url or "")


def serve(settings: Settings) -> None:
    """API and UI on MDM_HOST and MDM_PORT until a signal ends it."""
    begin = import_module(APPLICATION).prepare()  # before the workers are forked: they share it
    server = Granian(
        APPLICATION,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        workers=settings.web_workers,
        blocking_threads=THREADS_PER_WEB_WORKER,
        log_level=LogLevels.warning,
        log_access=False,
        respawn_failed_workers=True,
        workers_kill_timeout=WEB_STOP_SECONDS,
        websockets=False,
    )
    server.serve(target_loader=begin, wrap_loader=False)


def end_with_parent(parent: int) -> None:
    """Whoever is killed without a chance to stop us takes us along. Linux only, as the embedded services are."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # killed before we asked for the signal
        raise SystemExit(1)


@dataclass(frozen=True, slots=True)
class Child:
    """A command of ours in its own process group, with what it says in a file."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path | None

    def check_alive(self) -> None:
        """Raise ServiceError, with its last words, once it has ended."""
        if self.process.poll() is not None:
            raise ServiceError(f"{self.name} ended by itself: {self._last_words()}")

    def _last_words(self) -> str:
        said = self.log.read_text(errors="replace").split("\n") if self.log is not None else []
        return next((line.strip() for line in reversed(said) if line.strip()), f"status {self.process.returncode}")


def start_child(name: str, arguments: Sequence[str], log: Path | None = None) -> Child:
    """Start `mdm ARGUMENTS`; its output goes to the file, else where ours goes."""
    words = [sys.executable, "-m", "mdm.cli", "--with-parent", str(os.getpid()), *arguments]
    if log is None:
        return Child(name, subprocess.Popen(words, process_group=0), None)  # noqa: S603  (the words are our own)
    log.touch(mode=0o600)
    with log.open("wb") as file:
        process = subprocess.Popen(words, process_group=0, stdin=subprocess.DEVNULL, stdout=file, stderr=file)  # noqa: S603
    return Child(name, process, log)


def stop_children(children: Sequence[Child], seconds: float) -> None:
    """Ask all at once, wait together, then end whatever is left of their groups."""
    for child in children:
        if child.process.poll() is None:
            child.process.terminate()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and any(child.process.poll() is None for child in children):
        time.sleep(POLL_SECONDS)
    for child in children:
        try:
            os.killpg(child.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
        finally:
            child.process.wait()


def web_address(settings: Settings) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.port}"


def is_ready(settings: Settings) -> bool:
    """Whether /readyz answers 200."""
    try:
        with closing(HTTPConnection(settings.host, settings.port, timeout=2)) as line:
            line.request("GET", "/readyz")
            return line.getresponse().status == 200
    except (OSError, HTTPException):
        return False
