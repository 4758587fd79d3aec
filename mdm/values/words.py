"""Words of a name that is no person's: folding into words, and dictionaries that expand what people abbreviate.

A dictionary maps a phrase of up to three words to the words it stands for; the longest phrase wins. It belongs to a role: PT is physical
therapy among departments and nothing among suppliers.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from mdm.values.kind import fold

Dictionary = Mapping[tuple[str, ...], tuple[str, ...]]

_LONGEST_PHRASE = 3
_POSSESSIVE = re.compile(r"(?<=[a-z])'(?=s?\b)")
_DOTTED_INITIALS = re.compile(r"\b(?:[a-z]\.){2,}")
_NO_WORD = re.compile(r"[^a-z0-9]+")
SMALL_WORDS = frozenset({"and", "of", "the", "for", "at", "in"})


def words_of(text: str) -> list[str]:
    """Folded words: & is `and`, dotted initials are joined (N.T.A. is nta), a possessive s stays with its word."""
    plain = fold(text).replace("&", " and ")
    plain = _DOTTED_INITIALS.sub(lambda found: found[0].replace(".", "") + " ", _POSSESSIVE.sub("", plain))
    return _NO_WORD.sub(" ", plain).split()


def dictionary(entries: Mapping[str, str]) -> Dictionary:
    """From readable entries: `"m s, med surg": "medical surgical"`; a meaning of no words drops the phrase."""
    pairs = [(tuple(phrase.split()), tuple(meaning.split())) for phrases, meaning in entries.items() for phrase in phrases.split(", ")]
    repeated = {phrase for phrase, _ in pairs if sum(other == phrase for other, _ in pairs) > 1}
    if repeated:
        raise ValueError(f"phrases with two meanings: {sorted(repeated)}")
    return dict(pairs)


def expand(words: Sequence[str], meanings: Dictionary) -> list[str]:
    """Every known phrase replaced by its meaning, longest first, left to right."""
    expanded: list[str] = []
    start = 0
    while start < len(words):
        length, meaning = _longest(words, start, meanings)
        expanded.extend(meaning)
        start += length
    return expanded


def _longest(words: Sequence[str], start: int, meanings: Dictionary) -> tuple[int, tuple[str, ...]]:
    for length in range(min(_LONGEST_PHRASE, len(words) - start), 0, -1):
        meaning = meanings.get(tuple(words[start : start + length]))
        if meaning is not None:
            return length, meaning
    return 1, (words[start],)


def without(words: Sequence[str], dropped: Iterable[str]) -> list[str]:
    """The words that are not dropped; all of them when none would be left."""
    kept = [word for word in words if word not in frozenset(dropped)]
    return kept or list(words)


# Ordinals among them: First Medical is not Second Medical.
_OPPOSITES = {
    **{word: word for word in ("upper", "lower", "left", "right", "inner", "outer")},
    **dict(zip(("first", "second", "third", "fourth", "1st", "2nd", "3rd", "4th"), "12341234", strict=True)),
}
_PLACES = "side|shore|end|gate|view|field|point|bank|bay|land|lake|park|ridge|brook|wood|town"
_DIRECTION = re.compile(rf"(north|south)?(east|west)?(?:ern|erly|wards?|{_PLACES})?")
OPPOSED = ("north_south", "east_west", "sides")


def opposed(words: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Words that have an opposite, by what they are opposed in; directions also as the beginning of a word (Northside, southwestern)."""
    known = set(words)
    directions = [found.groups("") for word in known if (found := _DIRECTION.fullmatch(word))]
    said = ({one for one, _ in directions}, {other for _, other in directions}, {_OPPOSITES.get(word, "") for word in known})
    return {name: tuple(sorted(sides - {""})) for name, sides in zip(OPPOSED, said, strict=True) if sides - {""}}
