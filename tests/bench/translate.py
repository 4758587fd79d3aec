"""Translating 1,000 and 10,000 ids in one call: ours over HTTP with everything on, against R3, the best statement in raw psycopg.

    python -m tests.bench.translate [--rounds 9]

R3 is whichever of the statements below is the fastest here and now; it brings back value and target only, and makes no JSON.
Goals (performance.md section 4): >= 70 % of R3's ids per second at 1,000 and >= 85 % at 10,000.
"""

import argparse
import random
import socket
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, LiteralString

import psycopg
from psycopg import RawCursor

from tests.bench import clients
from tests.bench.world import GOLDENS, Bench, bench, server, value_of

SIZES = {1_000: 0.70, 10_000: 0.85}
_JOIN: LiteralString = (
    " join xref t on t.golden_id = s.golden_id and t.system_id = $3 and t.recorded_to is null"
    " where s.domain = $1 and s.system_id = $2 and s.recorded_to is null"
)
STATEMENTS: dict[str, LiteralString] = {
    "unnest": "select a.n, t.value from unnest($4::text[]) with ordinality as a(value, n)"
    " join xref s on s.value = a.value and s.domain = $1 and s.system_id = $2 and s.recorded_to is null"
    " join xref t on t.golden_id = s.golden_id and t.system_id = $3 and t.recorded_to is null order by a.n",
    "any": "select s.value, t.value from xref s" + _JOIN + " and s.value = any($4::text[])",
    "any, in columns": "select array_agg(s.value), array_agg(t.value) from xref s" + _JOIN + " and s.value = any($4::text[])",
    "any, generic plan": "select s.value, t.value from xref s" + _JOIN + " and s.value = any((select $4::text[])::text[])",
}
Translate = Callable[[Sequence[str]], Callable[[], int]]  # asks, and leaves to be counted what came back: counting is not measured


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    with (
        bench() as made,
        server("tests.bench.servers:ours", made) as port,
        psycopg.connect(made.url, autocommit=True) as connection,
        socket.create_connection(("127.0.0.1", port)) as line,
    ):
        contenders = {name: _raw(connection, made, statement) for name, statement in STATEMENTS.items()} | {"ours": _over_http(line, made)}
        for size, goal in SIZES.items():
            _compare(contenders, size, goal, rounds)


def _compare(contenders: dict[str, Translate], size: int, goal: float, rounds: int) -> None:
    chance = random.Random(size)
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds + 3):  # the first three warm up caches and plans
        for name, translate in chance.sample(sorted(contenders.items()), len(contenders)):
            # In another order each time, each with values of its own: what the one before has just asked for lies in the processor's caches
            values = [value_of("erp", number) for number in chance.sample(range(GOLDENS), size)]
            begin = time.perf_counter()
            count = translate(values)
            seconds[name].append(time.perf_counter() - begin)
            if count() != size:
                raise ValueError("a fast wrong answer is a failure")
    medians = {name: statistics.median(times[3:]) for name, times in seconds.items()}
    for name, median in medians.items():
        print(f"{size:>7,} ids  {name:<24} {median * 1000:>8.1f} ms  {size / median:>9,.0f} ids/s", flush=True)
    best = min(median for name, median in medians.items() if name in STATEMENTS)
    print(f"{size:>7,} ids  ours against R3: {best / medians['ours']:.0%} (goal {goal:.0%})")


def _raw(connection: "psycopg.Connection[tuple[Any, ...]]", made: Bench, statement: LiteralString) -> Translate:
    def translate(values: Sequence[str]) -> Callable[[], int]:
        parameters = ("department", made.ids["erp"], made.ids["hr"], list(values))
        rows = RawCursor(connection).execute(statement, parameters, prepare=True).fetchall()
        return lambda: len(rows) if len(rows) > 1 else len(rows[0][0])

    return translate


def _over_http(line: socket.socket, made: Bench) -> Translate:
    room = clients.room()

    def translate(values: Sequence[str]) -> Callable[[], int]:
        line.sendall(
            clients.post("/v1/crosswalk/translate", {"domain": "department", "from": "erp", "to": "hr", "values": values}, made.key)
        )
        answer = clients.read(line, room)
        return lambda: bytes(answer).count(b'"outcome":"found"')

    return translate


if __name__ == "__main__":
    main()
