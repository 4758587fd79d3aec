"""A form whose sender's session had ended: it waits in the sign-in page, and its sender, back again, sends it or leaves it.

Nothing of it is stored, here or in the browser, and nothing is sent unseen: whoever signed in presses for it, with their own token.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from flask import request

from stewardship_ui.guard import PROOF, our_address

_MARK = "held."
# What is sent by the page itself, is only to be seen, or is of signing in: it is asked again where it is wanted.
_NOT_HELD = frozenset(
    f"ui.{name}"
    for name in ("sign_in", "sign_out", "prove", "set_password", "set_factor", "save_prefs", "ahead", "claim", "reveal", "begin_load")
)
_NEVER = frozenset({"csrf", PROOF})
_TYPED = ("reason", "body", "note", "why", "text", "question")


@dataclass(frozen=True, slots=True)
class Held:
    """Where a form was going, from where, and what stood in it."""

    address: str
    back: str
    fields: Sequence[tuple[str, str]]

    @property
    def typed(self) -> list[str]:
        """What somebody will know again: what they wrote."""
        return [value for name, value in self.fields if value.strip() and name.startswith(_TYPED)]

    @property
    def marked(self) -> list[tuple[str, str]]:
        """The fields as the sign-in form carries them."""
        return [("held-at", self.address), ("held-from", self.back), *((_MARK + name, value) for name, value in self.fields)]


def can_wait() -> bool:
    """Whether this request is a form that may wait: a file is too large to, and is chosen again."""
    return request.method == "POST" and request.endpoint not in _NOT_HELD and not request.files


def sent(back: str) -> Held | None:
    """The form that has just been refused."""
    if not can_wait() or not our_address(request.path):
        return None
    fields = [(name, value) for name, value in request.form.items(multi=True) if name not in _NEVER and "password" not in name]
    return Held(request.path, back, fields)


def waiting() -> Held | None:
    """The form that the sign-in form carries."""
    address = our_address(request.form.get("held-at", ""))
    fields = [(name.removeprefix(_MARK), value) for name, value in request.form.items(multi=True) if name.startswith(_MARK)]
    return Held(address, our_address(request.form.get("held-from", "")), fields) if address else None
