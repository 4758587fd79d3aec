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


def mistyped(column: str) -> Test:
    """The same number but for one slip, which is not at its end."""
    return Test("slip", (column,), 1.0)


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


def words_agree(column: str, at_least: float) -> Test:
    """Words of a name in any order, rare ones counting more: 6 the same, 2 each side keeps its own, 0 none in common."""
    return Test("word_agreement", (column,), at_least)


def cosine(column: str, at_least: float) -> Test:
    """Words of a list in common, rare ones counting more."""
    return Test("cosine", (column,), at_least)


def phrases_alike(column: str, at_least: float) -> Test:
    """Words of a list in common, rare ones counting more; the list's `two neighbours` say what may be written together."""
    return Test("phrase_cosine", (column,), at_least)


def shares_rare(column: str, bits: float) -> Test:
    """Both sides have a value in common that at most one record of two to the power of `bits` has."""
    return Test("rarest_shared", (column,), bits)


def stands_in(parts: str, text: str) -> Test:
    """A value of the one column stands within the other side's other column."""
    return Test("substring", (parts, text), 1.0, both=False)


def word_for_word(column: str) -> Test:
    """Every word of a name has its counterpart, near spellings included."""
    return Test("same_organisation", (column,), 1.0)


def crossed(first: str, second: str, at_least: float) -> Test:
    """Two fields exchanged: each like the other side's other one (Jaro-Winkler)."""
    return Test("jaro_winkler", (first, second), at_least)


def either_crossed(first: str, second: str) -> Test:
    """One field stands in the other side's other field."""
    return Test("exact", (first, second), 1.0, both=False)


def part(column: str, start: int | None = None, stop: int | None = None) -> KeyPart:
    return KeyPart(column, start, stop)
