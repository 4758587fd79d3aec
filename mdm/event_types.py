"""Every type of event, with what its data holds: the one list. A type that is not here cannot be published.

Data are ids, codes, versions and counts. No kind of field that a domain of patients may use could hold a name, an identifier or another
value of a person.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

PREFIX = "mdm."  # as consumers see it: mdm.golden.created
MAPPINGS = "mapping"  # the domain of events about mapping rules and releases
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")


class Field(StrEnum):
    """What a field of an event's data may hold."""

    ID = "id"
    IDS = "ids"
    NUMBER = "number"
    CODE = "code"
    CODES = "codes"
    VALUE = "value"  # any text, such as a foreign code; never in a domain of patients


@dataclass(frozen=True, slots=True)
class EventType:
    """One kind of change. `optional` fields are told where they say something."""

    name: str
    help: str
    required: Mapping[str, Field]
    optional: Mapping[str, Field]
    of_golden: bool = True  # whether its subject is a golden record, which only readers of its systems may know


def _types(*types: EventType) -> Mapping[str, EventType]:
    found = {each.name: each for each in types}
    if len(found) != len(types):
        raise ValueError("an event type is declared twice")
    return found


_VERSION = {"version": Field.NUMBER}
_BEFORE = {"before": Field.NUMBER}
_SET = {"set": Field.CODE}
_MISS = {"kind": Field.CODE, "system": Field.CODE, "target": Field.CODE, "value": Field.VALUE, "tickets": Field.IDS}

EVENT_TYPES: Mapping[str, EventType] = _types(
    EventType("golden.created", "A golden record is new.", _VERSION, {}),
    EventType("golden.updated", "Its values, their provenance, its identifiers, records or status changed.", _VERSION, _BEFORE),
    EventType("golden.retired", "None of its records is active any more.", _VERSION, _BEFORE),
    EventType("golden.merged", "It is the same entity as `into`, and answers with it from now on.", {"into": Field.ID}, {}),
    EventType("golden.restored", "A merge was taken back: it answers for itself again.", {}, _VERSION),
    EventType("golden.restated", "A decision about it was taken back before it was told: read it again.", {}, {}),
    EventType("crosswalk.resolved", "A value that lookups had missed is known now: send again what waits for it.", {}, _MISS),
    EventType("crosswalk.rejected", "A value that lookups had missed will not be mapped.", {}, _MISS, of_golden=False),
    EventType("relationship.changed", "Its edges of these types to other golden records changed.", {"types": Field.CODES}, {}),
    EventType("mapping.approved", "A rule is in force.", _SET, {}, of_golden=False),
    EventType("mapping.retired", "A rule is not in force any more.", _SET, {}, of_golden=False),
    EventType(
        "mapping.released",
        "The approved rules of a set became a release, perhaps by going back to an earlier one.",
        {**_SET, "release": Field.NUMBER},
        {"restores": Field.NUMBER},
        of_golden=False,
    ),
)


def check(name: str, data: Mapping[str, object], *, phi: bool = False) -> None:
    """Raise ValueError unless the type is declared and its data are what the declaration says; `phi`: of a domain of patients."""
    declared = EVENT_TYPES.get(name)
    if declared is None:
        raise ValueError(f"no such event type: {name}; declare it in mdm/event_types.py")
    fields = {**declared.required, **declared.optional}
    missing = declared.required.keys() - data.keys()
    wrong = [field for field, value in data.items() if field not in fields or not is_of(fields[field], value, phi=phi)]
    if missing or wrong:
        raise ValueError(f"{name}: {', '.join(sorted(missing))} missing, {', '.join(sorted(wrong))} undeclared or of the wrong kind")


def is_of(field: Field, value: object, *, phi: bool = False) -> bool:
    """Whether a value is of this kind."""
    match field:
        case Field.ID:
            return _is_id(value)
        case Field.IDS:
            return isinstance(value, list | tuple) and all(_is_id(each) for each in value)
        case Field.NUMBER:
            return isinstance(value, int) and not isinstance(value, bool)
        case Field.CODE:
            return _is_code(value)
        case Field.CODES:
            return isinstance(value, list | tuple) and all(map(_is_code, value))
        case Field.VALUE:
            return isinstance(value, str) and not phi


def _is_code(value: object) -> bool:
    return isinstance(value, str) and _CODE.fullmatch(value) is not None


def _is_id(value: object) -> bool:
    if isinstance(value, UUID):
        return True
    try:
        return isinstance(value, str) and str(UUID(value)) == value
    except ValueError:
        return False


def spoken(name: str) -> str:
    """The type as consumers see it."""
    return PREFIX + name


SPOKEN = tuple(spoken(name) for name in EVENT_TYPES)
ABOUT_GOLDEN = tuple(each.name for each in EVENT_TYPES.values() if each.of_golden)
