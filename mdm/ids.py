"""Ids: UUIDv7 made here, so that they sort by time, need no sequence and are never reused (RFC 9562, section 5.7)."""

import secrets
import time
from typing import NewType
from uuid import UUID

GoldenId = NewType("GoldenId", UUID)
RecordId = NewType("RecordId", UUID)


def new_id() -> UUID:
    """48 bits of milliseconds, then version, variant and 74 random bits."""
    milliseconds = time.time_ns() // 1_000_000
    random = secrets.randbits(74)
    value = milliseconds << 80 | 0x7 << 76 | (random >> 62) << 64 | 0b10 << 62 | random & ((1 << 62) - 1)
    return UUID(int=value)


def new_golden_id() -> GoldenId:
    return GoldenId(new_id())


def new_record_id() -> RecordId:
    return RecordId(new_id())
