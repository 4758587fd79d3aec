"""Record -> blocking keys. Two records are compared when they share one. A rule with an absent part gives no key (never a half one)."""

from collections.abc import Sequence
from hashlib import blake2b
from itertools import product

from matching.compare import Value
from matching.model import BlockingRule, Columns, KeyPart


def blocking_keys(scope: str, rules: tuple[BlockingRule, ...], record: Columns) -> dict[int, str]:
    """Every key of a record, as a signed 64-bit hash, with the name of its rule.

    `scope` (the domain) keeps equal texts of two domains apart. Hashes keep personal data out of the key table.
    """
    return {_hash(scope, rule.name, text): rule.name for rule in rules for text in _texts(rule, record)}


def _texts(rule: BlockingRule, record: Columns) -> list[str]:
    choices = []
    for part in rule.parts:
        value = record.get(part.column)
        pieces = () if value is None else _pieces(part, value)
        if not pieces:
            return []
        choices.append(pieces)
    return ["\x1f".join(sorted(parts) if rule.crossed else parts) for parts in product(*choices)]


def _pieces(part: KeyPart, value: Value) -> Sequence[str]:
    if isinstance(value, str):
        text = value[part.start : part.stop]
        return (text,) if text else ()
    return [text for whole in value if (text := whole[part.start : part.stop])]


def _hash(*parts: str) -> int:
    return int.from_bytes(blake2b("\x1f".join(parts).encode(), digest_size=8).digest(), "big", signed=True)
