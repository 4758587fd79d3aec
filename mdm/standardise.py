"""A delivered record -> its shape checked, its values clean, its comparison columns made. Pure.

What has the wrong *shape* is refused with one problem per field and nothing is written. What has the right shape but does not *clean*
becomes absent with a note: a bad birth date must not keep a patient out of the hospital.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache, lru_cache
from hashlib import blake2b
from typing import NamedTuple, Protocol

from matching.compare import Value
from mdm.entity import Attribute, EntityType, IdentifierRule
from mdm.errors import FieldProblem, InvalidRecord, UnknownSystem, invalid_period
from mdm.jsonio import canonical
from mdm.statements import Assertion, assertion_problems, normal_assertions
from mdm.values.kind import Feature, Reading, ValueType, clean_text

KEY_LENGTH_MAX = 200
IDENTIFIERS_MAX = 200
VALUES_MAX = 50
_SURROGATE = re.compile("[\ud800-\udfff]")
_REMEMBERED = 8_192  # values per attribute

Raw = str | list[str]


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a system says about one entity, in its own words. `relationships`: None leaves those delivered before as they are."""

    system: str
    key: str
    attributes: Mapping[str, Raw]
    identifiers: Sequence[tuple[str, str]] = ()
    status: str = "active"
    valid_from: date | None = None
    valid_to: date | None = None
    relationships: Sequence[Assertion] | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """Something a sender should know about one field; codes are stable, values are not repeated."""

    code: str
    pointer: str


@dataclass(frozen=True, slots=True)
class Standard:
    """A delivery made ready: normal forms per attribute and identifier system, columns for matching, and notes on quality."""

    delivery: Delivery
    attributes: Mapping[str, str | tuple[str, ...]]
    identifiers: Mapping[str, tuple[str, ...]]
    columns: dict[str, Value]
    notes: tuple[Note, ...]
    hash: str
    relationships: tuple[Assertion, ...] | None = None

    @property
    def place(self) -> tuple[str, str]:
        """The system and its own key."""
        return self.delivery.system, self.delivery.key

    def inheriting(self, relationships: tuple[Assertion, ...] | None) -> "Standard":
        """The delivery with the relationships of the one before, where it says nothing of them itself."""
        if self.relationships is not None or relationships is None:
            return self
        delivery = replace(self.delivery, relationships=relationships)
        return replace(self, delivery=delivery, relationships=relationships, hash=_hash(delivery, relationships))


class _Said(NamedTuple):
    """What one text of an attribute says: how it reads, and the comparison columns that follow."""

    reading: Reading
    columns: Mapping[str, Feature]


class Registry(Protocol):
    """Which identifier systems there are; see `mdm.systems`."""

    def resolve(self, name: str) -> str | None:
        """The code of an identifier system by its code or one of its aliases."""

    def value_type(self, code: str) -> ValueType: ...

    def is_source(self, code: str) -> bool: ...


def standardise(entity: EntityType, delivery: Delivery, registry: Registry, *, complete: bool = True) -> Standard:
    """Check and clean one delivery; a mere question need not be `complete`. Raises InvalidRecord (all problems at once), UnknownSystem.

    Its key takes its normal form: a fixed-width file and an interface that name one record differ in blanks.
    """
    if not registry.is_source(delivery.system):
        raise UnknownSystem(problems=(FieldProblem("unknown_system", "/system", "register the system first"),))
    problems = [*_shape_problems(entity, delivery), *_identifier_problems(delivery, registry)]
    if delivery.relationships is not None:
        problems += assertion_problems(entity, delivery.relationships, registry)
    if complete:
        problems += _missing(entity, delivery)
    if problems:
        raise InvalidRecord(problems=tuple(problems))
    key = local_key(delivery.key)
    if key != delivery.key:
        delivery = replace(delivery, key=key)
    notes: list[Note] = []
    attributes, columns = _attributes(entity, delivery, notes)
    readings = _identifiers(delivery, registry, notes)
    relationships = None if delivery.relationships is None else normal_assertions(entity, delivery.relationships, registry)
    return Standard(
        delivery=delivery,
        attributes=attributes,
        # A placeholder is nobody's identifier: looking one up must not find everybody.
        identifiers={code: values for code, read in readings.items() if (values := _known(read))},
        columns=_columns(entity, delivery, columns, readings, registry),
        notes=tuple(notes),
        hash=_hash(delivery, relationships),
        relationships=relationships,
    )


