"""What a delivery says about relationships: its shape checked, its names made normal. Pure.

The other end is a system's local key, which nobody need know yet, or a golden id. What a statement leaves open about its dates, its record
says: a record valid from July speaks of July and later.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any, Protocol
from uuid import UUID

from mdm.entity import EntityType, RelationshipRule
from mdm.errors import FieldProblem, invalid_period
from mdm.values.kind import clean_text

RELATIONSHIPS_MAX = 50
KEY_LENGTH_MAX = 200
TREE_LENGTH_MAX = 50
MAIN_TREE = "main"
_TREE_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")


@dataclass(frozen=True, slots=True)
class Assertion:
    """One relationship, as its source states it. Dates are inclusive; None is open. `tree`: of hierarchies, "main" unless said."""

    type: str
    system: str | None = None
    value: str | None = None
    golden_id: UUID | None = None
    tree: str | None = None
    valid_from: date | None = None
    valid_to: date | None = None

    def as_json(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value is not None}


class Systems(Protocol):
    """Which systems hand out keys; see `mdm.systems`."""

    def resolve(self, name: str) -> str | None: ...

    def is_source(self, code: str) -> bool: ...


def read_assertions(raw: Sequence[Mapping[str, Any]] | None) -> tuple[Assertion, ...] | None:
    """Assertions out of what `as_json` stored."""
    return None if raw is None else tuple(_read(each) for each in raw)


def _read(raw: Mapping[str, Any]) -> Assertion:
    golden_id, start, end = raw.get("golden_id"), raw.get("valid_from"), raw.get("valid_to")
    return Assertion(
        raw["type"],
        raw.get("system"),
        raw.get("value"),
        UUID(golden_id) if golden_id else None,
        raw.get("tree"),
        date.fromisoformat(start) if start else None,
        date.fromisoformat(end) if end else None,
    )


def assertion_problems(entity: EntityType, said: Sequence[Assertion], systems: Systems) -> list[FieldProblem]:
    """What is wrong with the statements, one problem per field."""
    if said and not entity.relationships:
        return [FieldProblem("unknown_field", "/relationships", f"{entity.plural.replace('_', ' ')} have no relationships")]
    if len(said) > RELATIONSHIPS_MAX:
        return [FieldProblem("too_many", "/relationships", f"at most {RELATIONSHIPS_MAX} relationships")]
    problems = [
        replace(problem, pointer=f"/relationships/{index}{problem.pointer}")
        for index, each in enumerate(said)
        for problem in (*type_problems(entity, each), *_end_problems(each, systems))
    ]
    return problems or _contradictions(entity, said, systems)


def _contradictions(entity: EntityType, said: Sequence[Assertion], systems: Systems) -> list[FieldProblem]:
    """Two targets from one day on, where there is one at a time: nobody could tell which is meant."""
    normal = [_normal(entity, each, systems) for each in said]
    first: dict[tuple[str, str | None, date | None], Assertion] = {}
    problems = []
    for index, each in enumerate(normal):
        rule = entity.relationship(each.type)
        known = first.setdefault((each.type, each.tree, each.valid_from), each)
        if rule is not None and rule.single and known != each:
            problems.append(FieldProblem("two_targets", f"/relationships/{index}", f"{each.type} has one target at a time: give dates"))
    return problems


def type_problems(entity: EntityType, said: Assertion) -> list[FieldProblem]:
    """What is wrong with type, tree and dates."""
    rule = entity.relationship(said.type)
    if rule is None:
        names = ", ".join(rule.name for rule in entity.relationships)
        return [FieldProblem("unknown_relationship", "/type", f"{entity.label} has: {names or 'none'}")]
    problems = _tree_problems(rule, said.tree)
    if said.valid_from and said.valid_to and said.valid_to < said.valid_from:
        problems.append(invalid_period("/valid_to"))
    return problems


def _tree_problems(rule: RelationshipRule, tree: str | None) -> list[FieldProblem]:
    if tree is None:
        return []
    if not rule.hierarchy:
        return [FieldProblem("no_hierarchy", "/tree", "only hierarchies have trees")]
    if not 0 < len(tree) <= TREE_LENGTH_MAX or not set(tree) <= _TREE_CHARACTERS:
        return [FieldProblem("invalid_tree", "/tree", f"a tree's name has 1 to {TREE_LENGTH_MAX} of a-z, 0-9 and -")]
    return []


def _end_problems(said: Assertion, systems: Systems) -> list[FieldProblem]:
    named = said.system is not None and said.value is not None
    half = (said.system is None) != (said.value is None)
    if half or named == (said.golden_id is not None):
        return [FieldProblem("one_end", "", "name the other end by system and value, or by golden_id")]
    if said.system is None or said.value is None:
        return []
    code = systems.resolve(said.system)
    if code is None or not systems.is_source(code):
        return [FieldProblem("unknown_system", "/system", "register the system first")]
    if not clean_text(said.value) or len(said.value) > KEY_LENGTH_MAX or not _storable(said.value):
        return [FieldProblem("invalid_key", "/value", f"a key has 1 to {KEY_LENGTH_MAX} printable characters")]
    return []


def _storable(text: str) -> bool:
    """PostgreSQL stores neither NUL nor a lone surrogate."""
    return "\x00" not in text and not any("\ud800" <= c <= "\udfff" for c in text)


def normal_assertions(entity: EntityType, said: Sequence[Assertion], systems: Systems) -> tuple[Assertion, ...]:
    """The same statements in one form and order: codes for aliases, keys trimmed, the tree by name, nothing twice."""
    return tuple(sorted({_normal(entity, each, systems) for each in said}, key=_order))


def _normal(entity: EntityType, said: Assertion, systems: Systems) -> Assertion:
    rule = entity.relationship(said.type)
    tree = said.tree or MAIN_TREE if rule is not None and rule.hierarchy else None
    if said.system is None or said.value is None:
        return replace(said, tree=tree)
    return replace(said, tree=tree, system=systems.resolve(said.system), value=clean_text(said.value))


def _order(said: Assertion) -> tuple[str, ...]:
    ends = (said.system or "", said.value or "", str(said.golden_id or ""))
    return said.type, said.tree or "", *ends, str(said.valid_from or ""), str(said.valid_to or "")
