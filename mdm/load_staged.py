"""What staging hands on, piece by piece: what it found out about the rows, the columns by which they are compared, and the rows made ready.

Each part is packed by itself and has its values column by column: matching reads two of them, arranging two, and no row becomes an object
until somebody asks for it.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from itertools import count, repeat
from typing import Any, LiteralString, NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session

from matching.compare import Value
from matching.model import Columns
from mdm.db import execute, fetch
from mdm.jsonio import dumps, loads
from mdm.load_rows import Packed, pack_parts, unpack_part
from mdm.running import Run

READ_PIECES = 5  # read at once: a transaction for each would cost as much as a hundred rows
REVIEW, REJECTED = "review", "rejected"


class Fact(NamedTuple):
    """What staging found out about a row. `planned` may still become something else where matching has the word."""

    no: int
    key: str | None
    planned: str
    record_id: UUID | None = None
    golden_id: UUID | None = None
    is_new: bool = False
    before: int | None = None
    detail: Mapping[str, Any] | None = None
    print: int | None = None


@dataclass(slots=True)
class Piece:
    """A piece as it grows: facts of all its rows, of those that were made ready their comparison columns and themselves."""

    facts: list[Fact] = field(default_factory=list)
    columns: dict[str, list[Value | None]] = field(default_factory=dict)  # each as long as the last row that fills it
    lines: list[bytes] = field(default_factory=list)

    def add(self, fact: Fact, columns: Columns, text: bytes) -> None:
        """A row that was made ready."""
        place = len(self.lines)
        for name, value in columns.items():
            values = self.columns.get(name)
            if values is None:
                values = self.columns[name] = []
            if len(values) < place:
                values.extend(repeat(None, place - len(values)))
            values.append(value)
        self.facts.append(fact)
        self.lines.append(text)


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of a piece, those of one kind together; ids as text."""

    numbers: Sequence[int] = ()
    keys: Sequence[str | None] = ()
    planned: Sequence[str] = ()
    records: Sequence[str | None] = ()
    goldens: Sequence[str | None] = ()
    are_new: Sequence[bool] = ()
    befores: Sequence[int | None] = ()
    details: Sequence[Mapping[str, Any] | None] = ()
    prints: Sequence[int | None] = ()

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, place: int) -> Fact:
        no, key, planned, record, golden, *more = (getattr(self, each.name)[place] for each in fields(self))
        return Fact(no, key, planned, record and UUID(record), golden and UUID(golden), *more)

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Row by row, in the order of a `Fact`."""
        return zip(*(getattr(self, each.name) for each in fields(self)), strict=True)


class StagedPiece:
    """A piece as it was kept: `facts` of all rows that say something new or are rejected, the rest of those that are not."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.facts = Facts(*loads(unpack_part(content, 0)))

    @property
    def made(self) -> list[int]:
        """Where among the facts those of rows stand that were made ready."""
        return [place for place, planned in enumerate(self.facts.planned) if planned != REJECTED]

    def columns(self) -> dict[str, list[Value | None]]:
        """The columns of the rows made ready; one that none of them fills is absent."""
        found: dict[str, list[Value | None]] = loads(unpack_part(self._content, 1))
        return found

    def lines(self) -> list[bytes]:
        """The rows made ready."""
        text = unpack_part(self._content, 2)
        return text.split(b"\n") if text else []


def write_staged(session: Session, plan_id: UUID, number: int, piece: Piece) -> None:
    """Keep a piece. It counts the rows that matching will look at."""
    facts = piece.facts
    columns = {name: [*values, *repeat(None, len(piece.lines) - len(values))] for name, values in piece.columns.items()}
    content = pack_parts([dumps(list(zip(*facts, strict=True))), dumps(columns), b"\n".join(piece.lines)])
    looked_at = sum(fact.planned not in {REVIEW, REJECTED} for fact in facts)
    first, last = (facts[0].no, facts[-1].no) if facts else (0, 0)
    write_piece(session, plan_id, "staged", number, Packed(first, last, looked_at, content))


def write_piece(session: Session, plan_id: UUID, way: str, number: int, piece: Packed) -> None:
    """Keep a piece, staged or arranged."""
    execute(
        session,
        "insert into load_piece (plan_id, way, no, first_row, last_row, rows, content) values (%s, %s, %s, %s, %s, %s, %s)",
        (plan_id, way, number, piece.first_row, piece.last_row, piece.rows, piece.content),
    )


def staged_numbers(session: Session, plan_id: UUID) -> set[int]:
    """The numbers of the pieces that are staged."""
    return {row[0] for row in fetch(session, "select no from load_piece where plan_id = %s and way = 'staged'", (plan_id,))}


def staged_rows(session: Session, plan_id: UUID) -> int:
    """How many rows matching has to look at."""
    rows = fetch(session, "select coalesce(sum(rows), 0) from load_piece where plan_id = %s and way = 'staged'", (plan_id,))
    return int(rows[0][0])


def staged_pieces(run: Run, plan_id: UUID) -> Iterator[list[StagedPiece]]:
    """All pieces in their order, a few at a time; while somebody looks at some, the next ones are read."""
    with ThreadPoolExecutor(1, "reading") as reader:
        reading = reader.submit(_read, run, plan_id, 0)
        for start in count(READ_PIECES, READ_PIECES):
            found = reading.result()
            if not found:
                return
            reading = reader.submit(_read, run, plan_id, start)
            yield found


def _read(run: Run, plan_id: UUID, start: int) -> list[StagedPiece]:
    asked = (plan_id, start, start + READ_PIECES)
    return [StagedPiece(row[0]) for row in run.effect(lambda session: fetch(session, _STAGED, asked))]


_STAGED: LiteralString = "select content from load_piece where plan_id = %s and way = 'staged' and no >= %s and no < %s order by no"