def _shape_problems(entity: EntityType, delivery: Delivery) -> list[FieldProblem]:
    declared = _declared(entity)
    problems = []
    if not local_key(delivery.key) or len(delivery.key) > KEY_LENGTH_MAX or not _storable(delivery.key):
        problems.append(FieldProblem("invalid_key", "/key", f"a key has 1 to {KEY_LENGTH_MAX} printable characters"))
    if delivery.valid_from and delivery.valid_to and delivery.valid_to < delivery.valid_from:
        problems.append(invalid_period("/valid_to"))
    for name, raw in delivery.attributes.items():
        attribute = declared.get(name)
        if attribute is None:
            problems.append(FieldProblem("unknown_attribute", _pointer("attributes", name), f"{entity.name} has no such attribute"))
        # Nearly every value is a short text in ASCII, which can have no wrong shape
        elif raw.__class__ is not str or len(raw) > attribute.type.max_length or not raw.isascii() or "\x00" in raw:
            problems += _value_problems(attribute, raw)
    return problems


@cache
def _declared(entity: EntityType) -> Mapping[str, Attribute]:
    return {a.name: a for a in entity.attributes}


def _missing(entity: EntityType, delivery: Delivery) -> list[FieldProblem]:
    return [
        FieldProblem("required", _pointer("attributes", a.name), f"{a.title} is required")
        for a in _required(entity)
        if not "".join(_texts(delivery.attributes.get(a.name, ""))).strip()
    ]


@cache
def _required(entity: EntityType) -> Sequence[Attribute]:
    return [a for a in entity.attributes if a.required]


def _value_problems(attribute: Attribute, raw: Raw) -> list[FieldProblem]:
    wrong = _wrong_shape(attribute, raw)
    return [] if wrong is None else [FieldProblem(wrong[0], _pointer("attributes", attribute.name), wrong[1])]


def _wrong_shape(attribute: Attribute, raw: Raw) -> tuple[str, str] | None:
    if isinstance(raw, list) and not attribute.many:
        return "not_a_list", "this attribute has one value"
    texts = _texts(raw)
    if len(texts) > VALUES_MAX:
        return "too_many", f"at most {VALUES_MAX} values"
    if max(map(len, texts), default=0) > attribute.type.max_length:
        return "too_long", f"at most {attribute.type.max_length} characters"
    return None if all(map(_storable, texts)) else ("bad_text", "NUL or broken Unicode")


def _identifier_problems(delivery: Delivery, registry: Registry) -> list[FieldProblem]:
    if len(delivery.identifiers) > IDENTIFIERS_MAX:
        return [FieldProblem("too_many", "/identifiers", f"at most {IDENTIFIERS_MAX} identifiers")]
    problems = []
    for index, (system, value) in enumerate(delivery.identifiers):
        where = f"/identifiers/{index}"
        if registry.resolve(system) is None:
            problems.append(FieldProblem("unknown_system", f"{where}/system", "no identifier system has this code or alias"))
        if len(value) > KEY_LENGTH_MAX:
            problems.append(FieldProblem("too_long", f"{where}/value", f"at most {KEY_LENGTH_MAX} characters"))
        elif not _storable(value):
            problems.append(FieldProblem("bad_text", f"{where}/value", "NUL or broken Unicode"))
    return problems


def _storable(text: str) -> bool:
    """PostgreSQL stores neither NUL nor a lone surrogate."""
    return "\x00" not in text and (text.isascii() or _SURROGATE.search(text) is None)


def _attributes(entity: EntityType, delivery: Delivery, notes: list[Note]) -> tuple[dict[str, str | tuple[str, ...]], dict[str, Value]]:
    """Normal forms and comparison columns of the attributes."""
    values: dict[str, str | tuple[str, ...]] = {}
    columns: dict[str, Value] = {"system": delivery.system}
    given = delivery.attributes.get
    for attribute, say in _readers(entity):
        raw = given(attribute.name)
        if not raw:
            continue
        said = [say(raw)] if isinstance(raw, str) else [*map(say, raw)]
        notes += [Note(s.reading.problem, _pointer("attributes", attribute.name)) for s in said if s.reading.problem is not None]
        value = _value(attribute, said)
        if value is not None:
            values[attribute.name] = value
        if attribute.many:
            _add_lists(columns, said)
        else:
            columns.update(said[0].columns)
    return values, columns


@cache
def _readers(entity: EntityType) -> tuple[tuple[Attribute, Callable[[str], _Said]], ...]:
    """Per attribute the way from a text to what it says; where values recur, each is read once."""
    return tuple((attribute, _reader(attribute)) for attribute in entity.attributes)


def _reader(attribute: Attribute) -> Callable[[str], _Said]:
    names = {feature: f"{attribute.name}.{feature}" if feature else attribute.name for feature in attribute.type.feature_names}

    def say(text: str) -> _Said:
        reading = read_value(attribute, text)
        return _Said(reading, {names[feature]: found for feature, found in attribute.type.told(reading).items()})

    return lru_cache(maxsize=_REMEMBERED)(say) if attribute.type.recurs else say


