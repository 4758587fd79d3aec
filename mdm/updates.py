"""Updates that were held back because they would turn a record into somebody else: accept, reject, and taking either back.

Versions are only ever added: to take an acceptance back the former version is applied once more, and what was accepted waits again.
"""

from collections.abc import Sequence
from typing import LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import identifier_rulings
from mdm.candidates import limits, read_blocks
from mdm.claims import lock_source
from mdm.db import Row, array, fetch, lock
from mdm.decisions import DecisionView
from mdm.entity import EntityType
from mdm.errors import Conflict, Stale
from mdm.feed import publish
from mdm.guard import demote_overshared
from mdm.identity import Act, Saying, write_down
from mdm.ingest import Writing, store_and_settle
from mdm.models import scorer as active_scorer
from mdm.overlay import ask_again, quarantine_overlays
from mdm.records import Incoming
from mdm.reread import FROM_VERSION, versions
from mdm.resolve import Settled
from mdm.systems import registry

ACCEPT, REJECT = "accept", "reject"
_VERSIONS_MAX = 12  # of one statement: some forty keys each, and as many of what is stored, within the locks of a transaction


def rule(session: Session, entity: EntityType, record_id: UUID, version: int, verdict: str, act: Act) -> UUID:
    """Accept: the record really is this now. Reject: the delivery was wrong and never becomes current. The decision's id.

    Raises Stale when a newer delivery has taken the place of this one, applied or held back.
    """
    _lock_record(session, entity, record_id)
    rows = fetch(
        session,
        "update source_record_version v set state = %s, recorded_at = clock_timestamp() from source_record r where v.record_id = %s"
        " and v.version = %s and v.state = 'quarantined' and r.id = v.record_id"
        " and v.version = (select max(n.version) from source_record_version n where n.record_id = v.record_id)"
        " returning r.system, r.key, v.raw, v.status, v.valid_from, v.valid_to",
        ("applied" if verdict == ACCEPT else "rejected", record_id, version),
    )
    if not rows:
        raise Stale("a newer delivery has taken the place of this one")
    if verdict == ACCEPT:
        apply_versions(session, entity, rows, versioned=True)
    saying = Saying(verdict, [record_id], (), detail={"version": version})
    write_down(session, entity, saying, act, Settled())
    return saying.id


def _lock_record(session: Session, entity: EntityType, record_id: UUID) -> None:
    system, key = fetch(session, "select system, key from source_record where id = %s", (record_id,))[0]
    lock_source(session, entity, system, key)


def take_back(session: Session, entity: EntityType, decision: DecisionView, act: Act) -> UUID:
    """The update waits for a person again. Raises Conflict when a newer delivery has decided the matter since."""
    [record_id], version = decision.records, decision.detail["version"]
    _lock_record(session, entity, record_id)
    rows = fetch(
        session,
        "select r.system, r.key, r.version, (select max(v.version) from source_record_version v where v.record_id = r.id)"
        " from source_record r where r.id = %s for update",
        (record_id,),
    )
    system, key, current, newest = rows[0]
    if newest != version or (decision.kind == ACCEPT) != (current == version):
        raise Conflict("a newer delivery has taken the place of this update; deliver or decide anew")
    waiting = _version(session, record_id, "v.version = %s", version)
    if decision.kind == ACCEPT:
        former = _version(session, record_id, "v.state = 'applied' and v.version < %s", version)
        apply_versions(session, entity, [(system, key, *former)], versioned=False)
    saying = Saying("undo", [record_id], (), revokes=decision.id)
    write_down(session, entity, saying, act, Settled())  # before it is held again: what stands rejected is not asked anew
    _hold(session, entity, record_id, (system, key, *waiting))
    return saying.id


def _version(session: Session, record_id: UUID, which: LiteralString, version: int) -> Row:
    statement = f"select {FROM_VERSION} from source_record_version v where v.record_id = %s and {which} order by v.version desc limit 1"
    return fetch(session, statement, (record_id, version))[0]


def _incoming(session: Session, entity: EntityType, rows: Sequence[Row]) -> list[Incoming]:
    """Versions as if they were delivered now, their records' keys locked."""
    found = versions(session, entity, active_scorer(session, entity).model, rows)
    lock(session, f"block:{entity.name}", {key for i in found for key in (*i.keys, *(i.stored.keys if i.stored else ()))})
    return identifier_rulings.apply(session, entity, registry(session), found)  # as they stand by now


def apply_versions(session: Session, entity: EntityType, rows: Sequence[Row], *, versioned: bool) -> None:
    """Make versions, each given as system, key, raw, status and dates, what their records say now.

    At most _VERSIONS_MAX, no record twice. What becomes of one does not depend on which others there are.
    """
    model, restored = active_scorer(session, entity), _incoming(session, entity, rows)
    keys = {key: rule for i in restored for key, rule in i.keys.items()}
    blocks = read_blocks(session, keys, limits(model.model, keys))
    applied, demoted = demote_overshared(session, entity, blocks, restored)
    settled, _ = store_and_settle(session, entity, model, Writing(blocks, applied, demoted, versioned=versioned))
    publish(session, entity.name, settled.happenings)


def restore(session: Session, entity: EntityType, records: Sequence[UUID], numbers: Sequence[int]) -> None:
    """Former versions, one of each record, are what these say once more."""
    for start in range(0, len(records), _VERSIONS_MAX):
        some = slice(start, start + _VERSIONS_MAX)
        apply_versions(session, entity, fetch(session, _FORMER, (array(records[some]), list(numbers[some]))), versioned=False)


_FORMER: LiteralString = (
    f"select r.system, r.key, {FROM_VERSION} from unnest(%s::uuid[], %s::int[]) w(record, version) join source_record r on r.id = w.record"
    " join source_record_version v on v.record_id = r.id and v.version = w.version order by r.id"
)


def hold_again(session: Session, entity: EntityType, records: Sequence[UUID], numbers: Sequence[int]) -> None:
    """A version of each of these records that took the place of one that waited, undecided, is taken back: what waited waits again."""
    for row in fetch(session, _SUPERSEDED, (array(records), list(numbers))):
        _hold(session, entity, row[0], row[1:])


_SUPERSEDED: LiteralString = (
    f"select r.id, r.system, r.key, {FROM_VERSION} from unnest(%s::uuid[], %s::int[]) w(record, version)"
    " join source_record r on r.id = w.record"
    " cross join lateral (select * from source_record_version v where v.record_id = w.record and v.state = 'rejected'"
    " and v.version < w.version and v.version > (select max(a.version) from source_record_version a"
    " where a.record_id = w.record and a.state = 'applied' and a.version < w.version) and not exists ("
    " select 1 from decision d where d.records @> array[w.record] and d.kind = 'reject' and (d.detail ->> 'version')::int = v.version"
    " and not exists (select 1 from decision u where u.revokes = d.id)) order by v.version desc limit 1) v order by w.record"
)


def _hold(session: Session, entity: EntityType, record_id: UUID, row: Row) -> None:
    """Quarantine it once more. What the guard would let pass today is applied, as it would be if it were delivered today."""
    ask_again(session, entity, record_id)  # first: whatever becomes of the version settles its question as well
    applied, _ = quarantine_overlays(session, entity, active_scorer(session, entity), _incoming(session, entity, [row]))
    if applied:
        apply_versions(session, entity, [row], versioned=False)
