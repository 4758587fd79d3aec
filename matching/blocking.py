"""Record -> blocking keys. Two records are compared when they share one. A rule with an absent part gives no key (never a half one)."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from hashlib import blake2b
from itertools import product
from struct import Struct

from matching.compare import Value
from matching.model import BlockingRule, Columns, KeyPart


def blocking_keys(scope: str, rules: Sequence[BlockingRule], record: Columns) -> dict[int, str]:
    """Every key of a record by these rules; see `Keys`, which serves many records."""
    return Keys(scope, rules).of(record)


def text_key(scope: str, rule: BlockingRule) -> Callable[[str], int]:
    """The keys that a rule of one whole column makes of texts: what `Keys` answers, for millions of texts."""
    return _hasher(scope, rule)


class Keys:
    """Blocking rules made ready.

    `scope` (the domain) keeps equal texts of two domains apart. Hashes keep personal data out of the key table.
    """

    def __init__(self, scope: str, rules: Sequence[BlockingRule]) -> None:
        # Its first column stands before each rule: most records lack most identifiers, and so many rules are never asked
        self._rules = [(rule.parts[0].column, _texts(rule), _hasher(scope, rule), rule.name) for rule in rules]

    def of(self, record: Columns) -> dict[int, str]:
        """Every key of a record, as a signed 64-bit hash, with the name of its rule."""
        return {key(text): name for first, texts, key, name in self._rules if first in record for text in texts(record)}


_Texts = Callable[[Columns], Iterable[str]]


def _texts(rule: BlockingRule) -> _Texts:
    """What is hashed of a record."""
    parts = tuple((part.column, _cut(part)) for part in rule.parts)
    return partial(_of_one, *parts[0]) if len(parts) == 1 else partial(_of_several, parts, sorted if rule.crossed else list)


def _of_one(column: str, cut: slice | None, record: Columns) -> Iterable[str]:
    value = record[column]
    if value.__class__ is not str:
        return _pieces(value, cut)
    text = value if cut is None else value[cut]
    return (text,) if text else ()


def _of_several(parts: Sequence[tuple[str, slice | None]], ordered: Callable[[Iterable[str]], list[str]], record: Columns) -> Iterable[str]:
    pieces = []
    for column, cut in parts:
        value = record.get(column)
        if value is None:
            return ()
        if value.__class__ is not str:
            return _of_lists(parts, ordered, record)
        text = value if cut is None else value[cut]
        if not text:
            return ()
        pieces.append(text)
    return ("\x1f".join(ordered(pieces)),)


def _of_lists(parts: Sequence[tuple[str, slice | None]], ordered: Callable[[Iterable[str]], list[str]], record: Columns) -> Iterator[str]:
    choices = [_pieces(record.get(column, ()), cut) for column, cut in parts]
    return ("\x1f".join(ordered(pieces)) for pieces in product(*choices))


def _cut(part: KeyPart) -> slice | None:
    return None if part.start is None and part.stop is None else slice(part.start, part.stop)


def _pieces(value: Value, cut: slice | None) -> list[str]:
    listed = (value,) if isinstance(value, str) else value
    return [text for whole in listed if (text := whole if cut is None else whole[cut])]


def _hasher(scope: str, rule: BlockingRule) -> Callable[[str], int]:
    """The hash of scope, rule and text; the first two are hashed once."""
    begun = blake2b(f"{scope}\x1f{rule.name}\x1f".encode(), digest_size=_KEY.size)
    copy, unpack = begun.copy, _KEY.unpack

    def key(text: str) -> int:
        found = copy()
        found.update(text.encode())
        number: int = unpack(found.digest())[0]
        return number

    return key


_KEY = Struct(">q")
