"""Rows of a file that say nothing new: nearly all of a file that comes every night, so that a piece of them stands side by side in one row.

Each by itself they would take ten times the room, and most of the time in which the file is planned. No later step has anything to do with
them; who asks for all rows of a plan reads `ALL_ROWS`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from mdm.copied import copied_texts
from mdm.db import array, copy, fetch

NO_PRINT = 0


@dataclass(frozen=True, slots=True)
class Same:
    """Rows beside each other: their numbers and keys, the records (hexadecimal) that say the same, in which version, and their prints."""

    numbers: list[int] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    records: list[str] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)
    prints: list[int] = field(default_factory=list)

    def add(self, no: int, key: str, record_id: UUID, version: int, mark: int | None) -> None:
        self.numbers.append(no)
        self.keys.append(key)
        self.records.append(record_id.hex)
        self.versions.append(version)
        self.prints.append(NO_PRINT if mark is None else mark)

    def extend(self, other: "Same") -> None:
        self.numbers.extend(other.numbers)
        self.keys.extend(other.keys)
        self.records.extend(other.records)
        self.versions.extend(other.versions)
        self.prints.extend(other.prints)

    def as_copied(self) -> str:
        """The columns as COPY reads them."""
        keys, records = copied_texts(self.keys), array(self.records)
        return f"{array(self.numbers)}\t{keys}\t{records}\t{array(self.versions)}\t{array(self.prints)}"


def write_same(session: Session, plan_id: UUID, piece: int, parts: Iterable[Same]) -> None:
    """Write the rows of a piece down as unchanged."""
    all_of_them = Same()
    for part in parts:
        all_of_them.extend(part)
    if all_of_them.numbers:
        copy(session, "load_same", _COLUMNS, [f"{plan_id}\t{piece}\t{all_of_them.as_copied()}"])


_COLUMNS: LiteralString = "plan_id, no, numbers, keys, records, versions, prints"


def count_same(session: Session, plan_id: UUID) -> int:
    """How many rows of a plan stand side by side."""
    return int(fetch(session, "select coalesce(sum(cardinality(numbers)), 0) from load_same where plan_id = %s", (plan_id,))[0][0])


# One row for each row of the file, of whatever plans; `r` in a FROM: what all of them have
ALL_ROWS: LiteralString = (
    "(select plan_id, no, key, planned, record_id from load_row union all"
    " select s.plan_id, u.no, u.key, 'unchanged', u.record_id"
    " from load_same s cross join lateral unnest(s.numbers, s.keys, s.records) u(no, key, record_id)) r"
)
