"""The description of an item, taken apart for comparison (words, numbers, quantities, part numbers, pack size, sizes, traits)."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from mdm.values.kind import fold
from mdm.values.pack import stated_pack

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

_TRAITS = {
    "left": "left lt lft", "right": "right rt rgt", "sterile": "sterile", "nonsterile": "nonsterile", "small": "small sm sml",
    "medium": "medium med", "large": "large lg lrg", "xl": "xl xlarge", "xs": "xs xsmall",
    "2xl": "2xl", "3xl": "3xl", "4xl": "4xl", "5xl": "5xl", "6xl": "6xl",
    "adult": "adult",
    "pediatric": "pediatric peds ped", "infant": "infant neonatal", "disposable": "disposable disp",
    "reusable": "reusable", "latexfree": "latexfree", "latex": "latex",
}  # fmt: skip
_TRAIT_OF = {word: trait for trait, words in _TRAITS.items() for word in words.split()}
_NONSTERILE = re.compile(r"\b(?:non|un|not)[ -]?sterile\b|\bn/s\b")
_EXTRA_SIZE = re.compile(r"\b(?:x|extra)[ -]?(large|lg|lrg|small|sm)\b")
_MORE_EXTRA = re.compile(r"\b(?:([2-6]) ?x|(x{2,6}))[ -]?(?:large|lg|lrg|l)\b")
_WORN = re.compile(
    r"\b(?:gloves?|gowns?|masks?|stockings?|socks?|briefs?|diapers?|underwear|scrubs?|pants?|shirts?|coveralls?|caps?|vests?|belts?)\b"
)
_TIMES_EXTRA = re.compile(r"\b([2-6])x(?= ?(?:[,;)]|$))")
# Men's, (R) and M/L are no letters by themselves.
_LETTER = re.compile(r"(?<![a-z0-9'./&-])(\b(?:size|sz)[ .:-]*)?([sml]|(?<!\()r)(?![a-z0-9'./&-])")
_LETTER_TRAITS = {"s": "small", "m": "medium", "r": "right"}
# 18G is a needle's gauge; of anything else it is a weight.
_PIERCES = re.compile(
    r"\b(?:needles?|ndl|cannulas?|cath|catheters?|angiocath|syringes?|lancets?|introducer|trocar|hypodermic|huber|butterfly|spinal|epidural|biopsy)\b"
)
_GAUGE = re.compile(r"(?<![0-9a-z.])([7-9]|[12][0-9]|3[0-4]) ?g(?![a-z0-9])")
_SIDE_LENGTH = r"([0-9]++(?:\.[0-9]++)?)(?:in)?"
# Both in inches or both without a unit; other units are told among the lengths.
_AREA = re.compile(rf"(?<![0-9a-z./-]){_SIDE_LENGTH} *x ?{_SIDE_LENGTH}(?: *x ?{_SIDE_LENGTH})?(?!\.?[0-9]|[a-z/])")
_SUTURE = re.compile(r"(?<![0-9a-z./-])([1-9]|1[0-2])[-/]0(?![0-9a-z./-])")
_DIMENSIONS = {
    "caliber": {"fr": ("fr", 1), "ga": ("ga", 1)},
    "volume": {"ml": ("ml", 1), "l": ("ml", 1000), "oz": ("oz", 1), "gal": ("gal", 1)},
    "length": {"mm": ("mm", 1), "cm": ("mm", 10), "m": ("mm", 1000), "in": ("in", 1), "ft": ("in", 12), "yd": ("in", 36)},
    "strength": {
        "mcg": ("mcg", 1), "mg": ("mcg", 1000), "g": ("mcg", 1_000_000), "kg": ("mcg", 1_000_000_000),
        "meq": ("meq", 1), "mmol": ("mmol", 1), "iu": ("iu", 1), "u": ("iu", 1),
    },
}  # fmt: skip
_SIDES = frozenset({"left", "right"})
_FITS = frozenset({"xs", "small", "medium", "large", "xl", "2xl", "3xl", "4xl", "5xl", "6xl"})
_WEARERS = frozenset({"adult", "pediatric", "infant"})
_AMOUNT = re.compile(r"([0-9]*\.?[0-9]+)([a-z]+)")
_LATEX_FREE = re.compile(
    r"\blatex[ -]?(?:free|safe)\b|\blf\b|\bnon[ -]?latex\b|\b(?:no|without|not (?:made )?(?:with|of)) (?:natural )?(?:rubber )?latex\b"
)


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
    area: str
    letter: str
    sterile: str
    latex_free: str


def description_parts(value: str) -> DescriptionParts:
    """Take a description apart."""
    text = _normal(value)
    pack, rest = stated_pack(text)
    tokens = _tokens(rest)
    numbers = _sorted(_NUMBER.findall(rest))
    quantities = _sorted(token for token in tokens if _is_quantity(token))
    letters = _LETTER.findall(rest)
    traits = _sorted([*_traits(_PIECE.findall(rest)), *_letter_traits(letters, is_worn=_WORN.search(rest) is not None)])
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
        caliber=" ".join(filter(None, (dimensions["caliber"], *_sorted(f"{size}-0" for size in _SUTURE.findall(rest))))),
        volume=dimensions["volume"],
        length=dimensions["length"],
        strength=dimensions["strength"],
        side=" ".join(word for word in traits if word in _SIDES),
        fit=" ".join(word for word in traits if word in _FITS),
        wearer=" ".join(word for word in traits if word in _WEARERS),
        area=" ".join(_sorted(_area(found) for found in _AREA.finditer(rest))),
        letter=" ".join(_sorted(letter for _, letter in letters)),
        sterile=_yes_or_no(traits, "sterile", "nonsterile"),
        latex_free=_yes_or_no(traits, "latexfree", "latex"),
    )


def _traits(words: Sequence[str]) -> tuple[str, ...]:
    # A description that begins with LG names the maker.
    return _sorted(_TRAIT_OF[word] for place, word in enumerate(words) if word in _TRAIT_OF and (place, word) != (0, "lg"))


def _letter_traits(letters: Iterable[tuple[str, str]], *, is_worn: bool) -> list[str]:
    """What lone letters mean: L is a size of what is worn and of what is called a size, else a side."""
    return [_LETTER_TRAITS.get(letter, "large" if is_worn or size else "left") for size, letter in letters]


def _area(found: re.Match[str]) -> str:
    return "x".join(sorted(filter(None, found.groups()), key=float))


def _yes_or_no(traits: Sequence[str], yes: str, no: str) -> str:
    """As a flag says it; what a text says both of is not said."""
    said = [word for word in traits if word in {yes, no}]
    return str(said == [yes]).lower() if len(said) == 1 else ""


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
    if _WORN.search(text):
        text = _TIMES_EXTRA.sub(r"\1xl", text)
    text = _MORE_EXTRA.sub(lambda found: f"{found[1] or len(found[2])}xl", text)
    text = _EXTRA_SIZE.sub(lambda found: "xl" if found[1].startswith("l") else "xs", text)
    text = _LATEX_FREE.sub("latexfree", _NONSTERILE.sub("nonsterile", text))
    if _PIERCES.search(text):
        text = _GAUGE.sub(r"\1ga", text)
    return _MEASURE.sub(lambda found: _amount(found[1]) + _UNIT_OF[found[2]], text)


def _decimal(fraction: re.Match[str]) -> str:
    return f"{int(fraction[1] or 0) + int(fraction[2]) / int(fraction[3]):g}"


def _amount(number: str) -> str:
    whole, point, decimals = number.partition(".")
    return (whole.lstrip("0") or "0") + point + decimals


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
