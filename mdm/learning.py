"""Models of a domain: trained from what is stored, and counted in what they would change; versions: `mdm.model_versions`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from hashlib import blake2b
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from matching.arrays import Rows, Weighed
from matching.bulk import Bulk, Room, bulk
from matching.cluster import limits_of
from matching.components import cluster_all
from matching.counting import with_counted
from matching.cuts import cut_decided
from matching.model import Model, to_json
from matching.patterns import Patterns
from matching.pipeline import EVEN, SMALLEST_SET, linking_from, precise, train_on
from matching.train import Trained, reestimate_from_labels
from mdm import audit
from mdm.access import Actor
from mdm.db import Database, execute, fetch
from mdm.entities import ENTITY_TYPES
from mdm.entity import EntityType
from mdm.jsonio import dumps
from mdm.model_versions import active_version, find_model, lock_activation
from mdm.pile import Pile
from mdm.running import Run
from mdm.stock import StoredPair, Told, judged_pairs, read_stock, told_among

ENOUGH_LABELS = 20  # pairs that a person called the same


@dataclass(frozen=True, slots=True)
class Learned:
    """What training came to. `version` is None where the model was refused; `reason` says why in plain words."""

    domain: str
    version: str | None
    reason: str | None
    records: int
    pairs: int
    labels: int
    metrics: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Effect:
    """What activation would change, counted over all stored records.

    pairs_gained and pairs_lost are pairs of records that would newly share a golden record, or no longer would (a person is asked first);
    reviews are pairs between `review` and `link`; estimated_false_links is what the model itself expects among the pairs of its groups.
    """

    domain: str
    version: str
    replaces: str
    records: int
    pairs_gained: int
    pairs_lost: int
    golden_records_before: int
    golden_records_after: int
    clusters_changed: int
    reviews_before: int
    reviews_after: int
    estimated_false_links: float


def learn(database: Database, entity: EntityType, actor: Actor, room: Room) -> Learned:
    """Train a new version on the stored records and keep it, not in use. The domain's declared model is the start."""
    stock = read_stock(database, entity, entity.model.columns)
    if stock.size < SMALLEST_SET:
        return Learned(entity.name, None, f"{stock.size} records are too few; {SMALLEST_SET} are needed", stock.size, 0, 0, {})
    judged = judged_pairs(database, entity)
    trained, pairs = _train(entity, stock, judged, room)
    metrics = {"records": stock.size, "pairs": pairs, "labels": len(judged), **asdict(trained.diagnostics)}
    reason = trained.diagnostics.refused
    version = None
    if reason is None:
        fingerprint = _fingerprint(stock)
        version = database.run(lambda session: _keep(session, entity, actor, trained.model, {**metrics, "data": fingerprint}))
    return Learned(entity.name, version, reason, stock.size, pairs, len(judged), metrics)


def _train(entity: EntityType, stock: Pile, judged: Sequence[StoredPair], room: Room) -> tuple[Trained, int]:
    ids, records = stock.ids, stock.records(entity.model)
    model = with_counted(entity.model, records.values)
    version = f"{entity.model.version}-t"  # until it is kept, and named
    with bulk(model, records, room=room) as executor:
        del records  # as `bulk` does
        blocked = executor.block()
        trained = train_on(executor, version)
        if trained.diagnostics.refused is None:
            trained = replace(trained, model=_refined(executor, trained.model, told_among(ids, judged)))
    return trained, blocked.pairs


def _refined(executor: Bulk, model: Model, told: Told) -> Model:
    """The trained model with what people have judged, and a cut by their word or, where they said too little, by its own."""
    if (labels := _labels(executor, told)) is not None:
        refined = reestimate_from_labels(model, *labels, version=model.version)
        model = model if refined.diagnostics.refused is not None else refined.model
    if model.u_from != "population":
        return model
    cut = _cut_decided(executor, model, told)
    if cut is None:
        return precise(model, executor.weigh(model, EVEN))
    return linking_from(model, cut)


def _cut_decided(executor: Bulk, model: Model, told: Told) -> float | None:
    if len(told.left) == 0:
        return None
    judged = executor.score(model, told.left, told.right)
    open_to_machine = ~judged.vetoed
    return cut_decided(judged.weights[open_to_machine], told.of(judged, executor.size)[0][open_to_machine], EVEN)


def _labels(executor: Bulk, told: Told) -> tuple[Patterns, Patterns] | None:
    """The level vectors of pairs that people have judged: same, different. None while there are too few of the first."""
    same = told.same
    if np.count_nonzero(same) < ENOUGH_LABELS:
        return None
    return executor.patterns_of(told.left[same], told.right[same]), executor.patterns_of(told.left[~same], told.right[~same])


def _fingerprint(stock: Pile) -> str:
    """Which records a model has learnt from, as a short text; it says nothing about them."""
    return blake2b(b"".join(stock.ids.to_pylist()), digest_size=8).hexdigest()


