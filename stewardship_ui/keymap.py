"""The one scheme of keys, for the page of all keys and for changing them; a page shows each of its own beside what it does."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scope:
    """Where keys mean the same, and what they do there. `fixed`: they cannot be changed."""

    name: str
    keys: Sequence[tuple[str, str]]
    fixed: bool = False


SCOPES = (
    Scope(
        "Everywhere",
        (
            ("g h", "Home"),
            ("g t", "Tasks"),
            ("g r", "Records"),
            ("g m", "Mappings"),
            ("g l", "Loads"),
            ("g q", "Quality"),
            ("g a", "Approvals"),
            ("/", "Search"),
            ("Ctrl K", "Commands"),
            ("?", "Keys of the page"),
            ("Esc", "Up, or close"),
        ),
        fixed=True,
    ),
    Scope(
        "Lists",
        (
            ("j", "Next row"),
            ("k", "Row before"),
            ("x", "Select"),
            ("*", "Select all that match"),
            ("f", "Filter"),
            ("v", "Views"),
            ("i", "Assign to me"),
        ),
    ),
    Scope(
        "Deciding",
        (
            ("m", "Same, merge"),
            ("n", "Different, not a match"),
            ("l", "Link only"),
            ("d", "Defer"),
            ("a", "Ask"),
            ("s", "Split"),
            ("e", "Propose"),
            ("z", "Undo"),
            ("c", "Comment"),
            ("y", "Copy link"),
        ),
    ),
    Scope(
        "Looking",
        (
            ("=", "Fold or unfold what is equal"),
            ("w", "Weights"),
            ("b", "Blind"),
            ("r", "Reveal a value"),
        ),
    ),
    Scope("Splitting", (("0", "New group"), ("u", "Take the suggestion"))),
)
