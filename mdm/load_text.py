"""In which encoding a text file is written: its mark, else UTF-8 when all of it is, else what its bytes suggest. People see which.

A file in UTF-8 with a few broken places stays UTF-8: only the rows with broken places are rejected (they decode to lone surrogates).
"""

import codecs
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from itertools import chain

from mdm.load_bytes import BLOCK_BYTES, Stored, unpacked
from mdm.load_table import refusal

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SIGNATURES = (
    (b"PK\x03\x04", "a zip archive or a workbook", "load a workbook under its own name (.xlsx), and unpack archives"),
    (b"\xd0\xcf\x11\xe0", "an Office file of the old kind, or a protected one", "save it as .xlsx or CSV without a password"),
    (b"PAR1", "a Parquet file", "give it the name .parquet"),
    (b"%PDF", "a PDF document", "export the table as CSV or XLSX"),
    (b"\x1f\x8b", "packed twice", "pack it once"),
)
_LINE_BLOCKS_MAX = 64  # a line longer than so many MiB is no row


@dataclass(frozen=True, slots=True)
class Encoding:
    """`lenient`: broken places become lone surrogates instead of ending the reading."""

    name: str
    lenient: bool
    note: str = ""


def detect(file: Stored, chosen: str | None) -> Encoding:
    """Read the whole file once. Raises UnusableFile when it is no text, or not in the encoding that was chosen."""
    with unpacked(file) as source:
        start = source.read(4096)
    _check_text(file, start)
    marked = next((name for mark, name in _MARKS if start.startswith(mark)), None)
    if chosen is not None:
        return _chosen(file, chosen)
    if marked is not None:
        _check(file, marked)
        return Encoding(marked, lenient=False)
    wide = _wide(start)
    if wide is not None:
        _check(file, wide)
        return Encoding(wide, lenient=False, note=f"no byte order mark; every second byte is zero: read as {wide}")
    return _eight_bits(file)


def _check_text(file: Stored, start: bytes) -> None:
    for signature, what, remedy in _SIGNATURES:
        if start.startswith(signature):
            raise refusal(file.name, "no_text", f"this is {what}", remedy)


def _chosen(file: Stored, name: str) -> Encoding:
    try:
        "".encode(name)  # refuses also what turns bytes into bytes, such as base64
    except (LookupError, ValueError):
        raise refusal(file.name, "unknown_encoding", "there is no encoding of that name", "use utf-8, utf-16, cp1252 or latin-1") from None
    _check(file, name)
    return Encoding(name, lenient=False)


def _check(file: Stored, name: str) -> None:
    """Raises UnusableFile at the first place that is not in this encoding."""
    decoder, row = codecs.getincrementaldecoder(name)(), 1
    for block in chain(_blocks(file), (b"",)):
        try:
            row += decoder.decode(block, final=not block).count("\n")
        except UnicodeError as error:
            end = error.start if isinstance(error, UnicodeDecodeError) else 0
            raise refusal(
                file.name,
                "wrong_encoding",
                f"not written in {name}",
                "choose another encoding, or save it as UTF-8",
                row=row + block.count(b"\n", 0, end),
            ) from error


def _wide(start: bytes) -> str | None:
    """UTF-16 without a mark: text of western letters has a zero in every second byte."""
    even, odd = start[0::2], start[1::2]
    if len(start) < 8 or start.count(0) * 3 < len(start):
        return None
    return "utf-16-le" if odd.count(0) > even.count(0) else "utf-16-be"


def _eight_bits(file: Stored) -> Encoding:
    if _is_utf8(file):
        return Encoding("utf-8", lenient=False)
    decoder, good, broken = codecs.getincrementaldecoder("utf-8")("surrogateescape"), 0, 0
    for block in _blocks(file):
        text = decoder.decode(block)
        whole = len(text.encode("utf-8", "ignore").decode())
        broken += len(text) - whole
        good += whole - len(text.encode("ascii", "ignore"))
    if good > 10 * broken:
        return Encoding("utf-8", lenient=True, note=f"UTF-8 with {broken} broken bytes: the rows that have them are rejected")
    return Encoding("cp1252", lenient=True, note="not UTF-8: read as Windows-1252 (Western European); check names with accents")


def _is_utf8(file: Stored) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for block in _blocks(file):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _blocks(file: Stored) -> Iterator[bytes]:
    """The file in blocks; one endless line is refused before anything reads it as one."""
    endless = 0
    with unpacked(file) as source:
        while block := source.read(BLOCK_BYTES):
            endless = 0 if b"\n" in block or b"\r" in block else endless + 1
            if endless > _LINE_BLOCKS_MAX:
                raise refusal(file.name, "endless_line", f"a line of more than {_LINE_BLOCKS_MAX} MiB", "export it with one row per line")
            yield block


@contextmanager
def text_of(file: Stored, encoding: Encoding) -> Iterator[TextIOWrapper]:
    """The decoded lines, their ends as they were."""
    with (
        unpacked(file) as source,
        TextIOWrapper(source, encoding.name, "surrogateescape" if encoding.lenient else "strict", newline="") as text,
    ):
        yield text
