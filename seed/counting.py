"""Factories number what they make, and go on counting as long as the process lives; a new world has to start at one again."""

from collections.abc import Callable
from typing import Any

from factory.base import Factory


def count_from_one(maker: type[Factory[Any]]) -> None:
    """The next thing that this factory makes is its first."""
    reset: Callable[[int], None] = maker.reset_sequence
    reset(0)
