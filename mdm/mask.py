"""What a reader may see of a value: last four of a social security number, year of a birth date, town and three digits of an address.

A steward sees patients masked until unmasking, a client or an admin with the PHI grant sees them plain; what is `secret` (an SSN, a
clinician's birth date) stays masked for everybody without the right to unmask.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from mdm.access import PHI, Actor, Verb
from mdm.entity import Attribute, EntityType, Sensitivity
from mdm.identifier_systems import BY_CODE
from mdm.values.kind import ValueType, unmasked

HIDDEN = "•••"
_PLACES = frozenset({"city", "state", "postal_code", "country"})  # an address is masked down to these


def sees(actor: Actor, sensitivity: Sensitivity) -> bool:
    """Whether the actor sees values of this sensitivity as they are."""
    if sensitivity in {Sensitivity.PUBLIC, Sensitivity.INTERNAL} or Verb.UNMASK.value in actor.grants:
        return True
    return sensitivity is Sensitivity.PHI and PHI in actor.grants


def values(entity: EntityType, actor: Actor, found: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of a record as this actor may see them; an attribute that is no longer declared is left out."""
    return {a.name: value(actor, a, found[a.name]) for a in entity.attributes if a.name in found}


def value(actor: Actor, attribute: Attribute, found: object) -> object:
    """One attribute's value, or list of values, as this actor may see it."""
    if sees(actor, attribute.sensitivity):
        return found
    if isinstance(found, str):
        return _masked_value(attribute, found)
    return [_masked_value(attribute, text) for text in _texts(found)]


def _masked_value(attribute: Attribute, raw: str) -> str:
    if attribute.group == "address" and attribute.type.name not in _PLACES:
        return HIDDEN
    return _masked(attribute.type, attribute.sensitivity, raw)


def _masked(value_type: ValueType, sensitivity: Sensitivity, raw: str) -> str:
    if value_type.mask is unmasked:
        return HIDDEN if sensitivity is Sensitivity.SECRET else raw
    # A value that does not clean has no safe part.
    normal = value_type.read(raw).value
    return HIDDEN if normal is None else value_type.mask(normal)


def identifier(actor: Actor, system: str, found: str) -> str:
    """An identifier as this actor may see it; local keys of systems stay whole, because people find records by them."""
    declared = BY_CODE.get(system)
    if declared is None or sees(actor, declared.sensitivity):
        return found
    return _masked(declared.type, declared.sensitivity, found)


def sees_whole(actor: Actor, attribute: Attribute) -> bool:
    """Whether no value of the attribute is masked for this actor."""
    if sees(actor, attribute.sensitivity):
        return True
    is_hidden = attribute.group == "address" and attribute.type.name not in _PLACES
    return attribute.type.mask is unmasked and attribute.sensitivity is not Sensitivity.SECRET and not is_hidden


def sees_identifiers(actor: Actor, system: str) -> bool:
    """The same of the values of an identifier system, named by its code."""
    declared = BY_CODE.get(system)
    is_whole = declared is None or sees(actor, declared.sensitivity)
    return is_whole or (declared is not None and declared.type.mask is unmasked and declared.sensitivity is not Sensitivity.SECRET)


def line(entity: EntityType, shown: Mapping[str, Any]) -> str:
    """The line by which people recognise a record, from values that are already masked."""
    return " ".join(part for name in entity.display for part in _texts(shown.get(name)))


def _texts(found: object) -> Sequence[str]:
    return [found] if isinstance(found, str) else [str(part) for part in found] if isinstance(found, list | tuple) else []
