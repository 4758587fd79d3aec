"""Names of persons: kept as written, compared as folded words, by sound and by nickname.

Titles and generation words are no part of a name when it is compared. A name that stands for "no name" (BABY BOY A, TRAUMA 12) is a
placeholder and never evidence.
"""

import re
from functools import lru_cache

import jellyfish
from nicknames import NickNamer

from mdm.values.kind import Features, ValueType, fold
from mdm.values.placeholders import says_nothing

_ORDINAL = re.compile(r"\b[0-9]+(?:st|nd|rd|th)\b")
_JOINED = re.compile(r"['.]")
_NO_LETTER = re.compile(r"[^a-z]+")
_LETTER = re.compile(r"[^\W\d_]")
_TITLES = frozenset(
    {"mr", "mrs", "ms", "miss", "mister", "dr", "prof", "professor", "rev", "reverend", "sr", "sister", "father", "hon", "sir", "md", "phd"}
)
_RANKS = frozenset(
    {
        "rt", "revd", "lord", "lady", "dame", "baron", "baroness", "baronet", "bart", "viscount", "countess", "marquess", "duchess", "esq",
        "capt", "captain", "col", "colonel", "gen", "lt", "lieutenant", "sgt", "sergeant", "cmdr", "mme", "mlle"
    }
)  # fmt: skip
_PARTICLES = frozenset({"of", "the", "and"})
_GENERATIONS = {
    "JR": ("jr", "junior", "jnr"),
    "SR": ("sr", "senior", "snr"),
    "II": ("ii", "2nd", "2", "second"),
    "III": ("iii", "3rd", "3", "third"),
    "IV": ("iv", "4th", "4", "fourth"),
    "V": ("v", "5th", "5", "fifth"),
}
_GENERATION_OF = {word: normal for normal, words in _GENERATIONS.items() for word in words}
# A lone "v" or a digit is more often an initial or a typing slip than a generation.
_GENERATION_WORDS = frozenset(word for word in _GENERATION_OF if word not in {"v", "2", "3", "4", "5"})

_NO_NAMES = _TITLES | _GENERATION_WORDS

_WRITTEN_SHORT = {
    "wm": "william", "chas": "charles", "jas": "james", "thos": "thomas", "geo": "george", "jos": "joseph", "robt": "robert",
    "benj": "benjamin", "saml": "samuel", "danl": "daniel", "edw": "edward", "eliz": "elizabeth", "margt": "margaret", "jno": "john",
    "richd": "richard", "fredk": "frederick", "alexr": "alexander", "ma": "maria", "cath": "catherine", "nathl": "nathaniel",
}  # fmt: skip


def _words(value: str) -> list[str]:
    """Folded words of letters; O'Brien is one word, Smith-Jones are two."""
    return _NO_LETTER.sub(" ", _JOINED.sub("", fold(value))).split()


def _name(text: str) -> str | None:
    return text if _LETTER.search(text) else None


def _given_words(value: str) -> list[str]:
    words = _words(value)
    return [word for word in words if word not in _TITLES] or words


def _family_words(value: str) -> list[str]:
    words = _words(value)
    return words[:1] + [word for word in words[1:] if word not in _GENERATION_WORDS]


def _sound(joined: str) -> dict[str, str]:
    code = jellyfish.metaphone(joined).replace(" ", "").lower()
    return {"sound": code} if code else {}


def _given_features(value: str) -> Features:
    words = _given_words(value)
    name = " ".join(words)
    return {"": name, **_sound(name), "nicknames": _nicknames(name)} if name else {}


@lru_cache(maxsize=20_000)
def _nicknames(name: str) -> tuple[str, ...]:
    """The name, its first word written out, and every form that either is short for or may be shortened to."""
    namer = _namer()
    first = name.split(" ", 1)[0]
    known = {name, first, _WRITTEN_SHORT.get(first, first)}
    forms = (form for each in known for form in (*namer.nicknames_of(each), *namer.canonicals_of(each)))
    return tuple(sorted(known | set(forms)))


@lru_cache(maxsize=1)
def _namer() -> NickNamer:
    return NickNamer()


def _family_features(value: str) -> Features:
    words = _family_words(value)
    name = " ".join(words)
    return {"": name, **_sound(name), "words": tuple(words)} if name else {}


def _middle_features(value: str) -> Features:
    name = " ".join(_words(value))
    return {"": name, "initial": name[0]} if name else {}


def _full_features(value: str) -> Features:
    """The words in the order given, family, and the first given and the family name among them."""
    given, family = _full_parts(value)
    words = [*given, *family]
    parts = {"given": given[0] if given else "", "family": " ".join(family)}
    named = {name: part for name, part in parts.items() if part}
    return {"": " ".join(words), "tokens": tuple(sorted(set(words))), **named} if words else {}


def _full_parts(value: str) -> tuple[list[str], list[str]]:
    """Given and family words: `Rivera Jr, Ana` reads as `Ana Rivera`. Titles, ranks and generation words are gone."""
    before, _, after = value.partition(",")
    if _is_given(after):
        return _name_words(after), _name_words(before)
    words = _name_words(value)
    return words[:-1], words[-1:]


def _is_given(text: str) -> bool:
    """What stands after the comma: no `Jr` and no `3rd Baronet`."""
    words = _words(_ORDINAL.sub(" baron ", text.lower()))
    return bool(words) and not is_no_name(words[0])


def _name_words(value: str) -> list[str]:
    words = [word for word in _words(_ORDINAL.sub(" ", value.lower())) if word not in _NO_NAMES]
    unranked = [word for word in words if word not in _RANKS]
    # Ana Baron keeps hers.
    return unranked if len(unranked) > 1 else words


def is_no_name(word: str) -> bool:
    """A title, a rank or a generation word, which many systems write into a name field."""
    return word in _NO_NAMES or word in _RANKS


def _suffix(text: str) -> str | None:
    return _GENERATION_OF.get(text.lower().strip(" .,"))


_problem = says_nothing("name")

GIVEN_NAME = ValueType(
    name="given_name",
    label="Given name",
    example="Maria",
    normalise=_name,
    validate=_problem,
    features=_given_features,
    feature_names=("", "sound", "nicknames"),
    max_length=100,
    recurs=True,
)

FAMILY_NAME = ValueType(
    name="family_name",
    label="Family name",
    example="Rivera-Lopez",
    normalise=_name,
    validate=_problem,
    features=_family_features,
    feature_names=("", "sound", "words"),
    max_length=100,
    recurs=True,
)

MIDDLE_NAME = ValueType(
    name="middle_name",
    label="Middle name",
    example="Ann",
    normalise=_name,
    validate=_problem,
    features=_middle_features,
    feature_names=("", "initial"),
    max_length=100,
    recurs=True,
)

NAME_SUFFIX = ValueType(name="name_suffix", label="Generation suffix", example="JR", normalise=_suffix, max_length=20, recurs=True)

FULL_NAME = ValueType(
    name="full_name",
    label="Full name",
    example="Rivera, Maria Ann",
    normalise=_name,
    validate=_problem,
    features=_full_features,
    feature_names=("", "tokens", "given", "family"),
    alone="same_person",
    max_length=200,
)
