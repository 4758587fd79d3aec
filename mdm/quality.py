"""How well a domain's model finds what is known to be true in files: records in, measures out, no database."""

import resource
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from matching.arrays import Rows
from matching.bulk import Room
from matching.components import components
from matching.evaluate import (
    Agreement,
    Linkage,
    Pairs,
    agreement,
    are_true,
    b_cubed,
    blocking_recall,
    count_pairs,
    pairs_of,
    reduction_ratio,
)
from matching.pipeline import ROOM, Found, find_duplicates, find_duplicates_on_spark, link_files
from mdm.labelled import Labelled, Question, by_code, read_labelled

_KIB = 1024


@dataclass(frozen=True, slots=True)
class ModelUsed:
    """The model that scored; `refused` says why training changed nothing. `estimated_matches`: pairs that it expects to be true.

    `link`: the bits from which on it links within one file; between two, who else could be a partner decides as well.
    """

    version: str
    link: float | None
    refused: str | None
    estimated_matches: float | None


@dataclass(frozen=True, slots=True)
class Report:
    """Pairwise shares at link and at review. `pairs` were compared.

    over_full, left_out  blocking keys with too many holders, followed only in twos; twos that have too many holders as well
    seconds  from opening the files to the groups, measuring left out
    peak_mb  of the whole process so far
    notes    values that did not clean, columns without any, and columns that nothing was named after: code -> attribute -> how many
    """

    precision: float
    recall: float
    f1: float
    at_review: Agreement
    b_cubed: Agreement
    blocking_recall: float
    reduction_ratio: float
    pairs: int
    seconds: float
    peak_mb: float
    records: int
    notes: Mapping[str, Mapping[str, int]]
    over_full: Mapping[str, int]
    left_out: Mapping[str, int]
    model: ModelUsed


@dataclass(frozen=True, slots=True)
class Measured:
    """The report, with what it was made from: for diagrams."""

    report: Report
    found: Found
    truth: Linkage


@dataclass(frozen=True, slots=True)
class Weights:
    """Per compared pair its weight in bits and whether it is true; `true_pairs` counts those that blocking missed as well."""

    weight: NDArray[np.float64]
    is_true: NDArray[np.bool_]
    true_pairs: int


def evaluate(question: Question, room: Room = ROOM) -> Measured:
    """Match the records and compare the outcome with the truth. Raises UnusableInput."""
    started = time.perf_counter()
    given = read_labelled(question)
    found = _match(question, given, room)
    return Measured(_report(given, found, time.perf_counter() - started), found, given.truth)


def _match(question: Question, given: Labelled, room: Room) -> Found:
    model = question.domain.model
    named = {str(row): record for row, record in enumerate(given.records)}
    if question.spark_url is not None:
        return find_duplicates_on_spark(question.spark_url, model, named)
    if len(given.sizes) == 1:
        return find_duplicates(model, named, train=question.train, room=room)
    left, right = (dict(islice(named.items(), *part)) for part in ((given.sizes[0],), (given.sizes[0], None)))
    return link_files(model, left, right, many=question.many, train=question.train, room=room)


def _report(given: Labelled, found: Found, seconds: float) -> Report:
    size = len(given.records)
    at_link = _linkage(found.groups, found.links, size)
    pairwise = agreement(at_link, given.truth)
    return Report(
        precision=pairwise.precision,
        recall=pairwise.recall,
        f1=pairwise.f1,
        at_review=agreement(_linkage(found.groups_at_review, found.links_at_review, size), given.truth),
        b_cubed=b_cubed(_groups(at_link, size), _groups(given.truth, size)),
        blocking_recall=blocking_recall(pairs_of(*_ends(found)), given.truth),
        reduction_ratio=reduction_ratio(found.candidates, *given.sizes),
        pairs=found.candidates,
        seconds=seconds,
        peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _KIB,
        records=size,
        notes=by_code(given.notes),
        over_full=found.over_full,
        left_out=found.left_out,
        model=_model_used(found),
    )


def weights_by_truth(measured: Measured) -> Weights:
    """The compared pairs: how much each weighed, and whether it is a true one."""
    table = measured.found.candidate_pairs
    left, right = _ends(measured.found)
    pairs = Pairs(np.minimum(left, right), np.maximum(left, right))
    return Weights(table["weight"].to_numpy(), are_true(pairs, measured.truth), count_pairs(measured.truth))


def _ends(found: Found) -> tuple[Rows, Rows]:
    left, right = (found.candidate_pairs[side].cast(pa.int64()).to_numpy() for side in ("left", "right"))
    return left, right


def _linkage(groups: Mapping[str, str] | None, links: Sequence[tuple[str, str]], size: int) -> Linkage:
    """What was found, by row number: the groups of one file, the links between two."""
    if groups is not None:
        return np.array([int(groups[str(row)]) for row in range(size)], dtype=np.int64)
    ends = np.array(links, dtype=np.int64).reshape(-1, 2)
    return pairs_of(ends[:, 0], ends[:, 1])


def _groups(linkage: Linkage, size: int) -> Rows:
    return components(linkage.left, linkage.right, size) if isinstance(linkage, Pairs) else linkage


def _model_used(found: Found) -> ModelUsed:
    link = found.model.thresholds.link if found.groups is not None else None
    if found.diagnostics is None:
        return ModelUsed(found.model.version, link, None, None)
    return ModelUsed(found.model.version, link, found.diagnostics.refused, found.diagnostics.estimated_matches)
