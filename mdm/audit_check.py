"""Is the audit as it was sealed? Every hash, root, head and signature again, and the heads that were noted outside.

Names what was changed, removed or added; a row that was never sealed yet says nothing either way.
"""

import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import LiteralString

from sqlalchemy.orm import Session

from mdm.db import Database, Row, execute, fetch
from mdm.seal import HASH_BYTES, NOTHING, SEALS, Seal, head_of, leaf, root_of, sign

_ROWS: LiteralString = (
    "select n, xid, (extract(epoch from at) * 1000000)::bigint, principal, action, domain, subjects::text[], fields, request_id, outcome,"
    " detail from audit where n > %(after)s"
    " and n <= coalesce((select min(floor) from audit_seal where floor > %(after)s), 9223372036854775807)"
    " and xid >= %(from)s and (%(broken)s or xid < %(to)s) order by xid, n"
)


@dataclass(slots=True)
class Verdict:
    """How much was looked at, and what is wrong with it."""

    batches: int = 0
    rows: int = 0
    unsealed: int = 0
    problems: list[str] = field(default_factory=list)


def verify(database: Database, key: bytes, outside: Sequence[tuple[int, bytes]], *, since: int = 0) -> Verdict:
    """Look at every batch from `since` on, and compare with the heads noted outside."""
    verdict, last, heads = Verdict(), NOTHING, dict[int, bytes]()
    while (found := database.run(partial(_next, after=last.batch))) is not None:
        heads[found.batch] = found.head
        verdict.problems += _chain_problems(last, found, key)
        if found.batch >= since:
            rows = database.run(partial(_rows, last=last, now=found))
            verdict.batches, verdict.rows = verdict.batches + 1, verdict.rows + len(rows)
            verdict.problems += _row_problems(found, rows)
        last = found
    verdict.problems += _outside_problems(heads, outside)
    verdict.unsealed = database.run(partial(_unsealed, last=last))
    return verdict


def _next(session: Session, after: int) -> Seal | None:
    rows = fetch(session, SEALS + " where batch > %s order by batch limit 1", (after,))
    return Seal(*rows[0]) if rows else None


def _rows(session: Session, last: Seal, now: Seal) -> list[Row]:
    execute(session, "set transaction isolation level repeatable read, read only")
    broken = now.floor != last.floor or now.watermark == 0
    given = {"after": last.floor, "from": last.watermark, "to": now.watermark, "broken": broken}
    return fetch(session, _ROWS, given)


def _unsealed(session: Session, last: Seal) -> int:
    counted: int = fetch(session, "select count(*) from audit where n > %s and xid >= %s", (last.floor, last.watermark))[0][0]
    return counted


def _chain_problems(last: Seal, found: Seal, key: bytes) -> Iterator[str]:
    if found.batch != last.batch + 1:
        yield f"seal {last.batch + 1} is missing"
    elif found.previous != last.head:
        yield f"seal {found.batch} does not hang on seal {last.batch}"
    leaves = _split(found.leaves)
    head = head_of(found.previous, found.batch, (found.floor, found.watermark, found.rows), found.root)
    if root_of(leaves) != found.root or len(leaves) != found.rows or head != found.head:
        yield f"seal {found.batch} was changed"
    elif not hmac.compare_digest(sign(key, found.head), found.signature):
        yield f"seal {found.batch} was not signed with this installation's key"


def _split(leaves: bytes) -> list[bytes]:
    return [leaves[at : at + HASH_BYTES] for at in range(0, len(leaves), HASH_BYTES)]


def _row_problems(found: Seal, rows: Sequence[Row]) -> Iterator[str]:
    """The first row at which the batch is other than it was sealed: changed, removed before it, or added."""
    wanted, there = _split(found.leaves), [leaf(row) for row in rows]
    if wanted == there:
        return
    place = next((i for i, (a, b) in enumerate(zip(wanted, there, strict=False)) if a != b), min(len(wanted), len(there)))
    n = rows[place][0] if place < len(rows) else None
    if n is None:
        yield f"seal {found.batch}: a row was removed {f'after row {rows[-1][0]}' if rows else 'and with it all of the batch'}"
    elif there[place] in wanted[place:]:
        yield f"seal {found.batch}: a row was removed before row {n}"
    elif place == len(wanted) or wanted[place] in there[place:]:
        yield f"seal {found.batch}: row {n} was added"
    else:
        yield f"seal {found.batch}: row {n} was changed"


def _outside_problems(heads: Mapping[int, bytes], outside: Sequence[tuple[int, bytes]]) -> Iterator[str]:
    for batch, head in outside:
        if batch not in heads:
            yield f"seal {batch} was noted outside and is not there: the end was cut off, or an older backup restored"
        elif heads[batch] != head:
            yield f"seal {batch} is not the one that was noted outside"
