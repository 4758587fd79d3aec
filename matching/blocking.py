"""Record -> blocking keys. Two records are compared when they share one. A rule with an absent part gives no key (never a half one)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import product

from matching.compare import Value
from matching.model import BlockingRule, Columns, KeyPart


def blocking_keys(scope: str, rules: Sequence[BlockingRule], record: Columns) -> dict[int, str]:
    """Every key of a record by these rules; see `Keys`, which serves many records."""
    return Keys(scope, rules).of(record)


def text_key(scope: str, rule: BlockingRule) -> Callable[[str], int]:
    """The keys that a rule of one whole column makes of texts: what `Keys` answers, for millions of texts."""
    begin = _rule(scope, rule).begin
    return lambda text: _hash(begin, text)


class Keys:
    """Blocking rules made ready.

    `scope` (the domain) keeps equal texts of two domains apart. Hashes keep personal data out of the key table.
    """

    def __init__(self, scope: str, rules: Sequence[BlockingRule]) -> None:
        self._rules = tuple(_rule(scope, rule) for rule in rules)

    def of(self, record: Columns) -> dict[int, str]:
        """Every key of a record, as a signed 64-bit hash, with the name of its rule."""
        return {_hash(rule.begin, text): rule.name for rule in self._rules for text in rule.texts(record)}


@dataclass(frozen=True, slots=True)
class _Rule:
    name: str
    begin: bytes  # of what is hashed
    parts: tuple[tuple[str, slice | None], ...]
    crossed: bool

    def texts(self, record: Columns) -> Iterator[str] | tuple[str, ...]:
        pieces = []
        for column, cut in self.parts:
            value = record.get(column)
            if value is None:
                return ()
            if value.__class__ is not str:
                return self._texts_of_lists(record)
            text = value if cut is None else value[cut]
            if not text:
                return ()
            pieces.append(text)
        return ("\x1f".join(sorted(pieces) if self.crossed else pieces),)

    def _texts_of_lists(self, record: Columns) -> Iterator[str]:
        choices = [_pieces(record.get(column, ()), cut) for column, cut in self.parts]
        return ("\x1f".join(sorted(parts) if self.crossed else parts) for parts in product(*choices))


def _rule(scope: str, rule: BlockingRule) -> _Rule:
    return _Rule(rule.name, f"{scope}\x1f{rule.name}\x1f".encode(), tuple((part.column, _cut(part)) for part in rule.parts), rule.crossed)


def _cut(part: KeyPart) -> slice | None:
    return None if part.start is None and part.stop is None else slice(part.start, part.stop)


def _pieces(value: Value, cut: slice | None) -> list[str]:
    listed = (value,) if isinstance(value, str) else value
    return [text for whole in listed if (text := whole if cut is None else whole[cut])]


def _hash(begin: bytes, text: str) -> int:
    return int.from_bytes(blake2b(begin + text.encode(), digest_size=8).digest(), "big", signed=True)
