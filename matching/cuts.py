"""The weight from which on the machine links by itself, so that its links are as precise as was stated."""

from math import ceil

import numpy as np

from matching.arrays import Bits, Flags
from matching.shares import bits

PRECISION = 0.999  # of links between persons: at most one in a thousand is wrong


def cut_expected(weights: Bits, least: float, precision: float = PRECISION) -> float:
    """The lowest cut (bits), not below `least`, from which on pairs of these weights are matches with that probability on the average.

    A weight is the log odds of its pair: 10 bits are wrong once in a thousand times. Where no cut is good enough, that of a single pair.
    """
    falling = np.sort(weights[weights >= least])[::-1]
    true = np.cumsum(1 / (1 + np.exp2(-falling)))
    found = _lowest(falling, true, precision)
    return max(least, bits(precision)) if found is None else found


def cut_decided(weights: Bits, same: Flags, least: float, precision: float = PRECISION) -> float | None:
    """The same by what people decided about these pairs. None where too few of them lie above a cut to tell."""
    order = np.argsort(weights, kind="stable")[::-1]
    order = order[weights[order] >= least]
    enough = ceil(1 / (1 - precision))
    return _lowest(weights[order], np.cumsum(same[order].astype(np.float64)), precision, enough)


def _lowest(falling: Bits, true: Bits, precision: float, enough: int = 1) -> float | None:
    """The lowest of falling weights at or above which enough pairs lie and so large a share of them is true."""
    places = np.arange(1, len(falling) + 1)
    # Pairs of one weight stand or fall together
    is_end = np.append(falling[1:] < falling[:-1], True)[: len(falling)]
    good = np.flatnonzero(is_end & (true >= precision * places) & (places >= enough))
    return float(falling[good[-1]]) if len(good) else None
