"""The access log line of a request that never reached Flask: the fields of `api/logging.py`.

Lines are written together every tenth of a second: a killed process loses those, which the audit, a table, never does.
"""

import atexit
import logging
import sys
import threading
from datetime import UTC, datetime

import orjson

_WRITE_SECONDS = 0.1
_LINES_MAX = 20_000  # beyond this the log is stuck; requests go on
_OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z


class AccessLog:
    """Lines of one process, to standard error. The writing thread starts with the first line, hence after any fork."""

    def __init__(self, level: str) -> None:
        self._is_wanted = logging.getLevelNamesMapping()[level] <= logging.INFO
        self._lines: list[bytes] = []
        self._starting = threading.Lock()
        self._writer: threading.Thread | None = None

    def add(self, *, method: str, route: str, status: int, seconds: float, principal: str, request_id: str) -> None:
        if not self._is_wanted or len(self._lines) >= _LINES_MAX:
            return
        line = {
            "method": method,
            "route": route,
            "status": status,
            "milliseconds": round(seconds * 1000, 1),
            "principal": principal,
            "request_id": request_id,
            "event": "request",
            "level": "info",
            "timestamp": datetime.now(UTC),
        }
        self._lines.append(orjson.dumps(line, option=_OPTIONS))
        if self._writer is None:
            self._start()

    def write(self) -> None:
        """Write what is waiting, now."""
        lines, self._lines = self._lines, []
        if lines:
            sys.stderr.write(b"".join(lines).decode())
            sys.stderr.flush()

    def _start(self) -> None:
        with self._starting:
            if self._writer is None:
                self._writer = threading.Thread(target=self._write_for_ever, name="access-log", daemon=True)
                self._writer.start()
                atexit.register(self.write)

    def _write_for_ever(self) -> None:
        pause = threading.Event()
        while not pause.wait(_WRITE_SECONDS):
            self.write()
