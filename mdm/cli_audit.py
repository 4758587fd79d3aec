"""`mdm audit`: whether the audit is as it was written."""

import json
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mdm.cli_shared import current_database
from mdm.errors import UnusableInput
from mdm.settings import Settings


def add_parser(commands: Any) -> None:
    """Add the group to the sub-parsers of `mdm`."""
    group = commands.add_parser("audit", help="the audit").add_subparsers(required=True, metavar="COMMAND")
    verify = group.add_parser("verify", help="is it as it was sealed? names what was changed, removed or added; status 1 if anything was")
    verify.add_argument("--since", type=int, default=0, metavar="BATCH", help="look at the rows of this batch and later ones only")
    verify.add_argument("--checkpoints", type=Path, metavar="FILE", help="heads that were kept elsewhere (those in MDM_HOME)")
    verify.add_argument("--json", action="store_true", help="one JSON document")
    verify.set_defaults(command=_verify)


def _verify(settings: Settings, asked: Namespace) -> int:
    from mdm.audit_check import verify
    from mdm.seal import HEADS, read_heads

    if asked.checkpoints is not None and not asked.checkpoints.is_file():
        raise UnusableInput(f"{asked.checkpoints} is no file")
    with current_database(settings) as database:
        heads = read_heads(asked.checkpoints or settings.home / HEADS)
        verdict = verify(database, settings.seal_key(), heads, since=asked.since)
    if asked.json:
        print(json.dumps({"ok": not verdict.problems, **asdict(verdict), "outside": len(heads)}))
    else:
        for problem in verdict.problems:
            print(problem)
        told = f"{verdict.rows:,} rows in {verdict.batches:,} seals, {len(heads):,} heads outside, {verdict.unsealed:,} rows not sealed yet"
        print(f"{'not ' if verdict.problems else ''}as it was sealed: {told}")
    return 1 if verdict.problems else 0
