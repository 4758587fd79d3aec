"""A file of persons loaded into a store of others: plan, apply, load again with 1 % changed, undo; beside a raw COPY of the same bytes.

    python -m tests.bench.load [--rows 1000000] [--stored 200000] [--known 0.02] [--rejects 0.02] [--undo] [--out result.json]

Each job runs in a process of its own; seconds, processor seconds and peak memory are of that process (its children included). `--known`:
the share of rows that are persons of the store as another hospital registered them; `--rejects`: rows without a key.
"""

import argparse
import csv
import json
import multiprocessing
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import psycopg

from mdm import loads
from mdm.access import SYSTEM_ACTOR
from mdm.db import Database, fetch
from mdm.entities import ENTITY_TYPES
from mdm.load_outlook import preview
from mdm.load_targets import read_columns
from mdm.load_upload import Upload, upload
from mdm.standardise import Delivery
from tests.bench.fill import hospital
from tests.bench.people import ELSEWHERE, delivered, known
from tests.bench.result import save

NAMES = (
    "given_name", "middle_name", "family_name", "sex", "birth_date", "address_line", "city", "state", "postal_code", "phone", "email",
)  # fmt: skip
ROOT = Path(__file__).parents[2]
_BLOCK = 10_000


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--stored", type=int, default=200_000)
    parser.add_argument("--known", type=float, default=0.02)
    parser.add_argument("--rejects", type=float, default=0.02)
    parser.add_argument("--undo", action="store_true")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    with hospital(asked.stored) as made:
        figures = _measure(asked, made.url, made.home)
    for name, value in figures.items():
        print(f"{name:<21} {value}")
    save(asked.out, "load", {name: value for name, value in vars(asked).items() if name != "out"}, figures)


def _measure(asked: argparse.Namespace, url: str, home: Path) -> dict[str, Any]:
    database = Database(url)
    first, second = home / "first.csv", home / "second.csv"
    write_file(asked, first, 0.0)
    write_file(asked, second, 0.01)
    figures: dict[str, Any] = {"bytes": first.stat().st_size, "copy_seconds": _copy(url, first)}
    view = uploaded(database, home, first)
    figures["plan"] = run_job(database, home, database.run(lambda session: loads.ask_plan(session, SYSTEM_ACTOR, view.id, "bench")))
    planned = look(database, view.id)
    figures["planned"] = planned.counts
    how = loads.Applying(10**9, despite=("many_rejects", "volume_off"), reason="bench")
    figures["apply"] = run_job(
        database, home, database.run(lambda s: loads.ask_apply(s, SYSTEM_ACTOR, planned.plan_id or view.id, how, "bench"))
    )
    figures["applied"] = look(database, view.id).applied
    again = uploaded(database, home, second)
    figures["plan_again"] = run_job(database, home, database.run(lambda session: loads.ask_plan(session, SYSTEM_ACTOR, again.id, "bench")))
    planned = look(database, again.id)
    figures["planned_again"] = planned.counts
    figures["apply_again"] = run_job(
        database, home, database.run(lambda s: loads.ask_apply(s, SYSTEM_ACTOR, planned.plan_id or again.id, how, "bench"))
    )
    if asked.undo:
        back = loads.Undoing(10**9)
        figures["undo_again"] = run_job(database, home, database.run(lambda s: loads.ask_undo(s, SYSTEM_ACTOR, again.id, back, "bench")))
        began = time.perf_counter()
        figures["undo_preview"] = database.run(lambda s: preview(s, SYSTEM_ACTOR, view.id)).counts
        figures["undo_preview_seconds"] = round(time.perf_counter() - began, 1)
        figures["undo"] = run_job(database, home, database.run(lambda s: loads.ask_undo(s, SYSTEM_ACTOR, view.id, back, "bench")))
        figures["undone"] = look(database, view.id).status
    figures["again_share"] = _share(figures, "seconds")
    figures["again_share_processor"] = _share(figures, "processor_seconds")
    database.close()
    return figures


def _share(figures: dict[str, Any], what: str) -> float:
    """What the file with 1 % changed costs, of what the whole one did."""
    first, again = (sum(figures[f"{job}{suffix}"][what] for job in ("plan", "apply")) for suffix in ("", "_again"))
    return round(again / first, 4)


def write_file(asked: argparse.Namespace, path: Path, changed: float) -> None:
    """Persons that nobody has yet, and some of the store; a share of them changed against the file before."""
    blocks = [(asked, start, min(start + _BLOCK, asked.rows), changed) for start in range(0, asked.rows, _BLOCK)]
    with multiprocessing.get_context("spawn").Pool(2) as pool, path.open("w", newline="") as out:
        csv.writer(out).writerow(["key", *NAMES, "ssn"])
        for text in pool.imap(_lines, blocks):
            out.write(text)


def _lines(block: tuple[argparse.Namespace, int, int, float]) -> str:
    import io

    asked, start, end, changed = block
    text = io.StringIO()
    writer = csv.writer(text)
    for number in range(start, end):
        row = _person(asked, number)
        chance = Random(f"file {number}").random()
        key = "" if chance < asked.rejects else row.key
        values = {**row.attributes, **({"phone": f"617-555-{number % 10_000:04d}"} if chance > 1 - changed else {})}
        writer.writerow([key, *(values.get(name, "") for name in NAMES), dict(row.identifiers).get("us-ssn", "")])
    return text.getvalue()


def _person(asked: argparse.Namespace, number: int) -> Delivery:
    if Random(f"known {number}").random() < asked.known:
        return known(number * 7_919 % asked.stored, number // asked.stored)
    return delivered(asked.stored + number)


def _copy(url: str, path: Path) -> float:
    """The floor: the same bytes into a table of texts."""
    columns = ", ".join(f"c{place} text" for place in range(len(NAMES) + 2))
    with psycopg.connect(url, autocommit=True) as connection, connection.cursor() as cursor:
        connection.execute(f"create table raw_copy ({columns})".encode())
        began = time.perf_counter()
        with cursor.copy("copy raw_copy from stdin (format csv, header)") as copy, path.open("rb") as content:
            for piece in _pieces(content):
                copy.write(piece)
        took = time.perf_counter() - began
        connection.execute("drop table raw_copy")
    return round(took, 2)


def _pieces(content: Any) -> Iterator[bytes]:
    while piece := content.read(1 << 20):
        yield piece


def uploaded(database: Database, home: Path, path: Path) -> loads.LoadView:
    with path.open("rb") as content:
        given = Upload(ENTITY_TYPES["patient"], ELSEWHERE, content, path.name, read_columns("identifier:us-ssn=ssn"))
        return upload(database, home, SYSTEM_ACTOR, given, "bench")


def run_job(database: Database, home: Path, view: loads.LoadView) -> dict[str, float]:
    answer = subprocess.run(
        [sys.executable, "-m", "tests.bench.load_job", database.url, str(home), str(view.job_id)],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
    )
    state, error = database.run(lambda session: fetch(session, "select state, error from job where id = %s", (view.job_id,)))[0]
    if state != "done":
        raise SystemExit(f"the job ended {state}: {error}")
    found: dict[str, float] = json.loads(answer.stdout.splitlines()[-1])
    return found


def look(database: Database, load_id: UUID) -> loads.LoadView:
    return database.run(lambda session: loads.get(session, SYSTEM_ACTOR, load_id))


if __name__ == "__main__":
    main()
