"""The description of an item, taken apart for comparison (words, numbers, quantities, part numbers, pack size, sizes, traits).

Pack size is the count of base units that the text itself states; a text that states none says nothing about it. The words that state it
are left out of the other columns, since 100/BX and BOX OF 100 would only make equal items look different.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from mdm.values.kind import fold

_VERSION = re.compile(r"\bv\.? ?(?=[0-9])")
_THOUSANDS = re.compile(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))")
_FRACTION = re.compile(r"(?<![0-9./])(?:([1-9][0-9]?)(?:-| ))?([1-9][0-9]?)/(2|4|8|16|32|64)(?= ?(?:in\b|\"|''|inch))")
_ZERO_DECIMALS = re.compile(r"(?<![0-9.])([0-9]+)\.0+(?![0-9.])")
_INCHES = re.compile(r"(?<=[0-9])(?: ?(?:\"|'')|[ -]?inch(?:es)?\b)")
_FEET = re.compile(r"(?<=[0-9]) ?(?:'|feet\b|foot\b)(?![a-z])")
_UNIT_SPELLINGS = {
    "ml": "ml milliliters milliliter cc", "l": "l liters liter ltr", "fr": "fr french", "ga": "ga gauge gauges", "g": "g grams gram gm",
    "mg": "mg milligrams milligram", "mcg": "mcg micrograms microgram ug", "kg": "kg kgs kilograms", "mm": "mm millimeters millimeter",
    "cm": "cm centimeters centimeter", "m": "m meters meter", "in": "in", "ft": "ft", "yd": "yd yards yds", "oz": "oz ounces ounce",
    "lb": "lb lbs pounds", "gal": "gal gallons", "meq": "meq", "mmol": "mmol", "iu": "iu", "u": "u", "w": "w watts", "v": "v volts",
    "gb": "gb", "mb": "mb", "tb": "tb", "mhz": "mhz", "ghz": "ghz", "hz": "hz", "psi": "psi", "lpm": "lpm", "mmhg": "mmhg",
}  # fmt: skip
_UNIT_OF = {word: unit for unit, words in _UNIT_SPELLINGS.items() for word in words.split()}
_SPELT_UNITS = "|".join(sorted(_UNIT_OF, key=len, reverse=True))
_MEASURE = re.compile(
    rf"(?<![0-9a-z.])([0-9]++(?:\.[0-9]++)?|\.[0-9]++)[ -]?(?!in[ -](?:1|a|an|each|box|bx|case|cs|pack|pk)\b)({_SPELT_UNITS})(?![a-z0-9])"
)
_QUANTITY = re.compile(rf"[0-9.]+(?:{'|'.join(_UNIT_SPELLINGS)}|x|p)")
_NO_QUANTITY = frozenset({"3m"})  # a manufacturer
_PIECE = re.compile(r"(?:(?<![a-z0-9])[0-9]++)?\.[0-9]++[a-z]*+|[a-z0-9]++")
_COMPOUND = re.compile(r"(?<![a-z0-9])[a-z0-9]++(?:(?:[-/_]|(?<![0-9])\.|\.(?![0-9]))[a-z0-9]++)+")
_SPLIT = re.compile(r"[-/._]")
_NUMBER = re.compile(r"(?<![a-z0-9.])(?:[0-9]++(?:\.[0-9]++)?|\.[0-9]++)(?![a-z0-9]|\.[0-9])")
_SMALL = frozenset({"and", "of", "the", "for", "with", "w", "in", "to", "a", "per"})
_LETTERS_AND_DIGITS = re.compile(r"(?=.{4})(?=[a-z]*[0-9])(?=[0-9]*[a-z])[a-z0-9]+")
# 90sheet, 3dready, 3in1: a number glued to a word is no part number.
_NUMBER_AND_WORD = re.compile(r"[0-9]+d?[a-z]{4,}|[0-9]+in[0-9]")
_SHORTEST_NUMERIC_PART = 5

_MAIN_CONTAINER = "(?:boxes|box|bx|case|cs|package|pack|pkg|pk|carton|ctn)"
_CONTAINER = (
    f"(?:{_MAIN_CONTAINER}|pair|pr|vial|vl|tube|tb|ca|bg|bag|btl|bottle|bt|kit|kt|tray|tr|roll|rl|sleeve|sl|can|cn|jar|set|dispenser)"
)
_EACH = "(?:each|ea|count|ct|pcs|pc|pieces?|units?)"
_COUNT = "([1-9][0-9]{0,5})"
_SHORT_COUNT = "([1-9][0-9]{0,3})"  # without "of" or a stroke a longer number is a part number: CS-50613
_PACKS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"\b{_CONTAINER}\.? ?of ?{_COUNT}\b",
        rf"(?<![0-9.]){_COUNT} ?{_EACH}?\.? ?(?:/|per\b|to a\b|in a\b|in\b|a\b) ?{_CONTAINER}\b",
        rf"\b{_CONTAINER} ?(?:/|\(|, ) ?{_COUNT}(?: ?{_EACH})?(?![0-9a-z.])",
        rf"\b{_MAIN_CONTAINER}-{_SHORT_COUNT}(?: ?{_EACH})?(?![0-9a-z.])",
        rf"(?<![0-9.]){_COUNT} ?-? ?(?:ct|count|pk|pack|pcs|pieces)\b(?: {_CONTAINER}\b)?",
        rf"\b{_MAIN_CONTAINER} ?{_SHORT_COUNT}(?: ?{_EACH})?(?![0-9a-z.])",
        rf"(?<![0-9.]){_COUNT} ?(?:bx|cs|ctn)$",
    )
)
# 10/BX 10BX/CS is a case of 100.
_OUTER_PACK = re.compile(rf"(?<![0-9.]){_COUNT} ?{_CONTAINER}\.? ?(?:/|per\b) ?{_CONTAINER}\b")
_DOZEN = re.compile(r"(?:\b([1-9][0-9]?) )?(?:\bper |/ ?)?\b(?:dozen|dz)\b")
_TRAITS = {
    "left": "left lt lft", "right": "right rt rgt", "sterile": "sterile", "nonsterile": "nonsterile", "small": "small sm sml",
    "medium": "medium med", "large": "large lg lrg", "xl": "xl xlarge", "xxl": "xxl 2xl", "xs": "xs xsmall", "adult": "adult",
    "pediatric": "pediatric peds ped", "infant": "infant neonatal", "disposable": "disposable disp",
    "reusable": "reusable", "latexfree": "latexfree",
}  # fmt: skip
_TRAIT_OF = {word: trait for trait, words in _TRAITS.items() for word in words.split()}
_NONSTERILE = re.compile(r"\b(?:non|un|not)[ -]?sterile\b|\bn/s\b")
_EXTRA_SIZE = re.compile(r"\b(?:x|extra)[ -]?(large|lg|lrg|small|sm)\b")
_DIMENSIONS = {
    "caliber": {"fr": ("fr", 1), "ga": ("ga", 1)},
    "volume": {"ml": ("ml", 1), "l": ("ml", 1000), "oz": ("oz", 1), "gal": ("gal", 1)},
    "length": {"mm": ("mm", 1), "cm": ("mm", 10), "m": ("mm", 1000), "in": ("in", 1), "ft": ("in", 12), "yd": ("in", 36)},
    "strength": {"mcg": ("mcg", 1), "mg": ("mcg", 1000), "meq": ("meq", 1), "mmol": ("mmol", 1), "iu": ("iu", 1), "u": ("iu", 1)},
}  # fmt: skip
_SIDES = frozenset({"left", "right"})
_FITS = frozenset({"xs", "small", "medium", "large", "xl", "xxl"})
_WEARERS = frozenset({"adult", "pediatric", "infant"})
_AMOUNT = re.compile(r"([0-9]*\.?[0-9]+)([a-z]+)")
_LATEX_FREE = re.compile(r"\blatex[ -]?free\b|\blf\b|\bnon[ -]?latex\b")


@dataclass(frozen=True, slots=True)
class DescriptionParts:
    """What a description says, column by column; empty where it says nothing."""

    text: str
    tokens: tuple[str, ...]
    numbers: tuple[str, ...]
    quantities: tuple[str, ...]
    parts: tuple[str, ...]
    pack: str
    traits: tuple[str, ...]
    sizes: str
    caliber: str
    volume: str
    length: str
    strength: str
    side: str
    fit: str
    wearer: str


def description_parts(value: str) -> DescriptionParts:
    """Take a description apart."""
    text = _normal(value)
    pack, rest = _pack(text)
    tokens = _tokens(rest)
    numbers = _sorted(_NUMBER.findall(rest))
    quantities = _sorted(token for token in tokens if _is_quantity(token))
    traits = _traits(_PIECE.findall(rest))
    dimensions = _dimensions(quantities)
    return DescriptionParts(
        text=" ".join(_PIECE.findall(text)),
        tokens=tokens,
        numbers=numbers,
        quantities=quantities,
        parts=_sorted(token for token in tokens if _is_part_like(token)),
        pack=pack,
        traits=traits,
        sizes=" ".join([*filter(None, dimensions.values()), *numbers, *(word for word in traits if word in _SIDES | _FITS | _WEARERS)]),
        caliber=dimensions["caliber"],
        volume=dimensions["volume"],
        length=dimensions["length"],
        strength=dimensions["strength"],
        side=" ".join(word for word in traits if word in _SIDES),
        fit=" ".join(word for word in traits if word in _FITS),
        wearer=" ".join(word for word in traits if word in _WEARERS),
    )


def _traits(words: Sequence[str]) -> tuple[str, ...]:
    # A description that begins with LG names the maker.
    return _sorted(_TRAIT_OF[word] for place, word in enumerate(words) if word in _TRAIT_OF and (place, word) != (0, "lg"))


def _dimensions(quantities: Iterable[str]) -> dict[str, str]:
    """All that a text says of one dimension as one text, in one unit: 20 cm x 3 mm is 200mm 3mm. Another text is another size."""
    amounts = [found for token in quantities if (found := _AMOUNT.fullmatch(token))]
    return {
        dimension: " ".join(_sorted(_in_one_unit(found[1], *units[found[2]]) for found in amounts if found[2] in units))
        for dimension, units in _DIMENSIONS.items()
    }


def _in_one_unit(number: str, unit: str, times: int) -> str:
    return f"{(Decimal(number) * times).normalize():f}{unit}"


def _normal(value: str) -> str:
    """One spelling for numbers and units: 10,000 is 10000, 2.0 is 2, 26 inches is 26in, 500 mL is 500ml."""
    text = _THOUSANDS.sub("", _VERSION.sub("", fold(value)))
    text = _FRACTION.sub(_decimal, text)
    text = _FEET.sub("ft ", _INCHES.sub("in ", _ZERO_DECIMALS.sub(r"\1", text)))
    text = _EXTRA_SIZE.sub(lambda found: "xl" if found[1].startswith("l") else "xs", text)
    text = _LATEX_FREE.sub("latexfree", _NONSTERILE.sub("nonsterile", text))
    return _MEASURE.sub(lambda found: _amount(found[1]) + _UNIT_OF[found[2]], text)


def _decimal(fraction: re.Match[str]) -> str:
    return f"{int(fraction[1] or 0) + int(fraction[2]) / int(fraction[3]):g}"


def _amount(number: str) -> str:
    whole, point, decimals = number.partition(".")
    return (whole.lstrip("0") or "0") + point + decimals


def _pack(text: str) -> tuple[str, str]:
    """The stated pack size, if any, and the text without the words that state it."""
    found = next((match for pattern in _PACKS if (match := pattern.search(text))), None)
    if found:
        rest = f"{text[: found.start()]} {text[found.end() :]}"
        outer = _OUTER_PACK.search(rest)
        return (found[1], rest) if outer is None else (str(int(found[1]) * int(outer[1])), f"{rest[: outer.start()]} {rest[outer.end() :]}")
    dozen = _DOZEN.search(text)
    if dozen:
        return str(12 * int(dozen[1] or 1)), f"{text[: dozen.start()]} {text[dozen.end() :]}"
    return "", text


def _tokens(text: str) -> tuple[str, ...]:
    """Pieces between separators, and the joined form of what separators hold together (KDC-C669: kdc, c669, kdcc669)."""
    compounds = {_SPLIT.sub("", compound) for compound in _COMPOUND.findall(text)}
    return _sorted(({*_PIECE.findall(text)} | compounds) - _SMALL)


def _sorted(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(values)))


def _is_quantity(token: str) -> bool:
    return token not in _NO_QUANTITY and _QUANTITY.fullmatch(token) is not None


def _is_part_like(token: str) -> bool:
    if token.isdigit():
        return len(token) >= _SHORTEST_NUMERIC_PART
    return _LETTERS_AND_DIGITS.fullmatch(token) is not None and not _is_quantity(token) and _NUMBER_AND_WORD.fullmatch(token) is None
