"""Plain text, short labels, and descriptions of items.

A description is taken apart once: words, numbers, quantities with their unit, part numbers, pack size and traits (left, sterile, large).
"""

from functools import lru_cache

from mdm.values.description import DescriptionParts, description_parts
from mdm.values.kind import Feature, Features, ValueType
from mdm.values.placeholders import says_nothing


@lru_cache(maxsize=5_000)
def _description_features(value: str) -> Features:
    parts = description_parts(value)
    return {name: feature for name, feature in _columns(parts).items() if feature}


def _columns(parts: DescriptionParts) -> dict[str, Feature]:
    return {
        "": parts.text,
        "tokens": parts.tokens,
        "numbers": parts.numbers,
        "quantities": parts.quantities,
        "parts": parts.parts,
        "pack": parts.pack,
        "traits": parts.traits,
        "sizes": parts.sizes,
        "caliber": parts.caliber,
        "volume": parts.volume,
        "length": parts.length,
        "strength": parts.strength,
        "side": parts.side,
        "fit": parts.fit,
        "wearer": parts.wearer,
        "area": parts.area,
        "letter": parts.letter,
        "sterile": parts.sterile,
        "latex_free": parts.latex_free,
    }


_problem = says_nothing("text")

TEXT = ValueType(name="text", label="Text", example="Any text", validate=_problem, max_length=2000)

LABEL = ValueType(name="label", label="Label", example="inpatient", validate=_problem, max_length=100, recurs=True)

DESCRIPTION = ValueType(
    name="description",
    label="Description",
    example="Catheter Foley 16Fr 5mL sterile, box of 10",
    validate=_problem,
    features=_description_features,
    feature_names=(
        *("", "tokens", "numbers", "quantities", "parts", "pack", "traits"),
        *("sizes", "caliber", "volume", "length", "strength", "side", "fit", "wearer", "area"),
        *("letter", "sterile", "latex_free"),
    ),
    max_length=2000,
)
