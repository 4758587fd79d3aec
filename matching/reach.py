"""The most that a pair can still come to once the quick tests of a model are answered. Below a floor nobody need ask the slow ones.

What stays true: no pair comes to more than that, so that whoever asks for pairs from a floor on misses none.
"""

from dataclasses import replace
from math import log2
from typing import Any

from matching.model import Comparison, Level, Model, Test
from matching.sql import bits_sql, is_native, level_sql, levels_settings, real, silenced_sql
from matching.table import Layout

# A disagreement that takes so many bits puts most pairs out of reach, and is worth what it takes to see it
_DECISIVE_BITS = -4.0


def quick_settings(model: Model, layout: Layout) -> dict[str, Any]:
    """Splink settings for the quick tests alone, without vetoes."""
    return levels_settings(replace(model, vetoes=()), layout, _quick_tests)


def reach_sql(model: Model) -> str:
    """SQL: the most that a pair can come to, in bits, over what Splink says of the quick tests and the shares of rarity columns."""
    return " + ".join([real(model.prior), *(_reach(place, comparison, model) for place, comparison in enumerate(model.comparisons))])


def _reach(place: int, comparison: Comparison, model: Model) -> str:
    steps = []
    for number, level in enumerate(comparison.levels):
        met, other = bits_sql(level, model), _best_instead(comparison, number, model)
        steps.append(f"when {number} then {met if other is None else f'greatest({met}, {real(other)})'}")
    total = f"(case {level_sql(place)} {' '.join(steps)} else 0.0 end)"
    if comparison.unless is None or not _silence_is_certain(comparison, model):
        return total
    return f"(case when {silenced_sql(model, comparison)} then 0.0 else {total} end)"


def _best_instead(comparison: Comparison, number: int, model: Model) -> float | None:
    """The most (bits) that a pair may get instead of the first level that its quick tests meet; None where that one is certain."""
    open_levels = [level for level in comparison.levels[:number] if not _is_quick(comparison, level)]
    silence = [] if _silence_is_certain(comparison, model) else [0.0]
    return max([*(_best(level, model) for level in open_levels), *silence], default=None)


def _best(level: Level, model: Model) -> float:
    """With the rarest value that there can be."""
    counted = model.frequencies.get(level.frequency) if level.frequency else None
    return level.weight if counted is None else level.weight + max(0.0, log2(level.u) + log2(counted.total + 1))


def _silence_is_certain(comparison: Comparison, model: Model) -> bool:
    """Whether the quick tests tell if another comparison has spoken for this one."""
    silencers = {name for name, _ in (*((comparison.unless,) if comparison.unless else ()), *comparison.along_with)}
    return all(
        all(_is_quick(other, level) for level in other.levels) and _silence_is_certain(other, model)
        for other in model.comparisons
        if other.name in silencers
    )


def _is_quick(comparison: Comparison, level: Level) -> bool:
    return tuple(_quick_tests(comparison, level)) == level.any_of


def _quick_tests(comparison: Comparison, level: Level) -> list[Test]:
    is_decisive = comparison.levels[-1].weight <= _DECISIVE_BITS
    return [test for test in level.any_of if (is_native(test) if is_decisive else test.measure in {"exact", "shared"})]
