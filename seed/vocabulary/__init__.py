"""The word lists of the demo world. They are written by hand for Concord; no company, person or address in them is meant to exist."""

import tomllib
from functools import cache
from importlib import resources
from typing import Any


@cache
def words(subject: str, name: str) -> tuple[str, ...]:
    """A plain list of words."""
    return tuple(_subject(subject)[name])


def table(subject: str, name: str) -> dict[str, str]:
    """A dictionary from the long form to the short one, or from a code to its meaning."""
    return dict(_subject(subject)[name])


@cache
def rows(subject: str, name: str) -> tuple[tuple[str, ...], ...]:
    """A list of rows of text."""
    return tuple(tuple(row) for row in _subject(subject)[name])


def mixed_rows(subject: str, name: str) -> tuple[tuple[Any, ...], ...]:
    """A list of rows some of whose cells are lists."""
    return tuple(tuple(row) for row in _subject(subject)[name])


def entries(subject: str, name: str) -> tuple[dict[str, Any], ...]:
    """A list of named, mixed values."""
    return tuple(_subject(subject)[name])


@cache
def _subject(subject: str) -> dict[str, Any]:
    return tomllib.loads(resources.files(__package__).joinpath(f"{subject}.toml").read_text(encoding="utf-8"))
