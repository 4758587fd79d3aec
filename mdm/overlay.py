"""The overlay guard: an update that turns a record into somebody else is held back until a person looks.

Two people under one record number is the worst thing a registry can do. The current version stays; the incoming one waits in quarantine.
Only the newest delivery can still become true: whatever comes after one that waits takes its place. What a person rejected is not asked
again when the source, having said nothing else since, says it again.
"""

from collections.abc import Sequence
from typing import LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from matching.score import Score, Scorer
from mdm.db import array, execute, fetch
from mdm.entity import EntityType
from mdm.ids import new_id
from mdm.jsonio import dumps
from mdm.members import members_of
from mdm.records import Incoming, Stored, evidence_json, quarantine


def quarantine_overlays(
    session: Session, entity: EntityType, scorer: Scorer, incoming: Sequence[Incoming]
) -> tuple[list[Incoming], list[tuple[Incoming, UUID]]]:
    """Part the deliveries into those to apply and those held back, each with its task."""
    applied: list[Incoming] = []
    held: list[tuple[Incoming, UUID]] = []
    for i in incoming:
        against = None if i.stored is None else disagreement(session, entity, scorer, i, i.stored)
        if against is None:
            applied.append(i)
        else:
            held.append((i, _hold(session, entity, i, against)))
    return applied, held


def disagreement(session: Session, entity: EntityType, scorer: Scorer, incoming: Incoming, stored: Stored) -> Score | None:
    """The score against the former version, when neither it nor any other record of the cluster knows the incoming one."""
    if entity.overlay_below is None or stored.golden_id is None:
        return None
    both = {**stored.columns, "keys": ()}, {**incoming.columns, "keys": ()}
    if scorer.total(*both).weight - scorer.model.prior >= entity.overlay_below:
        return None
    mates = members_of(session, [stored.golden_id]).get(stored.golden_id, [])
    known = any(
        scorer.total(mate.columns, incoming.columns).weight >= scorer.model.thresholds.review for mate in mates if mate.id != stored.id
    )
    return None if known else scorer.score(*both)


def _hold(session: Session, entity: EntityType, incoming: Incoming, score: Score) -> UUID:
    """Keep it as a version that waits, unless it waits already or was rejected before; its task."""
    known = fetch(session, _KNOWN, {"record": incoming.record_id, "hash": incoming.standard.hash})
    rejected = next((task for state, task in known if state == "rejected"), None)
    if rejected is not None and not any(state == "quarantined" for state, _ in known):
        supersede(session, entity, [incoming.record_id])
        return UUID(rejected)
    if not known:
        _reject_waiting(session, [incoming.record_id])
        quarantine(session, incoming)
    return _ask(session, entity, incoming, score)


# Versions that say what is delivered: one that waits, or one that a standing decision rejected after all that is true now.
_KNOWN: LiteralString = (
    "select v.state, d.detail ->> 'task' from source_record_version v left join decision d on d.records @> array[v.record_id]"
    " and d.kind = 'reject' and (d.detail ->> 'version')::int = v.version and not exists (select 1 from decision u where u.revokes = d.id)"
    " where v.record_id = %(record)s and v.hash = %(hash)s and (v.state = 'quarantined' or v.state = 'rejected' and d.id is not null"
    " and v.version > (select r.version from source_record r where r.id = v.record_id))"
)


def supersede(session: Session, entity: EntityType, records: Sequence[UUID]) -> None:
    """Versions of these records that wait never become true, and nobody need decide them: something newer was delivered."""
    _reject_waiting(session, records)
    execute(
        session,
        "update task set status = 'obsolete', closed_at = now(), version = version + 1 where dedupe_key = any(%s) and status = 'open'",
        ([_task_key(entity, record) for record in records],),
    )


def ask_again(session: Session, entity: EntityType, record: UUID) -> None:
    """The question about this record that was dropped last is open once more, as itself and with its history, as reviews are."""
    execute(
        session,
        "update task set status = 'open', closed_at = null, due_at = now() + interval '1 day', waits_for = null, waits_until = null"
        " where id = (select t.id from task t where t.dedupe_key = %(key)s and t.status = 'obsolete' order by t.created_at desc limit 1)"
        " and not exists (select 1 from task o where o.dedupe_key = %(key)s and o.status = 'open')",
        {"key": _task_key(entity, record)},
    )


def _reject_waiting(session: Session, records: Sequence[UUID]) -> None:
    execute(
        session,
        "update source_record_version set state = 'rejected' where record_id = any(%s) and state = 'quarantined'",
        (array(records),),
    )


def _task_key(entity: EntityType, record: UUID) -> str:
    return f"overlay:{entity.name}:{record}"


def _ask(session: Session, entity: EntityType, incoming: Incoming, score: Score) -> UUID:
    golden_id = incoming.stored.golden_id if incoming.stored else None
    rows = fetch(
        session,
        "insert into task (id, domain, kind, dedupe_key, goldens, records, detail, impact, due_at)"
        " select %(id)s, %(domain)s, 'overlay', %(key)s, %(goldens)s, %(records)s,"
        " %(detail)s::jsonb || jsonb_build_object('version', max(version)), 30, now() + interval '1 day'"
        " from source_record_version where record_id = %(record)s"
        " on conflict (dedupe_key) where status = 'open' do update set detail = excluded.detail, version = task.version + 1 returning id",
        {
            "id": new_id(),
            "domain": entity.name,
            "key": _task_key(entity, incoming.record_id),
            "goldens": [golden_id],
            "records": [incoming.record_id],
            "record": incoming.record_id,
            "detail": dumps({"record_id": str(incoming.record_id), "evidence": evidence_json(score)}).decode(),
        },
    )
    task_id: UUID = rows[0][0]
    return task_id
