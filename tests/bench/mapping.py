"""Resolving 1,000 questions in one call: ours over HTTP with everything on, against the best statement in raw psycopg.

    python -m tests.bench.mapping [--rounds 30] [--out FILE]

The set has 6,000 rules: 1,000 departments, each with a general rule and one for each of five payer classes. The statement finds the rule
and its outputs in the same table; it knows no ties, no splits, no reasons and no crosswalk, and makes no JSON. Ours does all of them.
"""

import argparse
import random
import socket
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg import RawCursor

from mdm.access import SYSTEM_ACTOR, Actor, Role
from mdm.db import Database
from mdm.mapping import RULES_MAX, NewRule, write_drafts
from mdm.mapping_approval import approve
from mdm.mapping_sets import By, Definition, Input, Output, get_set, put_set
from tests.bench import clients, result
from tests.bench.world import Bench, bench, server, value_of

DEPARTMENTS, PAYER_CLASSES = 1_000, ("commercial", "medicare", "medicaid", "self_pay", "workers_comp")
ASKED = 1_000
DAY = date(2026, 3, 31)
GOAL_MS = 100
BEST: LiteralString = """
select distinct on (a.n) a.n, r.id, r.outputs from unnest($2::text[], $3::text[]) with ordinality as a(department, payer_class, n)
  join mapping_rule r on r.set_code = $1 and r.status = 'approved' and r.conditions->>'department' = a.department
   and (not r.conditions ? 'payer_class' or r.conditions->>'payer_class' = a.payer_class)
   and coalesce(r.valid_from, '-infinity') <= $4::date and coalesce(r.valid_to, 'infinity') >= $4::date
 order by a.n, r.conditions ? 'payer_class' desc
"""
Question = tuple[str, str]
Ask = Callable[[Sequence[Question]], None]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    with bench() as made:
        _fill(made)
        with (
            server("tests.bench.servers:ours", made) as port,
            psycopg.connect(made.url, autocommit=True) as connection,
            socket.create_connection(("127.0.0.1", port)) as line,
        ):
            connection.execute(
                "create index bench_mapping on mapping_rule (set_code, (conditions->>'department')) where status = 'approved'"
            )
            connection.execute("analyze mapping_rule")
            contenders: dict[str, Ask] = {
                "plain values": _over_http(line, made, "plain", lambda value: value),
                "keys through the crosswalk": _over_http(line, made, "keyed", lambda value: {"system": "erp", "value": value}),
                "raw psycopg, plain values": _raw(connection),
            }
            figures = _measure(contenders, asked.rounds)
    result.save(asked.out, "mapping", {"rules": DEPARTMENTS * 6, "asked": ASKED, "rounds": asked.rounds}, figures)


def _measure(contenders: dict[str, Ask], rounds: int) -> dict[str, object]:
    chance = random.Random(7)
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds + 3):  # the first three warm up caches and plans
        questions = [(value_of("erp", chance.randrange(DEPARTMENTS)), chance.choice((*PAYER_CLASSES, "auto"))) for _ in range(ASKED)]
        for name, ask in contenders.items():
            begin = time.perf_counter()
            ask(questions)
            seconds[name].append(time.perf_counter() - begin)
    figures: dict[str, object] = {}
    for name, times in seconds.items():
        p50, p95 = statistics.median(times[3:]) * 1000, statistics.quantiles(times[3:], n=20)[-1] * 1000
        figures[name] = {"p50_ms": round(p50, 1), "p95_ms": round(p95, 1)}
        print(f"{ASKED:>7,} questions  {name:<28} p50 {p50:>7.1f} ms  p95 {p95:>7.1f} ms  (goal {GOAL_MS} ms)", flush=True)
    return figures


def _fill(made: Bench) -> None:
    database = Database(made.url)
    for code, domain in (("plain", None), ("keyed", "department")):
        definition = Definition(code, (Input("department", domain), Input("payer_class")), (Output("account"),), ("department",))
        database.run(partial(put_set, by=_by(SYSTEM_ACTOR), code=code, definition=definition, if_match=None))
        rules = [rule for number in range(DEPARTMENTS) for rule in _rules(value_of("erp", number), keyed=domain is not None)]
        for start in range(0, len(rules), RULES_MAX):
            chunk = rules[start : start + RULES_MAX]
            database.run(partial(write_drafts, by=_by(_person(1)), code=code, rules=chunk))
        revision = database.run(partial(get_set, code=code)).revision
        database.run(partial(approve, by=_by(_person(2)), code=code, wanted=None, if_match=revision))
    database.close()


def _person(number: int) -> Actor:
    return Actor(UUID(int=number), f"steward {number}", Role.STEWARD)


def _by(actor: Actor) -> By:
    return By(actor, "bench", DAY)


def _rules(department: str, *, keyed: bool) -> list[NewRule]:
    given: Any = {"system": "erp", "value": department} if keyed else department
    conditions: list[dict[str, Any]] = [{"department": given}, *({"department": given, "payer_class": name} for name in PAYER_CLASSES)]
    return [NewRule(each, [("100", {"account": f"4{place:05}"})], date(2020, 1, 1)) for place, each in enumerate(conditions)]


def _over_http(line: socket.socket, made: Bench, code: str, written: Callable[[str], object]) -> Ask:
    room = clients.room()

    def ask(questions: Sequence[Question]) -> None:
        items = [{"inputs": {"department": written(d), "payer_class": p}, "as_of": DAY.isoformat()} for d, p in questions]
        line.sendall(clients.post(f"/v1/mappings/{code}/resolve", {"items": items}, made.key))
        if bytes(clients.read(line, room)).count(b'"outcome":"found"') != len(questions):
            raise ValueError("a fast wrong answer is a failure")

    return ask


def _raw(connection: "psycopg.Connection[tuple[Any, ...]]") -> Ask:
    def ask(questions: Sequence[Question]) -> None:
        parameters = ("plain", [d for d, _ in questions], [p for _, p in questions], DAY)
        if len(RawCursor(connection).execute(BEST, parameters, prepare=True).fetchall()) != len(questions):
            raise ValueError("a fast wrong answer is a failure")

    return ask


if __name__ == "__main__":
    main()
