"""Ids: UUIDv7 made here, so that they sort by time, need no sequence and are never reused (RFC 9562, section 5.7).

One process's ids ascend, also within a millisecond and when the clock is set back (section 6.2, method 2): whoever sorts by id sees
what it did in the order in which it did it.
"""

import os
import re
import secrets
import threading
import time
from typing import NewType
from uuid import UUID

GoldenId = NewType("GoldenId", UUID)
RecordId = NewType("RecordId", UUID)

_TAIL_BITS = 74
_STEP_BITS = 32  # the next id of the same millisecond cannot be guessed from the last one


class _Ascending:
    """48 bits of milliseconds before 74 random bits, as one number that only grows."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew: a child process neither waits for a lock of its parent's threads nor continues its parent's ids."""
        self._lock = threading.Lock()
        self._last = 0

    def next(self) -> int:
        fresh = (time.time_ns() // 1_000_000) << _TAIL_BITS | secrets.randbits(_TAIL_BITS)
        with self._lock:
            self._last = fresh if fresh > self._last else self._last + 1 + secrets.randbits(_STEP_BITS)
            return self._last


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
