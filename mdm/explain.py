"""Two records side by side under the active model: stored ones, or such that nobody delivered. Writes nothing; shows nothing masked.

Who may see what of it is the business of `mdm.reading`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from matching.explain import Explanation
from matching.explain import explain as explain_pair
from matching.model import Columns
from mdm.entity import EntityType
from mdm.errors import FieldProblem, InvalidRecord
from mdm.golden import source
from mdm.match import standard_question
from mdm.members import read_members
from mdm.models import scorer
from mdm.standardise import Note, Raw


@dataclass(frozen=True, slots=True)
class Stored:
    """A side that a system delivered."""

    system: str
    key: str


@dataclass(frozen=True, slots=True)
class Given:
    """A side that stands in the question itself."""

    attributes: Mapping[str, Raw]
    identifiers: Sequence[tuple[str, str]]


Asked = Stored | Given


@dataclass(frozen=True, slots=True)
class Side:
    """A record as it is compared, with its normal forms; `golden_id` is that of a stored one."""

    columns: Columns
    attributes: Mapping[str, Any]
    identifiers: Mapping[str, Sequence[str]]
    golden_id: UUID | None = None
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Pair:
    """Both sides, and why they score what they score."""

    left: Side
    right: Side
    explanation: Explanation


@dataclass(frozen=True, slots=True)
class Beside:
    """One attribute or kind of identifier of two records, as a reader may see it; None where a side has none."""

    name: str
    title: str
    left: object
    right: object


@dataclass(frozen=True, slots=True)
class PairView:
    """Why two records score what they score, with the values behind each step; notes are on what of a given record was not understood."""

    explanation: Explanation
    values: Mapping[str, tuple[Beside, ...]]
    golden_ids: tuple[UUID | None, UUID | None]
    notes: tuple[Note, ...]


def explain(session: Session, entity: EntityType, left: Asked, right: Asked) -> Pair:
    """Raises NotFound for a record that is not stored, InvalidRecord for a given one that cannot be read."""
    one, other = _side(session, entity, left, "left"), _side(session, entity, right, "right")
    return Pair(one, other, explain_pair(scorer(session, entity), one.columns, other.columns))


def _side(session: Session, entity: EntityType, asked: Asked, where: str) -> Side:
    if isinstance(asked, Stored):
        record = source(session, entity, asked.system, asked.key).record_id
        member = read_members(session, [record])[record]
        return Side(member.columns, member.attributes, member.identifiers, member.golden_id)
    try:
        standard = standard_question(session, entity, asked.attributes, asked.identifiers, key=where)
    except InvalidRecord as error:
        raise InvalidRecord(problems=tuple(_below(where, error.problems))) from None
    notes = tuple(replace(note, pointer=f"/{where}{note.pointer}") for note in standard.notes)
    return Side(standard.columns, standard.attributes, standard.identifiers, notes=notes)


def _below(where: str, problems: Iterable[FieldProblem]) -> Iterable[FieldProblem]:
    return (replace(problem, pointer=f"/{where}{problem.pointer}") for problem in problems)


def as_json(view: PairView) -> dict[str, Any]:
    """The answer of the API and of the command: the explanation, with the values in their steps."""
    explanation = view.explanation
    plain = asdict(explanation)
    steps = [{**step, "values": [asdict(each) for each in view.values[step["comparison"]]]} for step in plain["steps"]]
    for step in steps:
        del step["left"], step["right"], step["columns"]  # as compared, which no reader's mask has seen
    flips = [{**asdict(flip), "words": flip.words} for flip in explanation.flips]
    return {**plain, "steps": steps, "flips": flips, "golden_ids": view.golden_ids, "notes": [asdict(note) for note in view.notes]}