def read_value(attribute: Attribute, text: str) -> Reading:
    """One value of an attribute: of its kind, and one of its choices where it has some."""
    reading = attribute.type.read(text)
    if attribute.choices and reading.value is not None:
        choice = reading.value.lower().replace(" ", "_").replace("-", "_")
        return Reading(text, choice) if choice in attribute.choices else Reading(text, None, "unknown_choice")
    return reading


def _identifiers(delivery: Delivery, registry: Registry, notes: list[Note]) -> dict[str, list[Reading]]:
    """Normal forms by identifier system; what does not clean is kept as it came, because a lookup may ask for it."""
    found: dict[str, list[Reading]] = {}
    for index, (system, raw) in enumerate(delivery.identifiers):
        code = registry.resolve(system)
        if code is None or not raw.strip():
            continue
        reading = registry.value_type(code).read(raw)
        if reading.problem is not None:
            notes.append(Note(reading.problem, f"/identifiers/{index}/value"))
        if reading.value is None:
            reading = Reading(raw, raw.strip(), reading.problem)
        known = found.setdefault(code, [])
        if all(reading.value != other.value for other in known):
            known.append(reading)
    return found


def _known(readings: list[Reading]) -> tuple[str, ...]:
    return tuple(r.value for r in readings if r.value is not None and r.problem != "placeholder")


def _value(attribute: Attribute, said: list[_Said]) -> str | tuple[str, ...] | None:
    if not attribute.many:
        return said[0].reading.value
    if len(said) == 1:
        return None if said[0].reading.value is None else (said[0].reading.value,)
    return tuple(dict.fromkeys(s.reading.value for s in said if s.reading.value is not None)) or None


def _columns(
    entity: EntityType,
    delivery: Delivery,
    columns: dict[str, Value],
    identifiers: Mapping[str, list[Reading]],
    registry: Registry,
) -> dict[str, Value]:
    """With those of the identifiers, and what follows from several together."""
    for rule in entity.identifiers if identifiers else ():
        if rule.system in identifiers:
            _add_identifier(columns, rule, registry.value_type(rule.system), identifiers[rule.system])
    own = f"{delivery.system}:{delivery.key}"
    mentioned = [
        f"{code}:{r.value}" for code, readings in identifiers.items() if registry.is_source(code) for r in readings if r.is_evidence
    ]
    columns["keys"] = tuple(sorted({own, *mentioned})) if mentioned else (own,)
    if entity.derived is None:
        return columns
    columns.update(entity.derived(columns))
    return columns if all(columns.values()) else {name: value for name, value in columns.items() if value}


def local_key(key: str) -> str:
    """The normal form of a system's own key: trimmed. Case, zeros and separators are data."""
    return clean_text(key)


def _add_lists(columns: dict[str, Value], said: Iterable[_Said]) -> None:
    """Several values of an attribute share each column as a list."""
    for each in said:
        for name, found in each.columns.items():
            listed = (found,) if isinstance(found, str) else found
            known = columns.get(name)
            columns[name] = tuple(dict.fromkeys(listed if known is None else (*known, *listed)))


def _add_identifier(columns: dict[str, Value], rule: IdentifierRule, kind: ValueType, readings: Sequence[Reading]) -> None:
    values = {compared for r in readings if r.is_evidence and r.value is not None and (compared := compared_identifier(kind, r.value))}
    if values:
        columns[rule.name] = tuple(sorted(values))


def compared_identifier(kind: ValueType, value: str) -> str:
    """The form in which an identifier is evidence: of member ids, say, without separators."""
    found = kind.features(value).get("", "")
    return found if isinstance(found, str) else ""


def _texts(raw: Raw) -> list[str]:
    return [raw] if isinstance(raw, str) and raw else list(raw) if isinstance(raw, list) else []


def _pointer(*steps: str) -> str:
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)


def content_hash(entity: EntityType, delivery: Delivery, registry: Registry, inherited: Sequence[Assertion] | None = None) -> str | None:
    """The hash that the delivery will have, without the cost of cleaning it; None where what it says of relationships cannot be."""
    said = delivery.relationships
    if said is None:
        return _hash(delivery, inherited)
    return None if assertion_problems(entity, said, registry) else _hash(delivery, normal_assertions(entity, said, registry))


def _hash(delivery: Delivery, relationships: Sequence[Assertion] | None) -> str:
    content: list[object] = [
        dict(delivery.attributes),
        [list(pair) for pair in delivery.identifiers],
        delivery.status,
        delivery.valid_from,
        delivery.valid_to,
    ]
    if relationships is not None:
        content.append([each.as_json() for each in relationships])
    return blake2b(canonical(content), digest_size=16).hexdigest()
