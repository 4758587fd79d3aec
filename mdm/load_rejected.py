"""The rejected rows of a load: as a file with the original columns that can be corrected and loaded again as it is."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import loads
from mdm.access import Actor
from mdm.db import fetch
from mdm.load_formulas import neutralise
from mdm.load_table import REJECT_COLUMNS

_PAGE = 5_000


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row as it was, and what was wrong with it."""

    row: int
    problems: Sequence[Any]
    cells: Sequence[str | None]


@dataclass(frozen=True, slots=True)
class Rejected:
    """The columns of the file, and its rejected rows."""

    header: Sequence[str]
    rows: Sequence[RejectedRow]


def rejected_rows(session: Session, actor: Actor, load_id: UUID) -> Rejected:
    """Raises NotFound."""
    view = loads.get(session, actor, load_id)
    header = (view.plan or {}).get("report", {}).get("header", [])
    return Rejected(header, list(_rows(session, view.plan_id)))


def rejects_csv(session: Session, actor: Actor, load_id: UUID) -> Iterator[str]:
    """The file, line by line. Cells that a spreadsheet would run are made harmless, and read back as they were. Raises NotFound."""
    found = rejected_rows(session, actor, load_id)
    yield _line([*REJECT_COLUMNS, *found.header])
    for row in found.rows:
        first = row.problems[0] if row.problems else {"code": "", "column": "", "fix": ""}
        fixes = "; ".join(f"{p['column']}: {p['fix']}" if p["column"] else p["fix"] for p in row.problems)
        yield _line([str(row.row), first["code"], first["column"], fixes, *(cell or "" for cell in row.cells)])


def _rows(session: Session, plan_id: UUID | None) -> Iterator[RejectedRow]:
    after = -1
    while True:
        rows = fetch(
            session,
            "select no, detail from load_row where plan_id = %s and no > %s and coalesce(became, planned) = 'rejected' order by no limit %s",
            (plan_id, after, _PAGE),
        )
        if not rows:
            return
        after = rows[-1][0]
        yield from (RejectedRow(no, detail["problems"], detail["cells"]) for no, detail in rows)


def _line(cells: Sequence[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow([neutralise(cell) for cell in cells])
    return out.getvalue()
