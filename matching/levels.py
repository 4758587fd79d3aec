"""Short words for declaring comparisons: each makes a `Test`."""

from matching.model import KeyPart, Test


def same(column: str) -> Test:
    return Test("exact", (column,), 1.0)


def alike(column: str, at_least: float) -> Test:
    """Jaro-Winkler of at least this much (0 to 1)."""
    return Test("jaro_winkler", (column,), at_least)


def within_edits(column: str, count: int) -> Test:
    """At most this many single-letter edits apart."""
    return Test("edits", (column,), -float(count))


def is_initial(column: str) -> Test:
    return Test("initial", (column,), 1.0)


def month_day_swapped(column: str) -> Test:
    return Test("month_day_swap", (column,), 1.0)


def prefix(column: str, length: int) -> Test:
    return Test("common_prefix", (column,), float(length))


def near_amount(column: str, ratio: float) -> Test:
    return Test("ratio", (column,), ratio)


def shares(column: str, count: int = 1) -> Test:
    """Both sides have at least this many values of a list in common."""
    return Test("shared", (column,), float(count))


def jaccard(column: str, at_least: float) -> Test:
    return Test("jaccard", (column,), at_least)


def contains(column: str, at_least: float) -> Test:
    return Test("containment", (column,), at_least)


def soft_jaccard(column: str, at_least: float) -> Test:
    return Test("soft_jaccard", (column,), at_least)


def soft_contains(column: str, at_least: float) -> Test:
    return Test("soft_containment", (column,), at_least)


def crossed(first: str, second: str, at_least: float) -> Test:
    """Two fields exchanged: each like the other side's other one (Jaro-Winkler)."""
    return Test("jaro_winkler", (first, second), at_least)


def either_crossed(first: str, second: str) -> Test:
    """One field stands in the other side's other field."""
    return Test("exact", (first, second), 1.0, both=False)


def part(column: str, start: int | None = None, stop: int | None = None) -> KeyPart:
    return KeyPart(column, start, stop)
