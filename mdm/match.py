"""Search before create: which golden records could this be? Writes nothing, and uses the very scorer that delivery uses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from matching.model import Thresholds
from matching.score import Evidence, Score
from mdm.candidates import limits, read_blocks
from mdm.db import array, fetch
from mdm.entity import EntityType
from mdm.golden import displays
from mdm.guard import record_keys
from mdm.models import scorer as active_scorer
from mdm.standardise import Delivery, Note, Raw, Standard, standardise
from mdm.systems import registry

_NOBODY = "concord"
GRADES = ("certain", "probable", "possible")
NEAREST_MISS_BITS = 10.0  # how far below `review` an answer still tells of


@dataclass(frozen=True, slots=True)
class MatchResult:
    """A golden record that may be the one asked for: `certain` would link by itself, `probable` would be reviewed.

    `weight` in bits; None where the reader may not be told.
    """

    golden_id: UUID
    weight: float | None
    grade: str
    evidence: tuple[Evidence, ...]
    vetoes: tuple[str, ...]
    display: str


@dataclass(frozen=True, slots=True)
class MatchAnswer:
    """`withheld`: comparisons of which nothing is told, because they look at values that the reader would see masked."""

    results: tuple[MatchResult, ...]
    notes: tuple[Note, ...]
    withheld: tuple[str, ...] = ()


class _Asking:
    """A registry in which the asker counts as a source, so that a question is standardised exactly like a delivery."""

    def __init__(self, session: Session) -> None:
        self._systems = registry(session)
        self.resolve = self._systems.resolve
        self.value_type = self._systems.value_type

    def is_source(self, code: str) -> bool:
        return code == _NOBODY or self._systems.is_source(code)


def match(
    session: Session, entity: EntityType, attributes: Mapping[str, Raw], identifiers: Sequence[tuple[str, str]], limit: int | None
) -> MatchAnswer:
    """Golden records ranked by their best record's weight (bits); without a limit all that are near.

    Raises InvalidRecord like a delivery, but asks for no required attribute.
    """
    standard = standard_question(session, entity, attributes, identifiers)
    model = active_scorer(session, entity)
    keys = record_keys(entity, model.model, standard.columns)
    blocks = read_blocks(session, keys, limits(model.model, keys))
    candidates, was_cut = blocks.candidates(list(keys))
    floor = model.model.thresholds.review - NEAREST_MISS_BITS
    best: dict[UUID, Score] = {}
    for golden_id, columns in fetch(session, _COMPARED, (array(candidates),)) if candidates else ():
        score = model.score_from(standard.columns, columns, floor)
        if score is not None and (golden_id not in best or score.weight > best[golden_id].weight):
            best[golden_id] = score
    ranked = sorted(best.items(), key=lambda item: (-item[1].weight, item[0]))[:limit]
    lines = displays(session, entity, [golden_id for golden_id, _ in ranked])
    results = tuple(MatchResult(g, s.weight, grade(s, model.model.thresholds), s.evidence, s.vetoes, lines.get(g, "")) for g, s in ranked)
    cut = [Note("truncated_block", f"/{rule}") for key, rule in keys.items() if key in blocks.over_full]
    return MatchAnswer(results, (*standard.notes, *cut, *([Note("candidates_cut", "")] if was_cut else [])))


_COMPARED = (
    "select l.golden_id, r.columns from source_record r join link l on l.record_id = r.id and l.recorded_to is null where r.id = any(%s)"
)


def standard_question(
    session: Session, entity: EntityType, attributes: Mapping[str, Raw], identifiers: Sequence[tuple[str, str]], key: str = "?"
) -> Standard:
    """A record that no system delivered, cleaned like a delivery; two of them have no `key` in common by being nobody's.

    Raises InvalidRecord like a delivery, but asks for no required attribute.
    """
    return standardise(entity, Delivery(_NOBODY, key, attributes, identifiers), _Asking(session), complete=False)


def grade(score: Score, thresholds: Thresholds) -> str:
    if score.weight >= thresholds.link and not score.vetoes:
        return "certain"
    return "probable" if score.weight >= thresholds.review else "possible"
