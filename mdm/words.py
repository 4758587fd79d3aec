"""Values as the words by which people search for them, and a search as a question about these words. Pure.

A word of a search begins a word of a value, in any order. That an index answers, whatever the number of records; letters from the middle of
a word it could find only by reading all of them. A whole value is found however it is written: a date, a phone number.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from typing import Any

from mdm.entity import Attribute, EntityType
from mdm.values.kind import fold

_WORD = re.compile(r"[^\W_]+")
_WORD_MAX = 40
_REMEMBERED = 65_536  # names and days recur


def words(text: str) -> tuple[str, ...]:
    """Letters and digits between anything else, folded; of scripts that do not fold as they are."""
    return tuple(dict.fromkeys(word[:_WORD_MAX] for word in _WORD.findall(fold(text) or text.casefold())))


@lru_cache(maxsize=_REMEMBERED)
def _forms(text: str) -> tuple[str, ...]:
    """The words of a text, numbers also without their leading zeros: a code is found by what people say of it."""
    found = words(text)
    return (*found, *(bare for word in found if word[0] == "0" and (bare := word.lstrip("0"))))


def lexemes(entity: EntityType, values: Mapping[str, Any]) -> list[str]:
    """What the index holds of a golden record: the words of its searchable values, each under the name of its attribute."""
    found: set[str] = set()
    for name, prefix in _prefixes(entity):
        value = values.get(name)
        if isinstance(value, str):
            found.update([prefix + form for form in _forms(value)])
        elif value is not None:
            found.update(prefix + form for text in _texts(value) for form in _forms(text))
    return sorted(found)


@cache
def _prefixes(entity: EntityType) -> tuple[tuple[str, str], ...]:
    return tuple((a.name, _tagged(entity, a.name, "")) for a in entity.attributes if a.searchable)


def _tagged(entity: EntityType, attribute: str, word: str) -> str:
    return f"{entity.name}.{attribute}={word}"


def as_tsvector(found: list[str]) -> str:
    """Lexemes as PostgreSQL reads a tsvector; they hold letters, digits, dots and underscores."""
    return " ".join(f"'{lexeme}'" for lexeme in found)


def as_tsquery(entity: EntityType, text: str, attributes: Mapping[str, str]) -> str:
    """The search as PostgreSQL reads a tsquery; empty where it holds no word, which nothing answers."""
    searchable = [a for a in entity.attributes if a.searchable]
    asked = [(searchable, text), *(([a], attributes[a.name]) for a in searchable if a.name in attributes)]
    parts = [_part(entity, where, said) for where, said in asked if said]
    return " & ".join(f"({part})" for part in parts) if all(parts) else ""


def _part(entity: EntityType, where: list[Attribute], said: str) -> str:
    """Every word begins one of some value's, or all of it is one value, written in another way."""
    by_word = [" | ".join(f"'{_tagged(entity, a.name, word)}':*" for a in where) for word in words(said)]
    whole = [(a.name, words(normal)) for a in where if (normal := _normal(a, said)) is not None]
    ways = [" & ".join(f"({each})" for each in by_word)] if by_word else []
    ways += [" & ".join(f"'{_tagged(entity, name, word)}'" for word in found) for name, found in whole if found and found != words(said)]
    return " | ".join(f"({way})" for way in ways)


def _normal(attribute: Attribute, said: str) -> str | None:
    return attribute.type.read(said).value


def answers(entity: EntityType, asked: tuple[str, Mapping[str, str]], plain: Mapping[str, Any], shown: Mapping[str, Any]) -> bool:
    """A part finds what the reader sees; what is masked is found by the whole value only, or parts would give it away bit by bit."""
    text, attributes = asked
    searchable = [a for a in entity.attributes if a.searchable]
    wanted = [(searchable, text), *(([entity.attribute(name)], value) for name, value in attributes.items())]
    return all(_found(where, said, plain, shown) for where, said in wanted if said)


def _found(where: list[Attribute], said: str, plain: Mapping[str, Any], shown: Mapping[str, Any]) -> bool:
    terms = [found for term in said.split() if (found := words(term))]
    seen = [{form for text in _texts(shown.get(a.name)) for form in _forms(text)} for a in where]
    # What is written as one, a date or a name with a hyphen, is of one value
    begun = all(any(_begin(term, forms) for forms in seen) for term in terms)
    return (begun and bool(terms)) or any(_is_whole(a, said, plain.get(a.name)) for a in where)


def _begin(term: tuple[str, ...], forms: set[str]) -> bool:
    return all(any(form.startswith(word) for form in forms) for word in term)


def _is_whole(attribute: Attribute, said: str, value: object) -> bool:
    return any(said.casefold() == text.casefold() or _normal(attribute, said) == text for text in _texts(value))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        yield from map(str, value)
