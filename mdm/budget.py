"""How many values of patients somebody has asked for within an hour: enough for work, too few to walk through all numbers there are.

Counted in the memory of each process, so that no lookup waits for it; a process begun anew has forgotten.
"""

import time
from dataclasses import dataclass
from threading import Lock
from uuid import UUID

from mdm.errors import ConcordError

WINDOW_SECONDS = 3_600
ALARM_UNKNOWN = 1_000  # so many unknown values, and more than half of all: numbers are being tried
_HOLDERS_MAX = 10_000


class OverBudget(ConcordError):
    """Your key has asked for as many values of patients as it may in an hour."""

    code = "lookup_budget"

    def __init__(self, retry_seconds: int) -> None:
        super().__init__()
        self.retry_seconds = retry_seconds


@dataclass(slots=True)
class _Spent:
    since: float
    asked: int = 0
    unknown: int = 0
    told: bool = False


@dataclass(frozen=True, slots=True)
class Alarm:
    """What was asked for since the hour began, and how much of it nobody knows."""

    asked: int
    unknown: int


class Budget:
    """The counts of one process; safe among threads. `most`: values per holder and hour."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = Lock()
        self._spent: dict[UUID, _Spent] = {}

    def take(self, holder: UUID, values: int) -> None:
        """Count these before they are answered. Raises OverBudget, which counts nothing."""
        with self._lock:
            spent = self._window(holder)
            if spent.asked + values > self._most:
                raise OverBudget(max(1, int(spent.since + WINDOW_SECONDS - time.monotonic())))
            spent.asked += values

    def note_unknown(self, holder: UUID, values: int) -> Alarm | None:
        """So many of them nobody knows. The alarm, once an hour, where that looks like a walk."""
        with self._lock:
            spent = self._window(holder)
            spent.unknown += values
            if spent.told or spent.unknown < ALARM_UNKNOWN or spent.unknown * 2 <= spent.asked:
                return None
            spent.told = True
            return Alarm(spent.asked, spent.unknown)

    def _window(self, holder: UUID) -> _Spent:
        known = self._spent.get(holder)
        if known is None or time.monotonic() - known.since > WINDOW_SECONDS:
            if len(self._spent) >= _HOLDERS_MAX:
                self._spent.clear()
            known = self._spent[holder] = _Spent(time.monotonic())
        return known
