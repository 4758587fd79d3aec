"""How well every labelled set is matched, without its labels: F1, effort and how far from floor, peer and goal.

    python -m tests.bench.quality [SET ...] [--out FILE]

Runs `mdm match evaluate` once per set of datasets.toml, each in a process of its own, so that its peak of memory is its own. The sets lie
in $CONCORD_DATA_DIR, else in ../shared/data beside the project; without them there is nothing to run. Reading takes part of the seconds.
More false links by the machine than a domain may have are a failure; a missed goal is only said.
"""

import argparse
import csv
import gzip
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.bench import result

ROOT = Path(__file__).parents[2]
NAME_PAIRS = "opensanctions_name_pairs"
_SHARES = ("floor", "peer", "goal")
PRECISION_MIN = {"patient": 0.99, "location": 0.97, "supplier": 0.97}  # of what the machine links by itself
_HEADER = (
    f"{'set':<26} {'domain':<11} {'floor':>6} {'peer':>6} {'goal':>6} | {'P':>6} {'R':>6} {'F1':>6} {'review':>7} {'blocked':>7}"
    f" {'pairs':>11} {'s':>7} {'MB':>7}"
)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("sets", nargs="*", metavar="SET")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    folder = Path(os.environ.get("CONCORD_DATA_DIR") or ROOT.parent / "shared" / "data")
    if not (folder / "datasets.toml").is_file():
        print(f"skipped: no datasets.toml in {folder} (CONCORD_DATA_DIR)")
        return 0
    declared = tomllib.loads((folder / "datasets.toml").read_text())
    every = [*declared, NAME_PAIRS]
    unknown = sorted(set(asked.sets) - set(every))
    if unknown:
        parser.error(f"no such set: {', '.join(unknown)}; there are {', '.join(every)}")
    print(_HEADER)
    figures = {name: name_pairs(folder) if name == NAME_PAIRS else _run(name, declared[name], folder) for name in asked.sets or every}
    result.save(asked.out, "quality", {"data": [*figures]}, figures)
    careless = [name for name, report in figures.items() if report and name in declared and _is_careless(declared[name]["domain"], report)]
    return 0 if all(figures.values()) and not careless else 1


def _is_careless(domain: str, report: Mapping[str, Any]) -> bool:
    return bool(report["precision"] < PRECISION_MIN.get(domain, 0.0))


def _run(name: str, declared: Mapping[str, Any], folder: Path) -> dict[str, Any] | None:
    """One line of the table; None after a line that says why there are no figures."""
    command = [sys.executable, "-m", "mdm.cli", "match", "evaluate", "--json", *_options(declared, folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        print(f"{name:<26} {declared['domain']:<11} failed with status {done.returncode}: {reason}", flush=True)
        return None
    report: dict[str, Any] = json.loads(done.stdout)
    print(_line(name, declared, report), flush=True)
    return report


def name_pairs(folder: Path) -> dict[str, Any]:
    """Labelled pairs of names alone, by `mdm match grade`: persons as providers, everything else as suppliers."""
    with gzip.open(folder / NAME_PAIRS / "pairs.csv.gz", "rt", encoding="utf-8", newline="") as text:
        rows = list(csv.DictReader(text))
    tables = {
        kind: _graded(domain, attribute, [row for row in rows if (row["schema"] == "Person") is (kind == "person")])
        for kind, domain, attribute in (("person", "provider", "full_name"), ("other", "supplier", "name"))
    }
    counts = {kind: (t["match"]["link"], t["different"]["link"], t["match"]["review"] + t["match"]["new"]) for kind, t in tables.items()}
    counts["all"] = tuple(map(sum, zip(*counts.values(), strict=True)))
    figures = {kind: 2 * right / (2 * right + wrong + missed) for kind, (right, wrong, missed) in counts.items()}
    print(
        f"{NAME_PAIRS:<26} F1 {figures['all']:.3f} (goal .84; persons {figures['person']:.3f}, others {figures['other']:.3f})", flush=True
    )
    return figures


def _graded(domain: str, attribute: str, rows: list[dict[str, str]]) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "pairs.csv")
        with file.open("w", encoding="utf-8", newline="") as text:
            writer = csv.writer(text)
            writer.writerow((f"left.{attribute}", f"right.{attribute}", "label"))
            writer.writerows((row["name1"], row["name2"], "match" if row["is_match"] == "true" else "different") for row in rows)
        command = [sys.executable, "-m", "mdm.cli", "match", "grade", str(file), "--domain", domain, "--json"]
        return json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)["table"]


def _options(declared: Mapping[str, Any], folder: Path) -> list[str]:
    options = ["--domain", declared["domain"], "--id", declared["id"]]
    for name in ("records", "left", "right", "truth"):
        if name in declared:
            options += [f"--{name}", str(folder / declared[name])]
    if "entity" in declared:
        options += ["--entity", declared["entity"]]
    return [*options, "--columns", ",".join(f"{attribute}={column}" for attribute, column in declared["columns"].items())]


def _line(name: str, declared: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    known = " ".join(f"{declared[share]:>6.3f}" if share in declared else f"{'':>6}" for share in _SHARES)
    shares = " ".join(f"{report[share]:>6.3f}" for share in ("precision", "recall", "f1"))
    effort = f"{report['pairs']:>11,} {report['seconds']:>7.1f} {report['peak_mb']:>7,.0f}"
    short = "" if report["f1"] >= declared.get("goal", 0) else "  below its goal"
    short += "  too many false links" if _is_careless(declared["domain"], report) else ""
    refused = f"  untrained: {report['model']['refused']}" if report["model"]["refused"] else ""
    review = f"{report['at_review']['f1']:>7.3f} {report['blocking_recall']:>7.3f}"
    return f"{name:<26} {declared['domain']:<11} {known} | {shares} {review} {effort}{short}{refused}"


if __name__ == "__main__":
    sys.exit(main())
