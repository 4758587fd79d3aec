"""How real feeds damage values. Each function hurts a value in one way that a careful person still sees through.

All take their random source, so that one seed gives one world.
"""

import re
import string
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from random import Random

from seed.numbers import Address, npi_is_valid, short_streets

LEGAL_FORMS: dict[str, tuple[str, ...]] = {
    "Inc.": ("Inc", "INC", "Incorporated", ", Inc.", ""),
    "LLC": ("L.L.C.", "Llc", ", LLC", ""),
    "Corporation": ("Corp", "Corp.", "CORP", ""),
    "Company": ("Co", "Co.", "CO", ""),
    "Ltd.": ("Ltd", "Limited", "LTD"),
    "LP": ("L.P.", "LP", ""),
    "Trust": ("Trust",),
    "Insurance Company": ("Insurance Co", "Ins Co", "Insurance Co."),
}


def chance(rng: Random, share: float) -> bool:
    return rng.random() < share


def maybe(rng: Random, share: float, value: str | None) -> str | None:
    """The value in that share of the cases: what a system often does not know."""
    return value if chance(rng, share) else None


def typo(rng: Random, text: str) -> str:
    """One letter left out, doubled, replaced or swapped with its neighbour; the first letter stays."""
    places = [i for i in range(1, len(text) - 1) if text[i].isalpha() and text[i + 1].isalpha()]
    if not places or len(text) < 4:
        return text
    at = rng.choice(places)
    letter = rng.choice(string.ascii_lowercase)
    letter = letter.upper() if text[at].isupper() else letter
    middle = rng.choice(["", text[at] * 2, letter])
    swapped = text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return swapped if chance(rng, 0.25) else text[:at] + middle + text[at + 1 :]


def transposed(rng: Random, digits: str) -> str:
    """Two unequal neighbouring digits changed places."""
    places = [i for i in range(len(digits) - 1) if digits[i].isdigit() and digits[i + 1].isdigit() and digits[i] != digits[i + 1]]
    if not places:
        return digits
    at = rng.choice(places)
    return digits[:at] + digits[at + 1] + digits[at] + digits[at + 2 :]


def mistyped_npi(rng: Random, value: str) -> str:
    """A number with one wrong digit: the check digit always tells, so it names nobody else."""
    at = rng.randrange(1, 10)
    wrong = value[:at] + str((int(value[at]) + rng.randrange(1, 9)) % 10) + value[at + 1 :]
    return wrong if not npi_is_valid(wrong) else value[:9] + str((int(value[9]) + 1) % 10)


def without_leading_zeros(code: str) -> str:
    """What is left of a code that went through a numeric column."""
    return code.lstrip("0") or "0"


def abbreviated(rng: Random, text: str, short: Mapping[str, str], share: float = 0.6) -> str:
    """Some of the words that have a usual short form are shortened; the longest phrases first."""
    for long in sorted(short, key=len, reverse=True):
        if long in text and chance(rng, share):
            text = _whole_words(long).sub(short[long], text)
    return text


def unpunctuated(text: str) -> str:
    return " ".join(re.sub(r"[-,.'/]", " ", text).split())


def with_legal_form(rng: Random, name: str, form: str, noise: float) -> str:
    """A company's name with its legal form as one system happens to write it."""
    written = rng.choice(LEGAL_FORMS[form]) if chance(rng, noise) else form
    return f"{name}{written}" if written.startswith(",") else f"{name} {written}".strip()


def cased(rng: Random, text: str, upper: float) -> str:
    return text.upper() if chance(rng, upper) else text


def phone_written(rng: Random, digits: str) -> str:
    area, exchange, line = digits[:3], digits[3:6], digits[6:]
    return rng.choice(
        [f"({area}) {exchange}-{line}", f"{area}-{exchange}-{line}", f"{area}.{exchange}.{line}", digits, f"+1 {area} {exchange} {line}"]
    )


def phone_copied(rng: Random, digits: str, *, known: float, wrong: float = 0.02) -> list[str] | None:
    """The telephone number as another system holds it: unknown, mistyped in its last digits, or just written differently."""
    if not chance(rng, known):
        return None
    number = digits[:6] + transposed(rng, digits[6:]) if chance(rng, wrong) else digits
    return [phone_written(rng, number)]


def address_copied(rng: Random, address: Address, noise: float) -> Address:
    """The address as another system holds it: street type shortened, zeros of the postal code lost, a slip in the street."""
    line = abbreviated(rng, address.line, short_streets(), noise)
    line = typo(rng, line) if chance(rng, noise * 0.1) else line
    postal_code = without_leading_zeros(address.postal_code) if chance(rng, noise * 0.3) else address.postal_code
    city = address.city.upper() if chance(rng, noise) else address.city
    return Address(line, city, address.state, postal_code, address.line_2)


def unit_written(rng: Random, unit: str, noise: float) -> str:
    spellings: dict[str, Sequence[str]] = {
        "EA": ("Each", "EACH", "ea"),
        "BX": ("Box", "BOX", "bx"),
        "CS": ("Case", "CA", "CASE"),
        "PK": ("Pack", "PKG", "pk"),
        "PR": ("Pair", "PAIR"),
    }
    return rng.choice(spellings[unit]) if chance(rng, noise) else unit


def take(rng: Random, systems: Iterable[tuple[str, float]]) -> list[str]:
    """The systems that know an entity, each with its own likelihood; at least one always does."""
    offered = list(systems)
    chosen = [system for system, share in offered if chance(rng, share)]
    return chosen or [rng.choice(offered)[0]]


@cache
def _whole_words(phrase: str) -> re.Pattern[str]:
    """The phrase where it is not part of a longer word: "With", but not that of "Without"."""
    return re.compile(rf"(?<![\w-]){re.escape(phrase)}(?![\w-])")
