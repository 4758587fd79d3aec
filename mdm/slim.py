"""Comparison columns of very many records in memory: a third of what a dict of each takes.

Records with the same columns share their names, and texts that many have (cities, given names) stand there once.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from matching.compare import Value
from matching.model import Columns

_SHARED_MAX = 500_000  # different texts; those that come later stand by themselves


class Slim(Mapping[str, Value]):
    """The columns of one record; reads as the mapping that it was made from."""

    __slots__ = ("_places", "_values")

    def __init__(self, places: Mapping[str, int], values: tuple[Value, ...]) -> None:
        self._places, self._values = places, values

    def __getitem__(self, name: str) -> Value:
        return self._values[self._places[name]]

    def get(self, name: str, default: Any = None) -> Any:
        """As of any mapping; asked for once per record and column, and quicker than what a mapping does."""
        place = self._places.get(name)
        return default if place is None else self._values[place]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


class Slimming:
    """Makes the columns of one record after the other slim, sharing among all of them; only those called `names` are kept."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = frozenset(names)
        self._patterns: dict[tuple[str, ...], Mapping[str, int]] = {}
        self._texts: dict[str, str] = {}

    def slim(self, columns: Columns) -> Columns:
        """The columns that are kept."""
        names = tuple(name for name in columns if name in self._names)
        places = self._patterns.get(names)
        if places is None:
            places = self._patterns[names] = {name: place for place, name in enumerate(names)}
        return Slim(places, tuple(self._value(columns[name]) for name in names))

    def _value(self, value: Value) -> Value:
        return self._text(value) if isinstance(value, str) else tuple(map(self._text, value))

    def _text(self, text: str) -> str:
        if len(self._texts) < _SHARED_MAX:
            return self._texts.setdefault(text, text)
        return self._texts.get(text, text)
