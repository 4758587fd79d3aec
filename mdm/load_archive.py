"""A workbook's archive looked through before any parser sees it: every part unpacked and counted, no promise of a header believed.

Refused: bombs, overlapping parts, parts of unusual packing, document types and entities, sheets whose cells lie so far apart that a parser
would need gigabytes for what is between them.
"""

import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from os import SEEK_CUR
from struct import unpack_from
from typing import BinaryIO

from mdm.errors import UnusableFile
from mdm.load_bytes import BLOCK_BYTES, Gauge, Stored
from mdm.load_table import refusal

PARTS_MAX = 1_000
CELLS_MAX = 20_000_000  # a parser keeps some 50 bytes for each, used or not
_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_PROTECTED = "EncryptedPackage".encode("utf-16-le")
_OTHER_KINDS = {
    "xl/workbook.bin": "a binary workbook (.xlsb)",
    "content.xml": "an OpenDocument file",
    "word/document.xml": "a text document",
}
# Where a cell says that it stands. Patterns that begin with plain characters are found three times as fast.
_COLUMN = re.compile(rb' r="([A-Za-z]+)[0-9]')
_ROW = re.compile(rb' r="[A-Za-z]*([0-9]+)"')
_UNUSUAL = re.compile(rb"r\s+=|r=[\s']")  # the same, written in a way that no spreadsheet program does
_BREAKS = (b"\tr", b"\nr", b"\rr")
_ANY_COLUMN = re.compile(rb"""\sr\s*=\s*["']([A-Za-z]+)[0-9]""")
_ANY_ROW = re.compile(rb"""\sr\s*=\s*["'][A-Za-z]*([0-9]+)["']""")
_WIDE = (b"\xff\xfe", b"\xfe\xff", b"<\x00", b"\x00<")
_TAG_LENGTH_MAX = 64 * 1024
_PACKED_BYTES = 64 * 1024
_LOCAL_HEADER = 30
BYTES_MAX = 3 * 1024**3 // 2


@dataclass(slots=True)
class Extent:
    """How far the cells of the widest and longest sheet reach, and how many hold an error instead of a value."""

    rows: int = 0
    columns: set[bytes] = field(default_factory=set)
    errors: int = 0

    @property
    def cells(self) -> int:
        return self.rows * max(map(_column_number, self.columns), default=1)


def look_through(file: Stored) -> Extent:
    """Raises UnusableFile; else no parser will unpack more than was counted here."""
    _check_kind(file)
    try:
        with zipfile.ZipFile(file.path) as archive:
            parts = archive.infolist()
        _check_parts(file, parts)
        with file.path.open("rb") as source:
            return _look(file, source, parts)
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError) as error:
        raise _torn(file) from error


def _torn(file: Stored) -> UnusableFile:
    return refusal(file.name, "torn_workbook", "the workbook is damaged or cut off", "open it in a spreadsheet program and save it again")


def _check_kind(file: Stored) -> None:
    with file.path.open("rb") as source:
        start = source.read(4 * BLOCK_BYTES)
    if start.startswith(_OLD_OFFICE) and _PROTECTED in start:
        raise refusal(file.name, "password", "the workbook is protected by a password", "save it without a password")
    if start.startswith(_OLD_OFFICE):
        raise refusal(file.name, "old_workbook", "this is a workbook of the old kind (.xls)", "save it as .xlsx")
    if not start.startswith(b"PK"):
        raise refusal(file.name, "no_workbook", "this is no workbook", "save it as .xlsx, or give a text file the name .csv")


def _check_parts(file: Stored, parts: list[zipfile.ZipInfo]) -> None:
    names = {part.filename for part in parts}
    other = next((what for name, what in _OTHER_KINDS.items() if name in names), "an archive")
    if "[Content_Types].xml" not in names or other != "an archive":
        raise refusal(file.name, "no_workbook", f"this is {other}, no workbook", "save it as .xlsx")
    if len(parts) > PARTS_MAX or len(names) < len(parts):
        raise refusal(
            file.name, "zip_bomb", "the archive has too many parts, or one of them twice", "save the table in a workbook of its own"
        )
    ends = sorted((part.header_offset, part.header_offset + part.compress_size) for part in parts)
    if any(end > start for (_, end), (start, _) in pairwise(ends)):
        raise refusal(file.name, "zip_bomb", "parts of the archive overlap", "save the workbook again")
    if any(part.flag_bits & 1 for part in parts):
        raise refusal(file.name, "password", "the archive is protected by a password", "save it without a password")


