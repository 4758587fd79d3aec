"""How labelled pairs of records fare with a domain's declared model: match, possible and different against link, review and new."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from matching.compare import MEASURES
from matching.evaluate import macro_f1
from matching.explain import outcome
from matching.model import Columns
from matching.score import Scorer
from mdm.entity import EntityType
from mdm.errors import UnusableInput
from mdm.files import Table, read_table
from mdm.labelled import Notes, by_code, fields, read_records

Says = Callable[[Columns, Columns], str]
OUTCOMES = {"match": "link", "possible": "review", "different": "new"}  # what the engine should say of a pair with that label


@dataclass(frozen=True, slots=True)
class Grades:
    """How labelled pairs fared: label -> outcome -> pairs; F1 of the three classes, averaged. `notes`: as of an evaluation."""

    table: Mapping[str, Mapping[str, int]]
    macro_f1: float
    notes: Mapping[str, Mapping[str, int]]


def grade(domain: EntityType, path: Path) -> Grades:
    """Score labelled pairs, columns left.<attribute>, right.<attribute> and label, with the declared model; raises UnusableInput.

    Pairs of names, of which nothing else is given, are judged by the words of the names.
    """
    pairs = read_table(path)
    labels = _labels(pairs)
    notes: Notes = Counter()
    left, right = (read_records(domain, pairs, _side(domain, pairs, side), notes) for side in ("left", "right"))
    said = _said_by_names(domain, pairs) or _said_by_model(domain)
    outcomes = [said(one, other) for one, other in zip(left, right, strict=True)]
    counted = Counter(zip(labels, outcomes, strict=True))
    table = {label: {result: counted[label, result] for result in OUTCOMES.values()} for label in OUTCOMES}
    return Grades(table, macro_f1([list(row.values()) for row in table.values()]), by_code(notes))


def _said_by_model(domain: EntityType) -> Says:
    scorer = Scorer(domain.model)

    def said(left: Columns, right: Columns) -> str:
        score = scorer.score(left, right)
        return outcome(score.weight, score.vetoes, domain.model.thresholds)

    return said


def _said_by_names(domain: EntityType, pairs: Table) -> Says | None:
    """Where a list gives one name per side and nothing else, its words decide: no weight was ever meant to rest on a name alone."""
    named = _side(domain, pairs, "left").keys() | _side(domain, pairs, "right").keys()
    attribute = next((a for a in domain.attributes if named == {a.name} and a.type.alone), None)
    if attribute is None:
        return None
    of: Callable[..., float] = MEASURES[attribute.type.alone].of

    def said(left: Columns, right: Columns) -> str:
        words = [str(side.get(attribute.name, "")).split() for side in (left, right)]
        return OUTCOMES["match" if of(words[0], words[1]) else "different"]

    return said


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
