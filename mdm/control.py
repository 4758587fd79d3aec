"""Control limits of a share, day by day: a p-chart. What is usual comes from the days before; a day outside of it is worth a look. Pure."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate
from math import sqrt

BASELINE_DAYS = 28
BASELINE_MIN = 7  # with fewer days nobody knows yet what is usual
_SIGMAS = 3.0


@dataclass(frozen=True, slots=True)
class Count:
    """So many of the deliveries of a day are filled."""

    day: date
    filled: int
    deliveries: int


@dataclass(frozen=True, slots=True)
class Point:
    """A day of the chart: its share, and within which limits it was to be expected; None while nobody knows."""

    day: date
    filled: int
    deliveries: int
    limits: tuple[float, float] | None

    @property
    def share(self) -> float:
        return self.filled / self.deliveries

    @property
    def beyond(self) -> float:
        """How far the share lies outside its limits; nought within them."""
        return 0.0 if self.limits is None else max(self.limits[0] - self.share, self.share - self.limits[1], 0.0)

    @property
    def is_outside(self) -> bool:
        return self.beyond > 0


def p_chart(counts: Sequence[Count]) -> list[Point]:
    """A point per day that has deliveries, in order. Every day is counted once in `counts`."""
    known = sorted((each for each in counts if each.deliveries), key=lambda each: each.day)
    days = [each.day for each in known]
    # Sums up to each day, so that a year costs one pass however many days are looked back
    filled, deliveries = ([0, *accumulate(each)] for each in ([c.filled for c in known], [c.deliveries for c in known]))
    points = []
    for place, now in enumerate(known):
        first = bisect_left(days, now.day - timedelta(days=BASELINE_DAYS))
        before = filled[place] - filled[first], deliveries[place] - deliveries[first]
        limits = _limits(before[0] / before[1], now.deliveries) if place - first >= BASELINE_MIN else None
        points.append(Point(now.day, now.filled, now.deliveries, limits))
    return points


def _limits(centre: float, deliveries: int) -> tuple[float, float]:
    spread = _SIGMAS * sqrt(centre * (1 - centre) / deliveries)
    return max(0.0, centre - spread), min(1.0, centre + spread)
