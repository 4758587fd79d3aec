"""Records in: standardise -> lock -> candidates -> score -> settle identity -> derive, a chunk of deliveries in one transaction.

Batch is the primitive, one is a batch of one. The result of a delivery never depends on which others were in its chunk, nor on their order.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from sqlalchemy.orm import Session

from matching.model import Columns
from matching.score import Evidence, Score, Scorer, Total
from mdm import audit, identifier_rulings
from mdm.access import Actor, Verb
from mdm.candidates import Blocks, limits, read_blocks
from mdm.claims import lock_source, lock_sources, write_claims
from mdm.db import LOCKS_MAX, Database, lock
from mdm.decide import Outcome
from mdm.entity import EntityType
from mdm.errors import ConcordError, FieldProblem, Forbidden, HierarchyLoop, InvalidRecord
from mdm.feed import publish
from mdm.guard import Demoted, counted, demote_overshared, record_keys
from mdm.ids import new_record_id
from mdm.loops import refuse
from mdm.models import scorer as active_scorer
from mdm.overlay import quarantine_overlays, supersede
from mdm.policy import check
from mdm.records import Incoming, Stored, as_delivered, read_columns, read_stored, write_edges, write_records
from mdm.resolve import Change, Move, Settled, settle
from mdm.standardise import Delivery, Note, Standard, local_key, standardise
from mdm.systems import registry

CHUNK_MAX = 40


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one delivered row. `evidence`: of the weightiest pair, unless the caller had looked for its neighbours before."""

    system: str
    key: str
    outcome: str
    record_id: UUID | None = None
    golden_id: UUID | None = None
    weight: float | None = None
    evidence: tuple[Evidence, ...] = ()
    task_id: UUID | None = None
    notes: tuple[Note, ...] = ()
    problems: tuple[FieldProblem, ...] = ()


@dataclass(slots=True)
class _Scored:
    """Pairs at or above review, by record."""

    pairs: dict[tuple[UUID, UUID], Total] = field(default_factory=dict)
    best: dict[UUID, Total] = field(default_factory=dict)
    cut: set[UUID] = field(default_factory=set)

    def add(self, a: UUID, b: UUID, score: Total) -> None:
        self.pairs[min(a, b), max(a, b)] = score
        for record in (a, b):
            known = self.best.get(record)
            if known is None or score.weight > known.weight:
                self.best[record] = score


def deliver_all(database: Database, entity: EntityType, actor: Actor, deliveries: Sequence[Delivery], request_id: str) -> list[Result]:
    """Deliver many rows and commit, chunk by chunk; a bad row says why and the others go on. The edge of delivery."""
    results: dict[int, Result] = {}
    ready: list[Ready] = []
    with database.unit_of_work() as session:
        systems, model = registry(session), active_scorer(session, entity)
    for index, delivery in enumerate(deliveries):
        try:
            check(actor, Verb.SUBMIT, entity.name, delivery.system)
            standard = standardise(entity, delivery, systems)
            ready.append(Ready(index, standard, record_keys(entity, model.model, standard.columns)))
        except ConcordError as error:
            problems = error.problems or (FieldProblem(error.code, "", error.message),)
            results[index] = Result(
                delivery.system, delivery.key, "forbidden" if isinstance(error, Forbidden) else "rejected", problems=problems
            )
    for chunk in chunks(ready):

        def work(session: Session, rows: Sequence[Ready]) -> list[Result]:
            return list(deliver(session, entity, actor, rows, request_id).results)

        for row, result in zip(chunk, _run_chunk(database, work, chunk), strict=True):
            results[row.index] = result
    return [results[index] for index in range(len(deliveries))]


def _run_chunk(database: Database, work: Callable[[Session, Sequence["Ready"]], list[Result]], chunk: Sequence["Ready"]) -> list[Result]:
    """The chunk in one transaction; where a relationship of it cannot be, row by row, so that only that row is refused."""
    try:
        return database.run(lambda session: work(session, chunk))
    except (HierarchyLoop, InvalidRecord) as error:
        if len(chunk) > 1:
            return [result for row in chunk for result in _run_chunk(database, work, [row])]
        delivery = chunk[0].standard.delivery
        return [Result(delivery.system, delivery.key, "rejected", problems=error.problems)]


