"""The rejected rows of a load, as they were and with what was wrong: as a file they can be corrected and loaded again as it is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import loads
from mdm.access import Actor
from mdm.db import fetch
from mdm.load_rejects import write_rejects
from mdm.load_table import BadRow, RowProblem, RowReject

_PAGE = 5_000


@dataclass(frozen=True, slots=True)
class Rejected:
    """The columns of the file, and its rejected rows."""

    header: Sequence[str]
    rows: Sequence[BadRow]


def rejected_rows(session: Session, actor: Actor, load_id: UUID) -> Rejected:
    """Raises NotFound."""
    view = loads.get(session, actor, load_id)
    header = (view.plan or {}).get("report", {}).get("header", [])
    return Rejected(header, list(_rows(session, view.plan_id)))


def rejects_csv(session: Session, actor: Actor, load_id: UUID) -> bytes:
    """The file. Raises NotFound."""
    found = rejected_rows(session, actor, load_id)
    return b"".join(write_rejects(found.header, found.rows))


def _rows(session: Session, plan_id: UUID | None) -> Iterator[BadRow]:
    after = -1
    while True:
        rows = fetch(
            session,
            "select no, detail from load_row where plan_id = %s and no > %s and coalesce(became, planned) = 'rejected'"
            " order by no limit %s",
            (plan_id, after, _PAGE),
        )
        if not rows:
            return
        after = rows[-1][0]
        yield from (BadRow(no, tuple(told["cells"]), _reject(told["problems"])) for no, told in rows)


def _reject(problems: Sequence[dict[str, str]]) -> RowReject:
    return RowReject(tuple(RowProblem(each["code"], each["column"], each["fix"]) for each in problems))