def _next_version(session: Session, entity: EntityType) -> str:
    lock_activation(session, entity)  # so that two at once are not named alike
    rows = fetch(
        session, "select count(*) from match_model where domain = %s and version like %s", (entity.name, f"{entity.model.version}-t%")
    )
    return f"{entity.model.version}-t{rows[0][0] + 1}"


def _keep(session: Session, entity: EntityType, actor: Actor, model: Model, metrics: Mapping[str, Any]) -> str:
    """The version under which it is kept from now on."""
    version = _next_version(session, entity)
    execute(
        session,
        "insert into match_model (domain, version, model, metrics) values (%s, %s, %s::jsonb, %s::jsonb)",
        (entity.name, version, dumps(to_json(replace(model, version=version))).decode(), dumps(dict(metrics)).decode()),
    )
    audit.record(session, actor, "model:train", domain=entity.name, detail={"version": version})
    return version


def effect_of(database: Database, entity: EntityType, model: Model, room: Room) -> Effect:
    """Compare what stands with what the model would make of all stored records. Changes nothing."""
    stock = read_stock(database, entity, model.columns)
    told = told_among(stock.ids, judged_pairs(database, entity))
    with bulk(model, stock.records(model), room=room) as executor:
        executor.block(model.thresholds.review)
        weighed = executor.weigh(model, model.thresholds.review)
        after = _clusters(executor, model, weighed, told)
    before = np.asarray(stock.golden_ids.dictionary_encode().indices.to_numpy(), dtype=np.int64)
    link = model.thresholds.link
    replaces, reviews = database.run(lambda session: (active_version(session, entity), _reviews(session, entity, link)))
    inside = after[weighed.left] == after[weighed.right]
    return Effect(
        domain=entity.name,
        version=model.version,
        replaces=replaces,
        records=stock.size,
        pairs_gained=_pairs(after) - _common(before, after),
        pairs_lost=_pairs(before) - _common(before, after),
        golden_records_before=len(np.unique(before)),
        golden_records_after=len(np.unique(after)),
        clusters_changed=_changed(before, after),
        reviews_before=reviews,
        reviews_after=int(((weighed.weights < link) & ~inside).sum()),
        estimated_false_links=round(float((1 / (1 + np.exp2(weighed.weights[inside]))).sum()), 2),
    )


def _reviews(session: Session, entity: EntityType, link: float) -> int:
    """Stored pairs below `link` that nobody has judged."""
    rows = fetch(
        session,
        "select count(*) from edge e join source_record r on r.id = e.low where r.domain = %s and e.weight < %s and e.verdict is null",
        (entity.name, link),
    )
    return int(rows[0][0])


def _clusters(executor: Bulk, model: Model, weighed: Weighed, told: Told) -> Rows:
    """The partition that the model makes, people's verdicts standing: the same is as heavy as can be, different is vetoed."""
    same, different = told.of(weighed, executor.size)
    weights = np.where(same, model.clip, weighed.weights)
    vetoed = (weighed.vetoed & ~same) | different
    pairs = replace(weighed, weights=weights, vetoed=vetoed)
    return cluster_all(executor.size, pairs, limits_of(model), partial(executor.score, model)).groups


def _pairs(groups: Rows) -> int:
    sizes = np.unique(groups, return_counts=True)[1]
    return int((sizes * (sizes - 1) // 2).sum())


def _common(before: Rows, after: Rows) -> int:
    sizes = np.unique(np.stack((before, after)), axis=1, return_counts=True)[1]
    return int((sizes * (sizes - 1) // 2).sum())


def _changed(before: Rows, after: Rows) -> int:
    """Golden records that would lose or gain a record."""
    both = np.unique(np.stack((before, after)), axis=1)
    parts_of_before = np.bincount(both[0])
    parts_of_after = np.bincount(both[1])
    return len(np.unique(both[0][(parts_of_before[both[0]] > 1) | (parts_of_after[both[1]] > 1)]))


def count(run: Run, match_memory_gb: int) -> None:
    """The job: payload {domain, version}. What the version would change, counted over all stored records and kept."""
    entity, model = run.effect(lambda session: find_model(session, ENTITY_TYPES, str(run.mine.payload["version"])))
    run.tell("comparing")
    effect = effect_of(run.database, entity, model, Room(f"{match_memory_gb}GB"))
    run.conclude(lambda session: _keep_effect(session, effect))


def _keep_effect(session: Session, effect: Effect) -> None:
    execute(
        session,
        "insert into model_effect (domain, version, effect) values (%s, %s, %s::jsonb) on conflict (domain, version) do update"
        " set effect = excluded.effect, counted_at = clock_timestamp()",
        (effect.domain, effect.version, dumps(asdict(effect)).decode()),
    )
