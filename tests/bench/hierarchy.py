"""The subtree of a hierarchy of 20,000 golden records as of a day, over HTTP, beside the best recursive statement on a bare connection.

    python -m tests.bench.hierarchy [--seconds 5] [--out figures.json]

Goal: the whole tree, p95 <= 50 ms, with authentication, policy, log and metrics.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from uuid import UUID

import psycopg

from mdm.access import NewPrincipal, Role, create_client
from mdm.db import Database
from mdm.embedded import ensure_postgres, stop
from mdm.ids import new_id
from mdm.migrate import migrate
from mdm.relationships import Moved, rederive
from mdm.settings import Settings
from mdm.systems import registry
from tests.bench import clients
from tests.bench.result import save
from tests.bench.world import Bench, server

NODES = 20_000
MOVED = date(2026, 7, 1)
DAY_BEFORE, DAY_AFTER = "2026-06-30", "2026-12-31"
_SHARE_MOVED = 0.1
_WARM_SECONDS = 2.0
_GOAL_MS = 50.0

RECURSIVE = """
with recursive below(id, parent, depth) as (
  select %(root)s::uuid, null::uuid, 0
  union all
  select r.subject_id, r.target_id, b.depth + 1 from below b join relationship r on r.target_id = b.id
   where r.domain = 'cost_center' and r.type = 'rolls_up_to' and r.tree = 'main' and r.recorded_to is null and not r.looped
     and (r.valid_from is null or r.valid_from <= %(day)s) and (r.valid_to is null or r.valid_to >= %(day)s)
) select id, parent, depth from below
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    with _filled() as (made, goldens), server("tests.bench.servers:ours", made) as ours:
        figures = {**_over_http(made, ours, goldens, arguments.seconds), **_raw(made, goldens[0], arguments.seconds)}
    for name, figure in figures.items():
        print(f"{name:>34} {figure:8.1f}", flush=True)
    print(f"goal: whole tree over HTTP, p95 <= {_GOAL_MS:.0f} ms")
    save(arguments.out, "hierarchy", {"nodes": NODES, "seconds": arguments.seconds}, figures)


def _over_http(made: Bench, port: int, goldens: Sequence[UUID], seconds: float) -> dict[str, float]:
    """One connection: the time of one answer. Whole trees, and the subtrees of golden records from anywhere."""
    chance = random.Random(2)
    anywhere = [chance.choice(goldens) for _ in range(500)]
    figures = {}
    for name, roots in (("whole tree", [goldens[0]]), ("subtree from anywhere", anywhere)):
        requests = [
            clients.get(f"/v1/cost-centers/golden/{root}/subtree?as_of={day}", made.key)
            for root in roots
            for day in (DAY_BEFORE, DAY_AFTER)
        ]
        clients.closed(port, requests, _WARM_SECONDS, connections=1)
        measured = clients.closed(port, requests, seconds, connections=1)
        if measured.errors:
            raise SystemExit(f"{measured.errors} answers were not 200")
        figures[f"{name}, HTTP p50 ms"] = measured.percentile(0.5) * 1000
        figures[f"{name}, HTTP p95 ms"] = measured.percentile(0.95) * 1000
    return figures


def _raw(made: Bench, root: UUID, seconds: float) -> dict[str, float]:
    """What a careful developer would send, its rows fetched and nothing done with them."""
    times = []
    with psycopg.connect(made.url, autocommit=True) as connection:
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            begin = time.perf_counter()
            rows = connection.execute(RECURSIVE, {"root": root, "day": DAY_AFTER}, prepare=True).fetchall()
            times.append((time.perf_counter() - begin) * 1000)
    if len(rows) != NODES:
        raise SystemExit(f"the tree has {len(rows)} nodes")
    times.sort()
    return {"raw recursive statement p50 ms": times[len(times) // 2], "raw recursive statement p95 ms": times[int(len(times) * 0.95)]}


@contextmanager
def _filled() -> Iterator[tuple[Bench, list[UUID]]]:
    """A tree of six or so children each; one in ten moves to another parent on a day."""
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        settings = Settings.from_env({"MDM_HOME": folder, "MDM_PROFILE": "test"})
        try:
            url = ensure_postgres(settings)
            database = Database(url)
            migrate(database)
            with database.unit_of_work() as session:
                _, key = create_client(session, settings.key_pepper(), NewPrincipal("bench", Role.INTEGRATION), created_by="bench")
            goldens = _fill(database)
            database.close()
            yield Bench(url, key, {}, settings.home), goldens
        finally:
            stop(settings)


def _fill(database: Database) -> list[UUID]:
    goldens = [new_id() for _ in range(NODES)]
    claims = list(_claims(goldens, random.Random(1)))
    with psycopg.connect(database.url, autocommit=True) as connection, connection.cursor() as cursor:
        with cursor.copy("copy golden_record (id, domain, status) from stdin") as copy:
            for golden in goldens:
                copy.write_row((golden, "cost_center", "active"))
        columns = "id, domain, type, tree, subject_id, target_domain, target_id, valid_from, valid_to, actor"
        with cursor.copy(f"copy relationship_claim ({columns}) from stdin") as copy:
            for subject, parent, valid_from, valid_to in claims:
                copy.write_row(
                    (new_id(), "cost_center", "rolls_up_to", "main", subject, "cost_center", parent, valid_from, valid_to, "bench")
                )
        connection.execute("analyze")
    begin = time.perf_counter()
    database.run(lambda session: rederive(session, registry(session), Moved("cost_center", changed=goldens)))
    print(f"{len(claims):,} edges derived in {time.perf_counter() - begin:.1f} s", flush=True)
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("vacuum analyze")
    return goldens


def _claims(goldens: Sequence[UUID], chance: random.Random) -> Iterator[tuple[UUID, UUID, date | None, date | None]]:
    """Parents come before their children, so that there is no loop on any day."""
    for n in range(1, len(goldens)):
        parent = goldens[(n - 1) // 6]
        if chance.random() < _SHARE_MOVED:
            other = goldens[chance.randrange((n - 1) // 6 + 1)]
            yield goldens[n], parent, None, date(2026, 6, 30)
            yield goldens[n], other, MOVED, None
        else:
            yield goldens[n], parent, None, None


if __name__ == "__main__":
    main()
