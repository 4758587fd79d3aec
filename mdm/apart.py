"""Golden records with which nobody else has to do: what becomes of one of them depends on no other, and changes none."""

from collections.abc import Sequence
from typing import LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from mdm.db import array, fetch


def is_apart(session: Session, goldens: Sequence[UUID], records: Sequence[UUID]) -> bool:
    """Whether these golden records have these records and no others, and nothing joins them to anybody beside them.

    Neither an edge, an open task, a relationship, nor a value that another one claims as well. It holds as long as nobody can come near:
    ask it once the keys of the records are locked.
    """
    return not fetch(session, _JOINED, {"goldens": array(goldens), "records": array(records)})[0][0]


_OTHER: LiteralString = " <> all(%(records)s::uuid[])"
_MINE: LiteralString = " = any(%(records)s::uuid[])"
_OURS: LiteralString = " = any(%(goldens)s::uuid[])"
_OPEN: LiteralString = " and recorded_to is null"
_CLAIMED: LiteralString = (
    "select 1 from xref x join xref y on y.domain = x.domain and y.system_id = x.system_id and y.value = x.value and y.recorded_to is null"
    f" and y.golden_id <> x.golden_id where x.golden_id{_OURS} and x.recorded_to is null"
)
_JOINED: LiteralString = "select " + " or ".join(
    f"exists ({each})"
    for each in (
        f"select 1 from link where golden_id{_OURS}{_OPEN} and record_id{_OTHER}",
        f"select 1 from edge where low{_MINE} and high{_OTHER}",
        f"select 1 from edge where high{_MINE} and low{_OTHER}",
        "select 1 from task where status = 'open' and goldens && %(goldens)s::uuid[]",
        f"select 1 from relationship_claim where record_id{_MINE}{_OPEN}",
        f"select 1 from relationship_claim where subject_id{_OURS}{_OPEN}",
        f"select 1 from relationship_claim where target_id{_OURS}{_OPEN}",
        f"select 1 from relationship where subject_id{_OURS}{_OPEN}",
        f"select 1 from relationship where target_id{_OURS}{_OPEN}",
        _CLAIMED,
    )
)
