"""Units of measure in purchasing: two-letter codes as in X12 element 355 and UN/ECE Rec. 20 in the use of US hospitals."""

import re

from mdm.values.kind import ValueType

_WORDS = {
    "EA": "ea each eaches piece pieces pc pcs pce unit units un single count",
    "BX": "bx box boxes bxs",
    "CS": "cs ca case cases cse",
    "PK": "pk pack packs package packages pkg pkgs pak",
    "DZ": "dz dozen doz dzn",
    "PR": "pr pair pairs",
    "CT": "ctn carton cartons crtn",
    "BG": "bg bag bags",
    "BT": "bt bottle bottles btl bo",
    "RL": "rl roll rolls ro",
    "ST": "set sets st",
    "KT": "kt kit kits",
    "TR": "tr tray trays ty",
    "TB": "tb tube tubes tu",
    "VL": "vl vial vials vi",
    "AM": "am ampule ampules ampoule amp",
    "CN": "cn can cans",
    "JR": "jr jar jars",
    "SY": "sy syringe syringes syr",
    "SL": "sl sleeve sleeves sv",
    "PL": "pl pallet pallets plt",
    "HU": "hundred c",
    "TH": "thousand m th",
    "GR": "gross gro",
    "GA": "gal gallon gallons",
    "LT": "lt liter litre liters",
    "ML": "ml milliliter milliliters",
    "GM": "gm g gram grams",
    "LB": "lb lbs pound pounds",
    "OZ": "oz ounce ounces",
    "FT": "ft foot feet",
    "YD": "yd yard yards",
    "DR": "dr drum drums",
    "CR": "cr crate crates",
    "PD": "pad pads",
    "SH": "sh sheet sheets",
}
_CODE_OF = {word: code for code, words in _WORDS.items() for word in (code.lower(), *words.split())}
_CODE = re.compile(r"[A-Z0-9]{2,3}", re.ASCII)


def unit_code(text: str) -> str | None:
    """The code of a unit that people write in many ways; None when the word is none of them."""
    return _CODE_OF.get(text.lower().strip(" ."))


def _normalise(text: str) -> str | None:
    known = unit_code(text)
    # Codes beyond the common ones are kept: the list of Rec. 20 has more than a thousand.
    return known if known is not None else text.upper() if _CODE.fullmatch(text.upper()) else None


UNIT_OF_MEASURE = ValueType(name="unit_of_measure", label="Unit of measure", example="BX", normalise=_normalise, max_length=20, recurs=True)
