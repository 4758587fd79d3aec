"""Text that a spreadsheet would run as a formula, made harmless on the way out and as it was on the way back in. Pure.

An apostrophe goes before every place where a formula could begin: the start of a cell, and the start of what a program that splits at
another delimiter would take for a cell. Text that already has apostrophes there gets one more, so that `restore` gives back every text.
"""

import re

_STARTS = r"(?:\A|(?<=[,;|\t\r\n\"]))"
_TRIGGERS = "[=+\\-@\t\r\x00＝＋－＠]"
_UNSAFE = re.compile(rf"{_STARTS}(?='*{_TRIGGERS})")
_MADE_SAFE = re.compile(rf"{_STARTS}'(?='*{_TRIGGERS})")


def neutralise(text: str) -> str:
    """The text with no formula in it, for whichever program opens it."""
    return _UNSAFE.sub("'", text)


def restore(text: str) -> str:
    """What `neutralise` was given."""
    return _MADE_SAFE.sub("", text)
