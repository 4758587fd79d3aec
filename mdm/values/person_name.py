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

_JOINED = re.compile(r"['.]")
_NO_LETTER = re.compile(r"[^a-z]+")
_LETTER = re.compile(r"[^\W\d_]")
_TITLES = frozenset(
    {"mr", "mrs", "ms", "miss", "mister", "dr", "prof", "professor", "rev", "reverend", "sr", "sister", "father", "hon", "sir", "md", "phd"}
)
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
    name = " ".join(_family_words(value))
    return {"": name, **_sound(name)} if name else {}


def _middle_features(value: str) -> Features:
    name = " ".join(_words(value))
    return {"": name, "initial": name[0]} if name else {}


def _full_features(value: str) -> Features:
    words = _full_words(value)
    return {"": " ".join(words), "tokens": tuple(sorted(set(words)))} if words else {}


def _full_words(value: str) -> list[str]:
    """In the order given, family: `Rivera Jr, Ana` reads as `Ana Rivera`; titles and generation words are gone."""
    family, comma, given = value.partition(",")
    words = _words(f"{given} {family}" if comma and _words(given) else value)
    return [word for word in words if word not in _TITLES and word not in _GENERATION_WORDS] or words


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
)

FAMILY_NAME = ValueType(
    name="family_name",
    label="Family name",
    example="Rivera-Lopez",
    normalise=_name,
    validate=_problem,
    features=_family_features,
    feature_names=("", "sound"),
    max_length=100,
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
)

NAME_SUFFIX = ValueType(name="name_suffix", label="Generation suffix", example="JR", normalise=_suffix, max_length=20)

FULL_NAME = ValueType(
    name="full_name",
    label="Full name",
    example="Rivera, Maria Ann",
    normalise=_name,
    validate=_problem,
    features=_full_features,
    feature_names=("", "tokens"),
    max_length=200,
)
