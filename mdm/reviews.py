"""Review, cut and request tasks, and those of findings, as derived data: the open ones always equal what is to be asked.

One task per subject, naming every candidate; it closes by itself when its reason is gone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from matching.cluster import Pair, pair
from matching.model import Model
from matching.score import Scorer
from mdm import drift, findings, requests, shared_identifiers
from mdm.db import array, execute, fetch
from mdm.decide import Cut, Review, reviews
from mdm.desk import MERGE, MOVE
from mdm.entity import EntityType
from mdm.finding import Finding, Known
from mdm.ids import new_id
from mdm.jsonio import dumps
from mdm.members import Member, StoredEdge, edges_at, homes, members_of

KINDS = ("review", "cut")
DIFFERENT = "different"  # of an edge: what a person said


@dataclass(frozen=True, slots=True)
class Outlook:
    """What was settled: the golden records with their members, every edge at these, the proposed cuts, the ids merged away.

    `near`: the golden records at the other ends of the edges.
    `only_weighed`: the records are as they were, another model weighed them. Then a task that asks about the same golden records keeps its
    version, and whoever is just deciding it is not refused. `judged`, `revokes`: pairs that a decision speaks of at this moment, and the
    one that it takes back; neither is written down yet.
    """

    goldens: Mapping[UUID, Sequence[Member]]
    edges: Sequence[StoredEdge]
    cuts: Sequence[Cut]
    merged: Sequence[UUID]
    near: frozenset[UUID] = frozenset()
    only_weighed: bool = False
    judged: frozenset[tuple[UUID, UUID]] = frozenset()
    revokes: UUID | None = None


def refresh_reviews(session: Session, entity: EntityType, scorer: Scorer, outlook: Outlook) -> dict[UUID, UUID]:
    """Open, change and close the tasks around these golden records; answers record -> the weightiest open task that names it."""
    goldens, merged, model = outlook.goldens, outlook.merged, scorer.model
    found_open = _open_tasks(session, [*goldens, *merged], (*KINDS, *findings.KINDS, MERGE, MOVE))
    existing = [task for task in found_open if task.kind in KINDS]
    around = _neighbourhood(session, outlook, existing)
    groups = dict(around.groups)
    again = _asked_again(session, entity, scorer, around, outlook)
    found = reviews(
        [frozenset(m.name for m in members) for members in groups.values()],
        _open_weights(model, around) | again,
        _settled(around, again),
        _reasons(model, around) | dict.fromkeys(again, "changed"),
    )
    # Only subjects whose every edge is known are judged; the others were judged when they changed.
    _drop(session, [task for task in found_open if task.kind in {MERGE, MOVE} and not _holds(task, outlook)])
    mine = [r for r in found if any(around.golden_of_name[name] in around.known for name in r.subject)]
    wanted = [_review_task(entity, r, around) for r in mine] + [_cut_task(entity, cut, goldens) for cut in outlook.cuts]
    ids = _reconcile(session, entity, existing, wanted, {*goldens, *merged}, only_weighed=outlook.only_weighed)
    asked = {g for task in existing for g in task.goldens} | {g for w in wanted for g in w.goldens}
    _mark_pending(session, asked)
    # A question about an identifier may have waited for the answer to a review of those who carry it.
    beside = {golden: groups[golden] for golden in {*goldens, *asked} & around.known}
    also = _open_tasks(session, sorted(beside.keys() - goldens.keys()), findings.KINDS) if beside.keys() - goldens.keys() else []
    known = {task.id: task for task in (*found_open, *also) if task.kind in findings.KINDS}
    _reconcile_findings(session, entity, scorer, Outlook(beside, around.edges, (), merged, judged=outlook.judged), list(known.values()))
    if any(edge.verdict is not None for edge in around.edges):  # else no decision can have asked
        _reconcile_requests(session, entity, goldens, merged, _open_tasks(session, [*goldens, *merged], (requests.KIND,)))
    # Whoever stands in a task, as its subject or as a candidate, is told of it; of several, of the weightiest.
    told: dict[UUID, UUID] = {}
    for w in sorted(wanted, key=lambda w: w.impact):
        told.update({m.id: ids[w.key] for golden in w.goldens for m in groups.get(golden, ())})
    return told


@dataclass(frozen=True, slots=True)
class _Around:
    groups: Mapping[UUID, Sequence[Member]]
    known: frozenset[UUID]
    edges: Sequence[StoredEdge]
    names: Mapping[UUID, str]
    golden_of_name: Mapping[str, UUID]


def _neighbourhood(session: Session, outlook: Outlook, existing: Sequence["_Open"]) -> _Around:
    """The golden records, those an edge or a task joins them to, and every edge of all of these."""
    goldens, edges = outlook.goldens, outlook.edges
    beside = outlook.near.union(*(task.goldens for task in existing)) - goldens.keys()
    near = members_of(session, beside) if beside else {}
    groups = {**goldens, **near}
    known = frozenset(groups)
    if near:
        mine = {m.id for members in goldens.values() for m in members}
        beyond = edges_at(session, [m.id for members in near.values() for m in members])
        edges = [*edges, *(e for e in beyond if e.low not in mine and e.high not in mine)]
        inner = {m.id for members in groups.values() for m in members}
        outer = {r for e in edges for r in (e.low, e.high)} - inner
        far = homes(session, outer) if outer else []
        groups.update(members_of(session, [g for g in far if g not in groups]))
    names = {m.id: m.name for members in groups.values() for m in members}
    return _Around(groups, known, edges, names, {m.name: g for g, members in groups.items() for m in members})


def _pairs(around: _Around) -> Iterable[tuple[Pair, StoredEdge]]:
    for edge in around.edges:
        if edge.low in around.names and edge.high in around.names:
            yield pair(around.names[edge.low], around.names[edge.high]), edge


def _open_weights(model: Model, around: _Around) -> dict[Pair, float]:
    return {p: e.weight for p, e in _pairs(around) if e.weight >= model.thresholds.review and e.verdict is None}


def _asked_again(session: Session, entity: EntityType, scorer: Scorer, around: _Around, outlook: Outlook) -> dict[Pair, float]:
    """Pairs that were said to be different before evidence came that speaks for them: their weights now."""
    apart = [e for e in around.edges if e.verdict == DIFFERENT and (e.low, e.high) not in outlook.judged]
    if not apart:
        return {}
    active = {m.id: m for members in around.groups.values() for m in members if m.status == "active"}
    found = drift.outgrown(session, entity, scorer, (active, apart), without=outlook.revokes)
    return {pair(around.names[low], around.names[high]): weight for (low, high), weight in found.items()}


def _settled(around: _Around, again: Iterable[Pair]) -> frozenset[Pair]:
    """Pairs that a person has settled, but for those between golden records that are asked about once more."""
    open_again = {frozenset(around.golden_of_name[name] for name in p) for p in again}
    return frozenset(
        p for p, e in _pairs(around) if e.verdict is not None and frozenset(around.golden_of_name[name] for name in p) not in open_again
    )


def _reasons(model: Model, around: _Around) -> dict[Pair, str]:
    return {
        p: f"veto: {e.vetoes[0]}" if e.vetoes else "ambiguous" if e.weight >= model.thresholds.link else "weight" for p, e in _pairs(around)
    }


def _review_task(entity: EntityType, review: Review, around: _Around) -> Finding:
    subject = around.golden_of_name[min(review.subject)]
    candidates = [
        {"golden_id": str(around.golden_of_name[min(c.members)]), "weight": round(c.weight, 4), "reason": c.reason}
        for c in review.candidates
    ]
    records = tuple(m.id for m in around.groups[subject])
    first = min(around.groups[subject], key=lambda m: m.name)
    goldens = (subject, *(around.golden_of_name[min(c.members)] for c in review.candidates))
    detail = {"subject": str(subject), "candidates": candidates}
    return Finding(f"review:{entity.name}:{first.id}", "review", goldens, records, detail, review.candidates[0].weight)


def _cut_task(entity: EntityType, cut: Cut, goldens: Mapping[UUID, Sequence[Member]]) -> Finding:
    ids = {m.name: m.id for m in goldens[cut.golden_id]}
    parts = [sorted(str(ids[name]) for name in part) for part in cut.parts]
    records = tuple(sorted(ids.values()))
    return Finding(f"cut:{entity.name}:{cut.golden_id}", "cut", (cut.golden_id,), records, {"parts": sorted(parts)}, 20.0)


def _reconcile_requests(
    session: Session,
    entity: EntityType,
    goldens: Mapping[UUID, Sequence[Member]],
    merged: Sequence[UUID],
    existing: Sequence["_Open"],
) -> None:
    wanted = [_request_task(request) for request in requests.wanted(session, entity, goldens)]
    _reconcile(session, entity, existing, wanted, {*goldens, *merged}, only_weighed=False)


def refresh_new(session: Session, entity: EntityType, goldens: Mapping[UUID, Sequence[Member]]) -> None:
    """Of golden records that are new and near nobody: what is asked of the identifiers that they carry."""
    members = [m for found in goldens.values() for m in found if m.status == "active"]
    _ask(session, entity, [], shared_identifiers.wanted(session, entity, members, ()))


def refresh_after(session: Session, entity: EntityType, scorer: Scorer, outlook: Outlook, *, asked: bool, found: bool) -> None:
    """Once a decision is written that asks, answers or settles something, or takes that back: what is asked of these golden records."""
    existing = _open_tasks(session, [*outlook.goldens, *outlook.merged], (requests.KIND, *findings.KINDS))
    if asked:
        mine = [task for task in existing if task.kind == requests.KIND and not outlook.goldens.keys().isdisjoint(task.goldens)]
        _reconcile_requests(session, entity, outlook.goldens, [], mine)
    if found:
        _reconcile_findings(session, entity, scorer, outlook, [task for task in existing if task.kind in findings.KINDS])


def _reconcile_findings(session: Session, entity: EntityType, scorer: Scorer, outlook: Outlook, existing: Sequence["_Open"]) -> None:
    """The tasks of findings at these golden records; `existing` are those that are open there."""
    known = [Known(task.dedupe_key, task.kind, task.records, task.detail) for task in existing]
    # Whoever is saying something of a pair now has before their eyes what it says now.
    told = [edge for edge in outlook.edges if (edge.low, edge.high) not in outlook.judged]
    found = findings.wanted(session, entity, scorer, outlook.goldens, told, known)
    # One about a golden record that was not looked at stands; a value's carriers are always looked at, wherever they are.
    looked = {*outlook.goldens, *outlook.merged}
    _ask(session, entity, [t for t in existing if t.kind == shared_identifiers.KIND or {*t.goldens} <= looked], found)


def _ask(session: Session, entity: EntityType, judged: Sequence["_Open"], found: Sequence[Finding]) -> None:
    keys = {w.key for w in found} - {task.dedupe_key for task in judged}
    # A value that thousands carry is asked about once: its next carrier changes nothing of the question.
    asked = [*judged, *(_open_by_key(session, keys) if keys else ())]
    _reconcile(session, entity, asked, found, {g for task in judged for g in task.goldens}, only_weighed=False)


def _request_task(request: requests.Request) -> Finding:
    detail = {"system": request.system, "decision": str(request.decision_id)}
    return Finding(request.key, requests.KIND, (request.golden_id,), request.records, detail, requests.IMPACT)


@dataclass(frozen=True, slots=True)
class _Open:
    id: UUID
    dedupe_key: str
    kind: str
    goldens: tuple[UUID, ...]
    records: tuple[UUID, ...]
    detail: Any


_OPEN: LiteralString = "select id, dedupe_key, kind, goldens, records, detail from task where status = 'open' and "


def _open_tasks(session: Session, goldens: Sequence[UUID], kinds: Sequence[str]) -> list[_Open]:
    rows = fetch(session, _OPEN + "goldens && %s and kind = any(%s)", (array(goldens), list(kinds)))
    return [_Open(row[0], row[1], row[2], tuple(row[3]), tuple(row[4]), row[5]) for row in rows]


def _open_by_key(session: Session, keys: Iterable[str]) -> list[_Open]:
    rows = fetch(session, _OPEN + "dedupe_key = any(%s)", (sorted(keys),))
    return [_Open(row[0], row[1], row[2], tuple(row[3]), tuple(row[4]), row[5]) for row in rows]


def _reconcile(
    session: Session, entity: EntityType, existing: Sequence[_Open], wanted: Sequence[Finding], settled: set[UUID], *, only_weighed: bool
) -> dict[str, UUID]:
    keys = {w.key for w in wanted}
    # Every subject of a review was judged again here; a cut or request only where its golden record was settled.
    _drop(session, [t for t in existing if t.dedupe_key not in keys and (t.kind == "review" or t.goldens[0] in settled)])
    same = {task.dedupe_key: task for task in existing}
    ids = {task.dedupe_key: task.id for task in existing}
    write = [w for w in wanted if w.key not in same or _differs(same[w.key], w)]
    if write:
        ids.update(_write(session, entity, write, only_weighed=only_weighed))
    return ids


def _holds(task: _Open, outlook: Outlook) -> bool:
    """Whether an act that a person asked for can still be done: nothing was merged away, and what is to move is still there."""
    there = outlook.goldens.get(task.goldens[0])
    gone = task.kind == MOVE and there is not None and not {*task.records} <= {m.id for m in there}
    return not gone and not {*task.goldens} & {*outlook.merged}


def _drop(session: Session, tasks: Sequence[_Open]) -> None:
    if tasks:
        ids = [task.id for task in tasks]
        execute(session, "update task set status = 'obsolete', closed_at = now(), version = version + 1 where id = any(%s)", (ids,))


def _differs(task: _Open, wanted: Finding) -> bool:
    return (task.goldens, set(task.records), task.detail) != (wanted.goldens, set(wanted.records), wanted.detail)


def _write(session: Session, entity: EntityType, wanted: Sequence[Finding], *, only_weighed: bool) -> dict[str, UUID]:
    rows = [
        {
            "id": new_id(),
            "k": w.key,
            "kind": w.kind,
            "goldens": w.goldens,
            "records": w.records,
            "detail": w.detail,
            "impact": w.impact,
        }
        for w in wanted
    ]
    written = fetch(session, _WRITE, {"domain": entity.name, "rows": dumps(rows).decode(), "only_weighed": only_weighed})
    return dict(written)


# A question that was dropped and is asked again is the same task, with its history; else a new one.
_WRITE: LiteralString = (
    "with x as materialized (select * from jsonb_to_recordset(%(rows)s::jsonb)"
    " as x(id uuid, kind text, k text, goldens uuid[], records uuid[], detail jsonb, impact float8)), dropped as (select x.k,"
    " (select t.id from task t where t.dedupe_key = x.k and t.status = 'obsolete' order by t.created_at desc limit 1) as id from x"
    " where not exists (select 1 from task t where t.dedupe_key = x.k and t.status = 'open')), again as (update task t set status = 'open',"
    " closed_at = null, due_at = default, waits_for = null, waits_until = null, goldens = x.goldens, records = x.records,"
    " detail = x.detail, impact = x.impact, version = t.version + 1"
    " from x join dropped d on d.k = x.k where t.id = d.id returning t.dedupe_key, t.id), written as ("
    " insert into task (id, domain, kind, dedupe_key, goldens, records, detail, impact)"
    " select x.id, %(domain)s, x.kind, x.k, x.goldens, x.records, x.detail, x.impact from x left join dropped d on d.k = x.k"
    " where d.id is null"
    " on conflict (dedupe_key) where status = 'open' do update set goldens = excluded.goldens, records = excluded.records,"
    " detail = excluded.detail, impact = excluded.impact,"
    " waits_until = case when task.waits_for = 'change' then null else task.waits_until end,"
    " waits_for = nullif(task.waits_for, 'change'), version = task.version + case when %(only_weighed)s and task.kind = 'review'"
    " and task.goldens[1] = excluded.goldens[1] and task.goldens @> excluded.goldens and excluded.goldens @> task.goldens"
    " and task.records = excluded.records then 0 else 1 end returning dedupe_key, id)"
    " select dedupe_key, id from again union all select dedupe_key, id from written"
)


def _mark_pending(session: Session, goldens: set[UUID]) -> None:
    """The crosswalk says of an identifier that its owner is under review."""
    if not goldens:
        return
    execute(session, _MARK, {"goldens": array(goldens), "kinds": list(KINDS)})


_MARK: LiteralString = (
    "with asked as materialized (select array(select unnest(t.goldens) from task t where t.goldens && %(goldens)s::uuid[]"
    " and t.status = 'open' and t.kind = any(%(kinds)s)) as ids)"
    " update xref x set pending = not x.pending from asked where x.golden_id = any(%(goldens)s::uuid[]) and x.recorded_to is null"
    " and x.pending <> (x.golden_id = any(asked.ids))"
)
