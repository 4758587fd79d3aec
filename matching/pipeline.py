"""From records to groups: count, block, compare, train, weigh, cluster or assign. What `mdm match evaluate` and the bulk job run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import pyarrow as pa

from matching.arrays import Rows, Weighed
from matching.assign import assign, margins, runner_up_cut
from matching.bulk import Blocked, Bulk, Room, bulk
from matching.cluster import limits_of
from matching.components import cluster_all
from matching.counting import with_frequencies
from matching.cuts import cut_expected
from matching.model import Columns, Model, Thresholds
from matching.table import lay_out
from matching.train import Diagnostics, Trained, train_one_to_one
from matching.train import train as train_model

Pair = tuple[str, str]

# Records below which training would learn nothing but chance, and a name that two of them have would count as common.
SMALLEST_SET = 50
# A trained model's prior is right for its set, so that a cut needs no tuning: even odds on the average over all pairs between two groups,
# or what its weights say of precision. Where u comes from the candidates, what they have in common by being candidates is not in it: the
# weights say nothing of precision then, and the cut lies a little above even odds.
EVEN = 0.0
TRAINED = {"population": Thresholds(review=-4.0, link=EVEN), "candidates": Thresholds(review=-4.0, link=2.5)}
CLEAR = 0.43  # bits (0.3 nats) to the next partner that is still to be had
ROOM = Room()


@dataclass(frozen=True, slots=True)
class Found:
    """What matching found, by the names of the records.

    Within one set, links are the pairs of a group; between two, the pairs of the assignment. `candidate_pairs` has left, right, weight
    (bits) and vetoed of every pair that blocking found. `over_full`: blocking rule -> keys with too many holders, narrowed by a second key;
    `left_out`: pairs of such keys that too many hold together as well, so that their records were not compared on their account.
    """

    groups: Mapping[str, str] | None
    groups_at_review: Mapping[str, str] | None
    links: Sequence[Pair]
    links_at_review: Sequence[Pair]
    candidates: int
    candidate_pairs: pa.Table
    over_full: Mapping[str, int]
    left_out: Mapping[str, int]
    model: Model
    diagnostics: Diagnostics | None


class Executor(Protocol):
    """What groups records once their pairs are found: on this machine or on Spark."""

    size: int

    def weigh(self, model: Model, floor: float | None = None) -> Weighed: ...

    def score(self, model: Model, left: Rows, right: Rows) -> Weighed: ...


def find_duplicates(model: Model, records: Mapping[str, Columns], *, train: bool = True, room: Room = ROOM) -> Found:
    """Group the records of one set; with `train`, by a model trained on it, without labels."""
    names, columns = list(records), list(records.values())
    counted = _counted(model, columns) if train else model
    with bulk(counted, lay_out(counted, columns), room=room) as executor:
        blocked = executor.block()
        model, diagnostics = _trained(executor, model) if train else (model, None)
        return _duplicates(executor, model, names, blocked, diagnostics)


def find_duplicates_on_spark(url: str, model: Model, records: Mapping[str, Columns]) -> Found:
    """Group the records of one set by the model as it is, on a Spark session by its URL. Needs the extra `spark`."""
    from matching.spark import spark_bulk  # noqa: PLC0415  (the extra `spark`)

    with spark_bulk(url, model, list(records.values())) as executor:
        return _duplicates(executor, model, list(records), executor.block(), None)


def _duplicates(executor: Executor, model: Model, names: Sequence[str], blocked: Blocked, diagnostics: Diagnostics | None) -> Found:
    weighed = executor.weigh(model)
    groups = [_groups(executor, model, weighed, link) for link in (model.thresholds.link, model.thresholds.review)]
    at_link, at_review = ({name: names[group] for name, group in zip(names, found.tolist(), strict=True)} for found in groups)
    links, reviews = (_named(names, weighed.where(found[weighed.left] == found[weighed.right])) for found in groups)
    return Found(
        at_link, at_review, links, reviews, blocked.pairs, _table(names, weighed), blocked.over_full, blocked.left_out, model, diagnostics
    )


def link_files(
    model: Model, left: Mapping[str, Columns], right: Mapping[str, Columns], *, many: bool = False, train: bool = True, room: Room = ROOM
) -> Found:
    """Link two sets. Each is taken as free of duplicates, so that a record has at most one partner, unless `many`."""
    names, columns = [*left, *right], [*left.values(), *right.values()]
    counted = _counted(model, columns) if train else model
    with bulk(counted, lay_out(counted, columns), second=len(left), room=room) as executor:
        blocked = executor.block()
        model, diagnostics = _trained(executor, model, one_to_one=not many) if train else (model, None)
        weighed = executor.weigh(model)
    found = _above(weighed, model) if many else _assigned(weighed, model, trained=diagnostics is not None and diagnostics.refused is None)
    links, reviews = (_named(names, pairs) for pairs in found)
    return Found(None, None, links, reviews, blocked.pairs, _table(names, weighed), blocked.over_full, blocked.left_out, model, diagnostics)


def _counted(model: Model, records: Sequence[Columns]) -> Model:
    return with_frequencies(model, records) if len(records) >= SMALLEST_SET else model


def _trained(executor: Bulk, declared: Model, *, one_to_one: bool = False) -> tuple[Model, Diagnostics]:
    """The model trained on the executor's records, or the declared one and why."""
    if executor.size < SMALLEST_SET:
        return declared, Diagnostics(refused=f"{executor.size} records are too few; {SMALLEST_SET} are needed")
    version = f"{executor.model.version}-trained"
    trained = _trained_one_to_one(executor, version) if one_to_one else train_on(executor, version)
    if trained.diagnostics.refused is not None:
        # How rare words are is part of comparing texts, and of no harm; how rare a name is would change every weight of a person
        return (declared if declared.u_from == "population" else executor.model), trained.diagnostics
    model = replace(trained.model, thresholds=TRAINED[trained.model.u_from])
    return (precise(model, executor.weigh(model, EVEN)) if model.u_from == "population" else model), trained.diagnostics


