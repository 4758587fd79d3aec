"""The domains. Every module of this folder that defines `ENTITY` is one; adding a domain is adding a file, and nothing else."""

import pkgutil
from collections.abc import Iterable, Mapping
from importlib import import_module
from types import MappingProxyType

from mdm.entity import DeclarationError, EntityType
from mdm.identifier_systems import BY_CODE


def discover(path: Iterable[str], package: str) -> Mapping[str, EntityType]:
    """The declarations found in a package's folders, by name, in alphabetical order."""
    modules = [import_module(f"{package}.{info.name}") for info in pkgutil.iter_modules(path)]
    return register(module.ENTITY for module in modules if hasattr(module, "ENTITY"))


def register(entities: Iterable[EntityType]) -> Mapping[str, EntityType]:
    """Index declarations by name; refuse a second one of the same name or path, and what points nowhere."""
    declared = sorted(entities, key=lambda entity: entity.name)
    _check_unique([entity.name for entity in declared], "domain")
    _check_unique([entity.path for entity in declared], "path")
    for entity in declared:
        _check_references(entity, {other.name for other in declared})
    return MappingProxyType({entity.name: entity for entity in declared})


def _check_unique(values: list[str], what: str) -> None:
    twice = sorted({value for value in values if values.count(value) > 1})
    if twice:
        raise DeclarationError(f"{what} declared twice: " + ", ".join(twice))


def _check_references(entity: EntityType, domains: set[str]) -> None:
    problems = [f"identifier system {rule.system} is unknown" for rule in entity.identifiers if rule.system not in BY_CODE]
    problems += [
        f"relationship {rule.name} leads to no domain: {rule.target}" for rule in entity.relationships if rule.target not in domains
    ]
    problems += [f"hierarchy {r.name} leads to another domain" for r in entity.relationships if r.hierarchy and r.target != entity.name]
    if problems:
        raise DeclarationError(f"{entity.name}: " + "; ".join(problems))


ENTITY_TYPES: Mapping[str, EntityType] = discover(__path__, __name__)
