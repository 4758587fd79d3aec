"""Rows made ready: standardised once, when a load is planned, and kept packed until it is applied. Packing loses nothing that is stored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import islice, repeat
from uuid import UUID

import pyarrow as pa

from matching.model import Columns
from mdm.jsonio import dumps, loads
from mdm.records import Incoming
from mdm.standardise import Delivery, Note, Standard
from mdm.statements import read_assertions

_CODEC = "zstd"
_SIZE_BYTES = 8


@dataclass(frozen=True, slots=True)
class Near:
    """Whoever may be one with a row: stored records, and other rows of the file by their numbers."""

    records: Sequence[UUID] = ()
    rows: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One row made ready: its number in the file, the record that it is, or is to become, and its standard form with its keys by rule.

    `near`: what the plan found, of rows whose neighbours it looked for.
    """

    no: int
    record_id: UUID
    standard: Standard
    keys: Mapping[int, str]
    near: Near | None = None

    @property
    def name(self) -> str:
        return f"{self.standard.delivery.system}/{self.standard.delivery.key}"

    def incoming(self) -> Incoming:
        """The row as a record that nobody knows yet."""
        return Incoming(self.record_id, self.standard, None, self.standard.columns, self.keys)


@dataclass(frozen=True, slots=True)
class Packed:
    """A piece: its rows from `first_row` to `last_row`, as bytes."""

    first_row: int
    last_row: int
    rows: int
    content: bytes


def pack(lines: Sequence[bytes], numbers: Sequence[int]) -> Packed:
    """Lines that say something of rows with these numbers."""
    return Packed(min(numbers, default=0), max(numbers, default=0), len(numbers), _compressed(b"\n".join(lines)))


def unpack(content: bytes) -> list[bytes]:
    """The lines of a piece, in the order in which they were packed."""
    text = _decompressed(content)
    return text.split(b"\n") if text else []


def pack_parts(parts: Sequence[bytes]) -> bytes:
    """Parts that are read one by one."""
    packed = [_compressed(part) for part in parts]
    return b"".join([len(each).to_bytes(_SIZE_BYTES, "big") + each for each in packed])


def unpack_part(content: bytes, number: int) -> bytes:
    """The part of this number, from 0; the others stay packed."""
    start = 0
    for _ in range(number):
        start += _SIZE_BYTES + _size(content, start)
    return _decompressed(content[start + _SIZE_BYTES : start + _SIZE_BYTES + _size(content, start)])


def _size(content: bytes, start: int) -> int:
    return int.from_bytes(content[start : start + _SIZE_BYTES], "big")


def _compressed(text: bytes) -> bytes:
    packed: bytes = pa.Codec(_CODEC).compress(text, asbytes=True)
    return len(text).to_bytes(_SIZE_BYTES, "big") + packed


def _decompressed(packed: bytes) -> bytes:
    found: bytes = pa.Codec(_CODEC).decompress(packed[_SIZE_BYTES:], _size(packed, 0), asbytes=True)
    return found


def line(row: Row) -> bytes:
    delivery, standard = row.standard.delivery, row.standard
    said = None if standard.relationships is None else [each.as_json() for each in standard.relationships]
    own = None if delivery.relationships is None else [each.as_json() for each in delivery.relationships]
    return dumps(
        [
            row.no,
            row.record_id,
            [delivery.key, delivery.attributes, delivery.identifiers, delivery.status, delivery.valid_from, delivery.valid_to, own],
            [
                standard.attributes,
                standard.identifiers,
                standard.columns,
                [[n.code, n.pointer] for n in standard.notes],
                standard.hash,
                said,
            ],
            list(row.keys.items()),
        ]
    )


def read(system: str, text: bytes, near: Near | None = None) -> Row:
    no, record, (key, attributes, identifiers, status, valid_from, valid_to, own), made, keys = loads(text)
    told = [(code, value) for code, value in identifiers]
    delivery = Delivery(system, key, attributes, told, status, _day(valid_from), _day(valid_to), read_assertions(own))
    clean, held, columns, notes, found_hash, said = made
    standard = Standard(delivery, clean, held, columns, tuple(Note(*note) for note in notes), found_hash, read_assertions(said))
    return Row(no, UUID(record), standard, dict(keys), near)


def read_compared(text: bytes) -> tuple[Columns, dict[int, str], dict[str, list[str]]]:
    """What matching wants of a row by itself: its columns, its keys with the names of their rules, and its identifiers."""
    _, _, _, made, keys = loads(text)
    return made[2], dict(keys), made[1]


def pack_groups(sizes: Sequence[int], lines: Sequence[bytes], numbers: Sequence[int], near: Sequence[Near | None] = ()) -> Packed:
    """An arranged piece: lines with their numbers, of which so many belong together each time; and who is near them, line by line."""
    return pack([dumps([sizes, [each and [each.records, each.rows] for each in near]]), *lines], numbers)


def read_groups(system: str, content: bytes) -> list[list[Row]]:
    """The rows of an arranged piece, those together that belong together."""
    head, *lines = unpack(content)
    sizes, near = loads(head)
    rows = map(partial(_placed, system), lines, near or repeat(None))
    return [list(islice(rows, size)) for size in sizes]


def _placed(system: str, text: bytes, near: tuple[Sequence[str], Sequence[int]] | None) -> Row:
    return read(system, text, near and Near([UUID(each) for each in near[0]], near[1]))


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