def _look(file: Stored, source: BinaryIO, parts: list[zipfile.ZipInfo]) -> Extent:
    widest, errors, tally = Extent(), 0, Tally(Gauge(file.name, BYTES_MAX))
    for part in parts:
        own = Extent()
        for block in _whole_tags(_unpacked(source, part, tally)):
            _look_at(file, part.filename, block, own)
        errors += own.errors
        widest = max(widest, own, key=lambda each: each.cells)
        if own.cells > CELLS_MAX:
            remedy = "save the sheet as CSV, or delete what stands far out"
            raise refusal(file.name, "too_many_cells", f"a sheet of more than {CELLS_MAX:,} cells", remedy)
    return replace(widest, errors=errors)


def _look_at(file: Stored, part: str, block: bytes, own: Extent) -> None:
    declares = b"<!DOCTYPE" in block or b"<!ENTITY" in block
    if part.endswith((".xml", ".rels")) and (declares or block.startswith(_WIDE)):
        raise refusal(file.name, "document_type", "a part of the workbook declares entities", "save it again in a spreadsheet program")
    is_usual = _UNUSUAL.search(block) is None and not any(mark in block for mark in _BREAKS)
    column, row = (_COLUMN, _ROW) if is_usual else (_ANY_COLUMN, _ANY_ROW)
    own.columns.update(column.findall(block))
    own.rows = max(own.rows, max(map(int, set(row.findall(block))), default=0))
    own.errors += block.count(b't="e"')


def _whole_tags(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes, cut before a tag, so that each can be searched by itself."""
    rest = b""
    for block in blocks:
        together = rest + block
        cut = max(together.rfind(b"<"), len(together) - _TAG_LENGTH_MAX)
        rest = together[cut:]
        yield together[:cut]
    yield rest


@dataclass(slots=True)
class Tally:
    """The gauge of a whole archive, and how much of it was read."""

    gauge: Gauge
    packed: int = 0


def _unpacked(source: BinaryIO, part: zipfile.ZipInfo, tally: Tally) -> Iterator[bytes]:
    """The bytes of one part as they are in the file. zipfile stops where the header promises the end; a parser may not."""
    if part.header_offset < 0:
        raise zipfile.BadZipFile
    source.seek(part.header_offset)
    local = source.read(_LOCAL_HEADER)
    if len(local) < _LOCAL_HEADER:
        raise EOFError
    name_length, extra_length = unpack_from("<HH", local, _LOCAL_HEADER - 4)
    source.seek(name_length + extra_length, SEEK_CUR)
    left, count = part.compress_size, 0
    inflate = _inflate(part)
    while left:
        packed = source.read(min(left, _PACKED_BYTES))
        if not packed:
            raise EOFError
        left, tally.packed = left - len(packed), tally.packed + len(packed)
        for block in inflate(packed):
            tally.gauge.add(len(block), tally.packed)
            count += len(block)
            yield block
    if count != part.file_size:
        raise zipfile.BadZipFile


def _inflate(part: zipfile.ZipInfo) -> Callable[[bytes], Iterator[bytes]]:
    if part.compress_type == zipfile.ZIP_STORED:
        return lambda packed: iter((packed,))
    if part.compress_type != zipfile.ZIP_DEFLATED:
        raise zipfile.BadZipFile
    stream = zlib.decompressobj(-zlib.MAX_WBITS)

    def blocks(packed: bytes) -> Iterator[bytes]:
        while packed:
            yield stream.decompress(packed, BLOCK_BYTES)
            packed = stream.unconsumed_tail

    return blocks


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - ord("A") + 1
    return number
