"""The append-only log of what people, rules and loads said. Nothing here is ever changed; a decision is taken back by another one.

What a decision says of pairs of records stands in `judgement`. An edge repeats what the standing decisions say of its pair (`verdict`; of
several the latest counts), so that settling reads constraints and weights at once.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from matching.score import Scorer
from mdm.db import array, execute, fetch
from mdm.entity import EntityType
from mdm.errors import NotFound
from mdm.jsonio import dumps
from mdm.records import read_columns, write_edges

SAME, DIFFERENT = "same", "different"


@dataclass(frozen=True, slots=True, order=True)
class Statement:
    """What is said of two records: same or different."""

    low: UUID
    high: UUID
    verdict: str


def said(verdict: str, pairs: Iterable[tuple[UUID, UUID]]) -> list[Statement]:
    return sorted({Statement(min(p), max(p), verdict) for p in pairs})


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDecision:
    """What is decided of which records, by whom, why; `detail` is the evidence as it stood, and which records went where."""

    id: UUID
    kind: str
    records: Sequence[UUID]
    actor: str
    reason: str
    model_version: str
    detail: Mapping[str, object]
    statements: Sequence[Statement] = ()
    revokes: UUID | None = None


@dataclass(frozen=True, slots=True)
class DecisionView:
    """A decision as it was written, and what took it back, if anything did."""

    id: UUID
    domain: str
    kind: str
    records: tuple[UUID, ...]
    detail: Mapping[str, Any] = field(repr=False)
    actor: str
    reason: str
    model_version: str
    revokes: UUID | None
    created_at: datetime
    revoked_by: UUID | None

    @property
    def task(self) -> UUID | None:
        """The task that it settled, if it settled one."""
        said = self.detail.get("task")
        return UUID(said) if said else None


_VIEW: LiteralString = (
    "select d.id, d.domain, d.kind, d.records, d.detail, d.actor, d.reason, d.model_version, d.revokes, d.created_at, r.id"
    " from decision d left join decision r on r.revokes = d.id where "
)


def get(session: Session, decision_id: UUID) -> DecisionView:
    """One decision. Raises NotFound."""
    rows = fetch(session, _VIEW + "d.id = %s", (decision_id,))
    if not rows:
        raise NotFound("there is no such decision")
    return DecisionView(rows[0][0], rows[0][1], rows[0][2], tuple(rows[0][3]), *rows[0][4:])


def about(session: Session, records: Sequence[UUID]) -> list[DecisionView]:
    """Every decision that names one of these records, the newest first."""
    rows = fetch(session, _VIEW + "d.records && %s order by d.created_at desc, d.id desc", (list(records),))
    return [DecisionView(row[0], row[1], row[2], tuple(row[3]), *row[4:]) for row in rows]


def append(session: Session, entity: EntityType, new: NewDecision) -> None:
    """Write one decision with its statements."""
    detail = dumps(dict(new.detail)).decode()
    execute(
        session,
        "insert into decision (id, domain, kind, records, detail, actor, reason, model_version, revokes)"
        " values (%s, %s, %s, %s, %s::jsonb, %s, %s, %s, %s)",
        (new.id, entity.name, new.kind, list(new.records), detail, new.actor, new.reason, new.model_version, new.revokes),
    )
    if new.statements:
        execute(
            session,
            "insert into judgement (decision_id, low, high, verdict) select %s, x.low, x.high, x.verdict"
            " from unnest(%s::uuid[], %s::uuid[], %s::text[]) x(low, high, verdict)",
            (new.id, *_columns(new.statements)),
        )


def _columns(statements: Sequence[Statement]) -> tuple[str, str, list[str]]:
    return array(s.low for s in statements), array(s.high for s in statements), [s.verdict for s in statements]


def judge(session: Session, scorer: Scorer, statements: Sequence[Statement]) -> None:
    """Note on the edges of these pairs what is said; a pair that blocking never met gets its edge now."""
    if not statements:
        return
    columns = read_columns(session, {record for s in statements for record in (s.low, s.high)})
    rows = []
    for s in statements:
        score = scorer.score(columns[s.low], columns[s.high])
        rows.append({"low": s.low, "high": s.high, "weight": score.weight, "vetoes": score.vetoes, "verdict": s.verdict})
    execute(
        session,
        "insert into edge (low, high, weight, vetoes, model_version, verdict, met) select x.low, x.high, x.weight, x.vetoes, %s,"
        " x.verdict, false from jsonb_to_recordset(%s::jsonb) as x(low uuid, high uuid, weight float8, vetoes text[], verdict text)"
        " on conflict (low, high) do update set verdict = excluded.verdict",
        (scorer.model.version, dumps(rows).decode()),
    )


# Of several standing statements about a pair the latest decision's counts; one that was taken back counts no more.
STANDING: LiteralString = (
    "select distinct on (j.low, j.high) j.low, j.high, j.verdict, d.id from judgement j join decision d on d.id = j.decision_id"
    " where not exists (select 1 from decision r where r.revokes = d.id)"
)
LATEST: LiteralString = " order by j.low, j.high, d.created_at desc, d.id desc"


def unjudge(session: Session, scorer: Scorer, decision_id: UUID) -> None:
    """Edges say again what they would have said without this decision; those that were there only for it go."""
    rows = fetch(
        session,
        "with mine as (select low, high from judgement where decision_id = %(id)s), left_over as ("
        + STANDING
        + " and d.id <> %(id)s and (j.low, j.high) in (select low, high from mine)"
        + LATEST
        + ") update edge e set verdict = (select o.verdict from left_over o where o.low = e.low and o.high = e.high) from mine"
        " where e.low = mine.low and e.high = mine.high returning e.low, e.high, e.met, e.verdict",
        {"id": decision_id},
    )
    free = [(low, high) for low, high, _, verdict in rows if verdict is None]
    columns = read_columns(session, {record for pair in free for record in pair})
    floor = scorer.model.thresholds.review
    met = [(low, high) for low, high, was_met, verdict in rows if verdict is None and was_met]
    scored = {pair: score for pair in met if (score := scorer.total_from(columns[pair[0]], columns[pair[1]], floor)) is not None}
    write_edges(session, scorer, scored, frozenset())
    gone = [pair for pair in free if pair not in scored]
    execute(
        session,
        "delete from edge e using unnest(%s::uuid[], %s::uuid[]) x(low, high) where e.low = x.low and e.high = x.high",
        (array(low for low, _ in gone), array(high for _, high in gone)),
    )


def standing(session: Session, verdict: str, records: Sequence[UUID]) -> list[tuple[UUID, Statement]]:
    """The standing statements of this verdict between any two of these records, each with its decision."""
    rows = fetch(
        session,
        "select id, low, high, verdict from ("
        + STANDING
        + " and j.low = any(%(r)s::uuid[]) and j.high = any(%(r)s::uuid[])"
        + LATEST
        + ") s where verdict = %(v)s",
        {"r": array(records), "v": verdict},
    )
    return [(row[0], Statement(row[1], row[2], row[3])) for row in rows]


def pins_then(session: Session, records: Sequence[UUID], known_at: datetime | None) -> dict[UUID, dict[str, Any]]:
    """The pins that these records had at a moment (None: have now), in the shape of `source_record.pins`."""
    rows = fetch(
        session,
        "select distinct on (d.records[1], d.detail ->> 'attribute') d.records[1], d.detail, d.id from decision d"
        " left join decision r on r.revokes = d.id where d.kind = 'pin' and d.records && %(r)s::uuid[]"
        " and d.created_at <= coalesce(%(at)s, now()) and (r.id is null or r.created_at > %(at)s)"
        " order by d.records[1], d.detail ->> 'attribute', d.created_at desc, d.id desc",
        {"r": array(records), "at": known_at},
    )
    found: dict[UUID, dict[str, Any]] = {}
    for record, detail, decision in rows:
        found.setdefault(record, {})[detail["attribute"]] = {"value": detail["value"], "decision": str(decision)}
    return found
