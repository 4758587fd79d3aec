"""The overlay guard: an update that turns a record into somebody else is held back until a person looks.

Two people under one record number is the worst thing a registry can do. The current version stays; the incoming one waits in quarantine.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from matching.score import Score, Scorer
from mdm.db import execute, fetch
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
    former = scorer.score({**stored.columns, "keys": ()}, {**incoming.columns, "keys": ()})
    if former.weight - scorer.model.prior >= entity.overlay_below:
        return None
    mates = members_of(session, [stored.golden_id]).get(stored.golden_id, [])
    known = any(
        scorer.score(mate.columns, incoming.columns).weight >= scorer.model.thresholds.review for mate in mates if mate.id != stored.id
    )
    return None if known else former


def _hold(session: Session, entity: EntityType, incoming: Incoming, score: Score) -> UUID:
    waiting = fetch(
        session,
        "select 1 from source_record_version where record_id = %s and state = 'quarantined' and hash = %s",
        (incoming.record_id, incoming.standard.hash),
    )
    if not waiting:
        # Only the newest delivery can still become true; an older one that waits has been superseded by its own source.
        execute(
            session,
            "update source_record_version set state = 'rejected' where record_id = %s and state = 'quarantined'",
            (incoming.record_id,),
        )
        quarantine(session, incoming)
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
            "key": f"overlay:{entity.name}:{incoming.record_id}",
            "goldens": [golden_id],
            "records": [incoming.record_id],
            "record": incoming.record_id,
            "detail": dumps({"record_id": str(incoming.record_id), "evidence": evidence_json(score)}).decode(),
        },
    )
    task_id: UUID = rows[0][0]
    return task_id
