"""The bytes of a delivered file: hashed, unpacked and counted as they stream by. Nothing is held whole, and no header is believed.

A file that changes between two readings is refused: what was planned must be what is applied.
"""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from mdm.load_table import DECODED_BYTES_MAX, RATIO_FREE_BYTES, RATIO_MAX, refusal

BLOCK_BYTES = 1024 * 1024
_GZIP = b"\x1f\x8b"

if TYPE_CHECKING:  # typeshed's name: Python has one of its own from 3.12 on
    from _typeshed import WriteableBuffer

Stamp = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Stored:
    """A file on disk as it was when it was opened; `stamp` tells whether it is still the same."""

    path: Path
    name: str
    sha256: str
    bytes: int
    stamp: Stamp

    @property
    def is_gzip(self) -> bool:
        with self.path.open("rb") as file:
            return file.read(2) == _GZIP


def stored(path: Path, name: str) -> Stored:
    """Hash the file. Raises UnusableFile when it is missing, empty or no plain file."""
    try:
        if not path.is_file():
            raise refusal(name, "no_file", "there is no such file", "check the path")
        stamp, digest = _stamp(path), sha256()
        for block in _blocks(path):
            digest.update(block)
    except OSError as error:
        raise refusal(name, "unreadable", f"the file cannot be read ({error.strerror})", "check its permissions") from error
    if stamp[1] == 0:
        raise refusal(name, "empty_file", "the file is empty", "export it again: it should have a header and rows")
    found = Stored(path, name, digest.hexdigest(), stamp[1], stamp)
    check_unchanged(found)
    return found


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            yield block


def check_unchanged(file: Stored) -> None:
    """Raises UnusableFile when somebody wrote to the file since it was hashed."""
    try:
        now: Stamp | None = _stamp(file.path)
    except OSError:
        now = None
    if now != file.stamp:
        raise refusal(file.name, "file_changed", "the file changed while it was read", "wait until it is complete and load it again")


def _stamp(path: Path) -> Stamp:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


@contextmanager
def unpacked(file: Stored) -> Iterator[BinaryIO]:
    """The bytes of the file, out of gzip where it is one; a bomb, a torn or a changed file ends the reading."""
    with file.path.open("rb") as packed:
        yield BufferedReader(_Gunzip(file, packed), BLOCK_BYTES) if file.is_gzip else packed
    check_unchanged(file)


class _Gunzip(RawIOBase):
    """What comes out of gzip, counted."""

    def __init__(self, file: Stored, packed: BinaryIO) -> None:
        super().__init__()
        self._file, self._packed, self._out, self._gauge = file, packed, gzip.GzipFile(fileobj=packed), Gauge(file.name, DECODED_BYTES_MAX)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")
        try:
            block = self._out.read(len(view))
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise refusal(self._file.name, "torn_gzip", "the gzip file is damaged or cut off", "send it again, whole") from error
        self._gauge.add(len(block), self._packed.tell())
        view[: len(block)] = block
        return len(block)


class Gauge:
    """How much came out of how little, so far. Raises UnusableFile beyond the limits, whatever the file's headers promise."""

    def __init__(self, name: str, bytes_max: int) -> None:
        self._name, self._max, self._count = name, bytes_max, 0

    def add(self, count: int, packed: int) -> None:
        """So many bytes more came out; so many went in until now."""
        self._count += count
        if self._count > self._max:
            raise refusal(self._name, "too_large", f"it unpacks to more than {self._max >> 20:,} MiB", "split it, or send it as CSV")
        if self._count > RATIO_FREE_BYTES and self._count > RATIO_MAX * packed:
            raise refusal(self._name, "zip_bomb", f"it unpacks to more than {RATIO_MAX} times its size", "send it unpacked")
