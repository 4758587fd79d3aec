"""Pairs and records as arrays. A record is its row number."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
Bits = NDArray[np.float64]
Flags = NDArray[np.bool_]
Levels = NDArray[np.int16]  # [pairs or patterns, comparisons]: the number of the level that each comparison meets, -1 = no evidence


@dataclass(frozen=True, slots=True)
class Weighed:
    """Pairs with their total weight in bits and whether a veto stands against them; each pair stands once."""

    left: Rows
    right: Rows
    weights: Bits
    vetoed: Flags

    def where(self, mask: Flags) -> "Weighed":
        """The pairs that the mask marks."""
        return Weighed(self.left[mask], self.right[mask], self.weights[mask], self.vetoed[mask])
