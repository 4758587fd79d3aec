"""How two values differ, sign by sign, and what kind of difference that is. Pure; values are compared as they were cleaned.

Signs are graphemes: an accent never parts from its letter, nor one part of an emoji from the others. Within a mask the signs that differ
stay visible, four at most, and three stay covered: a difference can be judged without the value being told.
"""

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import regex
from rapidfuzz.distance import OSA, Levenshtein

from mdm.values.kind import fold

HIDDEN_SIGN = "•"
SHOWN_MAX = 4
HIDDEN_MIN = 3  # signs that stay covered in any case: with what a mask shows by itself, four more could be nearly all
_GRAPHEME = regex.compile(r"\X")
_NOT_WORD = regex.compile(r"[^\p{L}\p{N}]+")


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of one side's value, and whether it differs from the other side's."""

    text: str
    differs: bool


SLIGHT = frozenset({"case only", "accent only", "format only"})  # kinds that hardly ever tell two apart


@dataclass(frozen=True, slots=True)
class Difference:
    """Two values side by side: what kind of difference, and where."""

    kind: str
    left: tuple[Span, ...]
    right: tuple[Span, ...]


def difference(left: str, right: str, alike: Callable[[str, str], bool] | None = None) -> Difference:
    """The difference of two texts, either of which may be empty; `alike` says whether one is another form of the other (a nickname)."""
    a, b = graphemes(left), graphemes(right)
    if not a or not b:
        kind = "missing" if a or b else "exact"
        return Difference(kind, _spans(a, set()), _spans(b, set()))
    marks_a, marks_b = _marks(a, b)
    return Difference(_kind(a, b, alike), _spans(a, marks_a), _spans(b, marks_b))


def graphemes(text: str) -> list[str]:
    found: list[str] = _GRAPHEME.findall(unicodedata.normalize("NFC", text))
    return found


def _marks(a: Sequence[str], b: Sequence[str]) -> tuple[set[int], set[int]]:
    swapped = _swap(a, b)
    if swapped is not None:
        return {swapped, swapped + 1}, {swapped, swapped + 1}
    marks_a: set[int] = set()
    marks_b: set[int] = set()
    if [sign.casefold() for sign in a] != [sign.casefold() for sign in b]:
        a, b = [sign.casefold() for sign in a], [sign.casefold() for sign in b]  # case alone is not what such values differ in
    for step in Levenshtein.opcodes(a, b):
        if step.tag != "equal":
            marks_a.update(range(step.src_start, step.src_end))
            marks_b.update(range(step.dest_start, step.dest_end))
    return marks_a, marks_b


def _swap(a: Sequence[str], b: Sequence[str]) -> int | None:
    """Where two neighbours changed places, if that is all."""
    if len(a) != len(b) or OSA.distance(a, b) != 1 or Levenshtein.distance(a, b) != 2:
        return None
    return next(place for place in range(len(a)) if a[place] != b[place])


def _kind(a: Sequence[str], b: Sequence[str], alike: Callable[[str, str], bool] | None) -> str:
    left, right = "".join(a), "".join(b)
    if left == right:
        return "exact"
    if left.casefold() == right.casefold():
        return "case only"
    if _bare(left) == _bare(right):
        return "accent only"
    if _NOT_WORD.sub("", fold(left)) == _NOT_WORD.sub("", fold(right)) != "":
        return "format only"
    if left.lstrip("0") == right.lstrip("0"):
        return "leading zero"
    if _swap(a, b) is not None:
        return "transposed"
    if alike is not None and alike(left, right):
        return "another form"
    shorter, longer = sorted((left.casefold(), right.casefold()), key=len)
    if longer.startswith(shorter) and len(shorter) > 2 and len(longer) - len(shorter) > 1:
        return "shortened"
    return _counted(a, b)


def _bare(text: str) -> str:
    """Without accents and case; other scripts stay as they are."""
    decomposed = unicodedata.normalize("NFD", text.casefold())
    return "".join(sign for sign in decomposed if not unicodedata.combining(sign))


def _counted(a: Sequence[str], b: Sequence[str]) -> str:
    """How many signs, where it is a slip; otherwise it is another value."""
    edits = Levenshtein.distance(a, b)
    if edits > max(2, min(len(a), len(b)) // 3):
        return "different"
    what = "digit" if all(sign.isdigit() for sign in _changed(a, b)) else "edit"
    return f"{edits} {what}{'' if edits == 1 else 's'}"


def _changed(a: Sequence[str], b: Sequence[str]) -> list[str]:
    marks_a, marks_b = _marks(a, b)
    return [a[place] for place in marks_a] + [b[place] for place in marks_b]


def _spans(signs: Sequence[str], marks: set[int]) -> tuple[Span, ...]:
    found: list[Span] = []
    for place, sign in enumerate(signs):
        differs = place in marks
        if found and found[-1].differs == differs:
            found[-1] = Span(found[-1].text + sign, differs)
        else:
            found.append(Span(sign, differs))
    return tuple(found)


def under_mask(spans: Sequence[Span], masked: str) -> tuple[Span, ...]:
    """The masked text with the differing signs in their places, where the mask has places and no more than four signs differ.

    A mask that keeps a beginning is filled up; what would show every sign of the value shows the mask alone.
    """
    signs = [(sign, span.differs) for span in spans for sign in graphemes(span.text)]
    if masked == "".join(sign for sign, _ in signs):
        return tuple(spans)
    mask = _in_places([sign for sign, _ in signs], graphemes(masked))
    differing = sum(differs for _, differs in signs)
    if mask is None or not 0 < differing <= SHOWN_MAX:
        return (Span(masked if mask is None else "".join(mask), differs=False),)
    shown = [sign if differs else mask[place] for place, (sign, differs) in enumerate(signs)]
    if shown.count(HIDDEN_SIGN) < HIDDEN_MIN:
        return (Span("".join(mask), differs=False),)
    return _spans(shown, {place for place, (_, differs) in enumerate(signs) if differs})


def _in_places(signs: Sequence[str], mask: Sequence[str]) -> list[str] | None:
    """The mask with one sign for each of the value's; None where it does not follow the value."""
    if len(mask) == len(signs) and all(m in {HIDDEN_SIGN, sign} for m, sign in zip(mask, signs, strict=True)):
        return list(mask)
    if list(signs[: len(mask)]) == list(mask) and len(mask) < len(signs):
        rest = signs[len(mask) :]
        return [*mask, *(HIDDEN_SIGN if sign.isalnum() else sign for sign in rest)]
    return None
