"""`mdm match evaluate | grade`: measuring the matching engine on files. What cannot be used is one line on standard error and status 2."""

import csv
import json
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mdm import cli_models
from mdm.cli_shared import domain
from mdm.errors import UnusableInput
from mdm.settings import Settings

if TYPE_CHECKING:  # see mdm.cli: a command imports what it needs
    from mdm.labelled import Question
    from mdm.quality import Measured, Report


def add_commands(commands: Any) -> None:
    """Add the commands to the sub-parsers of `mdm match`."""
    _add_evaluate(_command(commands.add_parser("evaluate", help="match files whose truth is known, and measure"), _evaluate))
    cli_models.add_commands(commands)
    pairs = _command(commands.add_parser("grade", help="score labelled pairs: match, possible, different"), _grade)
    pairs.add_argument("pairs", type=Path, metavar="PAIRS", help="CSV with left.<attribute>, right.<attribute>, label")


def _command(parser: ArgumentParser, command: Callable[[Settings, Namespace], int | None]) -> ArgumentParser:
    parser.add_argument("--domain", required=True, metavar="D")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.set_defaults(command=command)
    return parser


def _add_evaluate(parser: ArgumentParser) -> None:
    parser.add_argument("--records", type=Path, metavar="F", help="one CSV file, to find duplicates in")
    parser.add_argument("--left", type=Path, metavar="F", help="two CSV files, to link")
    parser.add_argument("--right", type=Path, metavar="F")
    parser.add_argument("--id", required=True, metavar="COL", help="column that names a record")
    parser.add_argument("--entity", metavar="COL", help="truth: column that names the entity")
    parser.add_argument("--truth", type=Path, metavar="F", help="truth: CSV with pairs of ids, or of row numbers (row_a,row_b)")
    parser.add_argument("--columns", default="", metavar="a=c,...", help="attribute=column; else columns named like attributes")
    parser.add_argument("--many", action="store_true", help="the two files may hold duplicates themselves")
    parser.add_argument("--no-train", dest="train", action="store_false", help="use the declared weights as they are")
    parser.add_argument("--spark-url", metavar="URL", help="match on Spark, such as local[2] (needs the extra 'spark')")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="draw diagrams there (needs the extra 'plots')")


def _evaluate(settings: Settings, asked: Namespace) -> None:
    question = _question(asked)
    draw = None if asked.plots is None else _draughtsman(asked.plots)
    from matching.bulk import Room
    from mdm import quality

    measured = quality.evaluate(question, Room(f"{settings.match_memory_gb}GB"))
    if draw is not None:
        draw(measured, asked.plots)
    print(json.dumps(asdict(measured.report), indent=2) if asked.json else _readable(measured.report))


def _draughtsman(folder: Path) -> "Callable[[Measured, Path], None]":
    """Who draws; asked before the work, so that minutes of matching are not lost to a missing package or folder."""
    try:
        from mdm.plots import draw
    except ModuleNotFoundError as error:
        raise UnusableInput("--plots needs matplotlib: install Concord with the extra 'plots'") from error
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnusableInput(f"{folder}: {error.strerror}") from error
    return draw


def _question(asked: Namespace) -> "Question":
    from mdm.labelled import Question

    _check_truth(asked)
    _check_spark(asked)
    return Question(
        domain=domain(asked.domain),
        files=_files(asked),
        id=asked.id,
        entity=asked.entity,
        truth=asked.truth,
        columns=_columns(asked.columns),
        many=asked.many,
        train=asked.train,
        spark_url=asked.spark_url,
    )


def _files(asked: Namespace) -> tuple[Path, ...]:
    given = [path for path in (asked.records, asked.left, asked.right) if path is not None]
    if len(given) != (1 if asked.records is not None else 2):
        raise UnusableInput("say --records F, or --left F and --right F")
    if asked.many and len(given) == 1:
        raise UnusableInput("--many is about two files: one file may always hold duplicates")
    return tuple(given)


def _check_truth(asked: Namespace) -> None:
    if (asked.entity is None) == (asked.truth is None):
        raise UnusableInput("say where the truth is: --entity COL or --truth F, not both")


def _check_spark(asked: Namespace) -> None:
    if asked.spark_url is None:
        return
    if asked.records is None or asked.train:
        raise UnusableInput("--spark-url finds duplicates in one file by the declared weights: say --records F and --no-train")
    if find_spec("pyspark") is None:
        raise UnusableInput("--spark-url needs pyspark: install Concord with the extra 'spark'")


def _columns(text: str) -> Mapping[str, str]:
    """Attribute -> column; a column whose name has a comma stands in double quotes together with its attribute."""
    columns: dict[str, str] = {}
    for part in next(csv.reader([text], skipinitialspace=True), []):
        attribute, equals, column = (piece.strip() for piece in part.partition("="))
        if not (attribute and equals and column):
            raise UnusableInput(f"--columns has {part.strip()!r} where attribute=column is wanted")
        if attribute in columns:
            raise UnusableInput(f"--columns names {attribute} twice")
        columns[attribute] = column
    return columns


def _readable(report: "Report") -> str:
    shares: list[tuple[str, Any]] = [("at link", report), ("at review", report.at_review), ("B-cubed", report.b_cubed)]
    return "\n".join(
        [
            f"{'':<10} {'precision':>9} {'recall':>9} {'F1':>9}",
            *(f"{name:<10} {found.precision:>9.4f} {found.recall:>9.4f} {found.f1:>9.4f}" for name, found in shares),
            f"blocking   {report.blocking_recall:.4f} of the true pairs in {report.pairs:,} pairs, {report.reduction_ratio:.2%} left out",
            f"effort     {report.records:,} records, {report.seconds:.1f} s, {report.peak_mb:,.0f} MB",
            f"model      {_model(report)}",
            *(f"too common {rule}: {count} keys" for rule, count in report.over_full.items()),
            *(f"not compared {rule}: {count} keys too common even together" for rule, count in report.left_out.items()),
            *_note_lines(report.notes),
            *(["           say --columns attribute=column,... for what was not compared"] if "not_compared" in report.notes else ()),
        ]
    )


def _note_lines(notes: Mapping[str, Mapping[str, int]]) -> list[str]:
    return [f"note       {name} {code}: {count:,}" for code, counts in notes.items() for name, count in counts.items()]


def _model(report: "Report") -> str:
    model = report.model
    if model.refused is not None:
        return f"{model.version}, not trained: {model.refused}"
    expects = "" if model.estimated_matches is None else f", expects {model.estimated_matches:,.0f} true pairs"
    return f"{model.version}{expects}" + ("" if model.link is None else f", links from {model.link:.1f} bits on")


def _grade(_: Settings, asked: Namespace) -> None:
    from mdm import grading

    grades = grading.grade(domain(asked.domain), asked.pairs)
    if asked.json:
        print(json.dumps(asdict(grades), indent=2))
        return
    outcomes = list(grading.OUTCOMES.values())
    print(f"{'':<10}" + "".join(f"{outcome:>9}" for outcome in outcomes))
    for label, row in grades.table.items():
        print(f"{label:<10}" + "".join(f"{row[outcome]:>9,}" for outcome in outcomes))
    print("\n".join([f"macro F1   {grades.macro_f1:.4f}", *_note_lines(grades.notes)]))
