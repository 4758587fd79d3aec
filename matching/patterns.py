"""Level vectors of pairs, counted: all that training needs to see."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matching.arrays import Levels


@dataclass(frozen=True, slots=True)
class Patterns:
    """Level vectors and how many pairs have each.

    levels  int16 [patterns, comparisons]: number of the level in its comparison (0 = declared first = strongest), -1 = no evidence
    counts  float64 [patterns]
    """

    levels: Levels
    counts: NDArray[np.float64]