@dataclass(frozen=True, slots=True)
class Ready:
    """A row that may be delivered: its place in the batch, its standard form, its keys by rule; and the id it takes if it is new.

    `near`: whoever may be one with it, where that was looked for before; they need not be there yet. Whoever says so sees to those who came
    since: nobody looks for them here, and nobody who comes at the same moment is made to wait.
    """

    index: int
    standard: Standard
    keys: Mapping[int, str]
    record_id: UUID | None = None
    near: frozenset[UUID] | None = None


def chunks(ready: Sequence[Ready]) -> Iterable[list[Ready]]:
    """Chunks within the lock budget, none of which names a source key twice.

    Half of the budget is for new keys, half for those of the former versions; a key's second delivery must find its first.
    """
    chunk: list[Ready] = []
    seen: set[tuple[str, str]] = set()
    locks = 0
    for row in ready:
        place = row.standard.place
        wanted = len(row.keys) + len(row.standard.relationships or ())
        if chunk and (place in seen or len(chunk) == CHUNK_MAX or locks + wanted > LOCKS_MAX // 2):
            yield chunk
            chunk, seen, locks = [], set(), 0
        chunk.append(row)
        seen.add(place)
        locks += wanted
    if chunk:
        yield chunk


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of the rows, in their order; which records went from one golden record to another for it, and which lost evidence."""

    results: Sequence[Result]
    moves: Sequence[Move] = ()
    demoted: Sequence[UUID] = ()


def deliver(session: Session, entity: EntityType, actor: Actor, rows: Sequence[Ready], request_id: str) -> Delivered:
    """Deliver rows of distinct source keys in the session's transaction."""
    standards = [row.standard for row in rows]
    lock_sources(session, entity, standards)
    stored = read_stored(session, entity, [standard.place for standard in standards])
    model = active_scorer(session, entity)
    incoming = [_incoming(row, stored.get(row.standard.place)) for row in rows]
    changed = [i for i in incoming if i.is_change]
    became = _Became({})
    if changed:
        near = {i.record_id: row.near for i, row in zip(incoming, rows, strict=True) if row.near is not None}
        asked = {key for i in changed if i.record_id not in near for key in (*i.keys, *(i.stored.keys if i.stored else ()))}
        if asked:
            lock(session, f"block:{entity.name}", asked)
        became = _deliver_changed(session, entity, model, changed, near)
    answers = [became.results.get(i.record_id) or _unchanged(i) for i in incoming]
    audit.record(
        session,
        actor,
        "record:deliver",
        domain=entity.name,
        subjects=[r.golden_id for r in answers if r.golden_id is not None],
        fields=(),
        request_id=request_id,
        outcome="done",
        detail={"rows": len(answers)},
    )
    return Delivered(answers, became.moves, became.demoted)


@dataclass(frozen=True, slots=True)
class _Became:
    """What deliveries of a change did, by record; see `Delivered`."""

    results: Mapping[UUID, Result]
    moves: Sequence[Move] = ()
    demoted: Sequence[UUID] = ()


def _incoming(row: Ready, stored: Stored | None) -> Incoming:
    standard = row.standard.inheriting(stored.relationships) if stored else row.standard
    return Incoming(stored.id if stored else row.record_id or new_record_id(), standard, stored, standard.columns, row.keys)


def _unchanged(incoming: Incoming) -> Result:
    delivery, stored = incoming.standard.delivery, incoming.stored
    golden_id = stored.golden_id if stored else None
    return Result(delivery.system, delivery.key, Outcome.UNCHANGED, incoming.record_id, golden_id, notes=incoming.standard.notes)


def _deliver_changed(
    session: Session, entity: EntityType, model: Scorer, changed: Sequence[Incoming], near: Mapping[UUID, Collection[UUID]]
) -> _Became:
    keys = {key: rule for i in changed for key, rule in (counted(i.keys) if i.record_id in near else i.keys).items()}
    blocks = read_blocks(session, keys, limits(model.model, keys))
    changed = identifier_rulings.apply(session, entity, registry(session), changed)
    changed, demoted = demote_overshared(session, entity, blocks, changed)
    applied, quarantined = quarantine_overlays(session, entity, model, changed)
    settled, scored = store_and_settle(session, entity, model, Writing(blocks, applied, demoted, near=near))
    publish(session, entity.name, settled.happenings)
    sizes = Counter(settled.golden_of.values())
    results = {
        i.record_id: _result(i, scored, settled, blocks.over_full, shared=sizes[settled.golden_of[i.record_id]] > 1) for i in applied
    }
    results.update({i.record_id: _held(i, task_id) for i, task_id in quarantined})
    return _Became(results, settled.moves, [each.record_id for each in demoted])


@dataclass(frozen=True, slots=True)
class Writing:
    """Records to write, with the blocks of their keys; `demoted` ones only lost a value; `versioned`: their versions stand already.

    `near`: of records whose blocks nobody need ask, whoever may be one with them.
    """

    blocks: Blocks
    applied: Sequence[Incoming]
    demoted: Sequence[Demoted] = ()
    versioned: bool = False
    near: Mapping[UUID, Collection[UUID]] = field(default_factory=dict)


def store_and_settle(session: Session, entity: EntityType, model: Scorer, writing: Writing) -> tuple[Settled, "_Scored"]:
    """Score the records, write them, and settle who is who."""
    scored, claims, change = store(session, entity, model, writing)
    settled = settle(session, entity, model, registry(session), change)
    refuse(settled.loops, claims, "/relationships")
    return settled, scored


def store(session: Session, entity: EntityType, model: Scorer, writing: Writing) -> tuple["_Scored", frozenset[UUID], Change]:
    """Score the records and write them; who is who is for the caller to settle, who gets the change that it is about."""
    blocks, applied, demoted = writing.blocks, writing.applied, writing.demoted
    if demoted:
        # Their other keys were not among the delivered ones; locking late may collide, and then the whole work is done again.
        # Beyond their number the golden records' rows guard.
        lock(session, f"block:{entity.name}", sorted({key for d in demoted for key in d.keys})[:LOCKS_MAX])
        blocks = blocks.and_also(read_blocks(session, {key for d in demoted for key in d.keys}))
    probes = [_Probe(i.record_id, i.columns, tuple(i.keys), writing.near.get(i.record_id)) for i in applied]
    probes += [_Probe(d.record_id, d.columns, d.keys) for d in demoted]
    scored = _score(session, model, blocks, probes)
    write_records(session, entity, applied, versioned=writing.versioned)
    waiting = [i.record_id for i in applied if i.stored is not None and i.stored.has_waiting]
    if waiting and not writing.versioned:
        supersede(session, entity, waiting)
    claims = write_claims(session, entity, applied)
    updated = frozenset({i.record_id for i in applied if i.stored is not None} | {d.record_id for d in demoted})
    beside = write_edges(session, model, scored.pairs, updated)
    new = tuple([i.as_member() for i in applied if i.stored is None])
    alone = frozenset(m.id for m in new if m.id not in scored.best)
    return scored, claims, Change(frozenset(probe.record_id for probe in probes), new, alone, beside=beside)


@dataclass(frozen=True, slots=True)
class _Probe:
    """A record to be scored against its candidates; `near`: these, if they were looked for before."""

    record_id: UUID
    columns: Columns
    keys: tuple[int, ...]
    near: Collection[UUID] | None = None


def _score(session: Session, model: Scorer, blocks: Blocks, probes: Sequence[_Probe]) -> _Scored:
    """Score every probe against its stored candidates and against the other probes, each pair once."""
    scored = _Scored()
    mine = {probe.record_id for probe in probes}
    wanted = {probe.record_id: _candidates(probe, blocks, mine, scored) for probe in probes}
    beside = _beside(probes)
    columns = read_columns(session, {c for found in wanted.values() for c in found})
    columns.update({probe.record_id: probe.columns for probe in probes})
    floor = model.model.thresholds.review
    for probe in probes:
        record, weigh = probe.record_id, model.score_from if probe.near is None else model.total_from
        for other in (*wanted[record], *beside[record]):
            score = weigh(columns[record], columns[other], floor) if other in columns else None
            if score is not None:
                scored.add(record, other, score)
    return scored


def _candidates(probe: _Probe, blocks: Blocks, mine: set[UUID], scored: _Scored) -> list[UUID]:
    if probe.near is not None:
        return [record for record in probe.near if record not in mine]
    found, was_cut = blocks.candidates(probe.keys)
    if was_cut:
        scored.cut.add(probe.record_id)
    return [record for record in found if record not in mine]


def _beside(probes: Sequence[_Probe]) -> dict[UUID, set[UUID]]:
    """For each probe, the earlier ones that share a key with it, and of whom nobody knows that they are not near."""
    holders: dict[int, list[UUID]] = {}
    keys: dict[UUID, tuple[int, ...]] = {}
    beside: dict[UUID, set[UUID]] = {}
    for probe in probes:
        if probe.near is None:
            beside[probe.record_id] = {other for key in probe.keys for other in holders.get(key, ())}
        else:
            mine = frozenset(probe.keys)
            beside[probe.record_id] = {other for other in probe.near if not mine.isdisjoint(keys.get(other, ()))}
        keys[probe.record_id] = probe.keys
        for key in probe.keys:
            holders.setdefault(key, []).append(probe.record_id)
    return beside


def _result(incoming: Incoming, scored: _Scored, settled: Settled, over_full: frozenset[int], *, shared: bool) -> Result:
    record, delivery = incoming.record_id, incoming.standard.delivery
    best, task_id = scored.best.get(record), settled.tasks.get(record)
    golden_id = settled.golden_of[record]
    if incoming.stored is not None and incoming.stored.golden_id is not None:
        outcome = Outcome.UPDATED if delivery.status == "active" else Outcome.INACTIVE
    else:
        outcome = Outcome.LINKED if shared else Outcome.REVIEW if task_id is not None else Outcome.NEW
    notes = incoming.standard.notes
    if over_full:
        notes = (*notes, *(Note("truncated_block", f"/{rule}") for key, rule in incoming.keys.items() if key in over_full))
    if record in scored.cut:
        notes = (*notes, Note("candidates_cut", ""))
    return Result(
        delivery.system,
        delivery.key,
        outcome,
        record,
        golden_id,
        best.weight if best else None,
        best.evidence if isinstance(best, Score) else (),
        task_id,
        notes,
    )


def _held(incoming: Incoming, task_id: UUID) -> Result:
    delivery, stored = incoming.standard.delivery, incoming.stored
    return Result(
        delivery.system,
        delivery.key,
        Outcome.QUARANTINED,
        incoming.record_id,
        stored.golden_id if stored else None,
        task_id=task_id,
        notes=incoming.standard.notes,
    )


def deactivate(database: Database, entity: EntityType, actor: Actor, system: str, key: str, request_id: str) -> Result:
    """A source says that the record is gone: it turns inactive and keeps answering. Nothing is ever erased."""
    check(actor, Verb.SUBMIT, entity.name, system)
    known = local_key(key)

    def work(session: Session) -> Result:
        lock_source(session, entity, system, known)
        current = as_delivered(session, entity, system, known)
        standard = standardise(entity, replace(current, status="inactive"), registry(session))
        keys = record_keys(entity, active_scorer(session, entity).model, standard.columns)
        return deliver(session, entity, actor, [Ready(0, standard, keys)], request_id).results[0]

    return database.run(work)
