"""How labelled pairs of records fare with a domain's declared model: match, possible and different against link, review and new."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from matching.evaluate import macro_f1
from matching.explain import outcome
from matching.score import Scorer
from mdm.entity import EntityType
from mdm.errors import UnusableInput
from mdm.files import Table, read_table
from mdm.labelled import fields, read_records

OUTCOMES = {"match": "link", "possible": "review", "different": "new"}  # what the engine should say of a pair with that label


@dataclass(frozen=True, slots=True)
class Grades:
    """How labelled pairs fared: label -> outcome -> pairs; F1 of the three classes, averaged."""

    table: Mapping[str, Mapping[str, int]]
    macro_f1: float


def grade(domain: EntityType, path: Path) -> Grades:
    """Score labelled pairs, columns left.<attribute>, right.<attribute> and label, with the declared model. Raises UnusableInput."""
    pairs = read_table(path)
    labels = _labels(pairs)
    left, right = (read_records(domain, pairs, _side(domain, pairs, side), Counter()) for side in ("left", "right"))
    scorer = Scorer(domain.model)
    scores = [scorer.score(one, other) for one, other in zip(left, right, strict=True)]
    outcomes = [outcome(score.weight, score.vetoes, domain.model.thresholds) for score in scores]
    counted = Counter(zip(labels, outcomes, strict=True))
    table = {label: {result: counted[label, result] for result in OUTCOMES.values()} for label in OUTCOMES}
    return Grades(table, macro_f1([list(row.values()) for row in table.values()]))


def _labels(pairs: Table) -> tuple[str, ...]:
    labels = tuple(label.lower() for label in pairs.column("label"))
    wrong = next((row for row, label in enumerate(labels) if label not in OUTCOMES), None)
    if wrong is not None:
        raise UnusableInput(f"{pairs.name}, row {wrong + 1}: a label is one of {', '.join(OUTCOMES)}")
    return labels


def _side(domain: EntityType, pairs: Table, side: str) -> dict[str, str]:
    """Attribute or identifier -> column of one side; columns that name no side are the reader's own."""
    known = fields(domain)
    columns = {column.removeprefix(f"{side}."): column for column in pairs.header if column.startswith(f"{side}.")}
    unknown = sorted(columns.keys() - set(known))
    if unknown:
        raise UnusableInput(f"{domain.name} has no attribute called {', '.join(unknown)}; there are {', '.join(known)}")
    if not columns:
        raise UnusableInput(f"{pairs.name} has no column called {side}.<attribute>")
    return columns
