"""The vocabulary of a domain's declaration: frozen data, checked when it is built, so that a bad one cannot be imported."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from matching.compare import Value
from matching.model import Model
from mdm.values.kind import ValueType


class DeclarationError(ValueError):
    """A domain's declaration contradicts itself."""


class Sensitivity(StrEnum):
    """How far a value may travel; `phi` is the least for anything of a patient."""

    PUBLIC = "public"
    INTERNAL = "internal"
    PHI = "phi"
    SECRET = "secret"


class Survive(StrEnum):
    """The rule that picks a golden value among the contributions, after pins and authoritative systems."""

    MOST_RECENT = "most_recent"
    MOST_FREQUENT = "most_frequent"
    LONGEST = "longest"
    MOST_COMPLETE = "most_complete"  # a group of attributes survives from the source that fills most of it
    ALL = "all"  # a list: every value that any source has


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a domain. Attributes of one `group` survive together from one source record."""

    name: str
    type: ValueType
    label: str = ""
    help: str = ""
    required: bool = False
    many: bool = False
    sensitivity: Sensitivity = Sensitivity.INTERNAL
    survive: Survive = Survive.MOST_RECENT
    group: str | None = None
    searchable: bool = False
    choices: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return self.label or self.name.replace("_", " ").capitalize()

    @property
    def is_code(self) -> bool:
        """Whether it is read letter by letter, so that 1, l and I must differ."""
        return self.sensitivity is Sensitivity.SECRET or self.type.name in {"date", "code", "number"}


@dataclass(frozen=True, slots=True)
class IdentifierRule:
    """An identifier system as this domain uses it.

    `name` is the comparison column (a tuple of normalised, valid values). `exclusive`: one value belongs to one entity at a time, and its
    second claimant opens a task. `strong`: entities that hold different values of it are different; the model's
    vetoes say so, and a test holds them to it. `max_holders`: a value that more records hold is no evidence (None: no guard).
    """

    name: str
    system: str
    exclusive: bool = False
    strong: bool = False
    many: bool = False
    max_holders: int | None = None


@dataclass(frozen=True, slots=True)
class RelationshipRule:
    """A typed edge that golden records of this domain may have towards golden records of another domain, or of their own.

    `inverse` is its name seen from the other end. `one`: there is one target at a time. `hierarchy`: targets are parents, of which there is
    one at a time in each tree; a domain has at most one such type, and any number of trees.
    """

    name: str
    target: str
    inverse: str
    one: bool = False
    hierarchy: bool = False
    label: str = ""
    help: str = ""

    @property
    def single(self) -> bool:
        """Whether there is one target at a time."""
        return self.one or self.hierarchy

    @property
    def title(self) -> str:
        return self.label or self.name.replace("_", " ").capitalize()


REPLACED_BY = "replaced_by"


def replacement(domain: str) -> RelationshipRule:
    """What took the place of a closed record: `POST /v1/crosswalk/validate` answers with it."""
    return RelationshipRule(REPLACED_BY, domain, "replaces", one=True, help="What took its place, from the day on which it did.")


@dataclass(frozen=True, slots=True, eq=False)
class EntityType:
    """One domain, all of it: endpoints, schemas, templates, pages and tests derive from this.

    There is one object per domain: two are never compared, and what is kept per domain is found by identity.

    authorities  attribute, group or relationship -> kinds of system in order of trust ("ehr", "erp", "supply_chain", "workforce" ...)
    overlay_below  an update whose evidence against the former version, in bits and without the prior, lies below this is held back
    guarded      columns whose value is no evidence when more than so many records hold it
    grave        columns whose disagreement makes it grave to say that two are one (tier T2), beside those of strong identifiers
    display      attributes that make up the line by which people recognise a record
    derived      comparison columns -> further ones, or better ones, that need several attributes (an empty value takes a column away);
                 names that no attribute or identifier makes stand in `derived_columns`
    """

    name: str
    plural: str
    label: str
    help: str
    attributes: tuple[Attribute, ...]
    identifiers: tuple[IdentifierRule, ...]
    model: Model
    display: tuple[str, ...]
    phi: bool = False
    authorities: tuple[tuple[str, tuple[str, ...]], ...] = ()
    relationships: tuple[RelationshipRule, ...] = ()
    guarded: tuple[tuple[str, int], ...] = ()
    overlay_below: float | None = None
    grave: tuple[str, ...] = ()
    derived: Callable[[Mapping[str, Value]], Mapping[str, Value]] | None = None
    derived_columns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_declaration(self)

    def attribute(self, name: str) -> Attribute:
        return next(attribute for attribute in self.attributes if attribute.name == name)

    def relationship(self, name: str) -> RelationshipRule | None:
        return next((rule for rule in self.relationships if rule.name == name), None)

    @property
    def hierarchy(self) -> RelationshipRule | None:
        """The type whose targets are parents, if the domain has one."""
        return next((rule for rule in self.relationships if rule.hierarchy), None)

    @property
    def path(self) -> str:
        """The domain in a URL: plural, kebab-case."""
        return self.plural.replace("_", "-")

    @property
    def columns(self) -> frozenset[str]:
        """Every comparison column that a record of this domain may have."""
        features = {_column(a.name, feature) for a in self.attributes for feature in a.type.feature_names}
        return frozenset(features | {rule.name for rule in self.identifiers} | {"keys", "system", *self.derived_columns})


def _column(attribute: str, feature: str) -> str:
    return f"{attribute}.{feature}" if feature else attribute


def check_declaration(entity: EntityType) -> None:
    """Refuse unknown names and duplicates; the model has already checked its levels."""
    names = [a.name for a in entity.attributes] + [rule.name for rule in entity.identifiers]
    groups = {a.group for a in entity.attributes if a.group}
    problems = [f"{name} is declared twice" for name in {n for n in names if names.count(n) > 1}]
    problems += [f"no column is called {name}" for name in sorted(entity.model.columns - entity.columns)]
    problems += [f"guarded column {name} is unknown" for name, _ in entity.guarded if name not in entity.columns]
    problems += [f"grave column {name} is unknown" for name in entity.grave if name not in entity.columns]
    problems += [f"display names {name}, which is no attribute" for name in entity.display if name not in names]
    edges = [rule.name for rule in entity.relationships]
    trusted = {*names, *groups, *edges}
    problems += [
        f"authority for {name}, which is no attribute, group or relationship" for name, _ in entity.authorities if name not in trusted
    ]
    problems += [f"relationship {name} is declared twice" for name in {n for n in edges if edges.count(n) > 1}]
    if sum(rule.hierarchy for rule in entity.relationships) > 1:
        problems.append("two hierarchies; one type can have many trees")
    if entity.derived_columns and entity.derived is None:
        problems.append("derived columns are named, but nothing derives them")
    if problems:
        raise DeclarationError(f"{entity.name}: " + "; ".join(problems))
