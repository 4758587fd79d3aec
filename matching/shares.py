"""Shares of the levels, m and u, as arrays: what training moves.

What stays true of `settled` shares: every m and u lies above 0, they add up to 1, and no level is worth more than one declared before it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from matching.arrays import Levels
from matching.model import Comparison, Model

Floats = NDArray[np.float64]
PerLevel = tuple[Floats, ...]  # one array per comparison, one number per level

FLOOR = 1e-7
_SURE = 1e-12  # how near a share of matches may come to 0 and 1: logarithms must stay finite
_SLOPE = 1e-9  # by how much pooled levels still descend, or rounding would let them climb


@dataclass(frozen=True, slots=True)
class Shares:
    """m and u of every level, and `match_share`: how many of the pairs it stands for are matches."""

    m: PerLevel
    u: PerLevel
    match_share: float


def shares_of(model: Model) -> Shares:
    m = tuple(_normal(np.array([level.m for level in comparison.levels])) for comparison in model.comparisons)
    u = tuple(_normal(np.array([level.u for level in comparison.levels])) for comparison in model.comparisons)
    return Shares(m, u, _inside(1 / (1 + 2.0**-model.prior)))


def with_shares(model: Model, shares: Shares, *, version: str, prior: float) -> Model:
    """The model with these shares and this prior (bits); all else stays."""
    comparisons = tuple(_with_levels(*each) for each in zip(model.comparisons, shares.m, shares.u, strict=True))
    return replace(model, version=version, prior=prior, comparisons=comparisons)


def _with_levels(comparison: Comparison, m: Floats, u: Floats) -> Comparison:
    shares = zip(comparison.levels, m.tolist(), u.tolist(), strict=True)
    return replace(comparison, levels=tuple(replace(level, m=of_same, u=of_other) for level, of_same, of_other in shares))


def bits(match_share: float) -> float:
    share = _inside(match_share)
    return float(np.log2(share / (1 - share)))


def sum_of_logs(shares: PerLevel, levels: Levels) -> Floats:
    """The log share of every row, comparisons taken as independent. The level -1 reads the 0 put behind the last."""
    total = np.zeros(len(levels))
    for place, of_levels in enumerate(shares):
        total += np.append(np.log(of_levels), 0.0)[levels[:, place]]
    return total


def tally(levels: Levels, mass: Floats, like: PerLevel) -> PerLevel:
    """How much mass each level has; rows without evidence count nowhere."""
    return tuple(_tally(levels[:, place], mass, len(each)) for place, each in enumerate(like))


def _tally(levels: Levels, mass: Floats, count: int) -> Floats:
    return np.bincount(levels + 1, weights=mass, minlength=count + 1)[1:].astype(np.float64)


def posterior(shares: Shares, levels: Levels) -> Floats:
    """The probability of every row to be a match."""
    odds = bits(shares.match_share) * np.log(2) + sum_of_logs(shares.m, levels) - sum_of_logs(shares.u, levels)
    return np.asarray(np.exp(-np.logaddexp(0.0, -odds)), dtype=np.float64)


def towards(prior: PerLevel, mass: PerLevel, pseudo_pairs: float) -> PerLevel:
    """Shares of the mass with `pseudo_pairs` more, spread as the prior says."""
    return tuple((found + pseudo_pairs * expected) / (found.sum() + pseudo_pairs) for found, expected in zip(mass, prior, strict=True))


def smoothed(prior: PerLevel, mass: PerLevel) -> PerLevel:
    """Shares of the mass where every level starts with half a pair, met at its declared rate.

    Plain half pairs would call an identifier's agreement one in a hundred after fifty random pairs that disagree, of which any number is
    expected. Here few pairs leave a rare level as declared, and many overrule it.
    """
    return tuple(_normal((found + 0.5) / (found.sum() + 0.5 / declared)) for found, declared in zip(mass, prior, strict=True))


def settled(shares: Shares, declared: Shares, seen: Sequence[NDArray[np.bool_]]) -> Shares:
    """The shares as a model can hold them. A level that no pair met keeps its declared weight: nothing was learned about it."""
    pairs = [_settle(*each) for each in zip(shares.m, shares.u, declared.m, declared.u, seen, strict=True)]
    return Shares(tuple(m for m, _ in pairs), tuple(u for _, u in pairs), _inside(shares.match_share))


def _settle(m: Floats, u: Floats, m_declared: Floats, u_declared: Floats, seen: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    # Of an unmet level the larger share stands and the smaller follows, so that the met levels keep nearly all of both sums.
    unmet = np.where(m_declared >= u_declared, m / m_declared, u / u_declared)
    m = _normal(np.where(seen, m, unmet * m_declared))
    u = _normal(np.where(seen, u, unmet * u_declared))
    return monotone(m, u), u


def monotone(m: Floats, u: Floats) -> Floats:
    """The m nearest to this one (in likelihood, u as it is) whose m/u never climbs: pool adjacent violators; adds up to the same."""
    blocks: list[tuple[float, float, int]] = []  # m, u, levels
    for of_same, of_other in zip(m.tolist(), u.tolist(), strict=True):
        block = (of_same, of_other, 1)
        while blocks and block[0] * blocks[-1][1] >= blocks[-1][0] * block[1]:
            above = blocks.pop()
            block = (above[0] + block[0], above[1] + block[1], above[2] + block[2])
        blocks.append(block)
    ratios = np.concatenate([np.full(levels, of_same / of_other) for of_same, of_other, levels in blocks])
    return np.asarray(u * ratios * (1 - _SLOPE * np.arange(len(u))), dtype=np.float64)


def _normal(shares: Floats) -> Floats:
    kept = np.maximum(shares / shares.sum(), FLOOR)
    return np.asarray(kept / kept.sum(), dtype=np.float64)


def _inside(share: float) -> float:
    return float(np.clip(share, _SURE, 1 - _SURE))
