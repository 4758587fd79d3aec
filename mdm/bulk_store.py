"""Many new records at once, stored as deliveries would have left them: the end of a load whose matching is already done.

Whoever calls has found who is one among the rows. Here they become records, golden records and all that follows from these, a thousand rows
in a transaction, by COPY and without a query in a loop. What they might have in common with others is the caller's to know: `mdm.rematch`
settles pairs across groups, and what was delivered meanwhile.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from uuid import UUID

from sqlalchemy.orm import Session

from matching.score import Scorer, Total
from mdm import audit
from mdm.access import Actor
from mdm.bulk_rows import COLUMNS, KEY_COLUMNS, Golden, edge_lines, golden, held, key_rows, lines, xref_lines
from mdm.claims import lock_sources, write_claims
from mdm.db import LOCKS_MAX, copy, copy_binary, fetch
from mdm.derive import contested, rows_of
from mdm.entity import EntityType
from mdm.feed import Happening, publish
from mdm.ids import new_golden_id
from mdm.loops import refuse
from mdm.misswork import resolved_by
from mdm.models import scorer
from mdm.records import Incoming, read_stored
from mdm.relationships import derive_relationships
from mdm.reviews import refresh_new
from mdm.systems import registry

ROWS_MAX = LOCKS_MAX - 24  # source keys are locked one by one, as by a delivery

Group = Sequence[Incoming]


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of the rows: golden ids by record; and those that are not new any more, because somebody delivered them meanwhile."""

    golden_of: Mapping[UUID, UUID]
    known: Sequence[Incoming]


def store(session: Session, entity: EntityType, actor: Actor, groups: Sequence[Group], request_id: str) -> Kept:
    """Store groups of new records (`Incoming` without `stored`), each as one golden record: at most ROWS_MAX rows, no source key twice.

    Raises HierarchyLoop or InvalidRecord where relationships cannot be: then nothing is kept, and the rows may be delivered one by one.
    """
    rows = [row for group in groups for row in group]
    if len(rows) > ROWS_MAX:
        raise ValueError(f"{len(rows)} rows in one transaction; the most are {ROWS_MAX}")
    standards = [row.standard for row in rows]
    lock_sources(session, entity, standards)
    stored = read_stored(session, entity, [standard.place for standard in standards])
    known = [row for row in rows if row.standard.place in stored]
    fresh = [[row for row in group if row.standard.place not in stored] for group in groups] if known else groups
    goldens = [golden(new_golden_id(), group) for group in fresh if group]
    if goldens:
        happenings = _write(session, entity, goldens)
        _record(session, entity, actor, goldens, request_id)
        publish(session, entity.name, happenings)
    return Kept({row.record_id: each.id for each in goldens for row in each.rows}, known)


def _write(session: Session, entity: EntityType, goldens: Sequence[Golden]) -> list[Happening]:
    systems = registry(session)
    at: datetime = fetch(session, "select statement_timestamp()")[0][0]
    found, holdings = lines(entity, systems, goldens, at), held(entity, systems, goldens)
    taken = contested(session, entity, [h for h in holdings if h.exclusive and not h.own])
    rows = rows_of(holdings, taken)
    found.of["xref"] = xref_lines(entity, rows, at)
    model = scorer(session, entity)
    found.of["edge"] = edge_lines(model, {pair: score for each in goldens for pair, score in _edges(model, each.rows)})
    for table, columns in COLUMNS.items():
        copy(session, table, columns, found.of[table])
    copy_binary(session, "match_key", KEY_COLUMNS, key_rows(goldens))
    claims = write_claims(session, entity, [row for each in goldens for row in each.rows])
    loops = derive_relationships(session, entity, systems, {each.id: each.members for each in goldens}, ())
    refuse(loops, claims, "/relationships")
    if taken:
        refresh_new(session, entity, {each.id: each.members for each in goldens})
    return [*found.happenings, *resolved_by(session, entity, rows)]


def _edges(model: Scorer, group: Group) -> Iterator[tuple[tuple[UUID, UUID], Total]]:
    """The pairs of a group that blocking meets and whose evidence is enough to ask."""
    floor = model.model.thresholds.review
    for one, other in combinations(group, 2):
        score = None if one.keys.keys().isdisjoint(other.keys) else model.total_from(one.columns, other.columns, floor)
        if score is not None:
            yield (min(one.record_id, other.record_id), max(one.record_id, other.record_id)), score


def _record(session: Session, entity: EntityType, actor: Actor, goldens: Sequence[Golden], request_id: str) -> None:
    rows = sum(len(each.rows) for each in goldens)
    subjects = [each.id for each in goldens]
    audit.record(session, actor, "record:load", domain=entity.name, subjects=subjects, request_id=request_id, detail={"rows": rows})
