"""Pairs drawn at random: what agreement among them is worth nothing."""

import numpy as np

from matching.arrays import Rows

_SEED = 1


def random_pairs(size: int, second: int | None, pairs: int) -> tuple[Rows, Rows]:
    """Distinct pairs of rows, left < right; every pair where there are not more than asked for."""
    first = size if second is None else second
    others = size if second is None else size - second
    everything = size * (size - 1) // 2 if second is None else first * others
    if everything <= pairs:
        return _every_pair(size, second)
    draw = np.random.default_rng(_SEED)
    left = draw.integers(0, first, pairs * 2)
    right = draw.integers(0, others, pairs * 2) + (0 if second is None else second)
    low, high = np.minimum(left, right), np.maximum(left, right)
    codes = np.unique((low * size + high)[low != high])
    chosen = draw.permutation(codes)[:pairs]
    return chosen // size, chosen % size


def _every_pair(size: int, second: int | None) -> tuple[Rows, Rows]:
    if second is None:
        left, right = np.triu_indices(size, k=1)
        return left.astype(np.int64), right.astype(np.int64)
    grid = np.indices((second, size - second)).reshape(2, -1)
    return grid[0].astype(np.int64), (grid[1] + second).astype(np.int64)
