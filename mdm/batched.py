"""Counting in memory, written together by a thread of its own: what is counted never stands in a reader's way.

A count is no fact of record: a killed process loses at most the last of them, an orderly end none.
"""

import atexit
import threading
from abc import ABC, abstractmethod

import structlog


class Batched(ABC):
    """One process's counts. Safe among threads under `lock`; the writing thread starts with the first count, hence after any fork."""

    seconds = 1.0  # between two writes

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._full = threading.Event()
        self._writer: threading.Thread | None = None

    @abstractmethod
    def write(self) -> None:
        """Write what was counted, now; what cannot be written is kept for the next time."""

    def begin(self) -> None:
        """There is something to write. Call it under the lock."""
        if self._writer is None:
            self._writer = threading.Thread(target=self._write_for_ever, name="counts", daemon=True)
            self._writer.start()
            atexit.register(self.write)

    def hurry(self) -> None:
        """There is so much that it should not wait."""
        self._full.set()

    def _write_for_ever(self) -> None:
        while True:
            self._full.wait(self.seconds)
            self._full.clear()
            try:
                self.write()
            except Exception as error:  # noqa: BLE001  (without this thread nothing would be counted any more)
                structlog.get_logger("concord").error("counts_not_written", error=type(error).__name__)
