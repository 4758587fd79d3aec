"""How many base units a pack holds, as an item's description states it; a text that states none says nothing about it.

A description is read in one spelling (`mdm.values.description`), and the words that state the pack are taken out of it: 100/BX and BOX OF
100 would only make equal items look different. Packs within packs are counted in base units: 10X100/CS and 4 boxes of 250 hold 1,000.
"""

import re

_MAIN_CONTAINER = "(?:boxes|box|bx|cases|case|cs|packages|package|packs|pack|pkg|pk|cartons|carton|ctn)"
_CONTAINER = (
    f"(?:{_MAIN_CONTAINER}|pair|pr|vial|vl|tube|tb|ca|bags|bag|bg|btl|bottle|bt|kit|kt|tray|tr|roll|rl|sleeves|sleeve|sl|can|cn|jar|set"
    "|dispenser)"
)
_EACH = "(?:each|ea|count|ct|pcs|pc|pieces?|units?)"
_PER = r"(?:/|per\b|to a\b|in a\b|in\b|a\b)"
_COUNT = "([1-9][0-9]{0,5})"
_SHORT_COUNT = "([1-9][0-9]{0,3})"  # without "of" or a stroke a longer number is a part number: CS-50613
_IN_A_CASE = rf"(?: ?(?:/|per) ?{_CONTAINER}\b)?"
_NESTED = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?:\b{_CONTAINER}\.? of ?)?(?<![0-9.]){_COUNT}[ -]?{_CONTAINER}\.? ?(?:of|x) ?{_COUNT}\b(?: ?{_EACH}\b)?{_IN_A_CASE}",
        rf"(?<![0-9.]){_COUNT} ?x ?{_COUNT} ?{_EACH}?\.? ?{_PER} ?{_CONTAINER}\b",
        rf"\b{_CONTAINER}\.? ?(?:of\b|/) ?{_COUNT} ?x ?{_COUNT}\b(?: ?{_EACH}\b)?",
    )
)
_PACKS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"\b{_CONTAINER}\.? of ?{_COUNT}\b(?: ?{_EACH}\b)?",
        rf"(?<![0-9.]){_COUNT} ?{_EACH}?\.? ?{_PER} ?{_CONTAINER}\b",
        rf"(?<![0-9.-]){_COUNT} [a-z]+s ?(?:/|per\b) ?{_MAIN_CONTAINER}\b",  # 25 strips per pack
        rf"\b{_CONTAINER} ?/ ?{_COUNT}(?: ?{_EACH})?(?![0-9a-z.])",
        rf"\b{_CONTAINER} ?(?:\(|, ) ?{_SHORT_COUNT}(?: ?{_EACH})?(?![0-9a-z.])",
        rf"\b{_MAIN_CONTAINER}-{_SHORT_COUNT}(?: ?{_EACH})?(?![0-9a-z.])",
        rf"(?<![0-9.]){_COUNT} ?-? ?(?:ct|count|pk|pack|pcs|pieces)\b(?!-[a-z0-9])(?: {_CONTAINER}\b)?",
        rf"\b{_MAIN_CONTAINER} ?{_SHORT_COUNT}(?: ?{_EACH})?(?![0-9a-z.])",
        rf"(?<![0-9a-z.-]){_COUNT} ?(?:bx|cs|ctn)$",
        # "size 6 each" is one of size 6.
        rf"(?<!\bsize )(?<!\bsz )(?<![0-9.#-]){_COUNT} ?(?:each|ea)\b",
    )
)
# 10/BX 10BX/CS and a case of 10 boxes, 10 per box, are a case of 100.
_OUTER_PACK = re.compile(
    rf"(?<![0-9.]){_COUNT} ?{_CONTAINER}\.? ?(?:/|per\b) ?{_CONTAINER}\b|\b{_CONTAINER}\.? of ?{_COUNT} ?{_CONTAINER}\b(?! ?(?:of|x)\b)"
)
# A number behind is another thing's: EA 5 mL.
_EACH_ALONE = re.compile(r"(?:\b1 ?)?(?:(?:/|\bper\b|\bby the\b) ?)?\b(?:each|ea)\b(?= ?(?:[,;)]|$))|(?:\b1 ?)?(?:/ ?|\bper )(?:each|ea)\b")
_NUMBER_OF = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "twelve": 12,
    "twin": 2, "dual": 2, "double": 2,
    "fifteen": 15, "sixteen": 16, "twenty": 20, "twenty four": 24, "twenty five": 25, "thirty": 30, "forty": 40, "fifty": 50,
    "hundred": 100, "one hundred": 100, "two hundred": 200, "five hundred": 500, "thousand": 1000, "one thousand": 1000,
}  # fmt: skip
_WORDS = "|".join(sorted((word.replace(" ", "[ -]") for word in _NUMBER_OF), key=len, reverse=True))
_NUMBER_WORD = re.compile(rf"(?<=\bof )(?:{_WORDS})\b|\b(?:{_WORDS})(?=[ -]?(?:{_CONTAINER}|{_EACH}|{_PER} ?{_CONTAINER}|dozen|dz)\b)")
_DOZENS = re.compile(
    r"(?:\b(half|1/2)(?: a)? ?|(?<![0-9./-])([1-9][0-9]?) ?|(?:\b12 ?)?/ ?|\bper )?\b(?:dozen|doz|dz)\b(?: ?(?:each|ea|count)\b)?"
)


def stated_pack(text: str) -> tuple[str, str]:
    """The count of base units that a text states, if any, and the text without the words that state it."""
    plain = " ".join(_DOZENS.sub(_counted, _NUMBER_WORD.sub(_digits, text)).split())
    nested = _first(_NESTED, plain)
    if nested:
        return str(int(nested[1]) * int(nested[2])), _without(nested, plain)
    outer = _OUTER_PACK.search(plain)
    rest = _without(outer, plain) if outer else plain
    found = _first(_PACKS, rest)
    if found:
        return str(int(found[1]) * (_count(outer) if outer else 1)), _without(found, rest)
    if outer:
        return str(_count(outer)), rest
    each = _EACH_ALONE.search(plain)
    return ("1", _without(each, plain)) if each else ("", text)


def _digits(word: re.Match[str]) -> str:
    return str(_NUMBER_OF[word[0].replace("-", " ")])


def _counted(dozens: re.Match[str]) -> str:
    return f" {6 if dozens[1] else 12 * int(dozens[2] or 1)} count"


def _count(outer: re.Match[str]) -> int:
    return int(outer[1] or outer[2])


def _first(patterns: tuple[re.Pattern[str], ...], text: str) -> re.Match[str] | None:
    return next((found for pattern in patterns if (found := pattern.search(text))), None)


def _without(found: re.Match[str], text: str) -> str:
    return f"{text[: found.start()]} {text[found.end() :]}"
