"""One lookup over HTTP: ours, with keys, policy, log and metrics, against R1 without; then the time of an answer at half load.

    python -m tests.bench.lookup [--rounds 3] [--seconds 5]

Goals (performance.md section 4): >= 1.0 x R1 with 16 connections; p99 <= 10 ms at half of the peak, open loop.
"""

import argparse
import random
import statistics

from tests.bench import clients
from tests.bench.world import GOLDENS, Bench, bench, server, value_of

_SAMPLE = 20_000
_WARM_SECONDS = 2.0


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0)
    arguments = parser.parse_args()
    with bench() as made, server("tests.bench.servers:ours", made) as ours, server("tests.bench.servers:minimal", made) as minimal:
        _measure(made, ours, minimal, arguments.rounds, arguments.seconds)


def _measure(made: Bench, ours: int, minimal: int, rounds: int, seconds: float) -> None:
    paths = _paths(random.Random(1))
    with_key, without = [clients.get(path, made.key) for path in paths], [clients.get(path) for path in paths]
    for port, requests in ((ours, with_key), (minimal, without)):
        clients.closed(port, requests, _WARM_SECONDS)
    mine, theirs = [], []
    print(f"{'round':>5} {'ours/s':>9} {'R1/s':>9} {'ratio':>6} {'ours p50 ms':>12} {'R1 p50 ms':>10} {'errors':>7}")
    for number in range(rounds):
        a, b = clients.closed(ours, with_key, seconds), clients.closed(minimal, without, seconds)
        mine.append(a.rate)
        theirs.append(b.rate)
        rates = f"{a.rate:>9.0f} {b.rate:>9.0f} {a.rate / b.rate:>6.2f}"
        print(f"{number + 1:>5} {rates} {_p50(a):>12.2f} {_p50(b):>10.2f} {a.errors + b.errors:>7}", flush=True)
    ratios = [a / b for a, b in zip(mine, theirs, strict=True)]
    print(f"throughput against R1: median {statistics.median(ratios):.2f}, worst {min(ratios):.2f} (goal 1.0)")
    for name, port, requests, rates in (("ours", ours, with_key, mine), ("R1", minimal, without, theirs)):
        half = clients.open_loop(port, requests, seconds, statistics.median(rates) / 2)
        times = f"p50 {_p50(half):.2f} ms, p99 {half.percentile(0.99) * 1000:.2f} ms (goal 10)"
        print(f"{name} at half of its load, {half.rate:.0f}/s open loop: {times}, errors {half.errors}", flush=True)


def _p50(measured: clients.Measured) -> float:
    return measured.percentile(0.5) * 1000


def _paths(chance: random.Random) -> list[str]:
    return [f"/v1/crosswalk/department/erp/{value_of('erp', chance.randrange(GOLDENS))}?to=hr" for _ in range(_SAMPLE)]


if __name__ == "__main__":
    main()
