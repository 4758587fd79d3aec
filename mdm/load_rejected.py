"""The rejected rows of a load, as they were and with what was wrong: as a file they can be corrected and loaded again as it is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import audit, loads, policy
from mdm.access import Actor, Verb
from mdm.db import fetch
from mdm.entities import ENTITY_TYPES
from mdm.errors import Forbidden
from mdm.load_rejects import write_rejects
from mdm.load_table import BadRow, RowProblem, RowReject

_PAGE = 5_000


@dataclass(frozen=True, slots=True)
class Rejected:
    """The columns of the file, and its rejected rows."""

    header: Sequence[str]
    rows: Sequence[BadRow]


def sees_cells(actor: Actor, view: loads.LoadView) -> bool:
    """What somebody uploaded they have seen; of patients nobody else sees the cells who may not see values whole."""
    own = not ENTITY_TYPES[view.domain].phi or view.created_by == actor.name
    return own or policy.can(actor, Verb.UNMASK, view.domain)


def rejected_rows(session: Session, actor: Actor, load_id: UUID, request_id: str = "") -> Rejected:
    """As they were delivered, and audited. Raises NotFound; Forbidden for patients that somebody else uploaded."""
    view = loads.get(session, actor, load_id)
    if not sees_cells(actor, view):
        raise Forbidden("rows about patients go back only to whoever uploaded them")
    audit.record(session, actor, "load:rejects", domain=view.domain, request_id=request_id, detail={"load": str(view.id)})
    header = (view.plan or {}).get("report", {}).get("header", [])
    return Rejected(header, list(_rows(session, view.plan_id)))


def rejects_csv(session: Session, actor: Actor, load_id: UUID, request_id: str = "") -> bytes:
    """The file. Raises what `rejected_rows` does."""
    found = rejected_rows(session, actor, load_id, request_id)
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
