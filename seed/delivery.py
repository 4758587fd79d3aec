"""What a system of the demo world delivers. Plain frozen data; the generator knows no database and no web."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

Attributes = dict[str, str | list[str]]
Identifier = tuple[str, str]
Status = Literal["active", "inactive"]


@dataclass(frozen=True, slots=True)
class SystemSpec:
    """A system that delivers, and the other names by which messages call it (alias kind, value)."""

    code: str
    name: str
    kind: str
    organization: str
    aliases: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Edge:
    """A relationship that a record states, its other end by a system's key. Dates are inclusive; None leaves them to the record's."""

    type: str
    system: str
    key: str
    tree: str | None = None
    valid_from: date | None = None
    valid_to: date | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One record as one system sends it. `identifiers` are (identifier system, value); dates are inclusive on both ends."""

    domain: str
    system: str
    key: str
    attributes: Attributes
    identifiers: tuple[Identifier, ...] = ()
    status: Status = "active"
    valid_from: date | None = None
    valid_to: date | None = None
    relationships: tuple[Edge, ...] | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A delivery and the entity that it is really about."""

    entity: str
    delivery: Delivery


@dataclass(frozen=True, slots=True)
class MappingRow:
    """One rule of a mapping set; an input that is left out matches any value. Dates are inclusive.

    Inputs are plain texts, or (system, local key) of what a domain holds; `splits` are (share in per cent, outputs).
    """

    set: str
    inputs: dict[str, str | Identifier]
    splits: tuple[tuple[str, dict[str, str]], ...]
    valid_from: date | None = None
    valid_to: date | None = None


@dataclass(frozen=True, slots=True)
class Replacement:
    """A record that stopped to be valid, and the record of the same system that took its place."""

    domain: str
    system: str
    old_key: str
    new_key: str
    on: date


def present(**attributes: str | list[str] | None) -> Attributes:
    """The attributes that have a value; a system sends no blanks."""
    return {name: value for name, value in attributes.items() if value}


def held(*identifiers: tuple[str, str | None]) -> tuple[Identifier, ...]:
    """The identifiers that have a value."""
    return tuple((system, value) for system, value in identifiers if value)
