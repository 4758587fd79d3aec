"""`mdm match explain`: why two stored records match, or not. Values of patients are masked as for a steward; the read is audited."""

import json
from argparse import ArgumentParser, Namespace
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from mdm.cli_shared import current_database, domain
from mdm.errors import UnusableInput
from mdm.settings import Settings

if TYPE_CHECKING:  # see mdm.cli: a command imports what it needs
    from sqlalchemy.orm import Session

    from mdm.entity import EntityType
    from mdm.explain import PairView, Stored


def add_parser(commands: Any) -> None:
    """Add the command to the sub-parsers of `mdm match`."""
    parser: ArgumentParser = commands.add_parser("explain", help="why two stored records match, or not, and what would turn the outcome")
    parser.add_argument("--domain", required=True, metavar="D")
    parser.add_argument("left", metavar="SYSTEM/KEY")
    parser.add_argument("right", metavar="SYSTEM/KEY")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.set_defaults(command=run)


def run(settings: Settings, asked: Namespace) -> None:
    """Print the explanation; raises UnusableInput for options that cannot be used, NotFound for a record that is not there."""
    from mdm.explain import as_json

    entity, left, right = domain(asked.domain), _record(asked.left), _record(asked.right)
    with current_database(settings) as database:
        view = database.run(lambda session: _explain(session, entity, left, right))
    print(json.dumps(as_json(view), indent=2, default=str) if asked.json else _readable(view))


def _explain(session: "Session", entity: "EntityType", left: "Stored", right: "Stored") -> "PairView":
    from mdm.access import SYSTEM_ACTOR, Role
    from mdm.reading import Reader
    from mdm.reading_pairs import explain

    # A terminal keeps what it shows, so it shows no more than a steward's page.
    reader = Reader(replace(SYSTEM_ACTOR, role=Role.STEWARD, grants=frozenset()), uuid4().hex)
    return explain(session, entity, reader, left, right)


def _record(text: str) -> "Stored":
    from mdm.explain import Stored

    system, slash, key = text.partition("/")
    if not (system and slash and key):
        raise UnusableInput("name each record as SYSTEM/KEY")
    return Stored(system, key)


def _readable(view: "PairView") -> str:
    found = view.explanation
    return "\n".join(
        [
            f"{'start':<52} {'':>7} {found.start:>8.2f}",
            *(_line(step.comparison, step.level, step.weight, step.total) for step in found.steps),
            *([_line("held below link", found.held or "", found.cap, found.total)] if found.cap else []),
            f"{'total':<52} {'':>7} {found.total:>8.2f}",
            f"{found.outcome}: review from {found.thresholds.review:.2f}, link from {found.thresholds.link:.2f}, model {found.version}",
            *(f"a rule forbids an automatic link: {veto.name}" for veto in found.vetoes),
            *(f"{flip.words}: {flip.change:+.2f} bits, {flip.outcome}" for flip in found.flips),
            *(f"said nothing: {silent.comparison} ({silent.least:+.2f} to {silent.most:+.2f})" for silent in found.silent),
        ]
    )


def _line(comparison: str, level: str, weight: float, total: float) -> str:
    return f"{comparison + ': ' + level:<52} {weight:>+7.2f} {total:>8.2f}"
