"""A name in one field, read as its parts, and generations out of names: comparison columns that persons derive from several attributes."""

from collections.abc import Mapping

from matching.compare import Value
from mdm.values.kind import ValueType
from mdm.values.person_name import FAMILY_NAME, GIVEN_NAME, is_no_name

RESIDUAL = "full_name.residual"
_PARTICLES = frozenset({"of", "the", "and"})
_GENERATIONS = ("family_name.generation", "given_name.generation", "full_name.generation")


def told_by_names(columns: Mapping[str, Value]) -> dict[str, Value]:
    """Both: a generation, and the parts of a name in one field."""
    return {**generation_in_a_name(columns), **names_in_one_field(columns)}


def generation_in_a_name(columns: Mapping[str, Value]) -> dict[str, Value]:
    """The generation that a name field tells (`Garcia Jr`), where the field for it tells none: a veto looks there."""
    told = [columns[name] for name in _GENERATIONS if name in columns]
    return {"suffix": told[0]} if told and "suffix" not in columns else {}


def names_in_one_field(columns: Mapping[str, Value]) -> dict[str, Value]:
    """Given and family name out of `full_name` where their own fields do not tell them, and the words left over.

    Only what is left over is compared beside the parts: a whole name would count the same letters twice.
    """
    if "full_name" not in columns:
        return {}
    found = {**_part("given", GIVEN_NAME, columns), **_part("family", FAMILY_NAME, columns)}
    used = _words({**columns, **found}, "given_name", "family_name", "middle_name") | _PARTICLES
    return {**found, RESIDUAL: tuple(sorted(_words(columns, "full_name") - used))}


def _part(part: str, kind: ValueType, columns: Mapping[str, Value]) -> dict[str, Value]:
    """Its columns out of the full name; empty ones where that is a lone family name, whichever field it stands in."""
    own, told = columns.get(f"{part}_name"), columns.get(f"full_name.{part}")
    if isinstance(own, str) and not is_no_name(own) and own != columns["full_name"]:
        return {}
    features = kind.features(told) if isinstance(told, str) else {}
    return {f"{part}_name.{feature}" if feature else f"{part}_name": features.get(feature, "") for feature in kind.feature_names}


def _words(columns: Mapping[str, Value], *names: str) -> set[str]:
    return {word for name in names if isinstance(value := columns.get(name), str) for word in value.split()}
