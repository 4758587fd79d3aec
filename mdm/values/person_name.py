"""Names of persons: kept as written, compared as folded words, by sound and by nickname.

Titles and generation words are no part of a name when it is compared; the generation is a column of its own. A name that stands for
"no name" (BABY BOY A, TRAUMA 12) is a placeholder and never evidence.
"""

import re
from functools import lru_cache
from itertools import dropwhile
from unicodedata import category, normalize

import jellyfish
from nicknames import NickNamer

from mdm.values.kind import Features, ValueType, fold
from mdm.values.placeholders import says_nothing

_ORDINAL = re.compile(r"\b[0-9]+(?:st|nd|rd|th)\b")
_LAST_ORDINAL = re.compile(r"\b(2nd|3rd|4th|5th)\W*$")
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
_NAMES_TOO = frozenset({"ii", "junior", "senior", "second", "third", "fourth", "fifth"})
_BETWEEN_COMMAS = re.compile(rf",\s*({'|'.join(sorted(_GENERATION_WORDS - _NAMES_TOO))}|ii(?=\s*,))\.?\s*(?=,|$)", re.IGNORECASE)

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


def _told(value: str, *, titled: bool = False, names: int = 1) -> tuple[list[str], str]:
    """Words of a name, and the generation that they tell, as `suffix` has it; empty where they tell none.

    What comes first is a name, Junior and Ii among them, as are these where there are but so many `names`. A title may come before it.
    """
    words = _words(_ORDINAL.sub(" ", _LAST_ORDINAL.sub(lambda found: _GENERATION_OF[found[1]], value.lower())))
    while titled and len(words) > 1 and words[0] in _TITLES:
        words = words[1:]
    places = [n for n, word in enumerate(words) if n and word in _GENERATION_WORDS and not (n < names and word in _NAMES_TOO)]
    generation = _GENERATION_OF[words[places[-1]]].lower() if places else ""
    return [word for n, word in enumerate(words) if n not in places], generation


def _generation(told: str) -> dict[str, str]:
    return {"generation": told} if told else {}


def _script(value: str) -> Features:
    """A name in a script without a Latin spelling: its letters, of which only the very same say something.

    Comparison values are ASCII, because executors count letters otherwise; the code of a letter has one length, so that no two names
    share theirs. The column is one of its own: no measure of likeness is ever asked of codes.
    """
    words = "".join(letter if category(letter)[0] in "LM" else " " for letter in normalize("NFKC", value).casefold()).split()
    return {"script": " ".join("u" + "".join(f"{ord(letter):05x}" for letter in word) for word in words)}


def _sound(joined: str) -> dict[str, str]:
    code = jellyfish.metaphone(joined).replace(" ", "").lower()
    return {"sound": code} if code else {}


def _given_features(value: str) -> Features:
    words, generation = _told(value, titled=True)
    name = " ".join([word for word in words if word not in _TITLES] or words)
    return {"": name, **_sound(name), "nicknames": _nicknames(name), **_generation(generation)} if name else _script(value)


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
    words, generation = _told(value)
    name = " ".join(words)
    return {"": name, **_sound(name), "words": tuple(words), **_generation(generation)} if name else _script(value)


def _middle_features(value: str) -> Features:
    name = " ".join(_words(value))
    return {"": name, "initial": name[0]} if name else {}


def _full_features(value: str) -> Features:
    """The words in the order given, family, and the first given and the family name among them."""
    given, family, generation = _full_parts(value)
    words = [*given, *family]
    parts = {"given": given[0] if given else "", "family": " ".join(family), "generation": generation}
    named = {name: part for name, part in parts.items() if part}
    return {"": " ".join(words), "tokens": tuple(sorted(set(words))), **named} if words else {}


def _full_parts(value: str) -> tuple[list[str], list[str], str]:
    """Given and family words, and the generation: `Rivera Jr, Ana` reads as `Ana Rivera`. Titles and ranks are gone."""
    before, _, after = _BETWEEN_COMMAS.sub(r" \1", value).partition(",")
    if _is_given(after, before):
        family, told = _name_words(before)
        given, told_after = _name_words(after)
        return given, family, told or told_after
    words, told = _name_words(f"{before} {after}", names=2)
    return words[:-1], words[-1:], told


def _is_given(text: str, family: str) -> bool:
    """What stands after the comma: no `Jr` and no `3rd Baronet`. Behind a lone family name, Junior is one."""
    words = [*dropwhile(_TITLES.__contains__, _words(_ORDINAL.sub(" baron ", text.lower())))]
    return bool(words) and (not is_no_name(words[0]) or (words[0] in _NAMES_TOO and len(_words(family)) == 1))


def _name_words(value: str, *, names: int = 1) -> tuple[list[str], str]:
    words, generation = _told(value, titled=True, names=names)
    words = [word for word in words if word not in _TITLES]
    unranked = [word for word in words if word not in _RANKS]
    # Ana Baron keeps hers.
    return (unranked if len(unranked) > 1 else words), generation


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
    feature_names=("", "sound", "nicknames", "generation", "script"),
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
    feature_names=("", "sound", "words", "generation", "script"),
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
    feature_names=("", "tokens", "given", "family", "generation"),
    alone="same_person",
    max_length=200,
)
