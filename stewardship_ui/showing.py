"""Values as people read them, and small checks of what an address may say."""

from collections.abc import Mapping

from mdm import mask
from mdm.access import Actor
from mdm.entity import Attribute
from stewardship_ui.words import LEFT, TAG_DIGITS, tag


def shown(reader: Actor, attribute: Attribute, value: object, *, raw: bool = False) -> list[str]:
    """The texts of a value that is masked already. A normal form seen whole is written as people write it, a raw one as it came."""
    texts = [value] if isinstance(value, str) else [str(part) for part in value] if isinstance(value, list | tuple) else []
    if raw or not mask.sees(reader, attribute.sensitivity):
        return texts
    return [attribute.type.display(text) for text in texts]


def tag_only(text: str) -> str:
    """The digits of a tag from an address; anything else is dropped."""
    return text if len(text) == TAG_DIGITS and text.isascii() and text.isalnum() else ""


def left(args: Mapping[str, str]) -> str:
    """What became of the task that was left last, as an address says it; what is no such word is left out."""
    done = tag_only(args.get("decided", ""))
    return LEFT.get(args.get("outcome", ""), LEFT["decided"]).format(tag(done)) if done else ""
