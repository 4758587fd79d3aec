"""The append-only log of what people, rules and loads said. Nothing here is ever changed; a decision is taken back by another one.

An edge repeats what the standing decisions say of its pair (`verdict`), so that settling reads constraints and weights at once.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from matching.score import Scorer
from mdm.db import execute, fetch
from mdm.entity import EntityType
from mdm.ids import new_id
from mdm.jsonio import dumps
from mdm.records import evidence_json, read_columns


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDecision:
    """What is decided of which records, by whom, why; `detail` is the evidence as it stood."""

    kind: str
    records: Sequence[UUID]
    actor: str
    reason: str
    model_version: str
    detail: Mapping[str, object]


def append(session: Session, entity: EntityType, new: NewDecision) -> UUID:
    """Write one decision; its id."""
    decision_id, detail = new_id(), dumps(dict(new.detail)).decode()
    execute(
        session,
        "insert into decision (id, domain, kind, records, detail, actor, reason, model_version)"
        " values (%s, %s, %s, %s, %s::jsonb, %s, %s, %s)",
        (decision_id, entity.name, new.kind, list(new.records), detail, new.actor, new.reason, new.model_version),
    )
    return decision_id


def judge_pairs(session: Session, scorer: Scorer, pairs: Iterable[tuple[UUID, UUID]], verdict: str) -> None:
    """Note on the edges of these pairs what was decided; a pair that never reached review gets its edge now."""
    ordered = sorted({(min(p), max(p)) for p in pairs})
    columns = read_columns(session, {record for p in ordered for record in p})
    rows = []
    for low, high in ordered:
        score = scorer.score(columns[low], columns[high])
        rows.append({"low": low, "high": high, "weight": score.weight, "evidence": evidence_json(score)})
    fetch(
        session,
        "insert into edge (low, high, weight, evidence, model_version, verdict) select x.low, x.high, x.weight, x.evidence, %s, %s"
        " from jsonb_to_recordset(%s::jsonb) as x(low uuid, high uuid, weight float8, evidence jsonb)"
        " on conflict (low, high) do update set verdict = excluded.verdict returning low",
        (scorer.model.version, verdict, dumps(rows).decode()),
    )
