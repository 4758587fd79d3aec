"""What a delivery and a question cost when fifty times as many patients are known: one client, single PUT and POST match, in turns.

    python -m tests.bench.growth [--few 20000] [--patients 1000000] [--rounds 3] [--seconds 10] [--out result.json]

Goals (performance.md section 4): median <= 1.5 x, p99 <= 2 x.
"""

import argparse
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.bench import clients
from tests.bench.delivery import put
from tests.bench.fill import PATIENT, hospital
from tests.bench.people import stream
from tests.bench.result import save
from tests.bench.world import Bench, server

_RATE_MAX = 400  # of one client: requests that are made for a second, so that none is sent twice
_WARM_SECONDS = 3.0
Figures = dict[str, dict[str, dict[str, list[float]]]]  # act -> measure -> patients -> one per round
Acts = dict[str, Callable[[int, int], list[bytes]]]


@dataclass(frozen=True, slots=True)
class Place:
    """One of the two hospitals."""

    made: Bench
    port: int
    patients: int

    def deliveries(self, start: int, count: int) -> list[bytes]:
        return [put(delivery, self.made.key) for delivery in stream(self.patients, start, count)]

    def questions(self, start: int, count: int) -> list[bytes]:
        asked = [delivery.attributes for delivery in stream(self.patients, start, count)]
        return [clients.post(f"/v1/{PATIENT.path}/match", {"attributes": attributes}, self.made.key) for attributes in asked]

    @property
    def acts(self) -> Acts:
        return {"delivery": self.deliveries, "match": self.questions}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--few", type=int, default=20_000)
    parser.add_argument("--patients", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    few, many = arguments.few, arguments.patients
    with (
        hospital(few) as small,
        hospital(many) as large,
        server("tests.bench.servers:ours", small) as small_port,
        server("tests.bench.servers:ours", large) as large_port,
    ):
        places = (Place(small, small_port, few), Place(large, large_port, many))
        figures = _measure(places, arguments.rounds, arguments.seconds)
    _tell(figures)
    save(arguments.out, "growth", {"few": few, "many": many, "rounds": arguments.rounds, "seconds": arguments.seconds}, figures)


def _measure(places: tuple[Place, Place], rounds: int, seconds: float) -> Figures:
    figures: Figures = {}
    for act in places[0].acts:
        medians: list[list[float]] = [[], []]
        tails: list[list[float]] = [[], []]
        for number in range(-1, rounds):  # round -1 warms up
            for place, p50, p99 in zip(places, medians, tails, strict=True):
                lasting = seconds if number >= 0 else _WARM_SECONDS
                count = int(max(seconds, _WARM_SECONDS) * _RATE_MAX)
                measured = clients.closed(place.port, place.acts[act]((number + 1) * count, count), lasting, connections=1)
                if measured.errors:
                    raise ValueError(f"{measured.errors} refusals: a fast wrong answer is a failure")
                if number >= 0:
                    p50.append(measured.percentile(0.5) * 1000)
                    p99.append(measured.percentile(0.99) * 1000)
        figures[act] = {"p50_ms": dict(_by_size(places, medians)), "p99_ms": dict(_by_size(places, tails))}
    return figures


def _by_size(places: tuple[Place, Place], rounds: list[list[float]]) -> list[tuple[str, list[float]]]:
    return [(str(place.patients), found) for place, found in zip(places, rounds, strict=True)]


def _tell(figures: Figures) -> None:
    print(f"{'':<10} {'':<8} {'few ms':>9} {'many ms':>9} {'ratio':>6} {'goal':>5}")
    goals = {"p50_ms": 1.5, "p99_ms": 2.0}
    for act, found in figures.items():
        for name, goal in goals.items():
            few, many = (statistics.median(rounds) for rounds in found[name].values())
            print(f"{act:<10} {name:<8} {few:>9.2f} {many:>9.2f} {many / few:>6.2f} {goal:>5}")


if __name__ == "__main__":
    main()
