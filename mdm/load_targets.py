"""What a column of a file may become, derived from a domain's declaration: the parts of a Delivery, each under one name. Pure.

key                                   the system's own key of the record (required)
<attribute>                           an attribute; one with many values takes several columns
identifier:<system>                   an identifier of that system, by its code or an alias; takes several columns
status, valid_from, valid_to          of the record
relationship:<type>[/<tree>][@<system>]   the key of the other end, in the loaded system unless another is said; takes several columns
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mdm.entity import Attribute, EntityType
from mdm.errors import FieldProblem, UnusableInput
from mdm.standardise import Registry

KEY, STATUS, VALID_FROM, VALID_TO = "key", "status", "valid_from", "valid_to"
IDENTIFIER, RELATIONSHIP = "identifier:", "relationship:"
STATUSES = ("active", "inactive")


@dataclass(frozen=True, slots=True)
class Binding:
    """One column and what it becomes."""

    target: str
    column: str


Mapping = tuple[Binding, ...]


@dataclass(frozen=True, slots=True)
class End:
    """A relationship target taken apart; `system` None is the system that is loaded."""

    type: str
    tree: str | None
    system: str | None


def read_columns(text: str) -> Mapping:
    """`attribute=column,...` as the command line has it; a column's name may hold what CSV quotes. Raises UnusableInput."""
    pairs = next(csv.reader([text], skipinitialspace=True, strict=True), [])
    bindings = []
    for pair in pairs:
        target, sign, column = pair.partition("=")
        if not sign or not target.strip() or not column.strip():
            raise UnusableInput("--columns takes attribute=column pairs, with commas between them")
        bindings.append(Binding(target.strip(), column.strip()))
    return tuple(bindings)


def targets(entity: EntityType) -> tuple[str, ...]:
    """Everything that a column may become without naming another system: required ones first."""
    required = [a.name for a in entity.attributes if a.required]
    return (KEY, *required, *_optional(entity))


def _optional(entity: EntityType) -> Iterator[str]:
    yield from (a.name for a in entity.attributes if not a.required)
    yield from (IDENTIFIER + rule.system for rule in entity.identifiers)
    yield from (STATUS, VALID_FROM, VALID_TO)
    yield from (RELATIONSHIP + rule.name for rule in entity.relationships)


def required(entity: EntityType) -> tuple[str, ...]:
    """What no load can do without."""
    return (KEY, *(a.name for a in entity.attributes if a.required))


def attribute_of(entity: EntityType, target: str) -> Attribute | None:
    return next((a for a in entity.attributes if a.name == target), None)


def takes_many(entity: EntityType, target: str) -> bool:
    """Whether several columns may become this."""
    attribute = attribute_of(entity, target)
    return target.startswith((IDENTIFIER, RELATIONSHIP)) or (attribute is not None and attribute.many)


def end_of(target: str) -> End:
    name, _, system = target.removeprefix(RELATIONSHIP).partition("@")
    kind, _, tree = name.partition("/")
    return End(kind, tree or None, system or None)


def check_mapping(entity: EntityType, header: Sequence[str], mapping: Mapping, registry: Registry) -> None:
    """Raises UnusableInput with one problem for each pair that cannot be, and for each required target that no column becomes."""
    problems = [problem for each in mapping for problem in _problems(entity, header, each, registry)]
    named = [each.target for each in mapping]
    problems += [
        FieldProblem("two_columns", f"/columns/{name}", f"{name} takes one column")
        for name in dict.fromkeys(named)
        if named.count(name) > 1 and not takes_many(entity, name)
    ]
    problems += [
        FieldProblem("missing_target", f"/columns/{name}", f"say which column is {name}") for name in required(entity) if name not in named
    ]
    if problems:
        raise UnusableInput("the columns cannot be used", tuple(problems))


def _problems(entity: EntityType, header: Sequence[str], each: Binding, registry: Registry) -> list[FieldProblem]:
    where, target = f"/columns/{each.target}", each.target
    problems = []
    if each.column not in header:
        problems.append(FieldProblem("unknown_column", where, f"there is no column {each.column!r}; there are {', '.join(header)}"))
    if target.startswith(IDENTIFIER):
        if registry.resolve(target.removeprefix(IDENTIFIER)) is None:
            problems.append(FieldProblem("unknown_system", where, f"no identifier system is called {target.removeprefix(IDENTIFIER)!r}"))
    elif target.startswith(RELATIONSHIP):
        problems += _end_problems(entity, where, end_of(target), registry)
    elif target not in targets(entity):
        problems.append(FieldProblem("unknown_target", where, f"{entity.label} has: {', '.join(targets(entity))}"))
    return problems


def _end_problems(entity: EntityType, where: str, end: End, registry: Registry) -> list[FieldProblem]:
    if entity.relationship(end.type) is None:
        names = ", ".join(rule.name for rule in entity.relationships)
        return [FieldProblem("unknown_relationship", where, f"{entity.label} has: {names or 'none'}")]
    code = None if end.system is None else registry.resolve(end.system)
    if end.system is not None and (code is None or not registry.is_source(code)):
        return [FieldProblem("unknown_system", where, f"no source system is called {end.system!r}")]
    return []
