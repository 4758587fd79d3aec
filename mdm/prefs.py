"""How a person wants the pages: density, theme, keys, the order of rows. Known names and choices only; nothing of anybody else."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy.orm import Session

from mdm.db import execute
from mdm.errors import Invalid

CHOICES: Mapping[str, tuple[str, ...]] = {
    "theme": ("auto", "light", "dark"),
    "density": ("dense", "comfortable"),
    "keys": ("on", "off"),
    "rows": ("weight", "fixed"),
    "score": ("first", "last"),
}
REMAPPED_MAX = 40
_KEY = re.compile(r"[!-~]")
_RESERVED = frozenset("g?/")  # the ways to go, to help and to search stay where they are


@dataclass(frozen=True, slots=True)
class Prefs:
    """One person's choices; `remap` is from the key that is pressed to the key that it stands for."""

    theme: str = "auto"
    density: str = "dense"
    keys: str = "on"
    rows: str = "weight"
    score: str = "first"
    remap: Mapping[str, str] = field(default_factory=dict)


def of_json(found: Mapping[str, Any] | None) -> Prefs:
    """What is stored; a choice that there is no more is the usual one again."""
    names = {each.name for each in fields(Prefs)}
    known = {name: value for name, value in (found or {}).items() if name in names}
    return replace(Prefs(), **{n: v for n, v in known.items() if n == "remap" or v in CHOICES[n]})


def changed(prefs: Prefs, said: Mapping[str, str]) -> Prefs:
    """The choices with these in place of the former ones. Raises Invalid for one that there is not."""
    for name, value in said.items():
        if value not in CHOICES.get(name, ()):
            raise Invalid.at("unknown_choice", f"/{name}", f"one of {', '.join(CHOICES.get(name, ()))}")
    return of_json({**asdict(prefs), **said})


def remapped(prefs: Prefs, remap: Mapping[str, str]) -> Prefs:
    """Other keys. Raises Invalid where one is no single character, is kept for going places, or would stand for two things."""
    wrong = [key for pair in remap.items() for key in pair if not _KEY.fullmatch(key) or key in _RESERVED]
    if wrong or len(remap) > REMAPPED_MAX:
        raise Invalid.at("bad_key", "/remap", "one plain character each, and not g, / or ?")
    if len(set(remap.values())) != len(remap):
        raise Invalid.at("key_twice", "/remap", "each key stands for one thing")
    return replace(prefs, remap=dict(remap))


def save(session: Session, principal_id: UUID, prefs: Prefs) -> None:
    execute(
        session,
        "insert into user_pref (principal_id, prefs) values (%s, %s) on conflict (principal_id) do update set prefs = excluded.prefs",
        (principal_id, Jsonb(asdict(prefs))),
    )