def precise(model: Model, weighed: Weighed) -> Model:
    """A trained model with the cut that makes its links as precise as was stated, by its weights of pairs from even odds on."""
    return linking_from(model, cut_expected(weighed.weights[~weighed.vetoed], EVEN))


def linking_from(model: Model, cut: float) -> Model:
    """The trained model with this cut. It asks from where TRAINED does: what it declared was meant for other weights, maybe above."""
    return replace(model, thresholds=Thresholds(TRAINED[model.u_from].review, min(cut, model.clip)))


def _trained_one_to_one(executor: Bulk, version: str) -> Trained:
    left, right, levels = executor.levels()
    return train_one_to_one(executor.model, levels, left, right, version=version)


def train_on(executor: Bulk, version: str) -> Trained:
    """The executor's model, trained on its candidates and, where u comes from the population, on random pairs of its records."""
    model = executor.model
    population = executor.random_patterns() if model.u_from == "population" else None
    return train_model(model, executor.patterns(), population, executor.possible, version=version)


def _groups(executor: Executor, model: Model, candidates: Weighed, link: float) -> Rows:
    # Vetoes, the margin and evidence of the wrong kind keep the machine from linking; a person is asked about such pairs all the same.
    by_machine = link == model.thresholds.link
    if not by_machine and (model.groups_required or model.wants_backing is not None):
        model = replace(model, groups_required=(), backing=None)
        candidates = executor.weigh(model)
    limits = limits_of(model) if by_machine else replace(limits_of(model), link=link, margin=0.0)

    def asked(pairs: Weighed) -> Weighed:
        return pairs if by_machine else replace(pairs, vetoed=np.zeros_like(pairs.vetoed))

    return cluster_all(executor.size, asked(candidates), limits, lambda left, right: asked(executor.score(model, left, right))).groups


def _named(names: Sequence[str], pairs: Weighed) -> list[Pair]:
    return [(names[low], names[high]) for low, high in zip(pairs.left.tolist(), pairs.right.tolist(), strict=True)]


def _table(names: Sequence[str], pairs: Weighed) -> pa.Table:
    texts = np.array(names, dtype=object)
    return pa.table({"left": texts[pairs.left], "right": texts[pairs.right], "weight": pairs.weights, "vetoed": pairs.vetoed})


def _above(weighed: Weighed, model: Model) -> tuple[Weighed, Weighed]:
    link, review = (weighed.weights >= cut for cut in (model.thresholds.link, model.thresholds.review))
    return weighed.where(link & ~weighed.vetoed), weighed.where(review)


def _assigned(weighed: Weighed, model: Model, *, trained: bool) -> tuple[Weighed, Weighed]:
    """The one-to-one links, and those that a person should look at with them."""
    pairs = weighed.where(~weighed.vetoed)
    taken = assign(pairs.left, pairs.right, pairs.weights)
    link, review = model.thresholds.link, model.thresholds.review
    cut = runner_up_cut(pairs.left, pairs.right, pairs.weights, taken) if trained else None
    if cut is not None:
        link, review = cut.link, cut.review
    clear = np.zeros_like(taken)
    clear[taken] = margins(pairs.left, pairs.right, pairs.weights, taken) >= min(model.margin, CLEAR)
    return pairs.where(taken & clear & (pairs.weights >= link)), pairs.where(taken & (pairs.weights >= review))
