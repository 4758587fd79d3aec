"""Records that a load brought go away again: what follows from them is closed, nothing is erased.

A withdrawn record is inactive, says nothing, and belongs to no golden record until somebody delivers it anew. A golden record that has no
records left retires and goes on answering by its id.
"""

from collections.abc import Mapping, Sequence
from typing import LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from mdm.claims import end_claims
from mdm.db import array, execute, fetch
from mdm.derive import settle_contests
from mdm.entity import EntityType
from mdm.feed import Happening, publish
from mdm.members import members_of
from mdm.misswork import reopen
from mdm.models import scorer as active_scorer
from mdm.relationships import Moved, rederive
from mdm.resolve import Change, settle
from mdm.reviews import Outlook, refresh_reviews
from mdm.systems import registry


def withdraw(session: Session, entity: EntityType, records: Sequence[UUID], places: Mapping[UUID, UUID]) -> tuple[UUID, ...]:
    """Withdraw records, put others back to where `places` says; the golden records that retired. The caller holds the blocking locks."""
    model, systems = active_scorer(session, entity), registry(session)
    goldens = _goldens(session, [*records, *places])
    before = members_of(session, goldens)
    gone = frozenset(records)
    leaving = [member for members in before.values() for member in members if member.id in gone]
    left = {golden: [m for m in members if m.id not in gone] for golden, members in before.items()}
    emptied = sorted(golden for golden, members in left.items() if not members)
    closed = _close(session, records, emptied)
    beside = _forget_edges(session, gone)
    happenings = _retire(session, emptied)
    end_claims(session, _claims(session, records))
    moved = Moved(entity.name, goldens, (), [(m.system, m.key) for m in leaving], frozenset(emptied))
    rederive(session, systems, moved, gone=frozenset(emptied))
    staying = [m.id for members in left.values() for m in members]
    if staying or beside:
        homes = {m.id: places.get(m.id, golden) for golden, members in left.items() for m in members}
        settled = settle(session, entity, model, systems, Change(frozenset(staying), placed=homes, beside=beside))
        happenings += settled.happenings
    settle_contests(session, entity, set(closed))
    refresh_reviews(session, entity, model, Outlook({}, (), (), emptied))
    _ask_again(session, entity, closed)
    publish(session, entity.name, happenings)
    return tuple(emptied)


def _goldens(session: Session, records: Sequence[UUID]) -> list[UUID]:
    """Where they are, locked in order."""
    rows = fetch(
        session,
        "select id from golden_record where id in (select golden_id from link where record_id = any(%s) and recorded_to is null)"
        " order by id for update",
        (array(records),),
    )
    return [row[0] for row in rows]


def _close(session: Session, records: Sequence[UUID], emptied: Sequence[UUID]) -> list[tuple[int, str]]:
    """Close links, keys and crosswalk rows; the identifiers that nobody may hold any more."""
    gone = array(records)
    for statement in _CLOSING:
        execute(session, statement, {"records": gone})
    rows = fetch(
        session,
        "update xref set recorded_to = clock_timestamp(), exclusive = false where golden_id = any(%s) and recorded_to is null"
        " returning system_id, value",
        (array(emptied),),
    )
    return [(row[0], row[1]) for row in rows]


_CLOSING: tuple[LiteralString, ...] = (
    "update link set recorded_to = clock_timestamp() where record_id = any(%(records)s) and recorded_to is null",
    "delete from match_key m using source_record r, unnest(r.keys) k where r.id = any(%(records)s) and m.key = k and m.record_id = r.id",
    "update source_record set status = 'inactive', hash = '', keys = '{}', updated_at = now() where id = any(%(records)s)",
)


def _forget_edges(session: Session, gone: frozenset[UUID]) -> frozenset[UUID]:
    """The records at the other ends: what goes may have kept them apart, as their rival, so that a cut of their golden record was asked."""
    rows = fetch(
        session,
        "delete from edge where verdict is null and (low = any(%(records)s::uuid[]) or high = any(%(records)s::uuid[]))"
        " returning low, high",
        {"records": array(gone)},
    )
    return frozenset(record for row in rows for record in row) - gone


def _retire(session: Session, emptied: Sequence[UUID]) -> list[Happening]:
    """They keep what they said last, as retired ones."""
    if not emptied:
        return []
    rows = fetch(session, _RETIRE, (array(emptied),))
    return [Happening("golden.retired", golden, {"version": version, "before": version - 1}) for golden, version in sorted(rows)]


_RETIRE: LiteralString = (
    "with g as (update golden_record set status = 'retired', version = version + 1, updated_at = now() where id = any(%s)"
    " returning id, version), closed as (update golden_version v set recorded_to = statement_timestamp() from g where v.golden_id = g.id"
    ' and v.recorded_to is null returning v.golden_id, v."values", v.provenance, v.words), opened as ('
    ' insert into golden_version (golden_id, version, "values", provenance, status, recorded_from, words)'
    " select g.id, g.version, closed.\"values\", closed.provenance, 'retired', statement_timestamp(), closed.words from g join closed"
    " on closed.golden_id = g.id) select id, version from g"
)


def _claims(session: Session, records: Sequence[UUID]) -> list[UUID]:
    rows = fetch(session, "select id from relationship_claim where record_id = any(%s) and recorded_to is null", (array(records),))
    return [row[0] for row in rows]


def _ask_again(session: Session, entity: EntityType, closed: Sequence[tuple[int, str]]) -> None:
    """Misses that these identifiers had answered are questions again."""
    rows = fetch(
        session,
        "select m.id from unnest(%s::int[], %s::text[]) c(system_id, value) join identifier_system s on s.id = c.system_id"
        " join miss m on m.domain = %s and m.system = s.code and m.value = c.value and m.kind = 'unknown_value'"
        " where m.status = 'resolved' order by m.id",
        ([system for system, _ in closed], [value for _, value in closed], entity.name),
    )
    for (miss_id,) in rows:
        reopen(session, miss_id)
