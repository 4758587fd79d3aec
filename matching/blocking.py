"""Record -> blocking keys. Two records are compared when they share one. A rule with an absent part gives no key (never a half one)."""

from hashlib import blake2b
from itertools import product

from matching.compare import Value
from matching.model import BlockingRule, Columns, KeyPart


def blocking_keys(scope: str, rules: tuple[BlockingRule, ...], record: Columns) -> dict[int, str]:
    """Every key of a record, as a signed 64-bit hash, with the name of its rule; `scope` (the domain) keeps equal texts of two domains
    apart. Hashes keep personal data out of the key table."""
    return {_hash(scope, rule.name, text): rule.name for rule in rules for text in _texts(rule, record)}


def _texts(rule: BlockingRule, record: Columns) -> list[str]:
    choices = [_pieces(part, record.get(part.column)) for part in rule.parts]
    if not all(choices):
        return []
    combined = product(*choices)
    return ["\x1f".join(sorted(parts) if rule.crossed else parts) for parts in combined]


def _pieces(part: KeyPart, value: Value | None) -> list[str]:
    values = () if value is None else (value,) if isinstance(value, str) else value
    sliced = (text[part.start : part.stop] for text in values)
    return [text for text in sliced if text]


def _hash(*parts: str) -> int:
    digest = blake2b("\x1f".join(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
