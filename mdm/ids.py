"""Ids: UUIDv7 made here, so that they sort by time, need no sequence and are never reused (RFC 9562, section 5.7).

One process's ids ascend, also within a millisecond and when the clock is set back (section 6.2, method 2): whoever sorts by id sees
what it did in the order in which it did it.
"""

import os
import re
import threading
import time
from typing import NewType
from uuid import UUID

GoldenId = NewType("GoldenId", UUID)
RecordId = NewType("RecordId", UUID)

_TAIL_BITS = 74
_TAIL_BYTES, _STEP_BYTES = 10, 4  # of which the tail takes its bits; the next id of a millisecond cannot be guessed from the last one
_DRAWN_BYTES = 4_096  # at once from the system: asked for each id, it took half of the time that an id takes


class _Ascending:
    """48 bits of milliseconds before 74 random bits, as one number that only grows."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew: a child process neither waits for a lock of its parent's threads nor continues its parent's ids."""
        self._lock = threading.Lock()
        self._last = 0
        self._drawn, self._used = b"", 0

    def next(self) -> int:
        with self._lock:
            fresh = (time.time_ns() // 1_000_000) << _TAIL_BITS | self._draw(_TAIL_BYTES) >> _TAIL_BYTES * 8 - _TAIL_BITS
            self._last = fresh if fresh > self._last else self._last + 1 + self._draw(_STEP_BYTES)
            return self._last

    def _draw(self, size: int) -> int:
        """Random bytes as a number, each used once."""
        if self._used + size > len(self._drawn):
            self._drawn, self._used = os.urandom(_DRAWN_BYTES), 0
        self._used += size
        return int.from_bytes(self._drawn[self._used - size : self._used])


_ascending = _Ascending()
os.register_at_fork(after_in_child=_ascending.forget)


def new_id() -> UUID:
    """Milliseconds and random bits, with version and variant in their places between them."""
    number = _ascending.next()
    head, tail = number >> 62, number & ((1 << 62) - 1)
    milliseconds, random = head >> 12, head & 0xFFF
    return UUID(int=milliseconds << 80 | 0x7 << 76 | random << 64 | 0b10 << 62 | tail)


def new_golden_id() -> GoldenId:
    return GoldenId(new_id())


def new_record_id() -> RecordId:
    return RecordId(new_id())


CODE_WORDS = "1 to 63 lower-case letters, digits and inner hyphens"
_CODE = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


def is_code(text: str) -> bool:
    """Whether this can name a system, a consumer or a mapping set."""
    return _CODE.fullmatch(text) is not None
