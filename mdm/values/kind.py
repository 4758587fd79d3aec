"""The vocabulary of a kind of value: how text is read, checked, compared and masked.

Reading never raises and never loses anything: the raw text stays, what did not clean has no normalised form, and a problem code says why.
A value with a problem (a failed check digit, a placeholder) is kept but is no evidence.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from anyascii import anyascii

Feature = str | tuple[str, ...]
Features = Mapping[str, Feature]

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]+")
_BLANKS = re.compile(r"\s+")
# Greek, Cyrillic, Armenian, Georgian. Scripts without vowels, or whose reading depends on the language, would make one name two.
_SPELT = re.compile("[\u0370-\u052f\u0531-\u0556\u0561-\u0587\u10a0-\u10ff]+")
_SPECIAL = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ð": "d", "Ð": "D"}
    | {"þ": "th", "Þ": "TH", "ı": "i", "’": "'", "‘": "'", "`": "'", "–": "-", "—": "-", "−": "-", "“": '"', "”": '"'}
)


def clean_text(raw: str) -> str:
    """NFC, control and invisible characters gone, blanks collapsed, ends trimmed."""
    # Nearly every value is printable ASCII, and this runs for each of them: a fifth of the time, with the same result.
    if raw.isascii() and raw.isprintable():
        return " ".join(raw.split())
    return _BLANKS.sub(" ", _CONTROL.sub(" ", unicodedata.normalize("NFC", raw))).strip()


def fold(text: str) -> str:
    """ASCII, lower case: the form in which text is compared. Other letters disappear, but for those of scripts that spell as Latin does."""
    if text.isascii():
        return " ".join(text.lower().replace("`", "'").split())
    decomposed = unicodedata.normalize("NFKD", text.translate(_SPECIAL))
    spelt = _SPELT.sub(lambda found: anyascii(found[0]), decomposed)
    return _BLANKS.sub(" ", spelt.encode("ascii", "ignore").decode().lower()).strip()


def folded_only(value: str) -> Features:
    """The features of a plain kind: the folded value itself, under the attribute's own name."""
    folded = fold(value)
    return {"": folded} if folded else {}


def no_problem(value: str) -> str | None:
    del value
    return None


def unmasked(value: str) -> str:
    return value


def says_nothing_as_typed(text: str) -> Features:
    del text
    return {}


def keep_last(count: int) -> Callable[[str], str]:
    """A mask that shows only the last characters."""
    return lambda value: "•" * max(len(value) - count, 3) + value[-count:]


class Reading(NamedTuple):
    """One delivered value: as received, as normalised (None: it did not clean), and the problem's code if it has one."""

    raw: str
    value: str | None
    problem: str | None = None

    @property
    def is_evidence(self) -> bool:
        return self.value is not None and self.problem is None


@dataclass(frozen=True, slots=True)
class ValueType:
    """One kind of value.

    normalise  cleaned text -> the normal form used for storage and lookup, or None when it is not of this kind; idempotent
    validate   normal form -> a problem code ("check_digit", "format", "range" ...), or None
    mask       normal form -> what a reader without the right to it may see
    display    normal form -> what people read
    features   normal form -> comparison columns: "" is the value itself, other names become `<attribute>.<name>`
    alone      the measure of `matching.compare` that tells by their words whether two values name the same; "": none does
    as_typed   text that is no possible value -> the columns in which it may agree with what was meant, a slip being the likeliest reason
    """

    name: str
    label: str
    example: str
    normalise: Callable[[str], str | None] = clean_text
    validate: Callable[[str], str | None] = no_problem
    mask: Callable[[str], str] = unmasked
    display: Callable[[str], str] = unmasked
    features: Callable[[str], Features] = folded_only
    feature_names: tuple[str, ...] = ("",)
    as_typed: Callable[[str], Features] = says_nothing_as_typed
    alone: str = ""
    placeholders: frozenset[str] = field(default=frozenset(), repr=False)
    max_length: int = 200
    trim: bool = True  # False where a blank may be data (a HIBCC check character)
    recurs: bool = False  # many records have the same value, and it reads today as it did yesterday: what it says is remembered

    def read(self, raw: str) -> Reading:
        """Clean, normalise and check one delivered text."""
        text = clean_text(raw) if self.trim else raw
        value = self.normalise(text) if text else None
        if value is None or value == "":
            return Reading(raw, None, "not_understood" if text.strip() else None)
        if value in self.placeholders:
            return Reading(raw, value, "placeholder")
        return Reading(raw, value, self.validate(value))

    def told(self, reading: Reading) -> Features:
        """The comparison columns of what was read; a placeholder tells nothing."""
        if reading.value is not None and reading.problem is None:
            return self.features(reading.value)
        return {} if reading.problem == "placeholder" else self.as_typed(clean_text(reading.raw))
